// What a program waits for before it ends by itself (TS-106, TS-107). How programs end in the middle of their calls is what
// `cargo xtask endurance` looks at.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { APP_KEY, GRANT, LIMIT, Scripted } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answer("/held/", {}, { hold: true });
});

/** Runs `programs/one_call.mjs` to its end. */
async function oneCall(path) {
  const program = fileURLToPath(new URL("programs/one_call.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, server.url, APP_KEY, GRANT, path], { timeout: LIMIT });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (text) => (output += text));
  child.stderr.on("data", (text) => (errors += text));
  const [status, signal] = await new Promise((resolve) => child.on("close", (...end) => resolve(end)));
  return { status, signal, output, errors };
}

const ANSWERED = { status: 0, signal: null, output: "200\n", errors: "" };

describe("a program ends", () => {
  test("not before its call has ended", async () => {
    const running = oneCall("/held/x");
    await server.until(() => server.requests("/held/").length === 1);
    server.release();
    assert.deepEqual(await running, ANSWERED);
  });

  test("after its last reports have been sent", async () => {
    server.answer("/sdk/oauth/audit", {}, { hold: true });
    const running = oneCall("/p/x");
    await server.until(() => server.requests("/sdk/oauth/audit").length === 1);
    server.release();
    assert.deepEqual(await running, ANSWERED);
    assert.equal(server.closedWhileHeld, 0);
  });
});
