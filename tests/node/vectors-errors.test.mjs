// Which error an answer means: the recorded behaviour that all languages share, through the TypeScript package.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import { Agent, App } from "@alter-ai/alter-sdk";

import {
  AUTH_POLL,
  AUTH_SESSION,
  CONNECT,
  LIST,
  MANAGED_CONNECT,
  POLL,
  QUICK,
  RESOLVE,
  SECRET_ID,
  SESSION_TOKEN,
  USER_TOKEN,
} from "./support/people.mjs";
import { AGENT_ID, AGENT_KEY, APP_KEY, Scripted, SILENT, thrown } from "./support/scripted.mjs";
import { camel, vectors } from "./support/vectors.mjs";

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => server.reset());

const GRANT_ID = "7a1e6f0e-2222-4333-8444-555566667777";
const request = (client) => client.request("GET", `${server.url}/prov`, { grantId: GRANT_ID });
const secretSession = (options) => (client) =>
  client.createManagedSecretConnectSession({ userToken: USER_TOKEN, ...options });

/** The recorded calls: which path gets the answer, and how the call is made. */
const CALLS = {
  token: ["/sdk/token", request],
  "agent.token": ["/sdk/token", request],
  provider: ["/prov", request],
  "grants.list": [LIST, (client) => client.listGrants()],
  "grants.mint": ["/sdk/grants/", (client) => client.mintGrant(GRANT_ID, { label: "work" })],
  "grants.revoke": ["/sdk/oauth/grants/", (client) => client.revokeGrant(GRANT_ID)],
  "grants.create_ms": [
    "/sdk/managed-secrets/",
    (client) => client.createManagedSecretGrant(SECRET_ID, { principal: { type: "system" } }),
  ],
  "agent.delegate": ["/sdk/grants/", (client) => client.delegate(GRANT_ID, AGENT_ID)],
  "connect.create": [CONNECT, (client) => client.createConnectSession({ agent: "bot" })],
  "connect.create_ms": [MANAGED_CONNECT, secretSession({ provider: "openai" })],
  "connect.create_ms_slug": [MANAGED_CONNECT, secretSession({ templateSlug: "openai", agent: "bot" })],
  "connect.poll": [POLL, (client) => client.pollConnectSession(SESSION_TOKEN, { timeout: 1, ...QUICK })],
  "auth.create": [AUTH_SESSION, (client) => client.createAuthSession()],
  "auth.poll": [AUTH_POLL, (client) => client.pollAuthSession(SESSION_TOKEN, { timeout: 1, ...QUICK })],
  "identity.resolve": [RESOLVE, (client) => client.resolveIdentity({ userToken: USER_TOKEN })],
};

const cases = vectors("errors").filter((case_) => case_.call in CALLS);

/** The class's own names: entries of lists of ours are in camel case, everything the vault wrote is as it was. */
const spelt = (name, want) =>
  ["candidates", "credentials"].includes(name)
    ? want.map((entry) => Object.fromEntries(Object.entries(entry).map(([key, value]) => [camel(key), value])))
    : want;

function matches(got, want, where) {
  if (want === "{sdk_text}") {
    // Wording is everybody's own.
    assert.ok(typeof got === "string" && got !== "", where);
  } else if (typeof want === "string") {
    assert.equal(got, want.replaceAll("{base_url}", server.url), where);
  } else if (want !== null && typeof want === "object" && !Array.isArray(want)) {
    assert.deepEqual(Object.keys(got).sort(), Object.keys(want).sort(), where);
    for (const [name, value] of Object.entries(want)) {
      matches(got[name], value, `${where}.${name}`);
    }
  } else {
    assert.deepEqual(got, want, where);
  }
}

function answer(case_) {
  const raw = typeof case_.body === "string" ? case_.body : JSON.stringify(case_.body);
  const how = { raw, status: case_.status, headers: case_.headers };
  if (case_.call === "provider") {
    const token = { access_token: "t", grant_id: GRANT_ID, provider_id: "google", ...case_.token_body };
    server.answer("/sdk/token", token);
    // As the public package's recorder wrote it, with a space.
    how.raw = typeof case_.body === "string" ? raw : raw.replaceAll(":", ": ");
  }
  server.answer(CALLS[case_.call][0], undefined, how);
}

describe("errors", () => {
  test("are tried for every call", () => {
    assert.deepEqual(new Set(cases.map((case_) => case_.call)), new Set(Object.keys(CALLS)));
    assert.ok(cases.length > 150, "the file is there");
  });

  for (const [number, case_] of cases.entries()) {
    test(`${number}: ${case_.call} ${case_.status} ${case_.expect.class}`, async () => {
      answer(case_);
      const [Client, apiKey] = case_.call.startsWith("agent.") ? [Agent, AGENT_KEY] : [App, APP_KEY];
      const client = new Client({ apiKey, baseUrl: server.url, logger: SILENT });
      const made = CALLS[case_.call][1](client);
      const error = case_.expect.class === null ? await made.then(() => null) : await thrown(made);
      await client.close();
      if (error === null) {
        return;
      }
      const tree = [];
      for (let of = error.constructor; of !== Error; of = Object.getPrototypeOf(of)) {
        tree.push(of.prototype.name);
      }
      assert.deepEqual(tree, case_.expect.mro);
      for (const [name, want] of Object.entries(case_.expect.attributes)) {
        matches(error[camel(name)], spelt(name, want), name);
      }
    });
  }
});
