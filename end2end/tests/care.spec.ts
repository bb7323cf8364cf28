// What people do around a job: look at what it made, send it again, delete it, meet somebody else's change, sign out.
import fs from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Page } from "@playwright/test";
import { expect, picture, test } from "../fixtures.ts";
import { field, submitted } from "../form.ts";
import type { Server } from "../server.ts";

const job = (name: string, command: string[], items: string[]) => ({
  name,
  platform: { kind: "local", params: { command: ["asperathos", "worker", "--", ...command] } },
  workload: { source: "inline", items: items.join("\n") },
  objective: { deadline_s: 600 },
  replicas: { min: 1, max: 2, initial: 1 },
  monitors: [{ kind: "progress", params: {} }],
  loops: [
    {
      name: "main",
      controller: { kind: "pid", params: {} },
      metric: "progress_error",
      actuator: { kind: "local_replicas", params: {} },
      interval_s: 1,
    },
  ],
  queue: { max_attempts: 1, order: "fifo" },
});
const GREETINGS = job("Greetings", ["echo", "hello {item}"], ["Ada", "Grace", "Edsger"]);
const TALKER = job("Talker", ["sh", "-c", "for n in $(seq 500); do echo line $n >&2; done; sleep 1; echo ok"], Array(300).fill("x"));

async function start(server: Server, spec: object): Promise<string> {
  const answer = await server.api("/api/v1/jobs", { method: "POST", body: JSON.stringify(spec) });
  expect(answer.status, await answer.clone().text()).toBe(202);
  return ((await answer.json()) as { job_id: string }).job_id;
}

const completed = (server: Server, id: string) => expect.poll(async () => (await server.summary(id)).phase).toBe("completed");
const live = (page: Page) => expect(page.locator('.live[data-state="live"]').first()).toBeVisible();

test("a job is looked at, sent again with changes, and deleted", async ({ signedIn: page, server }) => {
  const id = await start(server, GREETINGS);
  await completed(server, id);

  await test.step("texts stand beside their items, files behind links", async () => {
    await page.goto(`${server.url}/jobs/${id}?tab=results`);
    await expect(page.locator(".excerpt").first()).toHaveText("hello Ada");
    await page.goto(`${server.url}/jobs/${id}`);
    for (const [name, kind] of [["Progress as SVG", "image/svg+xml"], ["Replicas as CSV", "text/csv"]]) {
      const href = await page.getByRole("link", { name }).getAttribute("href");
      const answer = await page.request.get(`${server.url}${href}`);
      expect(answer.status(), name).toBe(200);
      expect(answer.headers()["content-type"], name).toContain(kind);
    }
    await page.goto(`${server.url}/jobs/${id}?tab=items&state=dead`);
    await expect(page.getByText("No item is dead.")).toBeVisible();
    await expect(page.getByText("0 of 3")).toBeVisible();
  });

  await test.step("sent again", async () => {
    await page.getByRole("link", { name: "Submit again…" }).click();
    await expect(field(page, "name")).toHaveValue("Greetings");
    await expect(field(page, "workload.items")).toHaveValue(/^Ada\r?\nGrace\r?\nEdsger/);
    await field(page, "name").fill("Greetings, again");
    const again = await submitted(page);
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Greetings, again");
    await completed(server, again);
    const spec = async (one: string) => {
      const { spec } = (await (await server.api(`/api/v1/jobs/${one}`)).json()) as { spec: typeof GREETINGS };
      return [spec.platform, spec.workload, spec.objective, spec.replicas, spec.loops[0].controller, spec.queue];
    };
    expect(await spec(again)).toEqual(await spec(id));
  });

  await test.step("deleted, after a question that Escape answers with no", async () => {
    await page.goto(`${server.url}/jobs/${id}`);
    const now = page.getByRole("button", { name: "Delete now" });
    await expect(now).toBeHidden();
    await page.getByRole("button", { name: "Delete…" }).click();
    await expect(now).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(now).toBeHidden();
    await page.getByRole("button", { name: "Delete…" }).click();
    await now.click();
    await expect(page).toHaveURL(/\/jobs$/);
    await expect(page.getByRole("link", { name: "Greetings", exact: true })).toHaveCount(0);
    expect((await server.api(`/api/v1/jobs/${id}`)).status).toBe(404);
  });
});

test("the list tells what goes well from what needs a person", async ({ signedIn: page, server }) => {
  const foretold = (name: string, item_s: number, items: number, deadline_s: number) => {
    const spec = job(name, ["sleep", String(item_s)], Array(items).fill("x"));
    spec.objective = { deadline_s, service_s: item_s } as typeof spec.objective;
    spec.loops[0].controller.kind = "deadline";
    return spec;
  };
  const done = await start(server, GREETINGS);
  await completed(server, done);
  const broken = await start(server, job("Model of May", ["sh", "-c", "echo cannot find my model >&2; exit 3"], ["a", "b", "c"]));
  await expect.poll(async () => (await server.summary(broken)).phase).toBe("failed");
  const paused = await start(server, foretold("Archive", 0.5, 300, 900));
  await expect.poll(async () => (await server.summary(paused)).phase).toBe("running");
  expect((await server.api(`/api/v1/jobs/${paused}/suspend`, { method: "POST" })).status).toBe(202);
  await start(server, foretold("Thumbnails", 0.4, 900, 420));
  await start(server, foretold("Nightly report", 6, 400, 300));
  await page.goto(`${server.url}/jobs`);
  await live(page);
  const row = (name: string) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) }).first();
  await expect(row("Greetings")).toContainText("completed");
  await expect(row("Archive")).toContainText("suspended");
  const care = page.locator("section.needs");
  await expect(care).toContainText("Nightly report");
  await expect(care).toContainText("Model of May");
  await expect(care).not.toContainText("Thumbnails");
  await picture(page, "jobs");
});

test("somebody else's tuning is said once, and never overwritten unseen", async ({ signedIn: page, server }) => {
  const id = await start(server, TALKER);
  await page.goto(`${server.url}/jobs/${id}`);
  await live(page);
  const gain = page.getByLabel("Proportional gain", { exact: true });
  await gain.fill("55");
  const params = { proportional_gain: 30 };
  const tuned = await server.api(`/api/v1/jobs/${id}/loops/main/tunings`, { method: "POST", body: JSON.stringify({ base_revision: 1, params }) });
  expect(tuned.status).toBe(202);
  const panel = page.getByRole("region", { name: "Tuning of main" });
  await expect(panel.getByRole("alert")).toHaveCount(1);
  await expect(panel.getByRole("alert")).toContainText("Revision 2 was set by");
  await expect(panel.getByRole("button", { name: /^Apply/ })).toBeDisabled();
  await panel.getByRole("button", { name: "Take theirs" }).click();
  await expect(panel.getByRole("alert")).toHaveCount(0);
  await expect(gain).toHaveValue(/^30/);
  await gain.fill("35");
  await panel.getByRole("button", { name: "Apply as revision 3" }).click();
  await expect(panel.getByText("Revision 3 is running")).toBeVisible();

  await test.step("suspended, the page says so and offers to go on", async () => {
    await page.getByRole("button", { name: "Suspend" }).click();
    await expect(page.getByRole("button", { name: "Resume" })).toBeVisible();
    await expect(page.locator(".verdict")).toContainText("Suspended.");
    await expect(panel.getByText("Revision 3 runs when the job is resumed")).toBeVisible();
  });
});

test("a log opens at its end, and who scrolled up stays there", async ({ signedIn: page, server }) => {
  const id = await start(server, TALKER);
  const replica = path.join(server.data, "jobs", id, "replicas", `${id}-r1`, "stderr.log");
  await expect.poll(() => fs.statSync(replica, { throwIfNoEntry: false })?.size ?? 0).toBeGreaterThan(0);
  // Nobody said which stream: its worker prints on stderr alone.
  await page.goto(`${server.url}/jobs/${id}?tab=logs`);
  await expect(page.getByRole("navigation", { name: "Streams" }).getByRole("link", { name: "stderr" })).toHaveAttribute("aria-current", "true");
  const log = page.getByLabel("Output", { exact: true });
  await expect(log).toContainText("line 500");
  const below = () => log.evaluate((pre) => Math.round(pre.scrollHeight - pre.scrollTop - pre.clientHeight));
  await expect.poll(below).toBeLessThan(5);
  const height = () => log.evaluate((pre) => pre.scrollHeight);
  let before = await height();
  await expect.poll(height).toBeGreaterThan(before);
  await expect.poll(below).toBeLessThan(5);
  await log.evaluate((pre) => (pre.scrollTop = 0));
  before = await height();
  await expect.poll(height).toBeGreaterThan(before);
  expect(await log.evaluate((pre) => pre.scrollTop)).toBe(0);
});

test("on a narrow screen no page scrolls sideways", async ({ signedIn: page, server }) => {
  const id = await start(server, { ...TALKER, name: "A name that is rather long for a telephone, 2026-11-24" });
  await page.setViewportSize({ width: 375, height: 780 });
  const tabs = ["live", "decisions", "replicas", "items", "results", "logs", "configuration"].map((tab) => `/jobs/${id}?tab=${tab}`);
  for (const where of ["/jobs", "/submit", ...tabs]) {
    await page.goto(`${server.url}${where}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), where).toBeLessThanOrEqual(0);
  }
});

test("who signs out is out, and the cookie is worth nothing afterwards", async ({ signedIn: page, server, troubles }) => {
  const [cookie] = await page.context().cookies();
  const jobs = () => fetch(`${server.url}/jobs`, { headers: { Cookie: `${cookie.name}=${cookie.value}` } });
  expect((await jobs()).status).toBe(200);
  troubles.allow(/status 401|status of 401/);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect((await jobs()).status).toBe(401);
});

test("rows come as soon as there are any, and while new ones are on their way, the old ones go on counting", async ({ signedIn: page, server }) => {
  const late = createServer((_, answer) => void setTimeout(() => answer.end("x\n".repeat(300)), 1_500));
  await new Promise<void>((listening) => late.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(late.address() as AddressInfo).port}/`;
  const id = await start(server, { ...TALKER, workload: { source: "url", url } });
  const rows = page.locator("table.cards tbody tr");
  for (const [tab, fresh] of [["items", rows.filter({ hasText: "done" })], ["results", rows]] as const) {
    await page.goto(`${server.url}/jobs/${id}?tab=${tab}`);
    await live(page);
    await expect(fresh.first()).toBeVisible();
    const before = await fresh.count();
    // A slow way to the server: several changes come while one answer is waited for.
    await page.route("**/api/fn/**", (route) => void setTimeout(() => void route.continue().catch(() => undefined), 3_000));
    const { items } = await server.summary(id);
    await expect.poll(async () => (await server.summary(id)).items.done, { timeout: 30_000 }).toBeGreaterThan(items.done + 5);
    await expect(rows.first()).toBeVisible();
    await expect.poll(() => fresh.count()).toBeGreaterThan(before);
    await page.unroute("**/api/fn/**");
  }
  late.close();
});

test("a page that nobody sees leaves its connection to others, and goes on without a hole", async ({ signedIn: page, server }) => {
  const id = await start(server, TALKER);
  await page.addInitScript(() => {
    Object.defineProperty(document, "hidden", { get: () => (window as { away?: boolean }).away === true });
    const streams = { open: 0 };
    const Plain = window.EventSource;
    window.EventSource = class extends Plain {
      constructor(...all: ConstructorParameters<typeof EventSource>) {
        super(...all);
        streams.open += 1;
      }
      close() {
        streams.open -= 1;
        super.close();
      }
    };
    Object.assign(window, { streams, loaded: Math.random() });
  });
  await page.goto(`${server.url}/jobs/${id}`);
  await live(page);
  const open = () => page.evaluate(() => (window as unknown as { streams: { open: number } }).streams.open);
  const loaded = () => page.evaluate(() => (window as unknown as { loaded: number }).loaded);
  const before = await loaded();
  expect(await open()).toBe(1);
  await page.evaluate(() => Object.assign(window, { away: true }));
  await expect.poll(open).toBe(0);
  const { items } = await server.summary(id);
  await expect.poll(async () => (await server.summary(id)).items.done).toBeGreaterThan(items.done + 3);
  await page.evaluate(() => Object.assign(window, { away: false }));
  await expect.poll(open).toBe(1);
  await live(page);
  expect(await loaded()).toBe(before);
});
