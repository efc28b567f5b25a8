// What programs write about people and grants, as the compiler sees it: everything here must compile in strict mode, without a cast.

import {
  type Agent,
  type AgentPrincipal,
  type App,
  type AuthResult,
  type ConnectPollEvent,
  type ConnectResult,
  type ConnectSession,
  type CreateConnectSessionOptions,
  CredentialRevokedError,
  type GrantCandidate,
  type GrantListItem,
  type GrantListResult,
  type GrantPolicyInput,
  type IdentityContext,
  type ListGrantsOptions,
  ManagedSecretGrantItem,
  NoDelegatedGrantError,
  OAuthGrantItem,
  type Principal,
  Provider,
  type UnifiedGrantListResult,
  verifyIdentityAssertion,
} from "@alter-ai/alter-sdk";

const policy: GrantPolicyInput = { maxTtlSeconds: 60, expiresAt: null };
const filters: ListGrantsOptions = { providerId: Provider.GOOGLE, limit: 10, signal: AbortSignal.timeout(1_000) };
const options: CreateConnectSessionOptions = {
  allowedProviders: [Provider.GOOGLE, "my-own"],
  grantPolicy: policy,
  metadata: { ipAddress: "1.2.3.4" },
  requestedGrant: { label: "l", restrictions: { allowedMethods: ["GET"] } },
  requiredScopes: { google: ["a"] },
};
const principals: readonly Principal[] = [
  { type: "user", userToken: "j", label: "l" },
  { type: "group", externalGroupId: "g", idpId: "i", label: "l" },
  { type: "system" },
  { type: "agent", label: null },
];

/** Tells both kinds apart by a member (TS-053), and by class. */
export function told(grant: GrantListItem): string {
  const seen = grant.grantKind === "oauth" ? grant.delegatedAgentIds.join() : grant.managedSecretSlug;
  const same = grant instanceof OAuthGrantItem ? grant.needsReconnect : grant.credentialKind;
  const shared: [string, readonly string[], string | null, string | null, boolean] = [
    grant.providerId,
    grant.scopes,
    grant.accountIdentifier,
    grant.accountDisplayName,
    grant.scopeMismatch,
  ];
  return `${seen} ${same} ${shared.length}`;
}

export async function grants(app: App, agent: Agent): Promise<unknown> {
  const page: UnifiedGrantListResult = await app.listGrants(filters);
  const former: GrantListResult = await agent.listGrants();
  const minted = await app.mintGrant("id", { label: "work", grantPolicy: policy });
  const made = await Promise.all(principals.map((principal) => app.createManagedSecretGrant("id", { principal })));
  const own: AgentPrincipal = { type: "agent" };
  await agent.createManagedSecretGrant("id", { principal: own });
  const delegated = await agent.delegate("id", "other", { scopeConstraint: ["a"], ttlSeconds: 60 });
  const nothing: Promise<void> = app.revokeDelegation("id", "agent");
  await app.revokeDelegation("id", { agentId: "agent" });
  await agent.revokeDelegation("id");
  const { success, revokedAt } = await app.revokeGrant("id", { reason: "r" });
  const depth: number = delegated.depth;
  const expires: string | null = minted.expiresAt;
  return [page.grants.map(told), former.hasMore, made[0]?.createdAt, nothing, success, revokedAt, depth, expires];
}

export async function connecting(app: App, agent: Agent): Promise<unknown> {
  const session: ConnectSession = await app.createConnectSession(options);
  const onEvent = (event: ConnectPollEvent) => console.log(event.type, event.providerId, event.declinedAt?.length);
  const results: ConnectResult[] = await app.pollConnectSession(session.sessionToken, { timeout: 5_000, onEvent });
  const [first] = await agent.connect({ providers: [Provider.SLACK], openBrowser: false, scopes: ["a"] });
  const secret = await app.createManagedSecretConnectSession({ userToken: "j", provider: "openai", agent: "bot" });
  await agent.createManagedSecretConnectSession({ userToken: "j", provider: "openai" });
  const path: "fast_path" | "key_entry" | "repair" | null = secret.path;
  return [results[0]?.grantPolicy?.expiresAt, first?.delegation?.agentId, first?.failedGrants[0]?.reason, path];
}

export async function mended(app: App, agent: Agent): Promise<ConnectSession | undefined> {
  try {
    await agent.request("GET", "https://api.example.com/", { provider: Provider.GOOGLE });
  } catch (error) {
    if (error instanceof NoDelegatedGrantError || error instanceof CredentialRevokedError) {
      return app.createConnectSessionForError(error, { returnUrl: "https://a.example" });
    }
  }
  return undefined;
}

export async function people(app: App, agent: Agent, jwks: Record<string, unknown>): Promise<unknown> {
  const signedIn: AuthResult = await app.authenticate({ timeout: 60_000 });
  const session = await app.createAuthSession();
  await app.pollAuthSession(session.sessionToken, { pollInterval: 500 });
  const sub: string | null = await app.verifyUserToken(signedIn.userToken);
  const identity: IdentityContext = await app.resolveIdentity({ includeProfile: true });
  const assertion = await agent.assertIdentity({ audience: "https://a.example", appUserId: "u", ttlSeconds: 60 });
  const proven = verifyIdentityAssertion(assertion.token, {
    issuer: "https://vault.example",
    audience: "https://a.example",
    jwks,
    expectedAppId: identity.appId,
  });
  const expires: string = assertion.expiresAt;
  return [sub, proven.appUserId, identity.trace?.runId, signedIn.userInfo["email"], expires];
}

export function models(wire: Record<string, unknown>, candidate: GrantCandidate): string {
  const item = new ManagedSecretGrantItem(wire);
  return [item.grantKind, item.toJSON()["grant_id"], item.toString(), candidate.grantId].join();
}

export function mustNotCompile(app: App, agent: Agent, item: OAuthGrantItem): void {
  // @ts-expect-error an agent has no calls of an application (TS-070)
  void agent.mintGrant("id", { label: "l" });
  // @ts-expect-error as above
  void agent.revokeGrant("id");
  // @ts-expect-error as above
  void agent.authenticate();
  // @ts-expect-error as above
  void agent.createAuthSession();
  // @ts-expect-error as above
  void agent.pollAuthSession("s");
  // @ts-expect-error as above
  void agent.verifyUserToken("j");
  // @ts-expect-error an agent makes grants for itself only
  void agent.createManagedSecretGrant("id", { principal: { type: "system" } });
  // @ts-expect-error an application delegates nothing
  void app.delegate("id", "other");
  // @ts-expect-error the names are TypeScript's
  void app.createConnectSession({ grantPolicy: { max_ttl_seconds: 60 } });
  // @ts-expect-error a user has a token
  void app.createManagedSecretGrant("id", { principal: { type: "user", label: "l" } });
  // @ts-expect-error there is no such principal
  void app.createManagedSecretGrant("id", { principal: { type: "robot" } });
  // @ts-expect-error nobody waits for a listener, and it is a function
  void app.pollConnectSession("s", { onEvent: "tell me" });
  // @ts-expect-error an audience is required
  void app.assertIdentity({});
  // @ts-expect-error only an agent speaks for a user by id
  void app.resolveIdentity({ appUserId: "u" });
  // @ts-expect-error models never change
  item.status = "x";
  // @ts-expect-error a grant's id is its grantId
  item.id;
}
