// The submit form as a person fills it: fields by their names, which are paths of the JSON body.
import { type Page, expect } from "@playwright/test";

export const field = (page: Page, name: string) => page.locator(`form [name="${name}"]:not([type="hidden"])`);

/** Fills fields by name; selects are chosen, everything else is typed. */
export async function fill(page: Page, values: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const input = field(page, name);
    const kind = await input.first().evaluate((element) => element.tagName);
    if (kind === "SELECT") await input.selectOption(value);
    else await input.fill(value);
  }
}

export const submit = (page: Page) => page.locator("form.submit, form[action='/submit']").getByRole("button", { name: /submit/i }).click();

/** Submits and returns the new job's id, from its page's address. */
export async function submitted(page: Page): Promise<string> {
  await submit(page);
  await expect(page).toHaveURL(/\/jobs\/kj-[0-9a-z]{16}/);
  const id = /kj-[0-9a-z]{16}/.exec(page.url())?.[0];
  if (id === undefined) throw new Error(`no job id in ${page.url()}`);
  return id;
}
