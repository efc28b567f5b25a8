// Looking at a page as people do: narrow and wide, light and dark; with axe-core for what is easily overlooked.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { LIMIT, ROOT } from "./stage.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where the pictures go. */
export const PICTURES = join(ROOT, "target/pages");
const SIZES = { narrow: { width: 360, height: 740 }, wide: { width: 1200, height: 900 } };
/** The most that a page with all that it loads may weigh, in bytes. */
const HEAVIEST = 40 * 1024;

export async function openBrowser() {
  await mkdir(PICTURES, { recursive: true });
  const executablePath = process.env.ALTER_CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A person with a browser of their own. What a page complains about ends up in `complaints`. */
export async function person(browser, vault) {
  const context = await browser.newContext({ viewport: SIZES.wide });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && message.location().url.startsWith(vault)) {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, complaints, close: () => context.close() };
}

/** Takes the pictures of a page, and has axe-core look at it in light and dark. */
export async function look(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      await page.screenshot({ path: join(PICTURES, `${name}-${size}-${colorScheme}.png`), fullPage: true });
      const beyond = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.equal(beyond, 0, `${name} has to be scrolled sideways when ${size}`);
    }
    // The page's policy allows no foreign script: this one is run by the debugger.
    await page.evaluate(AXE);
    const found = await page.evaluate(() => globalThis.axe.run(document));
    const told = found.violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`,
    );
    assert.deepEqual(told, [], `${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(SIZES.wide);
  const weight = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce(
      (sum, entry) => sum + entry.decodedBodySize,
      0,
    ),
  );
  assert.ok(weight <= HEAVIEST, `${name} weighs ${weight} bytes`);
}

/** Signs in at a provider's own pages, and agrees there. */
export async function signInThere(page, issuer, name) {
  await page.waitForURL((url) => url.href.startsWith(issuer));
  await page.fill("input[name=login]", name);
  await page.fill("input[name=password]", "any");
  await page.click("button[type=submit]");
  // Where the provider knows the person's consent already, it does not ask.
  await agreeThere(page, issuer);
}

/** Agrees on the provider's own page, if it asks. */
export async function agreeThere(page, issuer) {
  await page.waitForLoadState("load");
  while (page.url().startsWith(issuer)) {
    await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  }
}
