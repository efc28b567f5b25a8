// The error classes: their tree, their constructors, and that both kinds of modules have the same ones.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";

import * as sdk from "@alter-ai/alter-sdk";

const {
  AgentError,
  AlterSDKError,
  AmbiguousGrantError,
  ApprovalDeniedError,
  ApprovalError,
  BackendError,
  CredentialRevokedError,
  GrantExpiredError,
  GrantNotFoundError,
  InsufficientScopeError,
  KeyRevokedError,
  MEMORY_ISOLATION_CODES,
  MemoryIsolationError,
  NoDelegatedGrantError,
  PolicyViolationError,
  ProviderAPIError,
  RateLimitError,
  ReAuthRequiredError,
  ScopeReauthRequiredError,
  StepUpRequiredError,
} = sdk;

const required = createRequire(import.meta.url)("@alter-ai/alter-sdk");
const classes = Object.values(sdk).filter(
  (value) => value === AlterSDKError || value?.prototype instanceof AlterSDKError,
);

describe("the tree (TS-090)", () => {
  test("every class is an Error, has its name and a code", () => {
    assert.ok(classes.length > 60);
    for (const of of classes) {
      const error = of === MemoryIsolationError ? new of("memory_user_required", "m") : new of("m");
      assert.ok(error instanceof of && error instanceof AlterSDKError && error instanceof Error);
      assert.equal(error.name, of.name);
      assert.equal(sdk[of.name], of);
      assert.match(error.message, /m$/);
      assert.match(error.code, /^[a-z_]+$/);
      assert.ok(error.stack.includes("errors.test.mjs"), error.stack);
      assert.deepEqual(error.details, {});
    }
  });

  test("lists are empty, flags false and texts null unless given (TS-091)", () => {
    const error = new AmbiguousGrantError("m");
    const { providerId, accountIdentifiers, accountWasProvided, candidates, candidatesTruncated } = error;
    assert.deepEqual(
      [providerId, accountIdentifiers, accountWasProvided, candidates, candidatesTruncated],
      [null, [], false, [], false],
    );
    assert.equal(new ScopeReauthRequiredError("m").missingScopes, null);
    assert.equal(new RateLimitError("m").retryAfter, null);
  });

  test("the classes are the same in both kinds of modules (TS-004)", () => {
    assert.deepEqual(
      Object.keys(required).sort(),
      Object.keys(sdk)
        .filter((name) => name !== "default")
        .sort(),
    );
    for (const [name, value] of Object.entries(required)) {
      assert.equal(sdk[name], value, name);
    }
    assert.throws(() => new required.App({ apiKey: "x" }), sdk.AlterValueError);
  });
});

describe("constructors", () => {
  test("take their arguments in the known order", () => {
    const details = { a: 1 };
    const expired = new GrantExpiredError("m", details, "google", "agent", "user");
    assert.deepEqual(
      [expired.details, expired.providerId, expired.agentId, expired.appUserId],
      [details, "google", "agent", "user"],
    );
    assert.ok(expired instanceof ReAuthRequiredError && expired instanceof BackendError);
    const missing = new GrantNotFoundError("m", details, "google");
    assert.equal(missing.providerId, "google");
    const revoked = new CredentialRevokedError("m", "grant", details, "google", "user");
    assert.deepEqual([revoked.grantId, revoked.providerId, revoked.appUserId], ["grant", "google", "user"]);
    const none = new NoDelegatedGrantError("m", "google", "agent", details, "user");
    assert.deepEqual(
      [none.providerId, none.agentId, none.details, none.appUserId],
      ["google", "agent", details, "user"],
    );
    const provider = new ProviderAPIError("m", 500, "body", details);
    assert.deepEqual([provider.statusCode, provider.responseBody], [500, "body"]);
    const policy = new PolicyViolationError("m", "rule", details);
    assert.equal(policy.policyError, "rule");
    const stepUp = new StepUpRequiredError("m", 60);
    assert.deepEqual([stepUp.maxSessionAgeSeconds, stepUp.policyError], [60, "step_up_required"]);
  });

  test("details that are no plain object become {}", () => {
    for (const details of [null, undefined, "x", [1], new Date(), 5]) {
      assert.deepEqual(new AlterSDKError("m", details).details, {});
    }
  });

  test("a status in the details counts unless one is given", () => {
    assert.equal(new BackendError("m", { status_code: 418 }).statusCode, 418);
    assert.equal(new BackendError("m", { status_code: 418 }, 500).statusCode, 500);
    for (const status_code of [true, "418", 1.5, null]) {
      assert.equal(new BackendError("m", { status_code }).statusCode, null);
    }
  });

  test("the agent family's codes are static too, and stand in for a message", () => {
    assert.equal(KeyRevokedError.code, "key_revoked");
    assert.equal(new KeyRevokedError().message, "key_revoked");
    assert.equal(new AgentError("m", null, "try again").hint, "try again");
  });

  test("approvals and memory", () => {
    const denied = new ApprovalDeniedError("m", "id");
    assert.ok(denied instanceof ApprovalError);
    assert.deepEqual([denied.approvalId, denied.details], ["id", { approval_id: "id" }]);
    const memory = new MemoryIsolationError(MEMORY_ISOLATION_CODES[0], "m");
    assert.deepEqual([memory.code, memory.message], ["memory_identity_unverified", "memory_identity_unverified: m"]);
  });

  test("an answer about scopes", () => {
    const body = {
      message: "wire",
      required: ["a", 1],
      scope_version: 2,
      scope_version_mismatch: true,
      documentation_url: "https://d",
    };
    const error = InsufficientScopeError.fromErrorBody(body);
    assert.deepEqual(
      [error.message, error.required, error.requiredScopes, error.grantedScopes],
      ["wire", ["a"], ["a"], []],
    );
    assert.deepEqual([error.scopeVersion, error.scopeVersionMismatch, error.docsUrl], [2, true, "https://d"]);
    assert.equal(InsufficientScopeError.fromErrorBody({}).message, "Insufficient scope");
  });

  test("a caller's list is copied", () => {
    const scopes = ["a"];
    const error = new ScopeReauthRequiredError("m", null, null, 403, null, scopes);
    scopes.push("b");
    assert.deepEqual(error.missingScopes, ["a"]);
  });

  test("an error can be written as JSON", () => {
    const written = JSON.parse(JSON.stringify(new ProviderAPIError("m", 500)));
    assert.deepEqual(written, {
      name: "ProviderAPIError",
      message: "m",
      code: "provider_error",
      details: {},
      statusCode: 500,
      responseBody: null,
    });
  });
});
