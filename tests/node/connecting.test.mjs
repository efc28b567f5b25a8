// Programs that wait for a person: the browser they open, and how they end.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { App } from "@alter-ai/alter-sdk";

import { CANCEL, CONNECT, CONNECTED, MARKED, POLL, printed, QUICK, SESSION, SESSION_TOKEN } from "./support/people.mjs";
import { APP_KEY, GRANT, LIMIT, Scripted, SILENT } from "./support/scripted.mjs";

const server = await Scripted.start();
const folder = mkdtempSync(join(tmpdir(), "alter-browser-"));
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.reset();
  server.answer(CONNECT, SESSION, { headers: MARKED });
  server.answer(POLL, { status: "pending" });
  server.answer(CANCEL, undefined, { status: 204 });
});

const ADDRESS = `Please visit: ${SESSION.connect_url}\n`;

/** Starts `programs/connect.mjs`; gives the process, and a promise of its end. */
function start(how, more = {}) {
  const program = fileURLToPath(new URL("programs/connect.mjs", import.meta.url));
  const { BROWSER: _, DISPLAY: _1, WAYLAND_DISPLAY: _2, ...env } = process.env;
  const child = spawn(process.execPath, [program, server.url, APP_KEY, how], {
    env: { ...env, ...more },
    timeout: LIMIT,
  });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (text) => {
    output += text;
  });
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const ended = new Promise((resolve) =>
    child.on("close", (status, signal) => resolve({ status, signal, output, errors })),
  );
  return { child, ended };
}

/** What such a program comes to when it gets a signal while it waits. */
async function signalled(how, signal) {
  const { child, ended } = start(how);
  await server.until(() => server.requests(POLL).length > 0);
  child.kill(signal);
  return ended;
}

const cancellations = () => server.requests(CANCEL).map((seen) => seen.json().session_token);

describe("a program that waits", { skip: process.platform === "win32" && "signals work differently there" }, () => {
  test("ends by itself once the person has finished", async () => {
    const { ended } = start("");
    await server.until(() => server.requests(POLL).length > 0);
    server.answer(POLL, CONNECTED);
    assert.deepEqual(await ended, { status: 0, signal: null, output: `${ADDRESS}${GRANT}\n`, errors: "" });
    assert.deepEqual(cancellations(), []);
  });

  for (const how of ["", "narrowed"]) {
    test(`is ended by Ctrl-C, and the vault is told${how && ` (${how})`}`, async () => {
      assert.deepEqual(await signalled(how, "SIGINT"), { status: 130, signal: null, output: ADDRESS, errors: "" });
      assert.deepEqual(cancellations(), [SESSION_TOKEN]);
    });
  }

  test("decides itself what Ctrl-C does if it listens for it", async () => {
    const output = `${ADDRESS}stopped by the program\n`;
    assert.deepEqual(await signalled("own", "SIGINT"), { status: 0, signal: null, output, errors: "" });
    assert.deepEqual(cancellations(), [SESSION_TOKEN]);
  });

  test("tells the vault when its thread is ended", async () => {
    const { status, errors } = await signalled("worker", "SIGUSR2");
    assert.deepEqual([status, errors], [0, ""]);
    assert.deepEqual(cancellations(), [SESSION_TOKEN]);
  });

  test("opens the browser that the person has", async () => {
    const [browser, visited] = [join(folder, "browser"), join(folder, "visited")];
    writeFileSync(browser, `#!/bin/sh\nprintf '%s' "$*" > ${visited}.new && mv ${visited}.new ${visited}\n`);
    chmodSync(browser, 0o700);
    server.answer(POLL, CONNECTED);
    const { output, status } = await start("", { BROWSER: browser }).ended;
    assert.deepEqual(
      [status, output],
      [0, `Your browser was opened. If nothing shows there, visit: ${SESSION.connect_url}\n${GRANT}\n`],
    );
    for (const deadline = Date.now() + LIMIT; !existsSync(visited) && Date.now() < deadline; ) {
      await pause(10);
    }
    assert.equal(readFileSync(visited, "utf8"), SESSION.connect_url);
  });

  test("opens nothing but web addresses", async () => {
    const [browser, visited] = [join(folder, "careless"), join(folder, "never")];
    writeFileSync(browser, `#!/bin/sh\ntouch ${visited}\n`);
    chmodSync(browser, 0o700);
    server.answer(POLL, CONNECTED);
    for (const connect_url of ["file:///etc/passwd", "--new-window", "javascript:alert(1)"]) {
      server.answer(CONNECT, { ...SESSION, connect_url });
      const { output } = await start("", { BROWSER: browser }).ended;
      assert.equal(output, `Please visit: ${connect_url}\n${GRANT}\n`);
    }
    assert.ok(!existsSync(visited));
  });
});

test("a terminal is told that the program waits and how to stop, for as long as it waits", async () => {
  server.answer(POLL, CONNECTED);
  const written = [];
  const { isTTY, write } = process.stderr;
  process.stderr.isTTY = true;
  process.stderr.write = (text) => written.push(text);
  const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
  try {
    await printed(() => app.connect({ ...QUICK, openBrowser: false }));
  } finally {
    process.stderr.isTTY = isTTY;
    process.stderr.write = write;
    await app.close();
  }
  assert.deepEqual(written, ["Waiting for you to finish in the browser. Ctrl-C stops.", "\r\u001b[K"]);
  assert.equal(process.listenerCount("SIGINT"), 0);
});

test("the event loop turns while a person is waited for", async () => {
  const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
  const controller = new AbortController();
  const waits = Array.from({ length: 50 }, () =>
    app.pollConnectSession(SESSION_TOKEN, { ...QUICK, signal: controller.signal }).catch((error) => error.name),
  );
  await server.until(() => server.requests(POLL).length > 200);
  let longest = 0;
  for (let last = performance.now(), turns = 0; turns < 20; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  controller.abort();
  assert.deepEqual(new Set(await Promise.all(waits)), new Set(["AbortError"]));
  await app.close();
  // A loaded machine may be slow, but a blocked loop would stand for as long as the polls.
  assert.ok(longest < 2_000, `one turn took ${longest} ms`);
});
