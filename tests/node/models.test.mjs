// The public models: read by the engine, frozen, and printed without what opens something.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import * as sdk from "@alter-ai/alter-sdk";
import * as managed from "./support/managed.mjs";
import {
  IDENTITY,
  MANAGED,
  MANAGED_SESSION,
  OAUTH,
  page,
  REVOKED,
  SESSION,
  SIGN_IN,
  SIGNED_IN,
  SOON,
} from "./support/people.mjs";
import { GRANT } from "./support/scripted.mjs";
import { camel, vectors } from "./support/vectors.mjs";

const {
  APICallAuditLog,
  AuthResult,
  BackendError,
  ConnectResult,
  GrantInfo,
  IdentityAssertion,
  ManagedSecretGrantItem,
  RateLimitSnapshot,
  RetryInfo,
  TokenResponse,
  UnifiedGrantListResult,
} = sdk;

const CONNECT_RESULT = {
  grant_id: GRANT,
  provider_id: "google",
  grant_policy: { expires_at: SOON },
  failed_grants: [{ provider_id: "slack", reason: "not_selected", message: "m" }],
  delegation: { agent_id: "a", delegable: true },
};
const AUDIT_ROW = {
  grant_id: GRANT,
  provider_id: "google",
  method: "GET",
  url: "https://h.example/",
  request_headers: { "X-Api-Key": "k", Accept: "*" },
  response_status: 200,
  response_headers: { "set-cookie": "c" },
  latency_ms: 5,
};
const ASSERTION = { token: "assertion-canary-77", expires_at: SOON, identity: IDENTITY };

/** What the vault writes for each model, with no more than it must. */
const WIRE = {
  ...managed.WIRE,
  APICallAuditLog: AUDIT_ROW,
  AuthResult: { ...SIGNED_IN, status: undefined },
  AuthSession: SIGN_IN,
  ConnectDelegation: CONNECT_RESULT.delegation,
  ConnectFailedGrant: CONNECT_RESULT.failed_grants[0],
  ConnectResult: CONNECT_RESULT,
  ConnectSession: SESSION,
  CreateGrantResult: { grant_id: GRANT, principal_type: "system", label: null, created_at: SOON },
  DelegationResult: {
    grant_id: GRANT,
    grant_kind: "oauth",
    parent_grant_id: GRANT,
    depth: 1,
    delegable: false,
    status: "active",
  },
  GrantInfo: { ...OAUTH, grant_kind: undefined },
  GrantPolicy: { expires_at: SOON },
  IdentityAssertion: ASSERTION,
  IdentityContext: IDENTITY,
  IdentityTrace: { run_id: "r", thread_id: null },
  ManagedSecretConnectSession: MANAGED_SESSION,
  ManagedSecretGrantItem: MANAGED,
  OAuthGrantItem: OAUTH,
  RateLimitSnapshot: { limit: 5, remaining: 4, reset_at: "2026-01-02T03:04:05.000Z" },
  RetryErrorInfo: { attempt: 1, error: "e", error_type: "t", delay_s: 0.5, permanent: false },
  RetryInfo: { total_attempts: 2, successful_attempt: 2, errors: [] },
  RevokeGrantResult: REVOKED,
  TokenResponse: { grant_id: GRANT, scopes: ["a"], expires_at: SOON },
  UnifiedGrantListResult: page(OAUTH, MANAGED),
};

/** What opens something, by the model that has it. */
const SECRETS = {
  ...managed.SECRETS,
  AuthResult: ["user_token"],
  AuthSession: ["session_token", "auth_url"],
  ConnectSession: ["session_token", "connect_url"],
  IdentityAssertion: ["token"],
  ManagedSecretConnectSession: ["session_token", "connect_url"],
};

/** Whether what was given is in what is there; more may be. */
function includes(there, given) {
  for (const [name, value] of Object.entries(given).filter(([, value]) => value !== undefined)) {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      includes(there[name], value);
    } else if (!Array.isArray(value) || typeof value[0] !== "object") {
      assert.deepEqual(there[name], value, name);
    }
  }
}

describe("every model (TS-100)", () => {
  test("is tried here", () => {
    const models = Object.keys(sdk).filter(
      (name) => Object.hasOwn(sdk[name]?.prototype ?? {}, "toJSON") && !/Error$/.test(name),
    );
    assert.deepEqual(models.filter((name) => name !== "GrantListResult").sort(), Object.keys(WIRE).sort());
    assert.equal(sdk.GrantListResult, UnifiedGrantListResult);
  });

  for (const [name, wire] of Object.entries(WIRE)) {
    test(name, () => {
      const made = new sdk[name](wire);
      assert.ok(Object.isFrozen(made));
      const [first] = Object.keys(made);
      assert.throws(() => {
        made[first] = "x";
      }, TypeError);
      const { ...shown } = made.toJSON();
      for (const secret of SECRETS[name] ?? []) {
        assert.equal(made[camel(secret)], wire[secret]);
        assert.equal(shown[secret], "[redacted]");
        delete shown[secret];
      }
      const given = { ...wire, ...Object.fromEntries((SECRETS[name] ?? []).map((secret) => [secret, undefined])) };
      const seconds = JSON.parse(JSON.stringify(shown).replaceAll(/(\d\d:\d\d:\d\d)\.000Z/g, "$1Z"));
      includes(seconds, JSON.parse(JSON.stringify(given).replaceAll(/(\d\d:\d\d:\d\d)\.000Z/g, "$1Z")));
      assert.equal(JSON.stringify(made), JSON.stringify(made.toJSON()));
      // What is written can be read again, and what a newer vault adds does not matter.
      if (SECRETS[name] === undefined) {
        assert.deepEqual(new sdk[name]({ ...made.toJSON(), newer: 1 }).toJSON(), { ...made.toJSON() });
      }
    });
  }

  test("is refused whole when it is malformed (TS-101)", () => {
    const wrong = [
      ["GrantInfo", {}, /grant_id is missing/],
      ["GrantInfo", { ...OAUTH, status: 5 }, /status is not text/],
      ["ConnectSession", { ...SESSION, expires_in: "600" }, /expires_in is not a whole number/],
      ["RetryInfo", { total_attempts: 1, successful_attempt: 2 }, /more than total_attempts/],
      ["UnifiedGrantListResult", page({ ...MANAGED, grant_kind: "robot" }), /grants\.0\.grant_kind/],
      ["GrantInfo", null, /is not an object/],
      ["GrantInfo", "x", /is not an object/],
      ["GrantInfo", { grant_id: 5n }, /cannot be read from object/],
    ];
    for (const [name, wire, message] of wrong) {
      assert.throws(() => new sdk[name](wire), { name: "BackendError", message });
    }
    assert.throws(
      () => new sdk.ConnectSession({ ...SESSION, expires_in: null }),
      (error) => !inspect(error).includes("canary"),
    );
  });

  test("has the fields of Python's, as TypeScript spells them (TS-102)", () => {
    for (const file of ["audit", "calls", "connect", "grants", "identity", "managed_secrets", "token"]) {
      const python = readFileSync(new URL(`../../python/alter_sdk/models/${file}.py`, import.meta.url), "utf8");
      for (const [, name, body] of python.matchAll(/^class (\w+)\(BaseModel\):\n((?: {4}.*\n|\n)+)/gm)) {
        if (name === "GrantPolicyInput") {
          continue;
        }
        const fields = [...body.matchAll(/^ {4}([a-z]\w*): /gm)].map(([, field]) => camel(field));
        assert.ok(fields.length > 1, name);
        const made = new sdk[name](WIRE[name]);
        assert.deepEqual(
          fields.filter((field) => made[field] === undefined),
          [],
          name,
        );
      }
    }
  });
});

describe("values", () => {
  test("are dates only where calls are timed (TS-103)", () => {
    const token = new TokenResponse({ grant_id: "g", expires_at: "2026-01-02T03:04:05", token_expires_at: 1767323045 });
    assert.equal(token.expiresAt.toISOString(), "2026-01-02T03:04:05.000Z", "a time without an offset is UTC");
    assert.equal(token.tokenExpiresAt.getTime(), 1767323045000);
    assert.equal(token.grantExpiresAt, null);
    assert.ok(new RateLimitSnapshot(WIRE.RateLimitSnapshot).resetAt instanceof Date);
    assert.equal(new IdentityAssertion(ASSERTION).expiresAt, SOON);
    assert.equal(new GrantInfo({ ...OAUTH, expires_at: SOON }).expiresAt, SOON);
    const row = new APICallAuditLog(AUDIT_ROW);
    assert.ok(Math.abs(row.timestamp.getTime() - Date.now()) < 60_000, "it is now unless it is said");
    assert.ok(!("timestamp" in row.toJSON()));
  });

  test("inside never change either, and keep the names of others", () => {
    const grant = new GrantInfo({ ...OAUTH, grant_policy: { max_ttl_seconds: { a: [1] } } });
    assert.ok(Object.isFrozen(grant.scopes) && Object.isFrozen(grant.grantPolicy.max_ttl_seconds.a));
    const result = new ConnectResult(CONNECT_RESULT);
    assert.deepEqual(
      [result.failedGrants[0].reason, result.delegation.policyRefused, result.grantPolicy.expiresAt],
      ["not_selected", false, SOON],
    );
    assert.ok(Object.isFrozen(result.failedGrants));
    assert.deepEqual(new AuthResult(SIGNED_IN).userInfo, { sub: "ada", email: "a@b" });
  });

  test("that are no bare https origin are none", () => {
    for (const { text, valid } of vectors("origins").cases) {
      assert.equal(new ConnectResult({ ...CONNECT_RESULT, api_base_url: text }).apiBaseUrl, valid ? text : null);
    }
  });

  test("that others write loosely are read as they are everywhere", () => {
    let tried = 0;
    for (const { kind, value, read, refused } of vectors("lax_values").cases.filter(
      (case_) => case_.kind === "whole",
    )) {
      if (!Number.isSafeInteger(read ?? 0)) {
        continue;
      }
      const make = () => new UnifiedGrantListResult({ ...page(), total: value });
      tried += 1;
      if (refused) {
        assert.throws(make, BackendError);
      } else {
        assert.equal(make().total, read, `${kind} ${value}`);
      }
    }
    assert.ok(tried > 20);
  });
});

describe("what models can do", () => {
  test("a token response knows when it ends", () => {
    const at = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
    const token = (fields) => new TokenResponse({ grant_id: "g", access_token: "discarded", ...fields });
    assert.deepEqual([token({}).isExpired(), token({}).needsRefresh()], [false, false]);
    assert.deepEqual(
      [token({ expires_at: at(-1) }).isExpired(), token({ expires_at: at(60) }).isExpired()],
      [true, false],
    );
    assert.equal(token({ expires_at: at(60) }).isExpired(90), true);
    assert.equal(token({ expires_at: at(60), grant_expires_at: at(60) }).needsRefresh(), false);
    assert.equal(
      token({ expires_at: at(60), grant_expires_at: at(60), token_expires_at: at(200) }).needsRefresh(),
      true,
    );
    assert.ok(!inspect(token({}), { showHidden: true }).includes("discarded"));
    const aws = token({
      additional_credentials: { secret_key: "S", region: "eu" },
      additional_injections: [{ target: "header", key: "X", value_source: "token" }],
    });
    assert.deepEqual(aws.additionalCredentials, { region: "eu" });
    assert.deepEqual(aws.additionalInjections, [{ target: "header", key: "X", valueSource: "token" }]);
    assert.deepEqual(
      Object.keys(aws.toJSON()).filter((name) => name.startsWith("additional")),
      [],
    );
  });

  test("an audit row leaves out what carries credentials", () => {
    const row = new APICallAuditLog(AUDIT_ROW).sanitize();
    assert.deepEqual([row.request_headers, row.response_headers], [{ Accept: "*" }, {}]);
  });

  test("a secret's grant answers what an account's does (TS-052)", () => {
    const names = [
      "providerId",
      "scopes",
      "accountDisplayName",
      "accountIdentifier",
      "scopeMismatch",
      "expiresAt",
      "lastUsedAt",
    ];
    const grant = new ManagedSecretGrantItem(MANAGED);
    assert.deepEqual(
      names.map((name) => grant[name]),
      ["loyalty-api", [], "Loyalty API", null, false, null, null],
    );
    assert.equal(grant.id, undefined);
    const kinds = new UnifiedGrantListResult(page(OAUTH, MANAGED)).grants.map((one) => one.constructor.name);
    assert.deepEqual(kinds, ["OAuthGrantItem", "ManagedSecretGrantItem"]);
  });

  test("retries agree with each other", () => {
    const info = new RetryInfo({ ...WIRE.RetryInfo, errors: [WIRE.RetryErrorInfo] });
    assert.deepEqual([info.errors[0].delayS, info.errors[0].permanent], [0.5, false]);
  });
});

describe("no printed form shows what opens something (TS-069)", () => {
  for (const [name, secrets] of Object.entries(SECRETS)) {
    test(name, () => {
      const made = new sdk[name](WIRE[name]);
      const forms = [
        String(made),
        JSON.stringify([made]),
        inspect(made),
        inspect([{ made }], { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
        inspect(made, { customInspect: false, showHidden: true }),
        inspect(structuredClone(made)),
        JSON.stringify(Object.entries(made)),
      ];
      for (const form of forms) {
        assert.ok(!form.includes("canary"), form);
      }
      for (const secret of secrets) {
        assert.match(made[camel(secret)], /canary/, "the look would find it");
      }
    });
  }

  test("and they are short", () => {
    assert.equal(String(new AuthResult(SIGNED_IN)), 'AuthResult(sub="ada")');
    assert.equal(inspect(new AuthResult({ user_token: "t" })), 'AuthResult(sub="unknown")');
    const session = inspect(new sdk.AuthSession(SIGN_IN));
    assert.match(
      session,
      /^AuthSession \{\s+sessionToken: '\[redacted\]',\s+authUrl: '\[redacted\]',\s+expiresIn: 600,/,
    );
    assert.equal(inspect({ a: { b: new sdk.AuthSession(SIGN_IN) } }, { depth: 1 }), "{ a: { b: [AuthSession] } }");
  });
});
