// No look at a client, a response or an error shows the credential or the API key (TS-037).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Agent, App } from "@alter-ai/alter-sdk";

import { everything } from "./support/looks.mjs";
import { AGENT_KEY, APP_KEY, GRANT, LIMIT, recorder, Scripted, SECRET, thrown } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => server.reset());

const url = () => `${server.url}/p/x`;

function showsNothing(value, what) {
  const shown = everything(value);
  for (const secret of [SECRET, Buffer.from(SECRET).toString("base64"), APP_KEY, AGENT_KEY]) {
    assert.ok(!shown.includes(secret), `${what} shows ${secret}`);
  }
}

test("the look finds what is there to be found", () => {
  class Hidden {
    static #deep = new Map([["a", { [Symbol("s")]: [SECRET] }]]);
    get far() {
      return Hidden.#deep;
    }
  }
  for (const value of [new Hidden(), new Error(SECRET), { bytes: Buffer.from(SECRET) }, Object.create({ a: SECRET })]) {
    assert.throws(() => showsNothing(value, "it"), /it shows/);
  }
});

describe("nothing shows", () => {
  const kinds = {
    bearer: {},
    header: { injection_header: "X-Api-Key", injection_format: "{token}" },
    query: { additional_injections: [{ target: "query_param", key: "key", value_source: "token" }] },
  };
  for (const [kind, token] of Object.entries(kinds)) {
    test(`in a client and a response: ${kind}`, async () => {
      server.answer("/sdk/token", { access_token: SECRET, grant_id: GRANT, provider_id: "google", ...token });
      const logger = recorder();
      for (const [Client, apiKey] of [
        [App, APP_KEY],
        [Agent, AGENT_KEY],
      ]) {
        const client = new Client({ apiKey, baseUrl: server.url, logger, userTokenGetter: () => "jwt" });
        const response = await client.request("GET", url(), { grantId: GRANT });
        const narrowed = client.withConstraints({ scopes: ["a"] });
        for (const [what, value] of Object.entries({ client, narrowed, response, clone: response.clone() })) {
          showsNothing(value, what);
        }
        showsNothing(await response.text(), "the body");
        await client.close();
        showsNothing(client, "the closed client");
      }
      assert.ok(JSON.stringify(server.requests("/p/")).includes(SECRET), "the provider got it");
      showsNothing(logger.lines, "the log");
    });
  }

  test("in any error", async () => {
    const answers = [
      ["/p/", {}, { status: 401 }],
      ["/p/", {}, { status: 403 }],
      ["/p/", {}, { status: 500 }],
      ["/sdk/token", { access_token: SECRET }, {}],
      ["/sdk/token", { access_token: `${SECRET}\n`, grant_id: GRANT }, {}],
      ["/sdk/token", { access_token: SECRET, grant_id: GRANT, injection_header: "Host" }, {}],
      ["/sdk/token", { access_token: SECRET, grant_id: "another" }, {}],
      ["/sdk/token", { access_token: SECRET, grant_id: GRANT }, { status: 500 }],
      ["/sdk/token", { error: "grant_revoked", additional_credentials: { secret_key: SECRET } }, { status: 400 }],
    ];
    const logger = recorder();
    for (const [prefix, body, options] of answers) {
      server.reset();
      server.answer(prefix, body, options);
      const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger });
      const error = await thrown(app.request("GET", url(), { grantId: GRANT }));
      showsNothing(error, `${error.name}: ${error.message}`);
      await app.close();
    }
    showsNothing(await thrown((async () => new App({ apiKey: `${APP_KEY}x` }))()), "a refused key");
    server.reset();
    const gone = new App({ apiKey: APP_KEY, baseUrl: server.url, logger });
    const dead = await thrown(gone.request("GET", "http://127.0.0.1:9/", { grantId: GRANT }));
    assert.equal(dead.name, "NetworkError");
    showsNothing(dead, "a dead provider");
    await gone.close();
    showsNothing(logger.lines, "the log");
  });

  test("in the errors of calls that get no answer", async () => {
    const logger = recorder();
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, timeout: 300, logger });
    const fails = async (target, kind, options = {}) => {
      const error = await thrown(app.request("POST", target, { grantId: GRANT, json: { a: 1 }, ...options }));
      const kinds = [];
      for (let proto = error; proto !== null; proto = Object.getPrototypeOf(proto)) {
        kinds.push(proto.constructor.name);
      }
      assert.ok(kinds.includes(kind), `${target}: ${kinds}`);
      showsNothing(error, `${error.name}: ${error.message}`);
      showsNothing(error.cause, `the cause of ${error.name}`);
    };
    for (const held of ["/p/", "/sdk/token"]) {
      server.reset();
      server.answer(held, {}, { hold: true });
      await fails(url(), "TimeoutError");
      await fails(url(), "Error", { signal: AbortSignal.timeout(50) });
    }
    server.reset();
    await fails(`${server.url.replace("http:", "https:")}/p/x`, "NetworkError");
    await fails("https://h.example/{missing}", "AlterValueError");
    server.answer("/sdk/token", undefined, { raw: `{"access_token": "${SECRET}"` });
    await fails(url(), "BackendError");
    await app.close();
    await fails(url(), "AlterSDKError");
    showsNothing(app, "the closed client");
    showsNothing(logger.lines, "the log");
  });

  test("in a program that says all it can", async () => {
    server.answer("/p/refused", {}, { status: 401 });
    server.answer("/p/held", {}, { hold: true });
    server.answer("/sdk/oauth/audit", {}, { status: 403 });
    const path = fileURLToPath(new URL("programs/everything_logged.mjs", import.meta.url));
    const env = { ...process.env, NODE_DEBUG: "*", DEBUG: "*", RUST_LOG: "trace", RUST_BACKTRACE: "full" };
    const flags = ["--trace-warnings", "--trace-uncaught", "--pending-deprecation"];
    const child = spawn(process.execPath, [...flags, path, server.url, APP_KEY, GRANT], { env, timeout: 3 * LIMIT });
    let [output, errors] = ["", ""];
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (errors += text));
    const status = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(status, 0, errors);
    assert.match(errors, /^[A-Z_]+ \d+: /m, "Node's own debugging is not on");
    assert.match(output, /TimeoutError/, "the errors were not shown");
    assert.ok(JSON.stringify(server.requests("/p/")).includes(SECRET), "the provider got it");
    // Node says with which arguments it was started, so the key is looked for where the package writes.
    assert.ok(!output.includes(SECRET) && !errors.includes(SECRET), "the credential was printed");
    assert.ok(!output.includes(APP_KEY), "the key was printed");
  });
});
