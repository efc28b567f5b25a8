// No look at a client, an error, a result or the log shows a user's or a session's token (TS-069).

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import { inspect } from "node:util";

import { Agent, App } from "@alter-ai/alter-sdk";

import { everything } from "./support/looks.mjs";
import {
  ASSERT,
  AUTH_POLL,
  AUTH_SESSION,
  CONNECT,
  CONNECTED,
  IDENTITY,
  MANAGED_CONNECT,
  MANAGED_SESSION,
  POLL,
  printed,
  QUICK,
  SECRET_ID,
  SESSION,
  SESSION_TOKEN,
  SIGN_IN,
  SIGNED_IN,
  SOON,
  USER_TOKEN,
} from "./support/people.mjs";
import { AGENT_KEY, APP_KEY, GRANT, recorder, Scripted, thrown } from "./support/scripted.mjs";

const ASSERTION = "assertion-canary-77";
const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => {
  server.reset();
  server.answer(CONNECT, SESSION);
  server.answer(POLL, CONNECTED);
  server.answer(MANAGED_CONNECT, MANAGED_SESSION);
  server.answer(AUTH_SESSION, SIGN_IN, { status: 201 });
  server.answer(AUTH_POLL, SIGNED_IN);
  server.answer(ASSERT, { token: ASSERTION, expires_at: SOON, identity: IDENTITY });
});

/** Every call that has a token in its arguments or its answer. */
const CALLS = [
  ["listGrants", { endUserToken: USER_TOKEN }],
  ["createConnectSession", { userToken: USER_TOKEN }],
  ["createManagedSecretConnectSession", { provider: "openai", userToken: USER_TOKEN }],
  ["createManagedSecretGrant", SECRET_ID, { principal: { type: "user", userToken: USER_TOKEN, label: "l" } }],
  ["pollConnectSession", SESSION_TOKEN, { timeout: 20, ...QUICK }],
  ["createAuthSession"],
  ["pollAuthSession", SESSION_TOKEN, { timeout: 20, ...QUICK }],
  ["resolveIdentity", { userToken: USER_TOKEN }],
  ["assertIdentity", { audience: "a:b", userToken: USER_TOKEN }],
];

function shows(text, secrets, what) {
  for (const secret of secrets) {
    assert.ok(!text.includes(secret), `${what} shows ${secret}`);
  }
}

describe("errors", () => {
  const raws = { "no JSON": "not json", malformed: JSON.stringify({ ...SESSION, ...SIGN_IN, expires_in: "x" }) };
  for (const status of [200, 201, 400, 401, 404, 429, 500]) {
    for (const [what, raw] of Object.entries(raws)) {
      test(`of an answer ${status} that is ${what}`, async () => {
        for (const path of ["/sdk/", CONNECT, POLL, MANAGED_CONNECT, AUTH_SESSION, AUTH_POLL, ASSERT]) {
          server.answer(path, undefined, { raw, status });
        }
        const logger = recorder();
        const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger });
        for (const [method, ...given] of CALLS) {
          const error = await thrown(app[method](...given));
          // A refusal's own body is the vault's to fill; one below 400 is ours to keep.
          const secrets = status < 400 ? [USER_TOKEN, SESSION_TOKEN] : [USER_TOKEN];
          shows(`${everything(error)}${error.stack}${inspect(error.cause)}`, secrets, `${method}: ${error.name}`);
        }
        await app.close();
        shows(logger.lines.join("\n"), [USER_TOKEN, SESSION_TOKEN], "the log");
      });
    }
  }

  test("of arguments", async () => {
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: recorder() });
    for (const [method, ...given] of [
      ["createManagedSecretGrant", SECRET_ID, { principal: { type: "user", userToken: USER_TOKEN } }],
      [
        "createManagedSecretGrant",
        SECRET_ID,
        { principal: { type: "user", userToken: USER_TOKEN.repeat(999), label: "l" } },
      ],
      ["resolveIdentity", { userToken: USER_TOKEN.repeat(999) }],
      ["resolveIdentity", { userToken: [USER_TOKEN] }],
      ["createConnectSession", { userToken: { token: USER_TOKEN } }],
      ["pollConnectSession", [SESSION_TOKEN]],
      ["verifyUserToken", { token: USER_TOKEN }],
    ]) {
      const error = await thrown(app[method](...given));
      assert.equal(error.name, "AlterValueError");
      shows(`${everything(error)}${error.stack}`, [USER_TOKEN, SESSION_TOKEN], method);
    }
    await app.close();
    assert.deepEqual(server.requests(), []);
  });
});

describe("clients and results", () => {
  test("of an application that signed a person in", async () => {
    const logger = recorder();
    const app = new App({ apiKey: APP_KEY, baseUrl: server.url, logger, userTokenGetter: () => USER_TOKEN });
    const results = {};
    const lines = await printed(async () => {
      results.connected = await app.connect({ ...QUICK, openBrowser: false });
      results.person = await app.authenticate();
    });
    for (const [method, ...given] of CALLS.filter(
      ([name]) => !["listGrants", "createManagedSecretGrant", "resolveIdentity"].includes(name),
    )) {
      results[method] = await app[method](...given);
    }
    const secrets = [USER_TOKEN, SESSION_TOKEN, ASSERTION];
    for (const [what, result] of Object.entries(results)) {
      // What a program asks for by name it gets; what shows a whole object shows none of it.
      const shown = [
        String(result),
        JSON.stringify([result]),
        inspect({ result }, { depth: 9, showHidden: true, getters: true }),
      ];
      shows(`${shown.join("\n")}${inspect(structuredClone(result))}`, secrets, what);
    }
    assert.deepEqual(
      [results.person.userToken, results.assertIdentity.token],
      [USER_TOKEN, ASSERTION],
      "they are there",
    );
    for (const [what, client] of Object.entries({ app, narrowed: app.withConstraints({ scopes: ["a"] }) })) {
      shows(everything(client), [...secrets, APP_KEY], what);
    }
    await app.close();
    shows(everything(app), [...secrets, APP_KEY], "the closed client");
    shows(logger.lines.join("\n"), secrets, "the log");
    // The address is what the person needs, and it is shown to nobody else.
    assert.deepEqual(lines, [`Please visit: ${SESSION.connect_url}`, `Please visit: ${SIGN_IN.auth_url}`]);
  });

  test("of an agent", async () => {
    const agent = new Agent({
      apiKey: AGENT_KEY,
      baseUrl: server.url,
      logger: recorder(),
      userTokenGetter: () => USER_TOKEN,
    });
    await agent.createConnectSession();
    const error = await thrown(agent.delegate(GRANT, "a", { ttlSeconds: 0 }));
    shows(`${everything(agent)}${everything(error)}`, [USER_TOKEN, SESSION_TOKEN, AGENT_KEY], "the agent");
    await agent.close();
  });
});
