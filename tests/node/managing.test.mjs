// Agents, keys, catalogues, spans and rules: what is TypeScript's own about them.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";

import {
  Agent,
  AgentCreateResult,
  AgentInfo,
  AgentNotFoundError,
  AlterValueError,
  App,
  contentMatchRule,
  InsufficientScopeError,
} from "@alter-ai/alter-sdk";

import * as managed from "./support/managed.mjs";
import { AGENT_KEY, APP_KEY, Scripted, SILENT } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => server.reset());

const PATH = `/sdk/agents/${managed.AGENT_ID}`;

/** Runs something with a client, and closes it. */
async function using(Client, work) {
  const apiKey = Client === Agent ? AGENT_KEY : APP_KEY;
  const client = new Client({ apiKey, baseUrl: server.url, logger: SILENT });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Method, target and body of the requests to the vault. */
const sent = () =>
  server.requests("/sdk/").map((seen) => [seen.method, seen.target, seen.body.length > 0 ? seen.json() : null]);

describe("agents", () => {
  test("are made with a key that no printed form shows", async () => {
    server.answer("/sdk/agents", managed.CREATED, { status: 201 });
    const scopes = { google: ["gmail.readonly"] };
    const made = await using(App, (app) =>
      app.agents.create({ name: "bot", scopes, metadata: { snake_case: { camelCase: 1 } }, idempotencyKey: "k" }),
    );
    assert.ok(made instanceof AgentCreateResult && made instanceof AgentInfo);
    assert.equal(made.apiKey, managed.NEW_KEY);
    for (const shown of [inspect(made), String(made), JSON.stringify(made)]) {
      assert.ok(!shown.includes(managed.NEW_KEY), shown);
    }
    const body = { name: "bot", type: "agent", scopes, metadata: { snake_case: { camelCase: 1 } } };
    assert.deepEqual(sent(), [["POST", "/sdk/agents", body]]);
    assert.equal(server.requests("/sdk/agents")[0].header("idempotency-key"), "k");
  });

  test("are listed, found and changed at the version that was read", async () => {
    server.answer(PATH, managed.AGENT);
    server.answer("/sdk/agents?name=nobody", { items: [] });
    server.answer("/sdk/agents?include", { ...managed.AGENTS, agents: undefined, items: [managed.AGENT] });
    await using(App, async (app) => {
      assert.equal((await app.agents.list({ limit: 5 })).agents[0].name, "email-assistant");
      assert.equal(await app.agents.getByName("nobody"), null);
      await app.agents.update(managed.AGENT_ID, { scopes: { google: ["a"] }, graceSeconds: 0 });
      await app.agents.suspend(managed.AGENT_ID);
    });
    assert.deepEqual(sent().slice(2), [
      ["GET", PATH, null],
      ["PATCH", `${PATH}?grace_seconds=0&expected_version=7`, { scopes: { google: ["a"] } }],
      ["PATCH", PATH, { status: "inactive" }],
    ]);
  });

  test("have keys of their own, and know who they are", async () => {
    server.answer(`${PATH}/keys/`, { ...managed.AGENT_KEY, revoked_at: managed.NOW });
    server.answer("/sdk/agents/me", managed.AGENT);
    const key = await using(App, (app) => app.agents.revokeKey(managed.AGENT_ID, managed.KEY_ID, { force: true }));
    assert.equal(key.status, "revoked");
    assert.equal((await using(Agent, (agent) => agent.me())).version, 7);
    assert.equal(sent()[0][1], `${PATH}/keys/${managed.KEY_ID}?force=true`);
  });

  test("that are not there, and options that are none", async () => {
    server.answer("/sdk/agents", { error: "agent_not_found", hint: "look" }, { status: 404 });
    await using(App, async (app) => {
      await assert.rejects(app.agents.get(managed.AGENT_ID), (error) => {
        assert.ok(error instanceof AgentNotFoundError);
        return error.hint === "look" && error.statusCode === 404;
      });
      await assert.rejects(app.agents.create({ name: "a", display_name: "b" }), AlterValueError);
      await assert.rejects(app.agents.update(managed.AGENT_ID, { graceSeconds: 5 }), /graceSeconds/);
      await assert.rejects(app.agents.get(".."), /agentId/);
    });
    assert.equal(sent().length, 1);
  });
});

describe("keys", () => {
  test("are named before the options or among them", async () => {
    server.answer("/sdk/keys/", managed.MINTED);
    await using(Agent, async (agent) => {
      await agent.keys.rotate(managed.KEY_ID, { overlapDays: 3 });
      await agent.keys.rotate({ keyId: managed.KEY_ID });
      await agent.keys.revoke({ keyId: managed.KEY_ID, force: true });
    });
    assert.deepEqual(sent(), [
      ["POST", `/sdk/keys/${managed.KEY_ID}/rotate`, { overlap_days: 3 }],
      ["POST", `/sdk/keys/${managed.KEY_ID}/rotate`, { overlap_days: 7 }],
      ["DELETE", `/sdk/keys/${managed.KEY_ID}?force=true`, null],
    ]);
  });

  test("are derived with limits, if the key may", async () => {
    server.answer("/sdk/keys/derive", managed.MINTED, { status: 201 });
    const minted = await using(App, (app) => app.keys.derive({ scopes: ["a"], expiresIn: 60, rateLimitRpm: 5 }));
    assert.deepEqual([minted.apiKey, minted.status], [managed.NEW_KEY, "active"]);
    assert.deepEqual(sent()[0][2], { scopes: ["a"], expires_in: 60, rate_limit_rpm: 5 });
    server.answer("/sdk/keys/derive", { error: "insufficient_scope", missing: ["keys:derive"] }, { status: 403 });
    await assert.rejects(
      using(App, (app) => app.keys.derive({ scopes: ["a"], expiresIn: 60 })),
      (error) => error instanceof InsufficientScopeError && error.missing[0] === "keys:derive",
    );
  });
});

describe("catalogues", () => {
  test("of providers are kept, and answer for unknown ones", async () => {
    server.answer("/sdk/oauth/provider-catalog", managed.PROVIDERS);
    server.answer("/sdk/scopes", managed.SCOPES);
    await using(App, async (app) => {
      const catalogue = await app.oauthProviders.list();
      assert.deepEqual(catalogue.getDefaultScopes("google"), ["a"]);
      assert.deepEqual(catalogue.getRequiredScopes("nobody"), []);
      assert.equal(catalogue.providers.google.availableScopes.a.isDefault, true);
      await app.oauthProviders.list();
      await app.oauthProviders.list({ forceRefresh: true });
      assert.deepEqual((await app.scopes.getCatalog()).resources.tokens.verbs, ["retrieve"]);
    });
    assert.equal(sent().length, 3);
  });

  test("of operations", async () => {
    server.answer("/sdk/provider-specs/oauth/github/operations", managed.OPERATIONS);
    server.answer("/sdk/provider-specs?", { items: [managed.SPEC], total: 1 });
    await using(App, async (app) => {
      assert.equal((await app.providerSpecs.list("oauth"))[0].operationCount, 2);
      const page = await app.providerSpecs.listOperations("oauth", "github", { search: "repos" });
      assert.equal(page.items[0].pathTemplate, "/repos/{owner}");
    });
    assert.equal(sent()[1][1], "/sdk/provider-specs/oauth/github/operations?limit=100&offset=0&search=repos");
  });
});

describe("spans", () => {
  test("have dates or texts for times, and attributes of any name", async () => {
    server.answer("/sdk/spans", { accepted: 1 });
    const span = {
      traceId: "t",
      name: "plan",
      startTime: new Date("2026-01-02T03:04:05Z"),
      attributes: { stepName: "x" },
    };
    assert.equal((await using(Agent, (agent) => agent.spans.emit([span]))).accepted, 1);
    const start = "2026-01-02T03:04:05.000Z";
    const wire = { trace_id: "t", name: "plan", start_time: start, attributes: { stepName: "x" } };
    assert.deepEqual(sent()[0][2], { spans: [wire] });
    for (const wrong of [[], [{ ...span, name: "" }], [{ ...span, trace: "x" }], [null], "x"]) {
      await assert.rejects(
        using(Agent, (agent) => agent.spans.emit(wrong)),
        AlterValueError,
      );
    }
    assert.equal(sent().length, 1);
  });
});

describe("contentMatchRule", () => {
  test("makes a rule whose own keys are the vault's", () => {
    const timed = { windows: [{ days: ["mon"], start: "09:00", end: "17:00" }], timezone: "Europe/Berlin" };
    const params = [{ name: "at", op: "outside_windows", value: timed }];
    const rule = contentMatchRule({ families: ["send"], params, effect: "step_up", maxSessionAgeSeconds: 60 });
    assert.deepEqual(rule, {
      ruleType: "content_match",
      ruleBody: {
        match: { families: ["send"] },
        params,
        effect: "step_up",
        step_up: { max_session_age_seconds: 60 },
      },
    });
    assert.throws(() => contentMatchRule({ families: ["send"], redactFields: ["a"] }), {
      name: "AlterValueError",
      message: /redactFields/,
    });
  });
});
