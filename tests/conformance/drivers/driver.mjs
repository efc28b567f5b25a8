// Runs conformance calls with our TypeScript package; started by `cargo xtask conformance`.
//
// Standard input: one JSON object, `{"calls": [{"id", "base_url", "api_key", "scopes", "rule", "request": {...}}]}`.
// Standard output: one JSON object a line, `{"id", "status"}` or `{"id", "error", "bases", "attributes"}`, with what a caller can see of
// the answer in `visible`. Names are the list's own, in snake case.

import { text } from "node:stream/consumers";
import { inspect } from "node:util";

import { AlterSDKError, App } from "@alter-ai/alter-sdk";

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const renamed = (value, rename) =>
  Object.fromEntries(Object.entries(value).map(([name, entry]) => [rename(name), entry]));

/** Everything that a look at a value shows. */
const shown = (value) => inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true });

/** What a caller can tell from an error. `code` is not compared: the public package's errors have none. */
function thrown(error) {
  const bases = [];
  for (
    let of = error.constructor;
    of === AlterSDKError || of.prototype instanceof AlterSDKError;
    of = Object.getPrototypeOf(of)
  ) {
    bases.push(of.name);
  }
  const { code: _, ...own } = error;
  for (const name of ["candidates", "credentials"]) {
    if (name in own) {
      own[name] = own[name].map((entry) => renamed(entry, snake));
    }
  }
  const attributes = JSON.parse(JSON.stringify(renamed(own, snake)));
  return { error: error.name, bases, attributes, visible: [String(error), shown(error), JSON.stringify(error)] };
}

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
