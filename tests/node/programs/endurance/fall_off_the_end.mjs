// Fifty calls at once, half of them given up; the program simply ends, with its client open.

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId] = process.argv.slice(2);
const app = new App({ apiKey, baseUrl: url });
const controller = new AbortController();
const calls = Array.from({ length: 50 }, (_, n) =>
  app.request("GET", `${url}/p/${n}`, { grantId, signal: n % 2 === 0 ? controller.signal : null }),
);
controller.abort();
const outcomes = await Promise.allSettled(calls);
const wrong = outcomes.filter(({ status, value, reason }, n) =>
  n % 2 === 0 ? reason?.name !== "AbortError" : status !== "fulfilled" || value.status !== 200,
);
process.exitCode = wrong.length;
