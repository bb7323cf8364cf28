// Without scripts: everything can be read, and a job can be submitted.
import { expect, picture, test } from "../fixtures.ts";
import { field, fill, submit, submitted } from "../form.ts";

test.use({ javaScriptEnabled: false });

const GOOD = {
  name: "By hand",
  "platform.kind": "local",
  "platform.local.command": "sh\n-c\ntrue",
  "workload.items": "one\ntwo\nthree",
  "objective.deadline_s": "600",
  "replicas.min": "1",
  "replicas.max": "2",
  "replicas.initial": "1",
};

test("the jobs page can be read", async ({ signedIn: page }) => {
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("navigation")).toContainText("Submit");
});

test("a wrong submission shows every problem at its field and keeps what was typed", async ({ signedIn: page, troubles }) => {
  troubles.allow(/status 422/, /status of 422/);
  await page.goto(`${new URL(page.url()).origin}/submit`);
  await fill(page, { ...GOOD, name: "Kept as typed", "platform.local.command": "", "objective.deadline_s": "-5", "replicas.max": "0" });
  await submit(page);
  for (const name of ["platform.local.command", "objective.deadline_s", "replicas.max"]) {
    await expect(field(page, name), name).toHaveAttribute("aria-invalid", "true");
  }
  await expect(field(page, "name")).toHaveValue("Kept as typed");
  await expect(field(page, "objective.deadline_s")).toHaveValue("-5");
  await expect(field(page, "replicas.max")).toHaveValue("0");
  await expect(field(page, "workload.items")).toHaveValue(/one\r?\ntwo\r?\nthree/);
  await picture(page, "submit-error");
});

test("a good submission leads to the job's page", async ({ signedIn: page }) => {
  await page.goto(`${new URL(page.url()).origin}/submit`);
  await fill(page, GOOD);
  await submitted(page);
  await expect(page.getByRole("heading", { name: "By hand" })).toBeVisible();
});

test("a quote says beforehand what it takes, and offers what could be met", async ({ signedIn: page, server }) => {
  await page.goto(`${server.url}/submit`);
  const items = Array.from({ length: 1000 }, (_, place) => `item-${place}`).join("\n");
  await fill(page, { ...GOOD, name: "By hand, quoted", "workload.items": items, "objective.deadline_s": "300", "objective.service_s": "6", "replicas.max": "20" });
  const ask = () => page.getByRole("button", { name: /^Quote/ }).click();
  const quote = page.locator("#quote");
  await ask();
  await expect(quote).toContainText("In time with only");
  await picture(page, "quote");
  await quote.getByRole("button", { name: /^Take/ }).click();
  await expect(quote).toContainText(/In time with \d/);
  await expect(quote.getByRole("button")).toHaveCount(0);
  expect(Number(await field(page, "objective.deadline_s").inputValue())).toBeGreaterThan(300);
  await field(page, "objective.service_s").fill("");
  await ask();
  await expect(quote).toContainText("Nobody said how long an item takes");
  await expect(field(page, "workload.items")).toHaveValue(/item-999$/);
  const jobs = (await (await server.api("/api/v1/jobs")).json()) as { jobs?: unknown[] };
  expect(JSON.stringify(jobs)).not.toContain("By hand, quoted");
});
