// What the pages say is so: nothing is foretold from nothing, undo leads back, a silent page says why it is silent.
import type { Page } from "@playwright/test";
import { OUTAGE, expect, test } from "../fixtures.ts";
import type { Server } from "../server.ts";

const job = (name: string, kind: string, command: string[], deadline_s: number) => ({
  name,
  platform: { kind: "local", params: { command } },
  workload: { source: "inline", items: "one\ntwo" },
  objective: { deadline_s },
  replicas: { min: 1, max: 1, initial: 1 },
  monitors: [{ kind: "progress", params: {} }],
  loops: [{ name: "main", controller: { kind, params: {} }, metric: "progress_error", actuator: { kind: "local_replicas", params: {} }, interval_s: 1 }],
  queue: { max_attempts: 1, order: "fifo" },
});
const SLOW = job("Slow", "pid", ["asperathos", "worker", "--", "sleep", "1000"], 3600);

async function start(server: Server, spec: object): Promise<string> {
  const answer = await server.api("/api/v1/jobs", { method: "POST", body: JSON.stringify(spec) });
  expect(answer.status, await answer.clone().text()).toBe(202);
  return ((await answer.json()) as { job_id: string }).job_id;
}

const live = (page: Page) => expect(page.locator('.live[data-state="live"]').first()).toBeVisible();
const gain = (page: Page) => page.getByLabel("Proportional gain", { exact: true });
const apply = (page: Page) => page.getByRole("button", { name: /^Apply/ });

test("where nothing is done nothing is foretold, and a worker that takes nothing is named", async ({ signedIn: page, server }) => {
  const slow = await start(server, { ...SLOW, loops: [{ ...SLOW.loops[0], controller: { kind: "deadline", params: {} } }] });
  await page.goto(`${server.url}/jobs/${slow}`);
  await live(page);
  await expect(page.locator(".verdict")).toContainText("Too early to say: no item is done yet");
  const stuck = await start(server, job("Stuck", "deadline", ["sleep", "3600"], 40));
  await page.goto(`${server.url}/jobs/${stuck}`);
  await expect(page.locator('.verdict[data-tone="bad"]')).toContainText("No worker has taken an item for", { timeout: 30_000 });
  await page.getByRole("link", { name: "See its output" }).click();
  await expect(page).toHaveURL(/tab=logs/);
});

test("undo leads back step by step, and nothing is applied without a change", async ({ signedIn: page, server }) => {
  await page.goto(`${server.url}/jobs/${await start(server, SLOW)}`);
  await live(page);
  await expect(apply(page)).toBeDisabled();
  for (const [value, revision] of [["60", 2], ["80", 3]]) {
    await gain(page).fill(String(value));
    await apply(page).click();
    await expect(page.getByText(`Revision ${revision} is running`)).toBeVisible();
  }
  const undo = page.getByRole("button", { name: /^Undo/ });
  await expect(undo).toHaveText(/back to 60/);
  await undo.click();
  await expect(page.getByText("Revision 4 is running")).toBeVisible();
  await expect(undo).toHaveText(/back to 40/);
  await undo.click();
  await expect(page.getByText("Revision 5 is running")).toBeVisible();
  await expect(undo).toHaveCount(0);
});

test("eight pages that all are seen stay live, and their browser still gets answers", async ({ signedIn: page, server, context }) => {
  const id = await start(server, SLOW);
  const pages: Page[] = [];
  for (let number = 0; number < 8; number++) {
    const another = await context.newPage();
    await another.goto(`${server.url}/jobs/${id}`);
    pages.push(another);
  }
  for (const another of pages) await live(another);
  await page.goto(`${server.url}/jobs/${id}?tab=items`);
  await expect(page.getByRole("cell", { name: "one", exact: true })).toBeVisible();
});

test("a page whose person has signed out says so, and asks no more", async ({ signedIn: page, server, context, troubles }) => {
  troubles.allow(OUTAGE, /status 401/, /status of 401/);
  await page.goto(`${server.url}/jobs/${await start(server, SLOW)}`);
  await live(page);
  await context.clearCookies();
  // The stream that is open was let in; the next one is not.
  await server.kill9();
  await server.run();
  await expect(page.locator(".verdict")).toContainText("Signed out.", { timeout: 30_000 });
  await expect(page.locator(".live").first()).toContainText("signed out");
  let asked = 0;
  page.on("response", () => asked++);
  await page.waitForTimeout(5000);
  expect(asked).toBe(0);
  await page.getByRole("link", { name: "sign in" }).click();
  await expect(page.getByText("asperathos link")).toBeVisible();
});

test.describe("without scripts", () => {
  test.use({ javaScriptEnabled: false });

  test("a refused tuning says why and keeps what was typed", async ({ signedIn: page, server }) => {
    const id = await start(server, SLOW);
    await page.goto(`${server.url}/jobs/${id}`);
    await expect(page.locator('input[type="range"]').first()).toBeHidden();
    await gain(page).fill("55");
    const params = { proportional_gain: 30 };
    await server.api(`/api/v1/jobs/${id}/loops/main/tunings`, { method: "POST", body: JSON.stringify({ base_revision: 1, params }) });
    await apply(page).click();
    await expect(page.getByRole("alert")).toContainText("has set revision 2");
    await expect(gain(page)).toHaveValue("55");
    await apply(page).click();
    await expect(page.getByText("Revision 3 is running")).toBeVisible();
    await expect(page.getByRole("alert")).toHaveCount(0);
  });
});
