// Who is signed in: signing in, verifying what a token says, and identities.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, beforeEach, describe, test } from "node:test";

import {
  Agent,
  App,
  AuthResult,
  AuthSession,
  IdentityAssertion,
  IdentityContext,
  MemoryIsolationError,
  verifyIdentityAssertion,
} from "@alter-ai/alter-sdk";

import {
  ASSERT,
  AUTH_POLL,
  AUTH_SESSION,
  asking,
  IDENTITY,
  printed,
  QUICK,
  RESOLVE,
  SESSION_TOKEN,
  SIGN_IN,
  SIGNED_IN,
  SOON,
  sending,
  USER_TOKEN,
  VERIFY,
} from "./support/people.mjs";
import { AGENT_KEY, APP_KEY, GRANT, recorder, Scripted, SILENT, thrown } from "./support/scripted.mjs";
import { vectors } from "./support/vectors.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answer(AUTH_SESSION, SIGN_IN, { status: 201 });
  server.answer(AUTH_POLL, SIGNED_IN);
  server.answer(RESOLVE, IDENTITY);
  server.answer(ASSERT, { token: "assertion", expires_at: SOON, identity: IDENTITY });
});

const ask = asking(server);
const sent = sending(server);

describe("signing in (TS-068)", () => {
  test("in two steps", async () => {
    const session = await ask("createAuthSession");
    assert.ok(session instanceof AuthSession);
    assert.deepEqual(
      [session.sessionToken, session.authUrl, session.expiresIn],
      [SESSION_TOKEN, SIGN_IN.auth_url, 600],
    );
    const result = await ask("pollAuthSession", session.sessionToken, QUICK);
    assert.ok(result instanceof AuthResult);
    assert.deepEqual([result.userToken, result.userInfo["sub"]], [USER_TOKEN, "ada"]);
    assert.equal(sent(AUTH_POLL).session_token, SESSION_TOKEN);
  });

  test("authenticate() signs in, and its token goes with later calls", async () => {
    const logger = recorder();
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger });
    const lines = await printed(async () => {
      process.env.BROWSER = "/nonexistent/browser";
      try {
        assert.equal((await app.authenticate({ timeout: 20_000 })).userToken, USER_TOKEN);
      } finally {
        delete process.env.BROWSER;
      }
    });
    assert.deepEqual(lines, [`Please visit: ${SIGN_IN.auth_url}`], "a browser that cannot be opened is no error");
    await app.request("GET", `${server.url}/p/x`, { provider: "google" });
    await app.resolveIdentity();
    await app.close();
    assert.deepEqual([sent("/sdk/token").user_token, sent(RESOLVE).user_token], [USER_TOKEN, USER_TOKEN]);
    assert.deepEqual(
      logger.lines.filter((line) => line.startsWith("warn")),
      [],
    );
  });

  test("authenticate() says that it replaces a getter", async () => {
    const logger = recorder();
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger, userTokenGetter: () => "before" });
    await printed(() => app.authenticate());
    await app.resolveIdentity();
    await app.close();
    assert.equal(sent(RESOLVE).user_token, USER_TOKEN);
    assert.deepEqual(
      logger.lines.filter((line) => line.startsWith("warn")),
      ["warn: authenticate() replaces the userTokenGetter that this client had."],
    );
  });

  for (const [state, body, name, message] of [
    ["expired", { status: "expired" }, "AlterSDKError", /expired, or never existed/],
    [
      "failed",
      { status: "error", error_code: "x", error_message: "invalid_grant" },
      "AlterSDKError",
      /^The sign-in failed: invalid_grant$/,
    ],
    [
      "no provider",
      { status: "error", error_code: "identity_provider_inactive", error_message: "m" },
      "BackendError",
      /m$/,
    ],
    ["no token", { status: "completed" }, "AlterSDKError", /gave no token/],
    ["a state of a newer vault", { status: "paused" }, "AlterSDKError", /does not know/],
    ["no state", {}, "BackendError", /has no status/],
    ["no object", [], "BackendError", /is not an object/],
  ]) {
    test(`the wait ends: ${state}`, async () => {
      server.answer(AUTH_POLL, body);
      const error = await thrown(ask("pollAuthSession", SESSION_TOKEN, QUICK));
      assert.equal(error.name, name);
      assert.match(error.message, message);
    });
  }

  test("the wait outlasts short faults, and ends in time", async () => {
    server.answer(AUTH_POLL, {}, { status: 503 });
    const waiting = ask("pollAuthSession", SESSION_TOKEN, QUICK);
    await server.until(() => server.requests(AUTH_POLL).length >= 2);
    server.answer(AUTH_POLL, SIGNED_IN);
    assert.equal((await waiting).userToken, USER_TOKEN);
    server.answer(AUTH_POLL, { status: "pending" });
    const late = await thrown(ask("pollAuthSession", SESSION_TOKEN, { timeout: 50, pollInterval: 10 }));
    assert.equal(late.name, "ConnectTimeoutError");
    assert.deepEqual(late.details, { timeout: 50, reason: "poll_deadline_elapsed" });
  });

  test("the wait can be given up", async () => {
    server.answer(AUTH_POLL, { status: "pending" }, { hold: true });
    const controller = new AbortController();
    const waiting = thrown(ask("pollAuthSession", SESSION_TOKEN, { ...QUICK, signal: controller.signal }));
    await server.until(() => server.requests(AUTH_POLL).length === 1);
    controller.abort();
    assert.equal((await waiting).name, "AbortError");
    await server.until(() => server.closedWhileHeld === 1);
  });

  test("a session that is none, and a vault without an identity provider", async () => {
    server.answer(AUTH_SESSION, { ...SIGN_IN, auth_url: "" }, { status: 201 });
    assert.match((await thrown(ask("createAuthSession"))).message, /auth_url is empty/);
    server.answer(AUTH_SESSION, { error: "no_idp" }, { status: 400 });
    const error = await thrown(ask("createAuthSession"));
    assert.deepEqual([error.name, error.code, error.statusCode], ["BackendError", "no_idp", 400]);
  });
});

describe("verifyUserToken (TS-080)", () => {
  for (const [status, body, sub] of [
    [200, { sub: "ada" }, "ada"],
    [200, { sub: " " }, null],
    [200, { sub: 5 }, null],
    [401, {}, null],
    [503, {}, null],
  ]) {
    test(`${status} ${JSON.stringify(body)}`, async () => {
      server.answer(VERIFY, body, { status });
      assert.equal(await ask("verifyUserToken", USER_TOKEN), sub);
      assert.deepEqual(sent(VERIFY), { token: USER_TOKEN });
    });
  }

  test("asks nobody about no token, and refuses what is none", async () => {
    for (const token of ["", " ", null, undefined]) {
      assert.equal(await ask("verifyUserToken", token), null);
    }
    assert.match((await thrown(ask("verifyUserToken", 5))).message, /^token must be text, not a whole number/);
    assert.deepEqual(server.requests(), []);
  });

  test("gives null without an answer too", async () => {
    const app = new App({ apiKey: APP_KEY, baseUrl: "http://127.0.0.1:9", logger: SILENT });
    assert.equal(await app.verifyUserToken(USER_TOKEN), null);
    await app.close();
  });
});

describe("identities (TS-081)", () => {
  test("of an application and its user", async () => {
    const identity = await ask("resolveIdentity", { userToken: USER_TOKEN, includeProfile: true });
    assert.ok(identity instanceof IdentityContext);
    assert.deepEqual(
      [
        identity.appId,
        identity.appUserId,
        identity.agentId,
        identity.trace.runId,
        identity.trace.threadId,
        identity.groupIds,
      ],
      ["app-1", "u-1", null, "r", null, ["g"]],
    );
    assert.deepEqual(sent(RESOLVE), { include_profile: true, user_token: USER_TOKEN });
  });

  test("of an agent, which speaks for itself unless it says for whom", async () => {
    const agent = new Agent({ apiKey: AGENT_KEY, baseUrl: server.url, userTokenGetter: () => assert.fail("asked") });
    await agent.resolveIdentity();
    await agent.resolveIdentity({ appUserId: "u-1" });
    await agent.close();
    const bodies = server.requests(RESOLVE).map((seen) => seen.json());
    assert.deepEqual(bodies, [{ include_profile: false }, { include_profile: false, app_user_id: "u-1" }]);
    assert.match((await thrown(ask("resolveIdentity", { appUserId: "u-1" }))).message, /has no option "appUserId"/);
  });

  test("as a signed token", async () => {
    const assertion = await ask("assertIdentity", {
      audience: "https://a.example",
      ttlSeconds: 60,
      userToken: USER_TOKEN,
    });
    assert.ok(assertion instanceof IdentityAssertion && assertion.identity instanceof IdentityContext);
    assert.deepEqual([assertion.token, assertion.expiresAt], ["assertion", SOON]);
    const body = { include_profile: false, user_token: USER_TOKEN, audience: "https://a.example", ttl_seconds: 60 };
    assert.deepEqual(sent(ASSERT), body);
    for (const [options, message] of [
      [{}, /^audience is missing/],
      [{ audience: "nobody" }, /^audience is not a URI/],
      [{ audience: "a:b", ttlSeconds: 9 }, /^ttlSeconds is 9; it must be at least 10/],
      [{ audience: "a:b", ttlSeconds: true }, /^ttlSeconds must be a whole number, not a boolean/],
      [{ audience: "a:b", userToken: "x".repeat(8193) }, /^userToken is longer than 8192 characters/],
      [{ audience: "a:b", includeProfile: 1 }, /^includeProfile must be a boolean/],
    ]) {
      assert.match((await thrown(ask("assertIdentity", options))).message, message);
    }
  });

  test("without a provider the vault refuses", async () => {
    server.answer(RESOLVE, { detail: { error: "jwt_validation_error" } }, { status: 401 });
    assert.equal((await thrown(ask("resolveIdentity", { userToken: USER_TOKEN }))).name, "ReAuthRequiredError");
  });
});

describe("verifyIdentityAssertion (TS-081)", () => {
  const file = vectors("identity_assertions");
  const spelt = ({ expected_app_id, expected_agent_id, ...rest }) => ({
    ...rest,
    ...(expected_app_id === undefined ? {} : { expectedAppId: expected_app_id }),
    ...(expected_agent_id === undefined ? {} : { expectedAgentId: expected_agent_id }),
  });
  const options = (more = {}) => ({ jwks: file.jwks, ...spelt(file.args), ...more });

  for (const case_ of file.cases) {
    test(`refuses: ${case_.name}`, () => {
      const given = options({ ...(case_.jwks === undefined ? {} : { jwks: case_.jwks }), ...spelt(case_.args ?? {}) });
      assert.throws(
        () => verifyIdentityAssertion(case_.token, given),
        (error) => {
          assert.ok(error instanceof MemoryIsolationError);
          assert.equal(error.code, "memory_assertion_invalid");
          // All were made for a moment that has passed: one that is only too old got as far as its time.
          assert.ok([case_.reason ?? "lifetime", "lifetime"].includes(error.details.reason), error.details.reason);
          return !error.message.includes(case_.token);
        },
      );
    });
  }

  test("accepts one that was made now", async () => {
    const { generateKeyPairSync, sign } = await import("node:crypto");
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwks = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "now" }] };
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const head = part({ alg: "ES256", typ: "alter-identity+jwt", kid: "now" });
    const claims = part({
      iss: file.args.issuer,
      aud: file.args.audience,
      sub: "alter:user:u-1",
      iat: now,
      exp: now + 60,
      jti: "j",
      azp: file.args.expected_app_id,
      alter: { app_id: file.args.expected_app_id },
    });
    const signature = sign("sha256", Buffer.from(`${head}.${claims}`), { key: privateKey, dsaEncoding: "ieee-p1363" });
    const token = `${head}.${claims}.${signature.toString("base64url")}`;
    const identity = verifyIdentityAssertion(token, options({ jwks }));
    assert.ok(identity instanceof IdentityContext);
    assert.deepEqual(
      [identity.appId, identity.appUserId, identity.userStatus],
      [file.args.expected_app_id, "u-1", "active"],
    );
  });

  for (const [more, message] of [
    [{ issuer: "" }, /^issuer is empty/],
    [{ audience: null }, /^audience is missing/],
    [{ jwks: [] }, /^jwks must be a JSON Web Key Set/],
    [{ expectedAgentId: 5 }, /^expectedAgentId must be text, not a whole number/],
    [{ signal: null }, /has no option "signal"/],
  ]) {
    test(`refuses arguments: ${message.source}`, () => {
      assert.throws(() => verifyIdentityAssertion("t", options(more)), { name: "AlterValueError", message });
    });
  }
});

describe("the user's token (TS-014)", () => {
  for (const method of ["listGrants", "revokeGrant", "createConnectSession", "connect", "resolveIdentity"]) {
    for (const [what, userTokenGetter] of Object.entries({
      "gives nothing": () => undefined,
      "gives an empty text": async () => "",
      "gives a number": () => 5,
      throws: () => {
        throw new Error(USER_TOKEN);
      },
      rejects: () => Promise.reject(new Error(USER_TOKEN)),
    })) {
      test(`${method}: a getter that ${what} is an error, and nothing is sent`, async () => {
        const app = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter, logger: SILENT });
        const error = await thrown(app[method](...(method === "revokeGrant" ? [GRANT] : [])));
        await app.close();
        assert.equal(error.name, "AlterSDKError");
        assert.match(error.message, /^userTokenGetter .* answer 401/);
        assert.equal(error.cause, undefined);
        assert.deepEqual(server.requests(), []);
      });
    }
  }

  test("an AsyncLocalStorage carries it through concurrent calls", async () => {
    const current = new AsyncLocalStorage();
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter: () => current.getStore() });
    const calls = ["jwt-0", "jwt-1", "jwt-2"].map((token) => current.run(token, () => app.resolveIdentity()));
    await Promise.all(calls);
    await app.close();
    const tokens = server.requests(RESOLVE).map((seen) => seen.json().user_token);
    assert.deepEqual(tokens.sort(), ["jwt-0", "jwt-1", "jwt-2"]);
  });
});
