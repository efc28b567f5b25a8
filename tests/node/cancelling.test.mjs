// AbortSignal: a call that is given up rejects as `fetch` does, and its connection is closed (TS-035).

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import { App } from "@alter-ai/alter-sdk";

import { APP_KEY, GRANT, Scripted, SILENT, thrown } from "./support/scripted.mjs";

const server = await Scripted.start();
const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
after(async () => {
  await app.close();
  await server.stop();
});
beforeEach(() => server.reset());

const call = (signal, options = {}) => app.request("GET", `${server.url}/p/x`, { grantId: GRANT, signal, ...options });

describe("a signal", () => {
  test("that was aborted before sends nothing", async () => {
    const reason = new Error("changed my mind");
    assert.equal(await thrown(call(AbortSignal.abort(reason))), reason);
    const usual = await thrown(call(AbortSignal.abort()));
    assert.equal(usual.name, "AbortError");
    assert.deepEqual(server.requests(), []);
  });

  test("is looked at after the arguments", async () => {
    const error = await thrown(app.request("GET", "", { grantId: GRANT, signal: AbortSignal.abort() }));
    assert.equal(error.name, "AlterValueError");
  });

  for (const [when, prefix] of [
    ["while the vault is asked", "/sdk/token"],
    ["while the provider is asked", "/p/"],
  ]) {
    test(`aborted ${when} closes that connection`, async () => {
      server.answer(prefix, {}, { hold: true });
      const controller = new AbortController();
      const calling = thrown(call(controller.signal));
      await server.until(() => server.requests(prefix).length === 1);
      const reason = { any: "value" };
      controller.abort(reason);
      assert.equal(await calling, reason);
      await server.until(() => server.closedWhileHeld === 1);
    });
  }

  test("that times out rejects with the signal's own error, which is no TimeoutError of ours", async () => {
    server.answer("/p/", {}, { hold: true });
    const error = await thrown(call(AbortSignal.timeout(50)));
    assert.ok(error instanceof DOMException);
    assert.equal(error.name, "TimeoutError");
    assert.equal("code" in error && typeof error.code === "string", false);
    await server.until(() => server.closedWhileHeld === 1);
  });

  test("aborted while the token getter is asked ends the call there", async () => {
    const controller = new AbortController();
    const slow = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter: () => new Promise(() => {}) });
    const calling = thrown(slow.request("GET", `${server.url}/p/x`, { grantId: GRANT, signal: controller.signal }));
    controller.abort();
    assert.equal((await calling).name, "AbortError");
    assert.deepEqual(server.requests(), []);
    await slow.close();
  });

  test("aborted after the answer changes nothing, and nothing of the call stays with it", async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    for (const [name, step] of [
      ["addEventListener", 1],
      ["removeEventListener", -1],
    ]) {
      const usual = signal[name].bind(signal);
      signal[name] = (...args) => {
        listeners += step;
        usual(...args);
      };
    }
    const response = await call(signal);
    controller.abort();
    assert.deepEqual(await response.json(), { hello: 1 });
    assert.equal(listeners, 0);
  });

  test("of one call leaves the others alone", async () => {
    server.answer("/p/", { hello: 1 }, { hold: true });
    const controllers = Array.from({ length: 20 }, () => new AbortController());
    const calls = controllers.map(({ signal }) =>
      call(signal).then(
        (response) => response.status,
        (error) => error.name,
      ),
    );
    await server.until(() => server.requests("/p/").length === 20);
    for (const controller of controllers.filter((_, n) => n % 2 === 0)) {
      controller.abort();
    }
    await server.until(() => server.closedWhileHeld === 10);
    server.release();
    assert.deepEqual(
      await Promise.all(calls),
      controllers.map((_, n) => (n % 2 === 0 ? "AbortError" : 200)),
    );
  });
});
