// People and grants against a real vault, a real OpenID provider, and a program in the browser's place that agrees to everything.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import {
  Agent,
  App,
  ConnectTimeoutError,
  GrantNotFoundError,
  GrantRevokedError,
  OAuthGrantItem,
  verifyIdentityAssertion,
} from "@alter-ai/alter-sdk";

import { printed } from "./support/people.mjs";
import { LIMIT, SILENT, thrown } from "./support/scripted.mjs";
import { openIdProvider, Vault } from "./support/vault.mjs";

const SCOPES = [
  "agents:admin",
  "connect:initiate",
  "grants:read",
  "grants:write",
  "idp_users:write",
  "secrets:write",
  "tokens:retrieve",
];
const folder = mkdtempSync(join(tmpdir(), "alter-visits-"));
let vault;
let provider;
let app;
let service;
let agent;

before(async () => {
  vault = await Vault.start();
  provider = await openIdProvider([
    { client_id: "vault", client_secret: "one", redirect_uris: [`${vault.url}/sign-in/callback`] },
    {
      client_id: "crm",
      client_secret: "two",
      redirect_uris: [`${vault.url}/oauth/callback`],
      grant_types: ["authorization_code", "refresh_token"],
    },
  ]);
  await vault.run(["app", "create", "demo"]);
  await vault.run(["idp", "set", provider.issuer, "--client-id", "vault", "--stdin"], "one");
  const crm = [
    "provider",
    "add",
    "crm",
    "--issuer",
    provider.issuer,
    "--client-id",
    "crm",
    "--stdin",
    "--name",
    "The CRM",
  ];
  await vault.run([...crm, "--scope", "openid", "--scope", "email"], "two");
  await vault.run(["agent", "create", "planner"]);
  const { api_key: appKey } = await vault.run(["key", "create", ...SCOPES.flatMap((scope) => ["--scope", scope])]);
  const { api_key: agentKey } = await vault.run(["key", "create", "--agent", "planner"]);
  app = new App({ apiKey: appKey, baseUrl: vault.url, logger: SILENT });
  // Nobody signs in there.
  service = new App({ apiKey: appKey, baseUrl: vault.url, logger: SILENT });
  agent = new Agent({ apiKey: agentKey, baseUrl: vault.url, logger: SILENT });
  process.env.BROWSER = fileURLToPath(new URL("programs/browser.mjs", import.meta.url));
  process.env.VISITED = join(folder, "visited");
});

after(async () => {
  await app?.close();
  await service?.close();
  await agent?.close();
  await provider?.stop();
  await vault?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The last page that the browser came to. */
const lastPage = () => readFileSync(process.env.VISITED, "utf8").trim().split("\n").at(-1);

/** A person at the machine does what is asked. */
async function inBrowser(call) {
  let result;
  await printed(async () => {
    result = await call();
  });
  return result;
}

describe("a person", () => {
  let jwt;

  test("signs in", async () => {
    const person = await inBrowser(() => app.authenticate({ timeout: 60_000 }));
    jwt = person.userToken;
    assert.deepEqual([person.userInfo["sub"], person.userInfo["email"]], ["ada", "ada@example.com"]);
    assert.equal(await app.verifyUserToken(jwt), "ada");
    assert.equal(await app.verifyUserToken(`${jwt}x`), null);
  });

  test("is known to the vault, and to other services by a signed token", async () => {
    const identity = await app.resolveIdentity({ includeProfile: true });
    assert.deepEqual([identity.appUserId, identity.email, identity.userStatus], ["ada", "ada@example.com", "active"]);
    const audience = "https://reports.example.com";
    const assertion = await app.assertIdentity({ audience, ttlSeconds: 60 });
    assert.equal(assertion.identity.appUserId, "ada");
    const jwks = await (await fetch(`${vault.url}/.well-known/jwks.json`)).json();
    const expected = { issuer: vault.url, audience, jwks, expectedAppId: identity.appId };
    assert.equal(verifyIdentityAssertion(assertion.token, expected).appUserId, "ada");
    assert.throws(() => verifyIdentityAssertion(assertion.token, { ...expected, audience: "a:b" }), {
      name: "MemoryIsolationError",
    });
  });

  test("connects an account, which calls then use until it is taken back", async () => {
    const [result] = await inBrowser(() => app.connect({ providers: ["crm"], pollInterval: 50, timeout: 60_000 }));
    assert.deepEqual([result.providerId, result.operation, result.failedGrants], ["crm", "creation", []]);

    const { grants } = await app.listGrants({ providerId: "crm" });
    assert.equal(grants.length, 1);
    const [grant] = grants;
    assert.ok(grant instanceof OAuthGrantItem);
    assert.deepEqual([grant.grantId, grant.status, grant.principalType], [result.grantId, "active", "user"]);

    const me = await app.request("GET", `${provider.issuer}/me`, { grantId: result.grantId });
    assert.equal((await me.json()).sub, "ada");
    const other = await app.mintGrant(result.grantId, { label: "reports", grantPolicy: { maxTtlSeconds: 3600 } });
    assert.deepEqual([other.label, other.providerId], ["reports", "crm"]);
    assert.equal((await thrown(app.mintGrant(result.grantId, { label: "reports" }))).name, "SiblingLabelConflictError");

    const revoked = await app.revokeGrant(result.grantId, { reason: "done with it" });
    assert.equal(revoked.grantId, result.grantId);
    const refused = await thrown(app.request("GET", `${provider.issuer}/me`, { grantId: result.grantId }));
    assert.ok(refused instanceof GrantRevokedError, refused.name);
    assert.ok((await thrown(app.revokeGrant(result.grantId))) instanceof GrantNotFoundError);
  });

  test("delegates to an agent, which gives it back", async () => {
    const session = await app.createConnectSession({ allowedProviders: ["crm"], agent: "planner", userToken: jwt });
    const visit = spawnSync(process.env.BROWSER, [session.connectUrl], { env: process.env });
    assert.equal(visit.status, 0, String(visit.stderr));
    const [result] = await app.pollConnectSession(session.sessionToken, { timeout: 30_000, pollInterval: 50 });
    assert.ok(result.delegation !== null, lastPage());
    const held = await agent.listGrants();
    const [item] = held.grants.filter((grant) => grant.accessVia === "oauth_delegation");
    assert.equal(item.providerId, "crm");
    await agent.revokeDelegation(item.parentGrantId ?? item.grantId);
    const left = (await agent.listGrants()).grants.filter((grant) => grant.accessVia === "oauth_delegation");
    assert.deepEqual(
      left.filter((grant) => grant.status === "active"),
      [],
    );
  });
});

test("a stored secret is granted to the application and taken back", async () => {
  const secret = await vault.run(
    ["secret", "create", "example", "--bearer", "--allow-host", new URL(provider.issuer).host, "--stdin"],
    "a-token",
  );
  const policy = { maxTtlSeconds: 3600 };
  const made = await service.createManagedSecretGrant(secret.id, {
    principal: { type: "system", label: "job" },
    grantPolicy: policy,
  });
  assert.deepEqual([made.principalType, made.label], ["system", "job"]);
  const error = await thrown(service.request("GET", `${provider.issuer}/me`, { grantId: made.grantId }));
  assert.equal(error.name, "ProviderUnauthorizedError", "the provider does not know that token");
  const refused = await thrown(agent.createManagedSecretGrant(secret.id, { principal: { type: "agent" } }));
  assert.ok([403, 422].includes(refused.statusCode), `${refused.name} ${refused.statusCode}`);
});

test("a session that nobody finishes ends in time, and one that is given up is gone", async () => {
  const session = await service.createConnectSession({ allowedProviders: ["crm"] });
  const late = await thrown(service.pollConnectSession(session.sessionToken, { timeout: 100, pollInterval: 20 }));
  assert.ok(late instanceof ConnectTimeoutError);
  const controller = new AbortController();
  const shown = [];
  const usual = console.log;
  console.log = (...parts) => shown.push(parts.join(" "));
  try {
    const waiting = thrown(service.connect({ providers: ["crm"], openBrowser: false, signal: controller.signal }));
    await until(() => shown.length > 0);
    const [, url] = shown[0].split("visit: ");
    const offers = async () => (await (await fetch(url)).text()).includes("<form");
    assert.ok(await offers());
    controller.abort();
    assert.equal((await waiting).name, "AbortError");
    await until(async () => !(await offers()));
  } finally {
    console.log = usual;
  }
});

/** Waits until something holds. */
async function until(condition) {
  for (const deadline = Date.now() + LIMIT; !(await condition()); await pause(20)) {
    assert.ok(Date.now() < deadline, `it never came to be: ${condition}`);
  }
}
