// Ends itself while calls are under way, some of which will never be answered.

import { setTimeout } from "node:timers/promises";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId, round] = process.argv.slice(2);
const app = new App({ apiKey, baseUrl: url });
for (let n = 0; n < 50; n += 1) {
  const path = n % 2 === 0 ? "p/quick" : "held/slow";
  app.request("GET", `${url}/${path}`, { grantId }).catch(() => {});
}
// At any moment of the calls: that is what is tested.
await setTimeout(Number(round) % 20);
process.exit(0);
