// Can everyone use it: contrast, names, roles, order, on the main pages, light and dark.
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "../fixtures.ts";

/** Serious problems as short lines, so that a failure can be read. */
async function problems(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa"]).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}`));
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`no serious problem on the main pages, ${colorScheme}`, async ({ signedIn: page, server }) => {
    await page.emulateMedia({ colorScheme });
    const answer = await server.api("/api/v1/jobs", { method: "POST", body: JSON.stringify(SLEEPERS) });
    expect(answer.status, await answer.clone().text()).toBe(202);
    const { job_id: id } = (await answer.json()) as { job_id: string };

    for (const where of ["/jobs", "/submit", `/jobs/${id}`, `/jobs/${id}?tab=decisions`, `/jobs/${id}?tab=items`, `/jobs/${id}?tab=results`, `/jobs/${id}?tab=configuration`]) {
      await page.goto(`${server.url}${where}`);
      await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
      expect(await problems(page), where).toEqual([]);
    }
  });
}

const SLEEPERS = {
  name: "Sleepers",
  platform: { kind: "local", params: { command: ["asperathos", "worker", "--", "sleep", "{item}"] } },
  workload: { source: "inline", items: Array(40).fill("1").join("\n") },
  objective: { deadline_s: 60 },
  replicas: { min: 1, max: 2, initial: 1 },
  monitors: [{ kind: "progress", params: {} }],
  loops: [
    {
      name: "main",
      controller: { kind: "threshold", params: {} },
      metric: "progress_error",
      actuator: { kind: "local_replicas", params: {} },
      interval_s: 1,
    },
  ],
  queue: { max_attempts: 3, order: "fifo" },
};
