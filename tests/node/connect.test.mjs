// Connecting accounts and secrets: sessions, the wait for a person, the browser, and giving up.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import {
  AlterSDKError,
  App,
  ConnectFlowError,
  ConnectResult,
  ConnectSession,
  CredentialRevokedError,
  GrantNotFoundError,
  ManagedSecretConnectSession,
  NoDelegatedGrantError,
  Provider,
} from "@alter-ai/alter-sdk";

import {
  asking,
  CANCEL,
  CONNECT,
  CONNECTED,
  MANAGED_CONNECT,
  MANAGED_SESSION,
  MARKED,
  POLL,
  printed,
  QUICK,
  SESSION,
  SESSION_TOKEN,
  SOON,
  sending,
  USER_TOKEN,
} from "./support/people.mjs";
import { AGENT_ID, APP_KEY, GRANT, recorder, Scripted, SILENT, thrown } from "./support/scripted.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answer(CONNECT, SESSION);
  server.answer(POLL, CONNECTED);
  server.answer(CANCEL, undefined, { status: 204 });
  server.answer(MANAGED_CONNECT, MANAGED_SESSION);
});

const ask = asking(server);
const sent = sending(server);
const HEADLESS = { ...QUICK, openBrowser: false };

/** `connect()` without a browser and without a line on the terminal. */
async function connect(options = {}) {
  let results;
  await printed(async () => {
    results = await ask("connect", { ...HEADLESS, ...options });
  });
  return results;
}

const pending = (provider) => ({
  status: "pending",
  declined_providers: [{ provider_id: provider, error_code: "access_denied", declined_at: SOON }],
});

describe("createConnectSession (TS-060)", () => {
  test("sends its options as the vault spells them", async () => {
    const session = await ask("createConnectSession", {
      allowedProviders: [Provider.GOOGLE],
      returnUrl: "https://a.example/done",
      allowedOrigin: "https://a.example",
      metadata: { ipAddress: "1.2.3.4", userAgent: "ua" },
      grantPolicy: { maxTtlSeconds: 2592000, defaultTtlSeconds: 604800, expiresAt: null },
      requiredScopes: { google: ["a_b"] },
      requestedGrant: { label: "l", restrictions: { allowedMethods: ["GET"] } },
      agent: "bot",
      delegable: true,
      scopeConstraint: ["s"],
      switchAccount: true,
      userToken: USER_TOKEN,
      direct: false,
    });
    assert.ok(session instanceof ConnectSession);
    assert.deepEqual([session.sessionToken, session.connectUrl], [SESSION_TOKEN, SESSION.connect_url]);
    assert.deepEqual([session.expiresIn, session.expiresAt], [600, SOON]);
    assert.deepEqual(sent(CONNECT), {
      allowed_providers: ["google"],
      return_url: "https://a.example/done",
      allowed_origin: "https://a.example",
      metadata: { ip_address: "1.2.3.4", user_agent: "ua" },
      switch_account: true,
      grant_policy: { max_ttl_seconds: 2592000, default_ttl_seconds: 604800 },
      required_scopes: { google: ["a_b"] },
      requested_grant: { label: "l", restrictions: { allowed_methods: ["GET"] } },
      agent: "bot",
      delegable: true,
      scope_constraint: ["s"],
      user_token: USER_TOKEN,
    });
  });

  test("without options asks for all of the application's providers", async () => {
    await ask("createConnectSession");
    const nothing = { allowed_providers: null, return_url: null, allowed_origin: null, metadata: null };
    assert.deepEqual(sent(CONNECT), nothing);
  });

  test("is tied to the caller by the getter", async () => {
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter: async () => "the-jwt" });
    await app.createConnectSession();
    await app.close();
    assert.equal(sent(CONNECT).user_token, "the-jwt");
  });

  const cyclic = { a: [] };
  cyclic.a.push(cyclic);
  for (const [options, message] of [
    [
      { grantPolicy: { max_ttl_seconds: 60 } },
      /^grantPolicy has the unknown key 'max_ttl_seconds'\. It is spelt maxTtlSeconds\.$/,
    ],
    [
      { grantPolicy: { maxTtl: 60 } },
      /^grantPolicy has the unknown key 'maxTtl'\. It takes expiresAt, maxTtlSeconds, defaultTtlSeconds\.$/,
    ],
    [{ grantPolicy: { maxTtlSeconds: 1.5 } }, /^grantPolicy\["maxTtlSeconds"\] must be a positive whole number/],
    [{ grantPolicy: { maxTtlSeconds: 0 } }, /^grantPolicy\["maxTtlSeconds"\]/],
    [{ grantPolicy: { maxTtlSeconds: true } }, /^grantPolicy\["maxTtlSeconds"\]/],
    [{ grantPolicy: { expiresAt: "soon" } }, /^grantPolicy\["expiresAt"\] is not an ISO 8601 time/],
    [{ grantPolicy: { expiresAt: new Date() } }, /^grantPolicy\["expiresAt"\] must be text, not Date/],
    [{ grantPolicy: 60 }, /^grantPolicy must be a map/],
    [{ metadata: { ip: "1.2.3.4" } }, /^metadata has the unknown key 'ip'\. It takes ipAddress, userAgent\.$/],
    [{ metadata: { ipAddress: 5 } }, /^metadata\["ipAddress"\] must be text, not a whole number/],
    [{ requestedGrant: {} }, /^requestedGrant has no label/],
    [
      { requestedGrant: { label: "l", restrictions: { allowed_methods: [] } } },
      /allowed_methods'. It is spelt allowedMethods/,
    ],
    [{ allowedProviders: [] }, /^allowedProviders is empty/],
    [{ allowedProviders: [" "] }, /^allowedProviders holds a blank text/],
    [{ allowedProviders: "google" }, /^allowedProviders must be a list of texts, not text/],
    [{ allowedProviders: [null] }, /^allowedProviders holds null/],
    [{ direct: true }, /^direct skips the choice of a provider, so allowedProviders/],
    [{ switchAccount: "yes" }, /^switchAccount must be a boolean/],
    [{ returnUrl: Number.NaN }, /^returnUrl holds a number that is not finite/],
    [{ requiredScopes: cyclic }, /^requiredScopes holds an object that holds itself/],
    [{ repairGrantId: GRANT }, /^repairGrantId renews one grant, so allowedProviders/],
    [{ userToken: "" }, /^userToken is empty/],
    [{ signal: {} }, /^signal must be an AbortSignal/],
  ]) {
    test(`refuses before anything is sent: ${message.source.slice(1, 60)}`, async () => {
      const error = await thrown(ask("createConnectSession", options));
      assert.equal(error.name, "AlterValueError");
      assert.match(error.message, message);
      assert.deepEqual(server.requests(), []);
    });
  }
});

describe("createConnectSessionForError (TS-066)", () => {
  test("for the same provider and agent", async () => {
    const error = new NoDelegatedGrantError("m", "google", "bot");
    const session = await ask("createConnectSessionForError", error, { returnUrl: "https://a.example" });
    assert.ok(session instanceof ConnectSession);
    const { allowed_providers, agent, return_url } = sent(CONNECT);
    assert.deepEqual([allowed_providers, agent, return_url], [["google"], "bot", "https://a.example"]);
  });

  test("for a login that died, for the same grant; for a new one if that is gone", async () => {
    const error = new CredentialRevokedError("m", GRANT, null, "google");
    await ask("createConnectSessionForError", error);
    assert.equal(sent(CONNECT).repair_grant_id, GRANT);
    server.answer(CONNECT, { error: "grant_not_found" }, { status: 404 });
    assert.ok((await thrown(ask("createConnectSessionForError", error))) instanceof GrantNotFoundError);
    const repaired = server.requests(CONNECT).map((seen) => seen.json().repair_grant_id);
    assert.deepEqual(repaired, [GRANT, GRANT, undefined]);
  });

  test("asks for the user's token anew for the second try", async () => {
    let asked = 0;
    const userTokenGetter = () => {
      asked += 1;
      return `jwt-${asked}`;
    };
    server.answer(CONNECT, { error: "grant_not_found" }, { status: 404 });
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter });
    await thrown(app.createConnectSessionForError(new CredentialRevokedError("m", GRANT, null, "google")));
    await app.close();
    assert.deepEqual(
      server.requests(CONNECT).map((seen) => seen.json().user_token),
      ["jwt-1", "jwt-2"],
    );
  });

  test("an error as it was thrown", async () => {
    server.answer("/sdk/token", { error: "grant_expired", provider_id: "google" }, { status: 403 });
    const error = await thrown(ask("request", "GET", `${server.url}/p/x`, { grantId: GRANT }));
    assert.equal(error.name, "GrantExpiredError");
    await ask("createConnectSessionForError", error);
    assert.deepEqual(sent(CONNECT).allowed_providers, ["google"]);
  });

  test("refuses what names nothing to mend", async () => {
    for (const [error, message] of [
      [new AlterSDKError("m"), /^error names no provider, .* Use createConnectSession\(\)\.$/],
      [new GrantNotFoundError("m"), /^error names no provider/],
      [new NoDelegatedGrantError("m", "google"), /^error names no agent/],
      [undefined, /^error names no provider/],
      [new TypeError("x"), /^error names no provider/],
    ]) {
      const refused = await thrown(ask("createConnectSessionForError", error));
      assert.equal(refused.name, "AlterValueError");
      assert.match(refused.message, message);
    }
    assert.deepEqual(server.requests(), []);
  });
});

describe("createManagedSecretConnectSession (TS-067)", () => {
  test("sends its options", async () => {
    const session = await ask("createManagedSecretConnectSession", {
      provider: "openai",
      userToken: USER_TOKEN,
      requestedGrant: { label: "l" },
      grantPolicy: { maxTtlSeconds: 60 },
    });
    assert.ok(session instanceof ManagedSecretConnectSession);
    assert.deepEqual([session.path, session.secretSlug, session.agentId], ["key_entry", "openai", null]);
    assert.deepEqual(sent(MANAGED_CONNECT), {
      provider: "openai",
      user_token: USER_TOKEN,
      requested_grant: { label: "l" },
      grant_policy: { max_ttl_seconds: 60 },
    });
  });

  test("takes its former options, and warns of each once", async () => {
    const warned = [];
    const listener = (warning) => warned.push(`${warning.name}: ${warning.message}`);
    process.on("warning", listener);
    server.answer(MANAGED_CONNECT, { ...SESSION, path: null, delegation_expires_at: SOON });
    const former = {
      templateSlug: "OpenAI",
      delegatedAgentId: AGENT_ID,
      delegatedAgentName: "Bot",
      requestedTtlSeconds: 60,
    };
    for (let n = 0; n < 2; n += 1) {
      const session = await ask("createManagedSecretConnectSession", { userToken: USER_TOKEN, ...former });
      assert.equal(session.delegationExpiresAt, SOON);
    }
    await server.until(() => server.requests(MANAGED_CONNECT).length === 2);
    process.removeListener("warning", listener);
    assert.deepEqual(warned.sort(), [
      "DeprecationWarning: delegatedAgentId is deprecated. Use agent.",
      "DeprecationWarning: delegatedAgentName is ignored: the vault shows the agent's own name. Leave it out.",
      "DeprecationWarning: templateSlug is deprecated. Use provider.",
    ]);
    const body = {
      template_slug: "openai",
      delegated_agent_id: AGENT_ID,
      user_token: USER_TOKEN,
      requested_ttl_seconds: 60,
    };
    assert.deepEqual(server.requests(MANAGED_CONNECT)[0].json(), body);
  });

  test("an agent of an app names itself", async () => {
    server.answer(MANAGED_CONNECT, { ...SESSION, path: null, secret_slug: "openai" });
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
    const agent = app.getAgent(AGENT_ID);
    await agent.createManagedSecretConnectSession({ provider: "openai", userToken: USER_TOKEN });
    const refused = await thrown(agent.createManagedSecretConnectSession({ userToken: USER_TOKEN, agent: AGENT_ID }));
    assert.match(refused.message, /has no option "agent"/);
    await agent.close();
    await app.close();
    assert.deepEqual(sent(MANAGED_CONNECT), { provider: "openai", agent: AGENT_ID, user_token: USER_TOKEN });
  });

  test("an older vault is told apart", async () => {
    const detail = [{ type: "extra_forbidden", loc: ["body", "provider"] }];
    server.answer(MANAGED_CONNECT, { detail }, { status: 422 });
    const error = await thrown(ask("createManagedSecretConnectSession", { provider: "x", userToken: "j" }));
    assert.equal(error.name, "ServerFeatureUnsupportedError");
  });
});

describe("pollConnectSession", () => {
  test("gives a result for each account (TS-063)", async () => {
    const failed = { provider_id: "slack", reason: "not_selected", message: "m" };
    server.answer(POLL, { ...CONNECTED, failed_grants: [failed] });
    const results = await ask("pollConnectSession", SESSION_TOKEN, QUICK);
    assert.equal(results.length, 1);
    const [result] = results;
    assert.ok(result instanceof ConnectResult && Object.isFrozen(result));
    assert.deepEqual(
      [result.grantId, result.providerId, result.accountIdentifier],
      [GRANT, "google", "ada@example.com"],
    );
    assert.deepEqual([result.scopes, result.operation, result.delegation], [["calendar.read"], "creation", null]);
    assert.deepEqual([result.grantPolicy.expiresAt, result.failedGrants[0].providerId], [SOON, "slack"]);
    assert.deepEqual(sent(POLL), { session_token: SESSION_TOKEN });
  });

  for (const [state, body, name, message] of [
    [
      "refused",
      { status: "error", error: { error_code: "connect_denied", error_message: "No, thanks." } },
      "ConnectDeniedError",
      /^No, thanks\.$/,
    ],
    [
      "not set up",
      { status: "error", error: { error_code: "invalid_client", error_message: "m" } },
      "ConnectConfigError",
      /^m$/,
    ],
    [
      "another failure",
      { status: "error", error: { error_code: "invalid_grant", error_message: "grant_x" } },
      "ConnectFlowError",
      /^grant_x$/,
    ],
    ["expired", { status: "expired" }, "ConnectFlowError", /expired, or never existed/],
    ["a state of a newer vault", { status: "paused" }, "ConnectFlowError", /does not know/],
    ["no state", {}, "BackendError", /has no status/],
    ["no object", [], "BackendError", /is not an object/],
    [
      "nothing kept",
      { status: "completed", failed_grants: [{ provider_id: "p", reason: "activation_failed", message: "m" }] },
      "ConnectFlowError",
      /no account could be connected/,
    ],
  ]) {
    test(`ends: ${state} (TS-064)`, async () => {
      server.answer(POLL, body);
      const error = await thrown(ask("pollConnectSession", SESSION_TOKEN, QUICK));
      assert.equal(error.name, name);
      assert.match(error.message, message);
      assert.equal(error instanceof ConnectFlowError, name !== "BackendError");
    });
  }

  test("ends when the session does, or the time", async () => {
    server.answer(POLL, { status: "pending" });
    const waiting = thrown(ask("pollConnectSession", SESSION_TOKEN, QUICK));
    await server.until(() => server.requests(POLL).length >= 2);
    server.answer(POLL, { status: "expired" });
    assert.deepEqual((await waiting).details, { reason: "session_expired", timeout: 300 });
    server.answer(POLL, { status: "pending" });
    const late = await thrown(ask("pollConnectSession", SESSION_TOKEN, { timeout: 50, pollInterval: 10 }));
    assert.equal(late.name, "ConnectTimeoutError");
    assert.deepEqual(late.details, { reason: "poll_deadline_elapsed", timeout: 50 });
  });

  test("asks at least once, however short the time (TS-065)", async () => {
    assert.equal((await ask("pollConnectSession", SESSION_TOKEN, { timeout: 1, pollInterval: 60_000 })).length, 1);
  });

  test("tells events on this thread, before the result (TS-065)", async () => {
    server.answer(POLL, pending("slack"));
    const told = [];
    await ask("pollConnectSession", SESSION_TOKEN, {
      ...QUICK,
      onEvent(event) {
        told.push(event);
        server.answer(POLL, CONNECTED);
      },
    });
    assert.deepEqual(told, [
      { type: "provider_declined", providerId: "slack", errorCode: "access_denied", declinedAt: SOON },
    ]);
  });

  for (const [how, listener] of [
    [
      "at once",
      () => {
        throw new RangeError(USER_TOKEN);
      },
    ],
    [
      "later",
      async () => {
        throw new RangeError(USER_TOKEN);
      },
    ],
  ]) {
    test(`a listener that throws ${how} breaks nothing (TS-065)`, async () => {
      server.answer(POLL, pending("slack"));
      const logger = recorder();
      const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger });
      const onEvent = (event) => {
        server.answer(POLL, CONNECTED);
        return listener(event);
      };
      assert.equal((await app.pollConnectSession(SESSION_TOKEN, { ...QUICK, onEvent })).length, 1);
      await app.close();
      assert.deepEqual(
        logger.lines.filter((line) => line.startsWith("warn")),
        ["warn: onEvent threw RangeError; the wait goes on."],
      );
    });
  }

  for (const [given, options, message] of [
    ["", {}, /^sessionToken is empty/],
    [" ", {}, /^sessionToken is blank/],
    [undefined, {}, /^sessionToken is missing/],
    ["s", { onEvent: "tell me" }, /^onEvent must be a function, not text/],
    ["s", { timeout: 0 }, /^timeout must be a positive number of milliseconds\.$/],
    ["s", { timeout: "300" }, /^timeout must be a number of milliseconds, not text/],
    ["s", { pollInterval: Number.POSITIVE_INFINITY }, /^pollInterval must be a positive number of milliseconds/],
    ["s", { poll_interval: 5 }, /has no option "poll_interval"/],
  ]) {
    test(`refuses before anything is sent: ${message.source}`, async () => {
      const error = await thrown(ask("pollConnectSession", given, options));
      assert.equal(error.name, "AlterValueError");
      assert.match(error.message, message);
      assert.deepEqual(server.requests(), []);
    });
  }
});

describe("connect (TS-062)", () => {
  test("prints the address, and the browser is not opened unless it is wanted", async () => {
    const lines = await printed(() => ask("connect", { ...HEADLESS, providers: ["google"] }));
    assert.deepEqual(lines, [`Please visit: ${SESSION.connect_url}`]);
    assert.deepEqual(sent(CONNECT).allowed_providers, ["google"]);
    assert.deepEqual(sent(POLL), { session_token: SESSION_TOKEN });
  });

  test("takes an address of the person's, and scopes", async () => {
    await connect({ providers: ["google"], email: "ada@example.com", scopes: ["calendar.read"] });
    const { login_hint, required_scopes } = sent(CONNECT);
    assert.deepEqual([login_hint, required_scopes], ["ada@example.com", { google: ["calendar.read"] }]);
  });

  test("checks its times before the session is made", async () => {
    const error = await thrown(connect({ timeout: -1 }));
    assert.match(error.message, /^timeout must be a positive number of milliseconds/);
    assert.deepEqual(server.requests(), []);
  });

  test("its grant works in a request", async () => {
    const [result] = await connect();
    await ask("request", "GET", `${server.url}/p/x`, { grantId: result.grantId });
    assert.equal(sent("/sdk/token").grant_id, GRANT);
  });

  test("holds the token getter's answer to itself", async () => {
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, userTokenGetter: () => "the-jwt" });
    await printed(() => app.connect(HEADLESS));
    await app.close();
    assert.equal(sent(CONNECT).user_token, "the-jwt");
    assert.equal(sent(POLL).user_token, undefined);
  });
});

describe("a connection that is given up", () => {
  const start = async (signal) => {
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
    const waiting = thrown(app.connect({ ...HEADLESS, signal }));
    return { app, waiting };
  };

  for (const [what, headers, cancellations] of [
    ["a vault that takes cancellations is told", MARKED, 1],
    ["another is not", {}, 0],
  ]) {
    test(what, async () => {
      server.answer(CONNECT, SESSION, { headers });
      server.answer(POLL, { status: "pending" });
      const controller = new AbortController();
      const lines = await printed(async () => {
        const { app, waiting } = await start(controller.signal);
        await server.until(() => server.requests(POLL).length > 0);
        controller.abort();
        assert.equal((await waiting).name, "AbortError");
        // Once the client is closed, whatever was to be sent has been sent.
        await app.close();
      });
      assert.equal(lines.length, 1);
      const bodies = server.requests(CANCEL).map((seen) => seen.json());
      assert.deepEqual(bodies, Array(cancellations).fill({ session_token: SESSION_TOKEN }));
    });
  }

  test("one that was finished is not", async () => {
    server.answer(CONNECT, SESSION, { headers: MARKED });
    await connect();
    assert.deepEqual(server.requests(CANCEL), []);
  });

  test("one whose session could not be shown is", async () => {
    server.answer(CONNECT, SESSION, { headers: MARKED });
    const usual = console.log;
    console.log = () => {
      throw new Error("the pipe is closed");
    };
    try {
      assert.match((await thrown(ask("connect", HEADLESS))).message, /the pipe is closed/);
    } finally {
      console.log = usual;
    }
    await server.until(() => server.requests(CANCEL).length === 1);
    assert.deepEqual(server.requests(POLL), []);
  });

  test("one that was aborted before sends nothing", async () => {
    const error = await thrown(connect({ signal: AbortSignal.abort() }));
    assert.equal(error.name, "AbortError");
    assert.deepEqual(server.requests(), []);
  });
});
