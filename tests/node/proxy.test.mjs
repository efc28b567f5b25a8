// Calls that the vault makes, approvals, traces and memory.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import {
  Agent,
  AlterValueError,
  App,
  ApprovalDeniedError,
  ApprovalTimeoutError,
  IdentityContext,
  MemoryIsolationError,
  PendingApproval,
  ScopedMemoryStore,
} from "@alter-ai/alter-sdk";

import { APPROVAL_ID, AGENT as ME, PENDING, RESULT, status } from "./support/managed.mjs";
import { AGENT_KEY, APP_KEY, GRANT, Scripted, SILENT } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => server.reset());

const URL_ = "https://api.example.com/x";
const ASK = `/sdk/approvals/${APPROVAL_ID}`;

/** Runs something with a client, and closes it. */
async function using(Client, work, options = {}) {
  const apiKey = Client === Agent ? AGENT_KEY : APP_KEY;
  const client = new Client({ apiKey, baseUrl: server.url, logger: SILENT, ...options });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

describe("proxyRequest", () => {
  test("takes method and URL before the options or among them", async () => {
    server.answer("/sdk/proxy", RESULT);
    const results = await using(App, async (app) => [
      await app.proxyRequest("post", URL_, { grantId: GRANT, json: { when: new Date(0), n: [1, null] } }),
      await app.proxyRequest({ method: "GET", url: URL_, provider: "github", jsonBody: false, idempotencyKey: "k" }),
    ]);
    assert.deepEqual(
      server.requests("/sdk/proxy").map((seen) => seen.json()),
      [
        {
          method: "POST",
          url: URL_,
          grant_id: GRANT,
          body: { when: "1970-01-01T00:00:00.000Z", n: [1, null] },
        },
        { method: "GET", url: URL_, provider_id: "github", body: false, idempotency_key: "k" },
      ],
    );
    const [result] = results;
    assert.deepEqual([result.bodyText(), result.bodyJson()], ['{"id": 7}', { id: 7 }]);
    assert.equal(Buffer.from(result.bodyBytes()).toString(), '{"id": 7}');
    assert.deepEqual([result.response.status, await result.response.json()], [200, { id: 7 }]);
  });

  test("refuses what no call can have, and sends nothing", async () => {
    await using(App, async (app) => {
      for (const [options, message] of [
        [{}, /grantId or provider/],
        [{ grantId: GRANT, json: Number.NaN }, /json/],
        [{ grantId: GRANT, json: new Map() }, /json must be .* not Map/],
        [{ grantId: GRANT, json: { deep: [Number.POSITIVE_INFINITY] } }, /json/],
        [{ grantId: GRANT, headers: { Authorization: "x" } }, /headers/],
        [{ grantId: GRANT, idempotencyKey: "" }, /idempotencyKey/],
        [{ grantId: GRANT, body: "raw" }, /no option "body"/],
      ]) {
        await assert.rejects(app.proxyRequest("GET", URL_, options), { name: "AlterValueError", message });
      }
    });
    assert.deepEqual(server.requests("/"), []);
  });
});

describe("approvals", () => {
  test("are waited for, in milliseconds", async () => {
    server.answer("/sdk/proxy", PENDING, { status: 202 });
    server.answer(ASK, status("executed", { has_result: true }));
    server.answer(`${ASK}/result`, RESULT);
    await using(Agent, async (agent) => {
      const pending = await agent.proxyRequest("GET", URL_, { grantId: GRANT });
      assert.ok(pending instanceof PendingApproval);
      assert.equal((await agent.getApprovalStatus(pending.approvalId, { wait: 2 })).isTerminal, true);
      assert.equal((await agent.awaitApproval(pending.approvalId, { timeout: 9000 })).statusCode, 200);
      assert.equal(
        (await agent.awaitApproval(pending.approvalId, { timeoutMs: 9000, pollIntervalMs: 5 })).statusCode,
        200,
      );
    });
    assert.deepEqual(
      server.requests(ASK).map((seen) => seen.target.replace(ASK, "")),
      ["?wait=2", "?wait=8", "/result", "?wait=8", "/result"],
    );
  });

  test("end with what was decided, in time, or when they are given up", async () => {
    await using(App, async (app) => {
      server.answer(ASK, status("denied", { decision_reason: "too much" }));
      await assert.rejects(app.awaitApproval(APPROVAL_ID), (error) => {
        assert.ok(error instanceof ApprovalDeniedError);
        return error.message === "too much" && error.approvalId === APPROVAL_ID;
      });
      server.answer(ASK, status("pending"));
      await assert.rejects(app.awaitApproval(APPROVAL_ID, { timeout: 40, pollInterval: 5 }), ApprovalTimeoutError);
      const giving = new AbortController();
      const waiting = app.awaitApproval(APPROVAL_ID, { signal: giving.signal });
      giving.abort(new Error("enough"));
      await assert.rejects(waiting, /enough/);
      await assert.rejects(app.awaitApproval("../x"), AlterValueError);
    });
  });
});

describe("trace", () => {
  test("goes with every call within it, and not with others", async () => {
    server.answer("/sdk/agents/me", ME);
    const told = () => server.requests("/sdk/").map((seen) => JSON.parse(seen.header("x-alter-context") ?? "null"));
    await using(
      Agent,
      async (agent) => {
        const inner = agent.trace({ runId: "r", metadata: { team: "x" } }, async () => {
          await agent.request("GET", `${server.url}/p/x`, { grantId: GRANT });
          await agent.trace({ threadId: "t", parent: "boss" }, () => agent.me());
          return 7;
        });
        assert.equal(await inner, 7);
        await agent.me();
        await assert.rejects(
          agent.trace({ metadata: { tool: "x" } }, () => assert.fail("it is not run")),
          /metadata/,
        );
      },
      { caller: "bot" },
    );
    const outer = { agent: "bot", run_id: "r", team: "x" };
    const calls = told().filter((_, at) => !server.requests("/sdk/")[at].target.includes("audit"));
    assert.deepEqual(calls, [outer, { ...outer, parent_agent: "boss", thread_id: "t" }, null]);
  });
});

const IDENTITY = { app_id: "A", agent_id: "g", app_user_id: "u", user_status: "active" };
const NAMESPACE = ["alter", "v2", "agent-user", "QQ", "Zw", "dQ"];

/** A store in memory. */
class Kept {
  items = new Map();
  get = async (namespace, key) => this.items.get(`${namespace.join("/")}:${key}`) ?? null;
  put = async (namespace, key, value) =>
    void this.items.set(`${namespace.join("/")}:${key}`, { namespace, key, value });
  delete = async (namespace, key) => void this.items.delete(`${namespace.join("/")}:${key}`);
  search = async () => [...this.items.values()];
  listNamespaces = async () => [...this.items.values()].map((item) => item.namespace);
}

describe("memory", () => {
  test("is one agent's for one user, proven anew for every call", async () => {
    server.answer("/sdk/identity/resolve", IDENTITY);
    await using(Agent, async (agent) => {
      const identity = await agent.resolveIdentity();
      assert.deepEqual(identity.memoryScope().namespace, NAMESPACE);
      assert.deepEqual(identity.memoryScope().namespaceFor(["notes"]), [...NAMESPACE, "bm90ZXM"]);
      assert.throws(() => new IdentityContext(identity.toJSON()).memoryScope(), { code: "memory_identity_unverified" });
      assert.throws(() => identity.memoryScope({ agentOnly: true }), { code: "memory_user_cannot_be_dropped" });
      assert.throws(() => new ScopedMemoryStore(new Kept(), identity), { code: "memory_live_refresh_required" });
      const kept = new Kept();
      const memory = new ScopedMemoryStore(kept, identity, { refreshIdentity: () => agent.resolveIdentity() });
      await memory.put(["notes"], "coffee", { text: "black" });
      assert.deepEqual((await memory.get(["notes"], "coffee")).value, { text: "black" });
      assert.equal((await memory.search()).length, 1);
      assert.deepEqual(await memory.listNamespaces(), [[...NAMESPACE, "bm90ZXM"]]);
      kept.items.set("x", { namespace: ["alter"], key: "k", value: {} });
      await assert.rejects(memory.search(), { code: "memory_store_scope_violation" });
      await memory.delete(["notes"], "coffee");
      assert.equal(await memory.get(["notes"], "coffee"), null);
      for (const wrong of [
        memory.get("notes", "k"),
        memory.get([], ""),
        memory.put([], "k", []),
        memory.search([], { limit: 0 }),
      ]) {
        await assert.rejects(wrong, AlterValueError);
      }
      const stale = new ScopedMemoryStore(kept, identity, { refreshIdentity: async () => identity });
      await assert.rejects(stale.get([], "k"), { code: "memory_refresh_not_live" });
      server.answer("/sdk/identity/resolve", { ...IDENTITY, app_user_id: "v" });
      await assert.rejects(memory.get([], "k"), (error) => {
        assert.ok(error instanceof MemoryIsolationError);
        return error.code === "memory_identity_changed";
      });
    });
  });

  test("holds without asking again as long as an assertion does", async () => {
    const assertion = (seconds) => ({
      token: "t",
      expires_at: new Date(Date.now() + seconds * 1000).toISOString(),
      identity: IDENTITY,
    });
    await using(Agent, async (agent) => {
      server.answer("/sdk/identity/assert", assertion(300));
      const { identity } = await agent.assertIdentity({ audience: "https://a.example" });
      assert.equal(await new ScopedMemoryStore(new Kept(), identity).get([], "k"), null);
      server.answer("/sdk/identity/assert", assertion(-5));
      const ended = await agent.assertIdentity({ audience: "https://a.example" });
      assert.throws(() => ended.identity.memoryScope(), { code: "memory_identity_expired" });
    });
  });
});
