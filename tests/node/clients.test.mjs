// The clients' life: options, token getters, loggers, narrowing, closing.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import { ActorType, Agent, AlterSDKError, AlterValueError, AlterVault, App, CallerType } from "@alter-ai/alter-sdk";

import { AGENT_ID, AGENT_KEY, APP_KEY, GRANT, recorder, Scripted, SILENT, thrown } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => server.reset());

const url = () => `${server.url}/p/x`;
const make = (options = {}, Client = App) => new Client({ apiKey: APP_KEY, baseUrl: server.url, ...options });

/** Makes one call and closes the client; gives the token request. */
async function tokenRequestOf(client, options = {}) {
  await client.request("GET", url(), { grantId: GRANT, ...options });
  await client.close();
  return server.requests("/sdk/token").at(-1);
}

describe("options", () => {
  test("keys (TS-010)", () => {
    for (const apiKey of [undefined, null, "", "x", APP_KEY.slice(0, -1), 7]) {
      assert.throws(() => make({ apiKey }), { name: "AlterValueError", message: /apiKey/ });
    }
    assert.throws(() => new App(), { name: "AlterValueError", message: /apiKey/ });
    process.env.ALTER_API_KEY = APP_KEY;
    try {
      assert.throws(() => new App({}), AlterValueError);
    } finally {
      delete process.env.ALTER_API_KEY;
    }
    for (const Client of [App, Agent, AlterVault]) {
      assert.equal(make({ apiKey: AGENT_KEY }, Client).baseUrl, server.url);
    }
  });

  test("the address: an option, else the environment at each construction (TS-005)", () => {
    process.env.ALTER_BASE_URL = "https://one.example";
    try {
      assert.equal(new App({ apiKey: APP_KEY }).baseUrl, "https://one.example");
      process.env.ALTER_BASE_URL = "https://two.example/";
      assert.equal(new App({ apiKey: APP_KEY }).baseUrl, "https://two.example");
      assert.equal(new App({ apiKey: APP_KEY, baseUrl: "https://three.example" }).baseUrl, "https://three.example");
    } finally {
      delete process.env.ALTER_BASE_URL;
    }
    assert.throws(() => make({ baseUrl: "http://vault.example" }), { name: "AlterSDKError", message: /http/ });
    assert.throws(() => make({ baseUrl: 5 }), { name: "AlterValueError", message: /baseUrl must be text, not number/ });
  });

  test("timeouts are milliseconds (TS-011)", () => {
    for (const timeout of [0.5, 30_000, Number.POSITIVE_INFINITY, null]) {
      make({ timeout });
    }
    for (const timeout of [-1, Number.NaN, "30", {}, 1e300]) {
      assert.throws(() => make({ timeout }), {
        name: "AlterValueError",
        message: /timeout must be a number of milliseconds/,
      });
    }
  });

  test("callers and their types (TS-012)", async () => {
    const typeOf = async (client) => (await tokenRequestOf(client)).header("x-alter-caller-type");
    assert.equal(await typeOf(make({ caller: "a" })), "service");
    assert.equal(await typeOf(make({ caller: "a", callerType: CallerType.AGENT })), "agent");
    assert.equal(await typeOf(make({ caller: "a", callerType: "agent" })), "agent");
    assert.equal(await typeOf(make({ caller: "a", apiKey: AGENT_KEY }, Agent)), "agent");
    assert.equal(await typeOf(make({ caller: "a" }, AlterVault)), "agent");
    assert.throws(() => make({ callerType: "robot" }), { name: "AlterValueError", message: /callerType must be/ });
    assert.throws(() => make({ caller: "" }), { name: "AlterValueError", message: /caller has 0 characters/ });
    assert.throws(() => make({ callerType: "agent" }, Agent), {
      name: "AlterValueError",
      message: /no option "callerType"/,
    });
  });

  test("the first versions' names (TS-016)", async () => {
    const seen = await tokenRequestOf(
      make(
        { actorType: ActorType.BACKEND_SERVICE, actorIdentifier: "old", clientType: "x", connectionProtocol: "y" },
        AlterVault,
      ),
    );
    assert.equal(seen.header("x-alter-caller"), "old");
    assert.equal(seen.header("x-alter-caller-type"), "service");
    const mcp = await tokenRequestOf(
      make({ actorType: "mcp_server", actorIdentifier: "m", caller: "new" }, AlterVault),
    );
    assert.equal(mcp.header("x-alter-caller"), "new");
    assert.equal(mcp.header("x-alter-caller-type"), "agent");
    assert.throws(() => make({ actorType: "robot" }, AlterVault), {
      name: "AlterValueError",
      message: /actorType must be one of/,
    });
    assert.throws(() => make({ actorType: "ai_agent" }), { name: "AlterValueError", message: /no option "actorType"/ });
  });

  test("what is no object of options", () => {
    for (const options of ["x", 5, [], true]) {
      assert.throws(() => new App(options), { name: "AlterValueError", message: /must be an object/ });
    }
  });
});

describe("properties (TS-017)", () => {
  test("are known after the first answer, and cannot be assigned", async () => {
    server.answer("/sdk/token", { access_token: "t", grant_id: GRANT }, { headers: { "X-Alter-Actor-ID": AGENT_ID } });
    const app = make({ caller: "a" });
    assert.equal(app.actorId, null);
    assert.equal(app.lastRateLimit, null);
    await app.request("GET", url(), { grantId: GRANT });
    assert.equal(app.actorId, AGENT_ID);
    for (const name of ["actorId", "baseUrl", "lastRetryInfo", "lastRateLimit"]) {
      assert.throws(() => {
        app[name] = "x";
      }, TypeError);
    }
    await app.close();
  });

  test("clients with different callers do not mix (TS-018)", async () => {
    const clients = ["a", "b", "c"].map((caller) => make({ caller, userTokenGetter: async () => `jwt-${caller}` }));
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        clients[n % 3].request("GET", url(), { grantId: GRANT, context: { n: `${n % 3}` } }),
      ),
    );
    await Promise.all(clients.map((client) => client.close()));
    for (const seen of server.requests("/sdk/token")) {
      assert.equal(seen.json().user_token, `jwt-${seen.header("x-alter-caller")}`);
    }
  });
});

describe("token getters (TS-014)", () => {
  test("are asked once per call that needs it, sync or async", async () => {
    for (const getter of [() => "jwt", async () => "jwt"]) {
      let asked = 0;
      const app = make({
        userTokenGetter: () => {
          asked += 1;
          return getter();
        },
      });
      const seen = await tokenRequestOf(app);
      assert.equal(seen.json().user_token, "jwt");
      assert.equal(asked, 1);
    }
  });

  test("give way to a token of the call, which is not kept (TS-031)", async () => {
    const app = make({ userTokenGetter: () => "getter" });
    await app.request("GET", url(), { grantId: GRANT, userToken: "call" });
    await app.request("GET", url(), { grantId: GRANT });
    await app.close();
    assert.deepEqual(
      server.requests("/sdk/token").map((seen) => seen.json().user_token),
      ["call", "getter"],
    );
  });

  test("that give no token, or throw, end the call without showing what they said", async () => {
    const secret = "jwt-that-must-not-show";
    const failing = [
      () => undefined,
      () => "",
      () => 7,
      () => null,
      () => {
        throw new Error(secret);
      },
      () => Promise.reject(new Error(secret)),
    ];
    for (const userTokenGetter of failing) {
      const error = await thrown(make({ userTokenGetter }).request("GET", url(), { grantId: GRANT }));
      assert.equal(error.constructor, AlterSDKError);
      assert.match(error.message, /userTokenGetter/);
      assert.doesNotMatch(error.stack + JSON.stringify(error), new RegExp(secret));
    }
    assert.deepEqual(server.requests(), []);
    assert.throws(() => make({ userTokenGetter: "jwt" }), {
      name: "AlterSDKError",
      message: /userTokenGetter must be a function/,
    });
  });
});

describe("loggers (TS-015)", () => {
  const deprecated = { "X-Alter-Key-Deprecated": "true" };

  test("get warnings once, and are no part of any call", async () => {
    server.answer("/sdk/token", { access_token: "t", grant_id: GRANT }, { headers: deprecated });
    const logger = recorder();
    const app = make({ logger });
    await app.request("GET", url(), { grantId: GRANT });
    await tokenRequestOf(app);
    const warnings = logger.lines.filter((line) => line.startsWith("warn: "));
    assert.equal(warnings.length, 1, logger.lines.join("\n"));
    assert.match(warnings[0], /API key is deprecated/);
    const failing = make({
      logger: {
        warn() {
          throw new Error("no");
        },
        debug() {
          throw new Error("no");
        },
      },
    });
    await tokenRequestOf(failing);
  });

  test("lose lines, and say so, rather than memory while the event loop stands still", async () => {
    const warned = [];
    const usual = console.warn;
    console.warn = (message) => warned.push(message);
    try {
      // Each says something when it is made; nothing can take it before this thread comes to rest.
      const clients = Array.from({ length: 1100 }, () => make());
      await clients[0].close();
    } finally {
      console.warn = usual;
    }
    assert.deepEqual(warned, ["alter: 100 log lines were dropped: the event loop did not run for a while."]);
  });

  test("must be able to take a warning", () => {
    for (const logger of [{}, "console", { warn: 1 }]) {
      assert.throws(() => make({ logger }), { name: "AlterSDKError", message: /logger must have a method warn/ });
    }
  });
});

describe("narrowing (TS-074)", () => {
  test("gives the same class, and the vault is told", async () => {
    for (const Client of [App, Agent, AlterVault]) {
      const client = make({}, Client);
      const narrowed = client.withConstraints({ scopes: ["tokens:retrieve", "grants:read"] });
      assert.equal(narrowed.constructor, Client);
      const seen = await tokenRequestOf(narrowed);
      assert.equal(seen.header("x-alter-scope-constraints"), "tokens:retrieve,grants:read");
      await client.request("GET", url(), { grantId: GRANT });
      await client.close();
    }
  });

  test("refuses what is no narrowing", async () => {
    const app = make();
    const narrow = (constraints) => () => app.withConstraints(constraints);
    for (const [constraints, message] of [
      [undefined, /withConstraints\(\) needs scopes/],
      [{}, /withConstraints\(\) needs scopes/],
      [{ scopes: [] }, /scopes is empty/],
      [{ scopes: ["*"] }, /scopes holds/],
      [{ scopes: "a" }, /scopes must be a list of texts, not string/],
      [{ scopes: ["a", 1] }, /scopes must be .*number/],
      [{ scopes: ["a", undefined] }, /scopes must be .*undefined/],
      [{ rule: "x" }, /rule must be .*string/],
      [{ rule: { ruleBody: {} } }, /rule has no ruleType/],
      [{ rule: { ruleType: "json_match" } }, /rule has no ruleBody/],
      [{ rule: { ruleType: "json_match", ruleBody: [1] } }, /ruleBody/],
      [{ rule: { rule_type: "json_match", ruleBody: {} } }, /no option "rule_type"/],
      [{ scope: ["a"] }, /no option "scope"/],
    ]) {
      assert.throws(narrow(constraints), { name: "AlterValueError", message });
    }
    const narrowed = app.withConstraints({ scopes: ["a"] });
    assert.throws(() => narrowed.withConstraints({ scopes: ["b"] }), {
      name: "AlterValueError",
      message: /constrained already/,
    });
    await app.close();
    await assert.rejects(narrowed.request("GET", url(), { grantId: GRANT }), {
      name: "AlterSDKError",
      code: "client_closed",
    });
    assert.throws(() => app.withConstraints({ scopes: ["a"] }), { name: "AlterSDKError", code: "client_closed" });
  });
});

describe("closing (TS-104, TS-105, TS-108)", () => {
  test("twice is fine, and calls are refused afterwards", async () => {
    const app = make({ logger: SILENT });
    await Promise.all([app.close(), app.close()]);
    await app.close();
    const error = await thrown(app.request("GET", url(), { grantId: GRANT }));
    assert.equal(error.constructor, AlterSDKError);
    assert.equal(error.code, "client_closed");
  });

  test("delivers the reports first", async () => {
    const app = make();
    await Promise.all(Array.from({ length: 10 }, () => app.request("GET", url(), { grantId: GRANT })));
    await app.close();
    assert.equal(server.requests("/sdk/oauth/audit").length, 10);
  });

  test("is what `await using` does, also when the block throws", async () => {
    const app = make();
    // As a compiler translates `await using app = …`.
    await assert.rejects(async () => {
      try {
        throw new Error("in the block");
      } finally {
        await app[Symbol.asyncDispose]();
      }
    }, /in the block/);
    assert.equal((await thrown(app.request("GET", url(), { grantId: GRANT }))).code, "client_closed");
  });
});
