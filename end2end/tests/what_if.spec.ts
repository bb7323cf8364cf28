// What would have been: a job that is done is simulated again under another law, with and without mistakes.
import { expect, picture, test } from "../fixtures.ts";

const JOB = {
  name: "Looked back at",
  platform: { kind: "local", params: { command: ["asperathos", "worker", "--", "sh", "-c", "sleep 0.2"] } },
  workload: { source: "inline", items: Array(60).fill("x").join("\n") },
  objective: { deadline_s: 12 },
  replicas: { min: 1, max: 8, initial: 2 },
};

test("a job that is done is simulated again, as it was and otherwise", async ({ signedIn: page, server }) => {
  const answer = await server.api("/api/v1/jobs", { method: "POST", body: JSON.stringify(JOB) });
  const { job_id: id } = (await answer.json()) as { job_id: string };
  await expect.poll(async () => (await server.summary(id)).phase, { timeout: 30_000 }).toBe("completed");
  await page.goto(`${server.url}/jobs/${id}?tab=what-if`);
  const rows = page.getByRole("table").locator("tbody tr");
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText("as it was");
  await expect(page.locator(".what-if[data-width=wide] svg")).toHaveCount(2);

  await page.getByLabel("Law").selectOption("pid");
  await page.getByRole("button", { name: "Choose this law" }).click();
  await page.getByLabel(/^Proportional gain/).fill("4");
  await page.getByLabel(/^Most replicas/).fill("3");
  await page.getByRole("button", { name: "Simulate" }).click();
  await expect(rows).toHaveCount(3);
  await expect(rows.last()).toContainText("otherwise, simulated");
  await expect(page.getByLabel(/^Proportional gain/)).toHaveValue("4");
  await picture(page, "what-if");

  await page.getByLabel(/^Most replicas/).fill("0");
  await page.getByRole("button", { name: "Simulate" }).click();
  await expect(page.locator(".field", { has: page.locator("#max") })).toContainText("must be a whole number from 1");
  await expect(rows).toHaveCount(2);
});
