// The whole story: sign in, submit by form, watch, tune, survive a crash, and see that the picture is right to the byte.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Page } from "@playwright/test";
import { expect, OUTAGE, picture, test } from "../fixtures.ts";
import { fill, submitted } from "../form.ts";
import { beside } from "../server.ts";

// A reduced picture: 90 tiles that together take about half a minute of one core.
const SCENE = ["--tiles-x", "10", "--tiles-y", "9", "--tile", "64", "--samples", "3"];
const TILES = 90;

const mandelbrot = (...args: string[]) => execFileSync(beside("mandelbrot"), args, { encoding: "utf8" });

/** The number of done items that the page shows now. */
async function doneShown(page: Page): Promise<number> {
  const text = await page.locator("main").innerText();
  const digits = /Done\s+([\d\s\u00a0\u202f]+?)\s*(?:of|\/)/i.exec(text)?.[1];
  return digits === undefined ? -1 : Number(digits.replace(/\D/g, ""));
}

/** How many charts have something drawn on them. */
const drawnCharts = (page: Page) =>
  page.locator("canvas").evaluateAll(
    (all) =>
      (all as HTMLCanvasElement[]).filter((canvas) => {
        if (canvas.width === 0 || canvas.height === 0) return false;
        const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
        return pixels.some((value) => value !== 0);
      }).length,
  );

const badge = (page: Page, state: string) => page.locator(`.live[data-state="${state}"]`).first();

test("a job from form to picture, through a crash", async ({ signedIn: page, server, troubles }) => {
  test.setTimeout(240_000);
  let id = "";

  await test.step("submit by form", async () => {
    await page.getByRole("link", { name: "Submit" }).first().click();
    await fill(page, {
      name: "Mandelbrot, reduced",
      "platform.kind": "local",
      "platform.local.command": ["asperathos", "worker", "--", "mandelbrot", "tile", "{item}"].join("\n"),
      "workload.items": mandelbrot("items", ...SCENE),
      "objective.deadline_s": "60",
      "replicas.min": "1",
      "replicas.max": "2",
      "replicas.initial": "1",
    });
    id = await submitted(page);
    await expect(page.getByRole("heading", { name: "Mandelbrot, reduced" })).toBeVisible();
  });

  await test.step("watch it live", async () => {
    await expect(badge(page, "live")).toBeVisible();
    await expect.poll(() => doneShown(page)).toBeGreaterThan(0);
    const before = await doneShown(page);
    await expect.poll(() => doneShown(page)).toBeGreaterThan(before);
    await expect.poll(() => drawnCharts(page)).toBeGreaterThanOrEqual(3);
  });

  await test.step("tune a slider", async () => {
    const slider = page.locator('input[type="range"]').first();
    const before = await slider.inputValue();
    await slider.focus();
    for (let presses = 0; presses < 3; presses++) await slider.press("ArrowRight");
    if ((await slider.inputValue()) === before) await slider.press("ArrowLeft");
    expect(await slider.inputValue()).not.toBe(before);
    await page.getByRole("button", { name: "Apply as revision 2" }).click();
    await expect(page.getByText("Revision 2 is running").first()).toBeVisible();
    const detail = await (await server.api(`/api/v1/jobs/${id}`)).text();
    expect(detail).toMatch(/"revision":\s*2/);
  });

  // A picture worth showing has something on it.
  await expect.poll(() => doneShown(page), { timeout: 30_000 }).toBeGreaterThan(TILES / 2);
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, "job-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await picture(page, "job-dark");
  await page.emulateMedia({ colorScheme: "light" });
  const size = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 844 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow, "a narrow page does not scroll sideways").toBeLessThanOrEqual(0);
  await page.evaluate(() => window.scrollTo(0, 0));
  await picture(page, "job-narrow");
  if (size !== null) await page.setViewportSize(size);

  await test.step("kill -9 in the middle, start again", async () => {
    troubles.allow(OUTAGE);
    await page.evaluate(() => Object.assign(window, { keptAcrossTheCrash: true }));
    const { items, phase } = await server.summary(id);
    expect(phase, "the crash must come in the middle").toBe("running");
    await server.kill9();
    await expect(badge(page, "stale")).toBeVisible();
    await server.run();
    await expect(badge(page, "live")).toBeVisible({ timeout: 30_000 });
    expect(await page.evaluate(() => "keptAcrossTheCrash" in window), "the page was not reloaded").toBe(true);
    const after = await server.summary(id);
    expect(after.items.total).toBe(TILES);
    expect(after.items.done, "nothing that was done is forgotten").toBeGreaterThanOrEqual(items.done);
  });

  await test.step("it completes", async () => {
    await expect.poll(async () => (await server.summary(id)).phase, { timeout: 120_000 }).toBe("completed");
    expect((await server.summary(id)).items).toEqual({ total: TILES, waiting: 0, processing: 0, done: TILES, dead: 0 });
    await expect(page.getByText(/completed/i).first()).toBeVisible();
    await expect.poll(() => doneShown(page)).toBe(TILES);
  });

  await test.step("the results are all there", async () => {
    await page.getByRole("link", { name: /^results/i }).first().click();
    await expect(page).toHaveURL(/tab=results/);
    const tiles = page.locator('img[src*="/results/"]');
    await expect(tiles).toHaveCount(TILES);
    const whole = () =>
      tiles.evaluateAll((all) => (all as HTMLImageElement[]).filter((tile) => tile.complete && tile.naturalWidth > 0).length);
    await expect.poll(whole).toBe(TILES);
    await picture(page, "results");
  });

  await test.step("and equal to the picture drawn in one process, byte for byte", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "asperathos-tiles-"));
    const tiles = path.join(folder, "tiles");
    fs.mkdirSync(tiles);
    for (let index = 0; index < TILES; index++) {
      const tile = await page.request.get(`${server.url}/jobs/${id}/results/${index}`);
      expect(tile.headers()["content-type"]).toContain("image/png");
      fs.writeFileSync(path.join(tiles, `${index}.png`), await tile.body());
    }
    mandelbrot("assemble", "--dir", tiles, "--out", path.join(folder, "assembled.png"));
    mandelbrot("whole", ...SCENE, "--out", path.join(folder, "whole.png"));
    const [assembled, whole] = ["assembled.png", "whole.png"].map((name) => fs.readFileSync(path.join(folder, name)));
    expect(assembled.equals(whole)).toBe(true);
    fs.rmSync(folder, { recursive: true });
  });

  await page.getByRole("link", { name: "Jobs" }).first().click();
  await expect(page.getByRole("link", { name: "Mandelbrot, reduced" })).toBeVisible();
});
