#!/usr/bin/env node
// As much of a browser as connecting and signing in need: `browser.mjs URL`. It follows links and redirects, keeps cookies, and agrees to
// whatever a page asks, as the person whose name is in PERSON. What it came to stands in the file that VISITED names.

import { appendFileSync } from "node:fs";

const PERSON = process.env.PERSON ?? "ada";
const MOST_PAGES = 25;
const jar = new Map();

async function load(url, form) {
  const { origin } = new URL(url);
  const cookies = jar.get(origin) ?? new Map();
  jar.set(origin, cookies);
  const headers = { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
  const post = form && { method: "POST", body: form, headers: { ...headers, origin: form.from } };
  const response = await fetch(url, { redirect: "manual", headers, ...post });
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=]*)=([^;]*)/);
    cookies.set(name, value);
  }
  const location = response.headers.get("location");
  if (response.status >= 300 && response.status < 400 && location !== null) {
    return load(new URL(location, url).href);
  }
  return { url, status: response.status, text: await response.text() };
}

const attribute = (tag, name) => tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1].replaceAll("&amp;", "&");

/** The page's first form, filled in; `null` if it has none. */
function filled({ url, text }) {
  const [, head, inside] = text.match(/<form\b([^>]*)>(.*?)<\/form>/s) ?? [];
  if (inside === undefined) {
    return null;
  }
  const form = new URLSearchParams();
  for (const [tag] of inside.matchAll(/<input\b[^>]*>/g)) {
    const [name, type] = [attribute(tag, "name"), attribute(tag, "type") ?? "text"];
    const chosen = !["radio", "checkbox"].includes(type) || /\bchecked\b/.test(tag);
    if (name !== undefined && chosen && !["submit", "button"].includes(type)) {
      form.append(name, { text: PERSON, password: "x" }[type] ?? attribute(tag, "value") ?? "on");
    }
  }
  form.from = new URL(url).origin;
  return { action: new URL(attribute(head, "action") ?? "", url).href, form };
}

let page = await load(process.argv[2]);
for (let pages = 1; pages < MOST_PAGES; pages += 1) {
  const next = page.status < 400 ? filled(page) : null;
  if (next === null) {
    break;
  }
  page = await load(next.action, next.form);
}
const heading = page.text.match(/<h1[^>]*>(.*?)<\/h1>/s)?.[1] ?? page.text.slice(0, 500);
appendFileSync(process.env.VISITED, `${page.status} ${heading.trim()}\n`);
