// Waits for a person to connect an account: `connect.mjs URL KEY [narrowed|own|worker]`. With `narrowed` a narrowed client
// does, with `own` it has a listener of its own for Ctrl-C, with `worker` it waits in a thread that is ended when SIGUSR2 tells it to.

import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

import { App } from "@alter-ai/alter-sdk";

const [baseUrl, apiKey, how] = isMainThread ? process.argv.slice(2) : workerData;

if (isMainThread && how === "worker") {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: [baseUrl, apiKey, ""] });
  process.once("SIGUSR2", () => worker.terminate());
} else {
  const app = new App({ apiKey, baseUrl });
  const controller = new AbortController();
  if (how === "own") {
    process.once("SIGINT", () => controller.abort(new Error("stopped by the program")));
  }
  try {
    const client = how === "narrowed" ? app.withConstraints({ scopes: ["connect:initiate"] }) : app;
    const [result] = await client.connect({ pollInterval: 10, signal: controller.signal });
    console.log(result.grantId);
  } catch (error) {
    console.log(error.message);
  }
  await app.close();
}
