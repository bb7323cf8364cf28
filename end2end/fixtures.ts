// What every test gets: a server of its own, a signed-in page, and the promise that nothing went wrong silently.
import { type Page, test as base, expect } from "@playwright/test";
import * as path from "node:path";
import { Server } from "./server.ts";

/** Things that must not happen in a browser. A test may say which of them it expects. */
export class Troubles {
  private readonly seen: string[] = [];
  private readonly allowed: RegExp[] = [];

  watch(page: Page): void {
    page.on("pageerror", (error) => this.seen.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error") this.seen.push(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("response", (answer) => {
      if (answer.status() >= 400) this.seen.push(`status ${answer.status()}: ${answer.url()}`);
    });
  }

  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  unexpected(): string[] {
    return this.seen.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
  }
}

/** What a browser says while its server is away. */
export const OUTAGE =
  /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_NETWORK_CHANGED/;

export const test = base.extend<{ server: Server; troubles: Troubles; signedIn: Page }>({
  server: async ({}, use, info) => {
    const server = await Server.start();
    await use(server);
    if (info.status !== info.expectedStatus) console.log(`the server's last words:\n${server.log()}`);
    await server.stop();
  },
  troubles: async ({}, use) => {
    const troubles = new Troubles();
    await use(troubles);
    expect(troubles.unexpected()).toEqual([]);
  },
  signedIn: async ({ page, server, troubles }, use) => {
    troubles.watch(page);
    await page.goto(server.link());
    await expect(page).toHaveURL(/\/jobs$/);
    await use(page);
  },
});

/** Pictures for the documentation, taken only when asked for. */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env.ASPERATHOS_SCREENSHOTS !== "1") return;
  await page.screenshot({ path: path.resolve(import.meta.dirname, `../docs/images/${name}.png`) });
}

export { expect };
