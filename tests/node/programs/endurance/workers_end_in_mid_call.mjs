// Three workers end in the middle of their calls, by `process.exit`, by an error and by `terminate()`, while the main thread's go on.

import { setTimeout } from "node:timers/promises";
import { isMainThread, Worker, workerData } from "node:worker_threads";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId, round, end] = isMainThread ? process.argv.slice(2) : workerData;
const app = new App({ apiKey, baseUrl: url });
const call = (path) => app.request("GET", `${url}${path}`, { grantId });
const moment = Number(round) % 20;

/** How a worker ended: its exit status and the message of its error. */
function ended(worker) {
  return new Promise((resolve) => {
    let message = null;
    worker.on("error", (error) => (message = error.message));
    worker.on("exit", (status) => resolve({ status, message }));
  });
}

async function mainThread() {
  const [exits, throws, terminated] = ["exit", "throw", "terminate"].map((end) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: [url, apiKey, grantId, round, end] });
    return { worker, ended: ended(worker) };
  });
  await new Promise((resolve) => terminated.worker.once("online", resolve));
  const answers = Array.from({ length: 20 }, () => call("/p/x"));
  await setTimeout(moment);
  await terminated.worker.terminate();
  const statuses = [(await exits.ended).status, (await terminated.ended).status];
  const right = [
    (await Promise.all(answers)).every((response) => response.status === 200),
    statuses[0] === 3,
    statuses[1] === 1,
    (await throws.ended).message === "in mid-call",
    (await call("/p/after")).status === 200,
  ];
  process.exitCode = right.every(Boolean) ? 0 : 1;
}

async function worker() {
  for (let n = 0; n < 20; n += 1) {
    call(n % 2 === 0 ? "/p/x" : "/held/x").catch(() => {});
  }
  await setTimeout(moment);
  if (end === "exit") {
    process.exit(3);
  }
  if (end === "throw") {
    throw new Error("in mid-call");
  }
  await call("/held/x");
}

await (isMainThread ? mainThread() : worker());
