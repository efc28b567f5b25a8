// Calls about people and grants end in a worker that is terminated, are given up in the main thread, and are under way when it exits.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

import { App } from "@alter-ai/alter-sdk";

const [url, apiKey] = isMainThread ? process.argv.slice(2) : workerData;
// Nothing below this address is ever answered.
const held = new App({ apiKey, baseUrl: `${url}/held`, userTokenGetter: async () => "jwt" });

function start(signal) {
  const calls = Array.from({ length: 10 }, () => [
    held.listGrants({ signal }),
    held.connect({ openBrowser: false, signal }),
    held.pollConnectSession("session", { onEvent() {}, signal }),
    held.pollAuthSession("session", { signal }),
  ]);
  return calls.flat().map((call) => call.catch((error) => error.name));
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [url, apiKey] });
  const app = new App({ apiKey, baseUrl: url, logger: { warn() {} } });
  const answered = await Promise.all(Array.from({ length: 20 }, () => app.verifyUserToken("jwt")));
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  await worker.terminate();
  const controller = new AbortController();
  const givenUp = start(controller.signal);
  start(null);
  controller.abort();
  const names = await Promise.all(givenUp);
  process.exit(answered.every((sub) => sub === null) && names.every((name) => name === "AbortError") ? 0 : 1);
} else {
  const calls = start(null);
  parentPort.postMessage("under way");
  await Promise.all(calls);
}
