// How programs end: by themselves, cleanly, and with nothing on standard error, whatever is under way (TS-106, TS-107).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { APP_KEY, GRANT, LIMIT, Scripted } from "./support/scripted.mjs";

/** A race at the end of a process shows in one run of many. */
const RUNS = 200;

/** Programs at once: more than processors, so that their threads get in each other's way. */
const AT_ONCE = 4;

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answer("/held/", {}, { hold: true });
});

/** Runs a program to its end. */
async function run(name, ...args) {
  const path = fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [path, server.url, APP_KEY, GRANT, ...args], { timeout: LIMIT });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (text) => (output += text));
  child.stderr.on("data", (text) => (errors += text));
  const [status, signal] = await new Promise((resolve) => child.on("close", (...end) => resolve(end)));
  return { status, signal, output, errors };
}

const CLEAN = { status: 0, signal: null, output: "", errors: "" };

/** Runs a program many times, and expects every run to end cleanly. */
async function runs(count, name, argumentsOf = () => []) {
  const numbers = Array.from({ length: count }, (_, n) => n).values();
  const worker = async () => {
    for (const n of numbers) {
      assert.deepEqual(await run(name, ...argumentsOf(n)), CLEAN, `run ${n}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

describe("a program ends", () => {
  test("by itself, with an idle client open", () => runs(4, "idle"));

  test("by itself, after calls of which half were given up", () => runs(RUNS, "fall_off_the_end"));

  test("when it says so, at any moment of its calls", () => runs(RUNS, "exit_in_mid_call", (n) => [String(n % 20)]));

  test("with workers, of which one is terminated in the middle of its calls", () => runs(RUNS, "workers"));

  test("not before its call has ended", async () => {
    const running = run("one_call", "/held/x");
    await server.until(() => server.requests("/held/").length === 1);
    server.release();
    assert.deepEqual(await running, { ...CLEAN, output: "200\n" });
  });

  test("after its last reports have been sent", async () => {
    server.answer("/sdk/oauth/audit", {}, { hold: true });
    const running = run("one_call", "/p/x");
    await server.until(() => server.requests("/sdk/oauth/audit").length === 1);
    server.release();
    assert.deepEqual(await running, { ...CLEAN, output: "200\n" });
    assert.equal(server.closedWhileHeld, 0);
  });
});
