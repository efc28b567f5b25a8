// The main thread ends while workers are in the middle of their calls: by its last line, with workers that it does not wait for, or by
// `process.exit`.

import { setTimeout } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId, round] = isMainThread ? process.argv.slice(2) : workerData;
const app = new App({ apiKey, baseUrl: url });
const call = (path) => app.request("GET", `${url}${path}`, { grantId });

async function mainThread() {
  const workers = [1, 2].map(() => new Worker(new URL(import.meta.url), { workerData: process.argv.slice(2) }));
  await Promise.all(
    workers.map((worker) => new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject))),
  );
  const answers = await Promise.all(Array.from({ length: 10 }, () => call("/p/x")));
  process.exitCode = answers.every((response) => response.status === 200) ? 0 : 1;
  // At any moment of the workers' calls: that is what is tested.
  await setTimeout(Number(round) % 20);
  if (Number(round) % 2 === 0) {
    process.exit();
  }
  for (const worker of workers) {
    worker.unref();
  }
}

async function worker() {
  for (let n = 0; n < 10; n += 1) {
    call("/held/x").catch(() => {});
  }
  parentPort.postMessage("under way");
  for (;;) {
    await Promise.all(Array.from({ length: 10 }, () => call("/p/x")));
  }
}

await (isMainThread ? mainThread() : worker());
