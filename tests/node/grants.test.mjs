// Grants: who may see, share and end them.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import {
  Agent,
  AlterValueError,
  AlterVault,
  App,
  DelegationResult,
  GrantInfo,
  ManagedSecretGrantItem,
  OAuthGrantItem,
  UnifiedGrantListResult,
} from "@alter-ai/alter-sdk";

import {
  asking,
  LIST,
  MANAGED,
  OAUTH,
  page,
  REVOKED,
  SECRET_ID,
  SOON,
  sending,
  USER_TOKEN,
} from "./support/people.mjs";
import { AGENT_ID, AGENT_KEY, APP_KEY, GRANT, Scripted, SILENT, thrown } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answer(LIST, page(OAUTH, MANAGED));
});

const ask = asking(server);
const sent = sending(server);

/** What a method of a client gives that is made for it. */
async function with_(options, method, ...given) {
  const { apiKey = APP_KEY, Client = App, ...rest } = options;
  const client = new Client({ apiKey, baseUrl: server.url, logger: SILENT, ...rest });
  try {
    return await client[method](...given);
  } finally {
    await client.close();
  }
}

const AGENT = { Client: Agent, apiKey: AGENT_KEY };

describe("listGrants", () => {
  test("gives a page of both kinds (TS-050, TS-053)", async () => {
    server.answer(LIST, { ...page(OAUTH, MANAGED), total: 3, has_more: true });
    const result = await ask("listGrants");
    assert.ok(result instanceof UnifiedGrantListResult);
    assert.deepEqual([result.total, result.limit, result.offset, result.hasMore], [3, 100, 0, true]);
    const [account, secret] = result.grants;
    assert.ok(account instanceof OAuthGrantItem && secret instanceof ManagedSecretGrantItem);
    assert.deepEqual([account.grantKind, secret.grantKind], ["oauth", "managed_secret"]);
    const shown = result.grants.map((g) => [g.providerId, g.accountDisplayName, g.accountIdentifier, g.scopes]);
    assert.deepEqual(shown, [
      ["google", "Ada", "ada@example.com", ["calendar.read"]],
      ["loyalty-api", "Loyalty API", null, []],
    ]);
    assert.deepEqual(sent(LIST), { limit: 100, offset: 0 });
  });

  test("takes filters and a page (TS-051)", async () => {
    await ask("listGrants", {
      providerId: "google",
      status: "active",
      account: "a",
      label: "l",
      endUserToken: "j",
      offset: 5,
    });
    const filters = { provider_id: "google", status: "active", account: "a", label: "l", user_token: "j" };
    assert.deepEqual(sent(LIST), { limit: 100, offset: 5, ...filters });
  });

  test("takes null for absent", async () => {
    await ask("listGrants", { providerId: null, limit: null, status: undefined, signal: null });
    await ask("listGrants", null);
    for (const seen of server.requests(LIST)) {
      assert.deepEqual(seen.json(), { limit: 100, offset: 0 });
    }
  });

  for (const [name, value] of Object.entries({
    limit: [0, 1001, 1.5, true, "5", Number.NaN],
    offset: [-1, {}],
    status: ["", 5, []],
    grantKind: ["both"],
    providerId: [Symbol("s"), () => {}, new Date(), "\ud800"],
  })) {
    test(`refuses another ${name} before anything is sent`, async () => {
      for (const wrong of value) {
        const error = await thrown(ask("listGrants", { [name]: wrong }));
        assert.ok(error instanceof AlterValueError);
        assert.match(error.message, new RegExp(`^${name} `));
      }
      assert.deepEqual(server.requests(), []);
    });
  }

  test("refuses an option that it does not have, and options that are none", async () => {
    for (const options of [{ provider_id: "google" }, { limits: 5 }, "google", 5]) {
      assert.equal((await thrown(ask("listGrants", options))).name, "AlterValueError");
    }
    assert.deepEqual(server.requests(), []);
  });

  test("an application's getter narrows it to the caller; an agent sees its own", async () => {
    for (const userTokenGetter of [() => "the-jwt", async () => "the-jwt"]) {
      await with_({ userTokenGetter }, "listGrants");
    }
    await with_({ ...AGENT, userTokenGetter: () => assert.fail("asked") }, "listGrants");
    assert.deepEqual(
      server.requests(LIST).map((seen) => seen.json().user_token),
      ["the-jwt", "the-jwt", undefined],
    );
  });

  test("fails whole for one malformed grant", async () => {
    server.answer(LIST, page(OAUTH, { ...MANAGED, status: 5 }));
    const error = await thrown(ask("listGrants"));
    assert.equal(error.name, "BackendError");
    assert.match(error.message, /grants\.1\.status/);
  });

  test("a narrowed client narrows it too", async () => {
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url });
    await app.withConstraints({ scopes: ["grants:list"] }).listGrants();
    await app.close();
    assert.equal(server.requests(LIST)[0].header("x-alter-scope-constraints"), "grants:list");
  });
});

describe("ending and sharing", () => {
  test("revokeGrant (TS-054)", async () => {
    const path = `/sdk/oauth/grants/${GRANT}/revoke`;
    server.answer(path, REVOKED);
    const done = await ask("revokeGrant", GRANT.toUpperCase(), { reason: "left the company" });
    assert.deepEqual([done.success, done.grantId, done.revokedAt], [true, GRANT, SOON]);
    assert.deepEqual(sent(path), { reason: "left the company" });
    server.answer(path, { error: "grant_not_found" }, { status: 404 });
    assert.equal(
      (await thrown(with_({ userTokenGetter: () => "j" }, "revokeGrant", GRANT))).name,
      "GrantNotFoundError",
    );
    assert.deepEqual(server.requests(path).at(-1).json(), { user_token: "j" });
    for (const wrong of ["grant-7", undefined, null, 7]) {
      assert.match((await thrown(ask("revokeGrant", wrong))).message, /^grantId /);
    }
  });

  test("revokeDelegation in both spellings, and an agent's own (TS-056)", async () => {
    server.answer("/sdk/grants/", undefined, { status: 204 });
    assert.equal(await ask("revokeDelegation", GRANT, AGENT_ID), undefined);
    await ask("revokeDelegation", GRANT, { agentId: AGENT_ID });
    await with_(AGENT, "revokeDelegation", GRANT);
    const start = `/sdk/grants/${GRANT}/delegations`;
    const paths = server.requests("/sdk/grants/").map(({ method, target }) => `${method} ${target}`);
    assert.deepEqual(paths, [`DELETE ${start}/${AGENT_ID}`, `DELETE ${start}/${AGENT_ID}`, `DELETE ${start}/me`]);
    for (const wrong of [undefined, null, {}, "me"]) {
      assert.match((await thrown(ask("revokeDelegation", GRANT, wrong))).message, /^agentId /);
    }
    server.answer("/sdk/grants/", {}, { status: 302, headers: { location: "/login" } });
    assert.equal((await thrown(with_(AGENT, "revokeDelegation", GRANT))).name, "BackendError");
  });

  test("mintGrant (TS-057)", async () => {
    const path = `/sdk/grants/${GRANT}/mint`;
    server.answer(path, { ...OAUTH, grant_id: "44444444-4444-4444-8444-444444444444", label: "work" });
    const options = { label: "work", grantPolicy: { maxTtlSeconds: 60 }, grantTags: ["a"] };
    const grant = await ask("mintGrant", GRANT, options);
    assert.ok(grant instanceof GrantInfo);
    assert.equal(grant.label, "work");
    assert.deepEqual(sent(path), { label: "work", grant_policy: { max_ttl_seconds: 60 }, grant_tags: ["a"] });
    const refused = await thrown(ask("mintGrant", GRANT, { label: "w", grantPolicy: { defaultTtlSeconds: 5 } }));
    assert.match(refused.message, /^grantPolicy\["defaultTtlSeconds"\] preselects .* Set maxTtlSeconds\.$/);
    assert.match((await thrown(ask("mintGrant", GRANT))).message, /^label is missing/);
    server.answer(path, { detail: { error: "sibling_label_conflict" } }, { status: 409 });
    const conflict = await thrown(ask("mintGrant", GRANT, { label: "work" }));
    assert.deepEqual([conflict.name, conflict.label, conflict.statusCode], ["SiblingLabelConflictError", "work", 409]);
  });

  test("delegate (TS-057)", async () => {
    const path = `/sdk/grants/${GRANT}/delegate`;
    const answer = {
      grant_id: AGENT_ID,
      grant_kind: "oauth",
      parent_grant_id: GRANT,
      depth: 2,
      delegable: false,
      status: "active",
    };
    server.answer(path, answer);
    const how = { delegable: false, scopeConstraint: ["a"], ttlSeconds: 60 };
    const result = await with_(AGENT, "delegate", GRANT, AGENT_ID, how);
    assert.ok(result instanceof DelegationResult);
    assert.deepEqual([result.depth, result.parentGrantId, result.expiresAt], [2, GRANT, null]);
    assert.deepEqual(sent(path), { to_agent_id: AGENT_ID, delegable: false, scope_constraint: ["a"], ttl_seconds: 60 });
    for (const [options, message] of [
      [{ ttlSeconds: true }, /^ttlSeconds must be a whole number, not a boolean/],
      [{ ttlSeconds: 0 }, /^ttlSeconds is 0/],
      [{ scopeConstraint: ["*"] }, /^scopeConstraint holds "\*"/],
      [{ scopeConstraint: [] }, /^scopeConstraint has 0 scopes/],
      [{ delegable: "yes" }, /^delegable must be a boolean, not text/],
    ]) {
      assert.match((await thrown(with_(AGENT, "delegate", GRANT, AGENT_ID, options))).message, message);
    }
    server.answer(path, { detail: { error: "grant_not_delegable", reason: "depth" } }, { status: 403 });
    const refused = await thrown(with_(AGENT, "delegate", GRANT, AGENT_ID));
    assert.equal(refused.name, "GrantNotDelegableError");
  });
});

describe("grants of stored secrets (TS-055)", () => {
  const path = `/sdk/managed-secrets/${SECRET_ID}/grants`;
  const made = { grant_id: GRANT, principal_type: "system", label: null, created_at: SOON };

  for (const [principal, wire] of [
    [
      { type: "user", userToken: USER_TOKEN, label: "l" },
      { type: "user", user_token: USER_TOKEN, label: "l" },
    ],
    [
      { type: "group", externalGroupId: "g", idpId: "i", label: "l" },
      { type: "group", external_group_id: "g", idp_id: "i", label: "l" },
    ],
    [{ type: "system" }, { type: "system", label: null }],
    [
      { type: "agent", label: "l" },
      { type: "agent", label: "l" },
    ],
  ]) {
    test(`for a ${principal.type}`, async () => {
      server.answer(path, made);
      const grant = await ask("createManagedSecretGrant", SECRET_ID, { principal, grantPolicy: { maxTtlSeconds: 60 } });
      assert.equal(grant.grantId, GRANT);
      assert.deepEqual(sent(path), { principal: wire, grant_policy: { max_ttl_seconds: 60 } });
    });
  }

  test("for nobody else", async () => {
    for (const principal of [
      { label: "l" },
      { type: "robot" },
      { type: "user", label: "l" },
      { type: "user", user_token: USER_TOKEN, label: "l" },
      { type: "system", name: "n" },
      "system",
      undefined,
    ]) {
      const error = await thrown(ask("createManagedSecretGrant", SECRET_ID, { principal }));
      assert.equal(error.name, "AlterValueError");
      assert.match(error.message, /^principal/);
      assert.ok(!error.message.includes(USER_TOKEN));
    }
    assert.match(
      (await thrown(ask("createManagedSecretGrant", SECRET_ID, { principal: { type: "user", label: "l" } }))).message,
      /^principal\["userToken"\] is missing/,
    );
    assert.deepEqual(server.requests(), []);
  });

  test("an agent asks for itself only", async () => {
    server.answer(path, {}, { status: 422 });
    for (const principal of [{ type: "system" }, { type: "user", userToken: "j", label: "l" }]) {
      const error = await thrown(with_(AGENT, "createManagedSecretGrant", SECRET_ID, { principal }));
      assert.match(error.message, /^principal\["type"\] must be "agent" here/);
    }
    const error = await thrown(with_(AGENT, "createManagedSecretGrant", SECRET_ID, { principal: { type: "agent" } }));
    assert.deepEqual([error.name, error.statusCode], ["BackendError", 422]);
    assert.deepEqual(sent(path).principal, { type: "agent", label: null });
  });

  test("a secret with several credentials lists them", async () => {
    const detail = { error: "credential_id_required", details: { credentials: [{ id: "c", label: "l" }] } };
    server.answer(path, { detail }, { status: 409 });
    const error = await thrown(ask("createManagedSecretGrant", SECRET_ID, { principal: { type: "system" } }));
    assert.equal(error.name, "CredentialIdRequiredError");
    assert.deepEqual(error.credentials, [{ credentialId: "c", label: "l" }]);
  });
});

test("an agent has no calls of an application, and the other way round (TS-070)", () => {
  for (const name of [
    "mintGrant",
    "revokeGrant",
    "authenticate",
    "createAuthSession",
    "pollAuthSession",
    "verifyUserToken",
  ]) {
    assert.ok(!(name in Agent.prototype) && name in App.prototype, name);
  }
  assert.ok(!("delegate" in App.prototype));
  // The client of the first versions has all that an application's has.
  assert.ok(AlterVault.prototype instanceof App);
});

test("a closed client refuses every call", async () => {
  const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
  await app.close();
  for (const [method, ...given] of [
    ["listGrants"],
    ["mintGrant", GRANT, { label: "l" }],
    ["revokeGrant", GRANT],
    ["revokeDelegation", GRANT, AGENT_ID],
    ["createManagedSecretGrant", SECRET_ID, { principal: { type: "system" } }],
    ["createConnectSession"],
    ["pollConnectSession", "s"],
    ["connect"],
    ["createManagedSecretConnectSession", { provider: "x", userToken: "j" }],
    ["createAuthSession"],
    ["pollAuthSession", "s"],
    ["authenticate"],
    ["resolveIdentity"],
    ["assertIdentity", { audience: "a:b" }],
  ]) {
    const error = await thrown(app[method](...given));
    assert.deepEqual([error.name, error.code], ["AlterSDKError", "client_closed"], method);
  }
  assert.equal(await app.verifyUserToken("jwt"), null);
  assert.deepEqual(server.requests(), []);
});
