// Calls that succeed and fail, with a logger that takes every level. Prints all that can be seen of the outcomes.

import { inspect } from "node:util";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId] = process.argv.slice(2);
const everything = { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true };
const app = new App({ apiKey, baseUrl: url, timeout: 500, logger: console });

for (const [method, to] of [
  ["POST", `${url}/p/x`],
  ["POST", `${url}/p/refused`],
  ["POST", `${url}/p/held`],
  ["GET", "http://127.0.0.1:9/"],
  ["GET", "https://h.example/{missing}"],
  ["GET", `${url.replace("http:", "https:")}/p/no-tls`],
]) {
  try {
    const response = await app.request(method, to, { grantId });
    console.log(inspect(response, everything), await response.text());
  } catch (error) {
    console.log(inspect(error, everything), error.stack);
  }
}
await app.close();
console.log(inspect(app, everything));
