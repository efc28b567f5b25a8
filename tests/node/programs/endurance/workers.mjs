// Two workers make calls of their own; one is terminated in the middle of them, the other ends by itself, the main thread goes on.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey, grantId] = isMainThread ? process.argv.slice(2) : workerData.args;
const app = new App({ apiKey, baseUrl: url });
const call = (path) => app.request("GET", `${url}${path}`, { grantId });

async function finish() {
  const responses = await Promise.all(Array.from({ length: 20 }, () => call("/p/x")));
  return responses.every((response) => response.status === 200);
}

async function mainThread() {
  const start = (task) => new Worker(new URL(import.meta.url), { workerData: { task, args: [url, apiKey, grantId] } });
  const [finishing, hanging] = [start("finish"), start("hang")];
  const finished = new Promise((resolve, reject) => finishing.once("message", resolve).once("error", reject));
  const ended = new Promise((resolve) => finishing.once("exit", resolve));
  await new Promise((resolve, reject) => hanging.once("message", resolve).once("error", reject));
  const terminated = hanging.terminate();
  const all = [await finish(), await finished, (await ended) === 0, (await terminated) === 1];
  process.exitCode = all.every(Boolean) ? 0 : 1;
}

if (isMainThread) {
  await mainThread();
} else if (workerData.task === "finish") {
  parentPort.postMessage(await finish());
} else {
  const calls = Array.from({ length: 20 }, () => call("/held/x"));
  parentPort.postMessage("under way");
  await Promise.all(calls);
}
