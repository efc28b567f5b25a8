// A person who opens a link, signs in where they are asked to, and agrees: `node tests/demo/person.mjs URL NAME`.
//
// In a headless Chromium if there is one (ALTER_CHROMIUM names another), else by sending the forms of the pages. Prints the headings of the
// pages, one a line.

import { existsSync } from "node:fs";

const [url, name] = process.argv.slice(2);
const CHROMIUM = process.env.ALTER_CHROMIUM ?? "/usr/bin/chromium";
/** More pages than there are on the longest way. */
const MOST_PAGES = 12;

const said = [];
const visit = existsSync(CHROMIUM) ? inBrowser : byForms;
await visit();
process.stdout.write(`${said.join("\n")}\n`);

async function inBrowser() {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(url);
    for (let pages = 0; pages < MOST_PAGES; pages += 1) {
      said.push((await page.locator("h1").first().textContent()).trim());
      const button = page.locator("button[type=submit]").first();
      if ((await button.count()) === 0) {
        return;
      }
      if ((await page.locator("input[name=login]").count()) > 0) {
        await page.fill("input[name=login]", name);
        await page.fill("input[name=password]", "any");
      }
      await Promise.all([page.waitForNavigation(), button.click()]);
    }
    throw new Error("the pages do not end");
  } finally {
    await browser.close();
  }
}

async function byForms() {
  const jars = new Map();
  let request = { url, method: "GET" };
  for (let pages = 0; pages < MOST_PAGES; ) {
    const { origin } = new URL(request.url);
    const jar = jars.get(origin) ?? new Map();
    jars.set(origin, jar);
    const cookie = [...jar].map((pair) => pair.join("=")).join("; ");
    const headers = { cookie, ...(request.method === "POST" && { origin }) };
    const answer = await fetch(request.url, {
      method: request.method,
      body: request.body,
      headers,
      redirect: "manual",
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, key, value] = line.match(/^([^=]+)=([^;]*)/);
      jar.set(key, value);
    }
    const location = answer.headers.get("location");
    if (location) {
      request = { url: new URL(location, request.url).href, method: "GET" };
      continue;
    }
    const html = await answer.text();
    pages += 1;
    said.push((html.match(/<h1>([^<]*)/)?.[1] ?? "").trim());
    const form = html.match(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/);
    if (!form) {
      return;
    }
    request = { url: new URL(form[1], request.url).href, method: "POST", body: fields(form[2]) };
  }
  throw new Error("the pages do not end");
}

/** What a browser sends of a form that nobody has touched, with the name filled in. */
function fields(form) {
  const body = new URLSearchParams();
  for (const [tag] of form.matchAll(/<input[^>]*>/g)) {
    const attribute = (attributeName) => tag.match(new RegExp(`\\b${attributeName}="([^"]*)"`))?.[1];
    const chosen = !/type="(radio|checkbox)"/.test(tag) || /\bchecked\b/.test(tag);
    if (attribute("name") && chosen) {
      body.append(attribute("name"), attribute("value") ?? "");
    }
  }
  for (const [field, value] of [
    ["login", name],
    ["password", "any"],
  ]) {
    if (body.has(field)) {
      body.set(field, value);
    }
  }
  return body;
}
