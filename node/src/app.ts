/** `App`: an application's client. */

import { Agent, type AgentOptions } from "./agent.js";
import { AgentsNamespace } from "./agents.js";
import type { Constraints } from "./client.js";
import { MANAGED_SECRET_CONNECT_SESSION, type ManagedSecretConnectSessionOptions } from "./connect-options.js";
import type { CallerType } from "./enums.js";
import * as grant from "./grant-options.js";
import * as identity from "./identity-options.js";
import { Managing } from "./managing.js";
import type {
  AuthResult,
  AuthSession,
  CreateGrantResult,
  GrantInfo,
  IdentityAssertion,
  IdentityContext,
  ManagedSecretConnectSession,
  RevokeGrantResult,
} from "./models/index.js";
import { CLIENT_OPTIONS, Session } from "./session.js";
import { trust, trustedAssertion } from "./trust.js";

/** What an `App` is made of. */
export interface AppOptions extends AgentOptions {
  /** What the caller is; groups the audit log. `service` if not given. */
  callerType?: CallerType | "agent" | "service" | null | undefined;
}

/** The options of an `App`. */
export const APP_OPTIONS = [...CLIENT_OPTIONS, "callerType"] as const;

/**
 * An application's client of the vault.
 *
 * ```ts
 * const app = new App({ apiKey: process.env.ALTER_API_KEY ?? "" });
 * try {
 *   const response = await app.request("GET", "https://api.example.com/v1/me", { grantId });
 * } finally {
 *   await app.close();
 * }
 * ```
 */
export class App extends Managing {
  /**
   * Makes a client; nothing is sent before its first call.
   *
   * @throws AlterValueError - The key is malformed (a typing error is found here), or another option is refused.
   * @throws AlterSDKError - The vault's address is refused, the getter cannot be called, or the logger cannot take warnings.
   */
  constructor(options: AppOptions) {
    super(
      (options as unknown) instanceof Session
        ? (options as unknown as Session)
        : Session.open("app", options, APP_OPTIONS),
    );
  }

  /**
   * A sibling of this client whose every request the vault judges more narrowly. It shares this client's connections and is closed with
   * it; closing the sibling closes nothing else.
   *
   * @throws AlterValueError - Neither scopes nor a rule is given, one is malformed, or this client is constrained already.
   * @throws AlterSDKError - This client is closed.
   */
  withConstraints(constraints: Constraints): App {
    return new App(this.narrowedSession(constraints) as unknown as AppOptions);
  }

  /** The application's managed agents. */
  get agents(): AgentsNamespace {
    return new AgentsNamespace(this.operate.bind(this));
  }

  /**
   * A client that acts as one of the application's agents, with the application's key.
   *
   * It is attribution, not a boundary: whatever the key may do, this client may do. It has connections of its own, so it must be closed
   * by itself.
   *
   * @throws AlterValueError - `agentId` is not a UUID, or this client is closed.
   */
  getAgent(agentId: string): Agent {
    return new Agent(this.agentSession(agentId) as unknown as AgentOptions);
  }

  /**
   * Makes a second grant on the credential of a grant, for the same user, with limits and delegations of its own.
   *
   * @param sourceGrantId - The grant to start from.
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws SiblingLabelConflictError - Another grant of this credential has the label; `listGrants({ label })` finds it.
   * @throws GrantNotFoundError - There is no such grant.
   * @throws PolicyViolationError - This grant cannot be minted from; `policyError` says why.
   */
  mintGrant(sourceGrantId: string, options: grant.MintGrantOptions): Promise<GrantInfo> {
    return this.operate("mint_grant", { source_grant_id: sourceGrantId }, grant.MINT_GRANT, options);
  }

  /**
   * Ends a grant for good. With a `userTokenGetter` only a grant of the signed-in user.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws GrantNotFoundError - There is no such grant, it is not this user's, or it was revoked before.
   */
  revokeGrant(grantId: string, options?: grant.RevokeGrantOptions | null): Promise<RevokeGrantResult> {
    return this.operate("revoke_grant", { grant_id: grantId }, grant.REVOKE_GRANT, options);
  }

  /**
   * Ends an agent's delegation, and everything that was delegated on from it. The grant stays.
   *
   * @param grantId - The grant that the user delegated from.
   * @throws AlterValueError - One of the ids is not a UUID; nothing was sent.
   * @throws GrantNotFoundError - There is no such grant.
   */
  revokeDelegation(grantId: string, agentId: string): Promise<void>;
  revokeDelegation(grantId: string, options: grant.RevokeDelegationOptions): Promise<void>;
  async revokeDelegation(grantId: string, agent: unknown): Promise<void> {
    const options = typeof agent === "object" ? agent : { agentId: agent };
    await this.operate("revoke_delegation", { grant_id: grantId }, grant.REVOKE_DELEGATION, options);
  }

  /**
   * Grants the use of a stored secret to somebody.
   *
   * ```ts
   * await app.createManagedSecretGrant(secretId, { principal: { type: "system", label: "nightly job" } });
   * ```
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws CredentialIdRequiredError - The secret has several credentials; `credentials` lists them.
   * @throws EndUserCredentialNotAssignableError - The credential is an end user's own.
   * @throws SiblingLabelConflictError - The label is taken.
   * @throws ConnectConfigError - There is no such secret.
   */
  createManagedSecretGrant(
    managedSecretId: string,
    options: grant.CreateManagedSecretGrantOptions,
  ): Promise<CreateGrantResult> {
    const first = { managed_secret_id: managedSecretId };
    return this.operate("create_managed_secret_grant", first, grant.CREATE_MANAGED_SECRET_GRANT, options);
  }

  /**
   * Makes a session in which a person allows the use of a stored secret, or brings one. The outcome reaches the application in the
   * browser, or by `listGrants()`.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws AgentNotFoundError - There is no such agent.
   * @throws ConnectConfigError - The application or the secret is not set up for this.
   * @throws ServerFeatureUnsupportedError - The vault is older than what was asked of it.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  createManagedSecretConnectSession(options: ManagedSecretConnectSessionOptions): Promise<ManagedSecretConnectSession> {
    return this.operate("create_managed_secret_connect_session", {}, MANAGED_SECRET_CONNECT_SESSION, options);
  }

  /**
   * Makes a session in which a person signs in at the application's identity provider. Send the person to its `authUrl`.
   *
   * @throws BackendError - The application has no identity provider, or the vault refused.
   */
  createAuthSession(): Promise<AuthSession> {
    return this.operate("create_auth_session");
  }

  /**
   * Waits until the person has signed in. Short faults of the vault are waited out.
   *
   * @throws ConnectTimeoutError - The person did not sign in in time.
   * @throws AlterSDKError - The sign-in failed or expired.
   * @throws BackendError - The vault refused, or the identity provider is not available.
   */
  pollAuthSession(sessionToken: string, options?: identity.PollOptions | null): Promise<AuthResult> {
    return this.operate("poll_auth_session", { session_token: sessionToken }, identity.POLL, options);
  }

  /**
   * Signs in the person at this machine: opens the browser, prints the address, and waits.
   *
   * The person's JWT takes the place of this client's `userTokenGetter` for all later calls; it is not renewed.
   *
   * @throws ConnectTimeoutError - The person did not sign in in time.
   * @throws AlterSDKError - The sign-in failed or expired.
   */
  async authenticate(options?: identity.AuthenticateOptions | null): Promise<AuthResult> {
    const result = await this.operate<AuthResult>("authenticate", {}, identity.AUTHENTICATE, options);
    this.signIn(result.userToken);
    return result;
  }

  /**
   * The user (the `sub` claim) that a JWT stands for, if the application's identity provider vouches for it.
   *
   * @returns `null` if the token is refused, and also if it cannot be verified now; the log tells the two apart.
   * @throws AlterValueError - `token` is not text.
   */
  verifyUserToken(token: string): Promise<string | null> {
    return this.operate("verify_user_token", { token });
  }

  /**
   * Who makes the calls, as the vault knows it: the application, and its user if there is one.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws ReAuthRequiredError - The user's JWT is not valid.
   */
  async resolveIdentity(options?: identity.ResolveIdentityOptions | null): Promise<IdentityContext> {
    return trust(await this.operate<IdentityContext>("resolve_identity", {}, identity.RESOLVE_IDENTITY, options));
  }

  /**
   * The same as a signed token, to show to another service. See `verifyIdentityAssertion`.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws BackendError - The vault refused, or cannot sign.
   */
  async assertIdentity(options: identity.AssertIdentityOptions): Promise<IdentityAssertion> {
    return trustedAssertion(await this.operate("assert_identity", {}, identity.ASSERT_IDENTITY, options));
  }
}
