// Runs conformance calls with our TypeScript package; started by `cargo xtask conformance`.
//
// Standard input: one JSON object, `{"calls": [{"id", "base_url", "api_key", "scopes", "rule", "request": {...}}]}`.
// Standard output: one JSON object a line, `{"id", "status"}` or `{"id", "error", "bases", "attributes"}`, with what a caller can see of
// the answer in `visible`. Names are the list's own, in snake case.

import { text } from "node:stream/consumers";

import { App } from "@alter-ai/alter-sdk";

import { camel, renamed, shown, thrown } from "./told.mjs";

/** What a caller can tell from a response. */
async function returned(response) {
  const headers = JSON.stringify([...response.headers]);
  return { status: response.status, visible: [shown(response), response.url, headers, await response.text()] };
}

/** Makes one call with a client of its own. */
async function call(given, logger) {
  const { method, url, ...options } = renamed(given.request, camel);
  try {
    const app = new App({ apiKey: given.api_key, baseUrl: given.base_url, logger });
    try {
      const constraints = { scopes: given.scopes, rule: given.rule && renamed(given.rule, camel) };
      const client = given.scopes || given.rule ? app.withConstraints(constraints) : app;
      const told = await returned(await client.request(method, url, options));
      told.visible.push(shown(client));
      return told;
    } finally {
      await app.close();
    }
  } catch (error) {
    return thrown(error);
  }
}

for (const given of JSON.parse(await text(process.stdin)).calls) {
  const lines = [];
  const note = (line) => lines.push(line);
  const told = await call(given, { debug: note, info: note, warn: note, error: note });
  told.visible.push(...lines);
  console.log(JSON.stringify({ id: given.id, ...told }));
}
