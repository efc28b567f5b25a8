// A child process, forked while calls are under way, makes calls of its own; both end in the middle of them.

import { fork } from "node:child_process";
import { setTimeout } from "node:timers/promises";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId, round] = process.argv.slice(2);
const app = new App({ apiKey, baseUrl: url });
const moment = Number(round) % 20;
const isChild = process.send !== undefined;

const controller = new AbortController();
const answered = Array.from({ length: 20 }, () => app.request("GET", `${url}/p/x`, { grantId }));
for (let n = 0; n < 20; n += 1) {
  app.request("GET", `${url}/held/x`, { grantId, signal: n % 2 === 0 ? controller.signal : null }).catch(() => {});
}

if (!isChild) {
  const child = fork(new URL(import.meta.url), process.argv.slice(2));
  const ended = new Promise((resolve) => child.once("exit", (status, signal) => resolve(status ?? signal)));
  await new Promise((resolve) => child.once("message", resolve));
  child.send("go");
  process.exitCode = (await ended) === 0 ? 0 : 1;
} else {
  process.send("under way");
  await new Promise((resolve) => process.once("message", resolve));
}
const all = (await Promise.all(answered)).every((response) => response.status === 200);
await setTimeout(moment);
controller.abort();
process.exit(all ? process.exitCode : 1);
