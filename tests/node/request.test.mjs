// `request()`: what reaches the vault and the provider, what comes back, and what is refused before anything is sent.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import vm from "node:vm";

import {
  Agent,
  AlterSDKError,
  AlterValueError,
  AlterVault,
  App,
  HttpMethod,
  NetworkError,
  ProviderAPIError,
  RetryInfo,
  ScopeReauthRequiredError,
  TimeoutError,
} from "@alter-ai/alter-sdk";

import {
  AGENT_ID,
  AGENT_KEY,
  APP_KEY,
  GRANT,
  recorder,
  Scripted,
  SECRET,
  SILENT,
  thrown,
} from "./support/scripted.mjs";

const server = await Scripted.start();
const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
after(async () => {
  await app.close();
  await server.stop();
});
beforeEach(() => server.reset());

const url = () => `${server.url}/p/x`;
const token = () => server.requests("/sdk/token")[0]?.json();
const provider = () => server.requests("/p/")[0];

/** Expects a refusal of this class and text, with nothing sent. */
async function refused(promise, of, text) {
  const error = await thrown(promise);
  assert.equal(error.constructor, of, error.stack);
  assert.match(error.message, text);
  assert.deepEqual(server.requests(), []);
}

/** The audit report of the call whose URL has this in it: those of earlier tests may still be on their way. */
async function report(marker) {
  const mine = () =>
    server
      .requests("/sdk/oauth/audit")
      .map((seen) => seen.json())
      .find((row) => row.url.includes(marker));
  await server.until(mine);
  return mine();
}

describe("what is sent", () => {
  test("methods: members, text, any case (TS-020)", async () => {
    for (const method of [...Object.values(HttpMethod), "get", "Patch"]) {
      await app.request(method, url(), { grantId: GRANT });
    }
    const sent = server.requests("/p/").map((seen) => seen.method);
    assert.deepEqual(sent, ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "GET", "PATCH"]);
  });

  test("every option arrives (TS-021)", async () => {
    await app.request(HttpMethod.POST, `${server.url}/p/{user}/notes`, {
      grantId: GRANT,
      json: { text: "Zoë", n: [1, 2.5, null] },
      queryParams: { limit: "10", tags: ["a", "b"], on: true, skip: undefined, none: null, n: 3 },
      pathParams: { user: "a/b c" },
      extraHeaders: { "X-One": "1" },
      reason: "because",
      context: { tool: "t" },
      caller: "me",
      userToken: "jwt",
    });
    const seen = provider();
    assert.equal(seen.target, "/p/a%2Fb%20c/notes?limit=10&tags=a&tags=b&on=true&none=&n=3");
    assert.equal(seen.body.toString(), '{"text":"Zoë","n":[1,2.5,null]}');
    assert.equal(seen.header("x-one"), "1");
    assert.equal(seen.header("content-type"), "application/json");
    assert.equal(token().grant_id, GRANT);
    assert.equal(token().user_token, "jwt");
    const row = await report("/notes");
    assert.equal(row.reason, "because");
    assert.deepEqual(row.context, { tool: "t" });
  });

  test("by provider, with account, label and the application's user", async () => {
    await app.request("GET", url(), {
      provider: "google",
      account: "a@b",
      label: "work",
      appUserId: "u1",
      userToken: "jwt",
    });
    const { provider_id, account, label, app_user_id } = token();
    assert.deepEqual([provider_id, account, label, app_user_id], ["google", "a@b", "work", "u1"]);
  });

  test("null is the same as absent", async () => {
    const absent = {
      provider: null,
      json: null,
      headers: null,
      context: null,
      reason: null,
      userToken: null,
      signal: null,
    };
    await app.request("GET", url(), { grantId: GRANT, ...absent });
    assert.equal(provider().body.length, 0);
  });

  test("bodies: bytes, text, buffers, fields (TS-027)", async () => {
    const bytes = new Uint8Array([0, 255, 10]);
    const sending = app.request("POST", url(), { grantId: GRANT, body: bytes });
    bytes.fill(7);
    await sending;
    assert.deepEqual([...provider().body], [0, 255, 10]);
    const wide = new Uint16Array([0x0201]);
    const fields = new URLSearchParams([
      ["a", "1 2"],
      ["a", "3"],
    ]);
    for (const body of [
      "Zoë",
      Buffer.from("b"),
      new Uint8Array([1, 2]).buffer,
      wide,
      { amount: 2000, currency: "usd" },
      fields,
    ]) {
      await app.request("POST", url(), { grantId: GRANT, body });
    }
    const sent = server.requests("/p/").slice(1);
    const texts = ["Zoë", "b", "\x01\x02", "\x01\x02", "amount=2000&currency=usd", "a=1+2&a=3"];
    assert.deepEqual(
      sent.map((seen) => seen.body.toString()),
      texts,
    );
    assert.equal(sent[4].header("content-type"), "application/x-www-form-urlencoded");
  });

  test("the credential replaces a header of the caller's, and none of ours reaches the provider (TS-028)", async () => {
    await app.request("GET", url(), { grantId: GRANT, headers: { aUtHoRiZaTiOn: "mine", "x-two": "2" } });
    assert.deepEqual(provider().all("authorization"), [`Bearer ${SECRET}`]);
    assert.equal(provider().header("x-two"), "2");
    assert.deepEqual(
      provider().rawHeaders.filter((name) => /^x-alter/i.test(name)),
      [],
    );
  });

  test("members that are undefined vanish, as in JSON.stringify", async () => {
    await app.request("POST", url(), {
      grantId: GRANT,
      json: { a: 1, b: undefined, at: new Date(0) },
      context: { a: "1", b: undefined },
    });
    assert.equal(provider().body.toString(), '{"a":1,"at":"1970-01-01T00:00:00.000Z"}');
  });

  test("runId and its siblings join the context", async () => {
    await app.request("GET", `${url()}/run`, {
      grantId: GRANT,
      runId: "r",
      threadId: "t",
      toolCallId: "c",
      context: { run_id: "mine" },
    });
    assert.deepEqual((await report("/run")).context, { run_id: "mine", thread_id: "t", tool_call_id: "c" });
  });

  test("an object of another realm is as good as one of ours", async () => {
    const context = vm.runInNewContext('({ tool: "t" })');
    await app.request("GET", `${url()}/realm`, { grantId: GRANT, context });
    assert.deepEqual((await report("/realm")).context, { tool: "t" });
  });

  test("the first versions' order of arguments (TS-034)", async () => {
    const vault = new AlterVault({ apiKey: APP_KEY, baseUrl: server.url });
    await vault.request(GRANT, "GET", url());
    await vault.request(GRANT, "POST", url(), { json: 1 });
    await vault.close();
    assert.deepEqual(
      server.requests("/sdk/token").map((seen) => seen.json().grant_id),
      [GRANT, GRANT],
    );
    assert.deepEqual(
      server.requests("/p/").map((seen) => seen.method),
      ["GET", "POST"],
    );
  });

  test("a long JSON body", async () => {
    const json = { rows: Array.from({ length: 20_000 }, (_, n) => ({ n, text: `row ${n} "quoted"` })) };
    await app.request("POST", url(), { grantId: GRANT, json });
    assert.deepEqual(provider().json(), json);
  });
});

describe("what comes back", () => {
  test("a standard response with the call's URL (TS-022)", async () => {
    server.answer("/p/", { items: [1] }, { status: 201, headers: { "x-rate": "5", "set-cookie": ["a=1", "b=2"] } });
    const response = await app.request("GET", url(), { grantId: GRANT, queryParams: { a: "1" } });
    assert.ok(response instanceof Response);
    assert.equal(response.status, 201);
    assert.equal(response.ok, true);
    assert.equal(response.statusText, "Created");
    assert.equal(response.url, `${url()}?a=1`);
    assert.equal(response.headers.get("x-rate"), "5");
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    const copy = response.clone();
    assert.equal(copy.url, response.url);
    assert.deepEqual(await response.json(), { items: [1] });
    assert.equal(await copy.text(), '{"items":[1]}');
    await assert.rejects(response.text(), TypeError);
  });

  test("as bytes and as a stream", async () => {
    server.answer("/p/", undefined, { raw: Buffer.from([1, 2, 3]) });
    const first = await app.request("GET", url(), { grantId: GRANT });
    assert.deepEqual([...new Uint8Array(await first.arrayBuffer())], [1, 2, 3]);
    const second = await app.request("GET", url(), { grantId: GRANT });
    const chunks = [];
    for await (const chunk of second.body) {
      chunks.push(...chunk);
    }
    assert.deepEqual(chunks, [1, 2, 3]);
  });

  test("without a body, and redirects as they are", async () => {
    for (const status of [204, 205, 301, 302, 304]) {
      server.answer("/p/", undefined, { status, headers: { location: "/elsewhere" } });
      const response = await app.request("GET", url(), { grantId: GRANT });
      assert.equal(response.status, status);
      assert.equal(await response.text(), "");
    }
    assert.deepEqual(server.requests("/elsewhere"), []);
  });

  test("bytes in headers are characters of Latin-1", async () => {
    server.answer("/p/", {}, { headers: { "x-name": "Zo\xeb" } });
    const response = await app.request("GET", url(), { grantId: GRANT });
    assert.equal(response.headers.get("x-name"), "Zo\xeb");
  });

  test("retryInfo, frozen, and lastRetryInfo (TS-023)", async () => {
    const plain = await app.request("GET", url(), { grantId: GRANT });
    assert.equal(plain.retryInfo, null);
    assert.equal(app.lastRetryInfo, null);
    const error = { attempt: 1, error: "e", error_type: "t", delay_s: 0.5, permanent: false };
    const info = { total_attempts: 2, successful_attempt: 2, errors: [error] };
    server.answer("/sdk/token", { access_token: SECRET, grant_id: GRANT, retry_info: info });
    const retried = await app.request("GET", url(), { grantId: GRANT });
    assert.ok(retried.retryInfo instanceof RetryInfo);
    assert.equal(retried.retryInfo.errors[0].delayS, 0.5);
    assert.ok(Object.isFrozen(retried.retryInfo) && Object.isFrozen(retried.retryInfo.errors));
    assert.deepEqual(retried.retryInfo.toJSON(), info);
    assert.deepEqual(app.lastRetryInfo.toJSON(), info);
    assert.deepEqual(retried.clone().retryInfo, retried.retryInfo);
  });

  test("errors of the provider (TS-032)", async () => {
    server.answer("/p/", { message: "no" }, { status: 404 });
    const missing = await thrown(app.request("GET", url(), { grantId: GRANT }));
    assert.equal(missing.constructor, ProviderAPIError);
    assert.deepEqual([missing.statusCode, missing.responseBody], [404, '{"message":"no"}']);
    const challenge = { "WWW-Authenticate": 'Bearer error="insufficient_scope", scope="a b"' };
    server.answer("/p/", {}, { status: 403, headers: challenge });
    const scope = await thrown(app.request("GET", url(), { grantId: GRANT }));
    assert.equal(scope.constructor, ScopeReauthRequiredError);
    assert.equal(scope.grantId, GRANT);
    assert.deepEqual(scope.missingScopes, ["a", "b"]);
  });

  test("an error's stack leads to the caller (TS-090)", async () => {
    server.answer("/p/", {}, { status: 500 });
    async function theCaller() {
      await app.request("GET", url(), { grantId: GRANT });
    }
    assert.match((await thrown(theCaller())).stack, /theCaller/);
  });
});

describe("what is refused", () => {
  test("addressing (TS-025)", async () => {
    await refused(app.request("GET", url()), AlterSDKError, /grantId/);
    await refused(app.request("GET", url(), { grantId: GRANT, provider: "google" }), AlterSDKError, /grantId/);
    await refused(app.request("GET", url(), { grantId: GRANT, label: "l" }), AlterValueError, /label/);
    await refused(app.request("GET", url(), { grantId: GRANT, appUserId: "u" }), AlterValueError, /appUserId/);
    await app.request("GET", url(), { grantId: GRANT, account: "a@b" });
    assert.equal("account" in token(), false);
  });

  test("json and its limits (TS-026)", async () => {
    const cycle = {};
    cycle.self = cycle;
    await refused(app.request("POST", url(), { grantId: GRANT, json: 1, body: "x" }), AlterSDKError, /json/);
    for (const json of [Number.NaN, { a: [Number.POSITIVE_INFINITY] }, 10n, cycle, () => 1, Symbol("s")]) {
      await refused(app.request("POST", url(), { grantId: GRANT, json }), AlterValueError, /^json must be/);
    }
  });

  test("path parameters (TS-024)", async () => {
    const call = (template, pathParams) => app.request("GET", server.url + template, { grantId: GRANT, pathParams });
    await refused(call("/p/{a}/{b}", { a: "1" }), AlterValueError, /'\{b\}' and pathParams/);
    await refused(call("/p/{a}", { a: 1 }), AlterValueError, /pathParams must be/);
    await refused(call("/p/{a}", new Map([["a", "1"]])), AlterValueError, /pathParams must be .*, not Map/);
    await call("/p/y", { unused: "1" });
  });

  test("headers (TS-028)", async () => {
    const call = (options) => app.request("GET", url(), { grantId: GRANT, ...options });
    await refused(call({ headers: { a: "1" }, extraHeaders: { a: "1" } }), AlterValueError, /headers/);
    await refused(call({ headers: new Headers({ a: "1" }) }), AlterValueError, /headers must be .*, not Headers/);
    await refused(call({ headers: { a: "1\r\nb: 2" } }), AlterValueError, /header/i);
    await refused(call({ extraHeaders: { a: ["1"] } }), AlterValueError, /extraHeaders must be .*array/);
  });

  test("context (TS-030)", async () => {
    const call = (context) => app.request("GET", url(), { grantId: GRANT, context });
    const many = (count) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, "v"]));
    class Mine {}
    await refused(call(many(21)), AlterValueError, /context/);
    await refused(call({ ["k".repeat(65)]: "v" }), AlterValueError, /context/);
    await refused(call({ k: "\u{1f600}".repeat(513) }), AlterValueError, /context/);
    await refused(call({ k: 1 }), AlterValueError, /context must be .*number/);
    await refused(call({ k: "\ud800" }), AlterValueError, /surrogate/);
    await refused(call({ [Symbol("k")]: "v" }), AlterValueError, /symbol/);
    await refused(call(new Mine()), AlterValueError, /context must be .*Mine/);
    await refused(call(["a"]), AlterValueError, /context must be .*array/);
    await call(many(20));
    // An emoji counts once, though JavaScript has two units for it; as JSON it is longer, so it cannot be 512 of them.
    await call({ ["\u{1f600}".repeat(64)]: "\u{1f600}".repeat(200) });
  });

  test("methods and URLs", async () => {
    await refused(app.request(7, url(), { grantId: GRANT }), AlterValueError, /method must be text, not number/);
    await refused(app.request("G T", url(), { grantId: GRANT }), AlterValueError, /method/);
    await refused(app.request("GET", undefined, { grantId: GRANT }), AlterValueError, /url/);
    await refused(app.request("GET", "http://example.com/", { grantId: GRANT }), AlterValueError, /https/);
    await refused(app.request("GET", new URL(url()), { grantId: GRANT }), AlterValueError, /url must be text, not URL/);
  });

  test("query parameters and bodies of odd types", async () => {
    const call = (options) => app.request("POST", url(), { grantId: GRANT, ...options });
    await refused(call({ queryParams: { a: {} } }), AlterValueError, /queryParams must be .*object/);
    await refused(call({ queryParams: { a: Number.NaN } }), AlterValueError, /queryParams/);
    await refused(call({ queryParams: "a=1" }), AlterValueError, /queryParams must be .*string/);
    await refused(call({ body: 5 }), AlterValueError, /body must be .*number/);
    await refused(call({ body: new Blob(["x"]) }), AlterValueError, /body must be .*Blob/);
  });

  test("options that do not exist, and what is no object of options", async () => {
    await refused(app.request("GET", url(), { grantID: GRANT }), AlterValueError, /no option "grantID".*grantId/);
    await refused(app.request("GET", url(), "x"), AlterValueError, /must be an object, not string/);
    await refused(
      app.request("GET", url(), { grantId: GRANT, signal: {} }),
      AlterValueError,
      /signal must be an AbortSignal/,
    );
    await refused(app.request("GET", url(), { grantId: GRANT, reason: "x", caller: "" }), AlterValueError, /caller/);
  });
});

describe("when nobody answers", () => {
  test("a slow vault (TS-011)", async () => {
    server.answer("/sdk/token", {}, { hold: true });
    const hasty = new App({ apiKey: APP_KEY, baseUrl: server.url, timeout: 50 });
    const error = await thrown(hasty.request("GET", url(), { grantId: GRANT }));
    assert.equal(error.constructor, TimeoutError);
    assert.ok(error instanceof NetworkError);
    await hasty.close();
  });

  test("no vault at all (TS-094)", async () => {
    const gone = await Scripted.start();
    await gone.stop();
    const client = new Agent({ apiKey: AGENT_KEY, baseUrl: gone.url });
    const error = await thrown(client.request("GET", url(), { grantId: GRANT }));
    assert.equal(error.constructor, NetworkError);
    await client.close();
  });

  test("a thousand calls at once leave the event loop free (TS-036)", async () => {
    let ended = 0;
    const calls = Array.from({ length: 1000 }, async () => {
      const { status } = await app.request("GET", url(), { grantId: GRANT });
      ended += 1;
      return status;
    });
    // Counted, not timed: a busy machine stops any loop for a while. A call that blocked it would leave it no turn before the end.
    let turns = 0;
    while (ended < calls.length) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    assert.deepEqual(new Set(await Promise.all(calls)), new Set([200]));
    assert.ok(turns > 50, `the loop turned ${turns} times`);
  });
});

describe("an agent by attribution", () => {
  test("getAgent uses the app's key with the agent as caller (TS-071)", async () => {
    const logger = recorder();
    const owner = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter: () => "jwt", logger });
    const agent = owner.getAgent(AGENT_ID);
    assert.ok(agent instanceof Agent);
    await agent.request("GET", url(), { grantId: GRANT });
    await agent.request("GET", url(), { grantId: GRANT });
    const [sent] = server.requests("/sdk/token");
    assert.equal(sent.header("x-alter-caller"), AGENT_ID);
    assert.equal(sent.header("x-alter-caller-type"), "agent");
    assert.equal(sent.json().user_token ?? null, null);
    assert.equal(logger.lines.filter((line) => /^warn: .*application's key/.test(line)).length, 1);
    for (const id of ["x", 7, undefined, AGENT_ID.replaceAll("-", "")]) {
      assert.throws(() => owner.getAgent(id), AlterValueError);
    }
    await owner.close();
    assert.throws(() => owner.getAgent(AGENT_ID), AlterValueError);
    await agent.request("GET", url(), { grantId: GRANT });
    await agent.close();
  });
});
