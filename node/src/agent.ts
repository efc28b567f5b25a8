/** `Agent`: an agent's client. */

import { randomUUID } from "node:crypto";

import type { Cancelable } from "./aborting.js";
import type { Constraints } from "./client.js";
import {
  AGENT_MANAGED_SECRET_CONNECT_SESSION,
  type AgentManagedSecretConnectSessionOptions,
} from "./connect-options.js";
import * as grant from "./grant-options.js";
import * as identity from "./identity-options.js";
import type { AlterLogger } from "./logging.js";
import { Managing } from "./managing.js";
import type {
  AgentInfo,
  CreateGrantResult,
  DelegationResult,
  IdentityAssertion,
  IdentityContext,
  ManagedSecretConnectSession,
} from "./models/index.js";
import { CLIENT_OPTIONS, Session, type UserTokenGetter } from "./session.js";
import { type TraceOptions, within } from "./trace.js";
import { trust, trustedAssertion } from "./trust.js";

/** What every client is made of. */
export interface AgentOptions {
  /** The key that the vault printed when it was made. It is never read from the environment. */
  apiKey: string;
  /** The vault's address; `ALTER_BASE_URL` if not given. */
  baseUrl?: string | null | undefined;
  /** Milliseconds for connecting, and for each wait for data; 30000 if not given, `Infinity` waits without end. */
  timeout?: number | null | undefined;
  /** Who makes the calls, for the audit log: 1 to 255 printable ASCII characters. An agent's id acts as it. */
  caller?: string | null | undefined;
  /** Returns the signed-in user's JWT. Asked for every call that brings no `userToken`. */
  userTokenGetter?: UserTokenGetter | null | undefined;
  /** Takes warnings; the console if not given. */
  logger?: AlterLogger | null | undefined;
}

/** An agent's client of the vault: calls with the agent's own key, with its own grants and those that were delegated to it. */
export class Agent extends Managing {
  /** What stands for this client in traces while it has no caller; it means nothing outside this process. */
  readonly #traceName = `agent-local-${randomUUID()}`;

  /**
   * Makes a client; nothing is sent before its first call.
   *
   * @throws AlterValueError - The key is malformed (a typing error is found here), or another option is refused.
   * @throws AlterSDKError - The vault's address is refused, the getter cannot be called, or the logger cannot take warnings.
   */
  constructor(options: AgentOptions) {
    super(
      (options as unknown) instanceof Session
        ? (options as unknown as Session)
        : Session.open("agent", options, CLIENT_OPTIONS),
    );
  }

  /** A sibling of this client whose every request the vault judges more narrowly; as `App.withConstraints`. */
  withConstraints(constraints: Constraints): Agent {
    return new Agent(this.narrowedSession(constraints) as unknown as AgentOptions);
  }

  /**
   * The agent that this client is, as the vault knows it. It works while the agent is suspended, too.
   *
   * @throws MeRequiresAgentKeyError - This client's key is no agent's own.
   */
  me(options?: Cancelable | null): Promise<AgentInfo> {
    return this.operate("me", {}, {}, options);
  }

  /**
   * Runs something as a run of its own: every call within it says that it belongs to it.
   *
   * ```ts
   * await agent.trace({ runId: "run-7" }, () => agent.request("GET", url, { provider: "google" }));
   * ```
   *
   * A trace within a trace takes over what it does not say itself. A call's own `context` stands in its place.
   *
   * @returns What `callback` gives.
   * @throws AlterValueError - An option was refused; nothing was run.
   */
  trace<T>(options: TraceOptions, callback: () => T | Promise<T>): Promise<T> {
    return within(this.callerName ?? this.#traceName, options, callback);
  }

  /**
   * Delegates a grant that this agent holds to another agent. It can only be narrowed on the way.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws AgentNotFoundError - There is no such agent.
   * @throws GrantNotFoundError - This agent holds no such grant.
   * @throws GrantNotDelegableError - It may not be delegated; `detailReason` says why.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  delegate(grantId: string, toAgentId: string, options?: grant.DelegateOptions | null): Promise<DelegationResult> {
    return this.operate("delegate", { grant_id: grantId, to_agent_id: toAgentId }, grant.DELEGATE, options);
  }

  /**
   * Gives back a grant that was delegated to this agent, and what it delegated on. Giving back twice is fine.
   *
   * @param grantId - The grant that the user delegated from.
   * @throws AlterValueError - It is not a UUID; nothing was sent.
   * @throws PolicyViolationError - There is no agent behind this client's key.
   * @throws GrantNotFoundError - There is no such grant.
   */
  async revokeDelegation(grantId: string, options?: Cancelable | null): Promise<void> {
    await this.operate("revoke_delegation", { grant_id: grantId }, {}, options);
  }

  /**
   * Asks for a grant of a stored secret for this agent itself. Vaults give such grants to an agent only if an application makes them.
   *
   * @throws AlterValueError - An argument was refused, for example another principal; nothing was sent.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  createManagedSecretGrant(
    managedSecretId: string,
    options: grant.CreateOwnManagedSecretGrantOptions,
  ): Promise<CreateGrantResult> {
    const first = { managed_secret_id: managedSecretId };
    return this.operate("create_managed_secret_grant", first, grant.CREATE_OWN_MANAGED_SECRET_GRANT, options);
  }

  /**
   * Makes a session in which a person allows this agent to use a stored secret, or brings one.
   *
   * The options and errors are those of `App.createManagedSecretConnectSession`.
   */
  createManagedSecretConnectSession(
    options: AgentManagedSecretConnectSessionOptions,
  ): Promise<ManagedSecretConnectSession> {
    return this.operate("create_managed_secret_connect_session", {}, AGENT_MANAGED_SECRET_CONNECT_SESSION, options);
  }

  /**
   * Who makes this agent's calls, as the vault knows it: itself, or with a user that delegated something to it.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws ReAuthRequiredError - The user's JWT is not valid.
   * @throws GrantNotFoundError - This user has delegated nothing to this agent.
   */
  async resolveIdentity(
    options?: (identity.ResolveIdentityOptions & identity.OnBehalfOf) | null,
  ): Promise<IdentityContext> {
    const encoders = { ...identity.RESOLVE_IDENTITY, ...identity.ON_BEHALF_OF };
    return trust(await this.operate<IdentityContext>("resolve_identity", {}, encoders, options));
  }

  /**
   * The same as a signed token, to show to another service. See `verifyIdentityAssertion`.
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws BackendError - The vault refused, or cannot sign.
   */
  async assertIdentity(options: identity.AssertIdentityOptions & identity.OnBehalfOf): Promise<IdentityAssertion> {
    const encoders = { ...identity.ASSERT_IDENTITY, ...identity.ON_BEHALF_OF };
    return trustedAssertion(await this.operate("assert_identity", {}, encoders, options));
  }
}
