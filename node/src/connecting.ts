/** Listing grants and connecting a person's accounts: what an application's and an agent's client both do. */

import { ClientBase } from "./client.js";
import {
  CONNECT,
  type ConnectOptions,
  CREATE_CONNECT_SESSION,
  type CreateConnectSessionOptions,
  POLL_CONNECT_SESSION,
  type PollConnectSessionOptions,
  SESSION_RECOVERY,
  type SessionRecoveryOptions,
} from "./connect-options.js";
import * as errors from "./errors.js";
import { LIST_GRANTS, type ListGrantsOptions } from "./grant-options.js";
import type { ConnectResult, ConnectSession, UnifiedGrantListResult } from "./models/index.js";

/** A client with the calls that an application and an agent have in common. */
export abstract class Connecting extends ClientBase {
  /**
   * One page of the grants that this client can see, of connected accounts and of stored secrets.
   *
   * An application sees all of its grants, or those of one user: the one of `endUserToken`, else of `userTokenGetter`. An agent sees its own
   * and those that were delegated to it.
   *
   * ```ts
   * const page = await app.listGrants({ providerId: "google", limit: 50 });
   * for (const grant of page.grants) {
   *   console.log(grant.grantId, grant.status);
   * }
   * ```
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws ReAuthRequiredError - The user's JWT is not valid.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  listGrants(options?: ListGrantsOptions | null): Promise<UnifiedGrantListResult> {
    return this.operate("list_grants", {}, LIST_GRANTS, options);
  }

  /**
   * Makes a session in which a person connects an account. Send the person to its `connectUrl`.
   *
   * ```ts
   * const session = await app.createConnectSession({
   *   allowedProviders: ["google"],
   *   returnUrl: "https://app.example/done",
   * });
   * response.redirect(session.connectUrl);
   * ```
   *
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws AgentNotFoundError - There is no such agent.
   * @throws ConnectConfigError - The application or the provider is not set up for this.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  createConnectSession(options?: CreateConnectSessionOptions | null): Promise<ConnectSession> {
    return this.operate("create_connect_session", {}, CREATE_CONNECT_SESSION, options);
  }

  /**
   * Makes the session that mends what a call threw: for the same provider and agent, and for a login that died, for the same grant.
   *
   * ```ts
   * try {
   *   await agent.request("GET", url, { provider: "google" });
   * } catch (error) {
   *   if (error instanceof NoDelegatedGrantError) {
   *     const session = await app.createConnectSessionForError(error);
   *   }
   * }
   * ```
   *
   * @param error - `NoDelegatedGrantError`, `GrantNotFoundError`, `CredentialRevokedError`, or any that names a `providerId`.
   * @throws AlterValueError - `error` names no provider, or an argument was refused.
   * @throws BackendError - As for `createConnectSession`.
   */
  createConnectSessionForError(
    error: errors.AlterSDKError,
    options?: SessionRecoveryOptions | null,
  ): Promise<ConnectSession> {
    return this.operate("create_connect_session_for_error", { error: facts(error) }, SESSION_RECOVERY, options);
  }

  /**
   * Waits until the person has finished in a Connect session.
   *
   * @returns One result for each connected account.
   * @throws ConnectDeniedError - The person refused.
   * @throws ConnectTimeoutError - The person did not finish in time.
   * @throws ConnectConfigError - The application or the provider is not set up for this.
   * @throws ConnectFlowError - It failed otherwise. The three above are subclasses of this one.
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  pollConnectSession(sessionToken: string, options?: PollConnectSessionOptions | null): Promise<ConnectResult[]> {
    return this.operate("poll_connect_session", { session_token: sessionToken }, POLL_CONNECT_SESSION, options);
  }

  /**
   * Lets the person at this machine connect an account: opens the browser, prints the address, and waits.
   *
   * For command lines and scripts. A web application makes a session and sends its user there. Ctrl-C and an aborted signal give the session
   * up on the vault too, if the vault offers that.
   *
   * ```ts
   * const [result] = await app.connect({ providers: ["google"] });
   * console.log(result?.grantId);
   * ```
   *
   * @throws ConnectFlowError - As for `pollConnectSession`.
   * @throws AlterValueError - An argument was refused; nothing was sent.
   */
  connect(options?: ConnectOptions | null): Promise<ConnectResult[]> {
    return this.operate("connect", {}, CONNECT, options);
  }
}

/** What an error says about how to get past it: some attributes, and the classes that it is of. */
function facts(error: unknown): object {
  const { providerId, agentId, grantId } = (error ?? {}) as Record<string, unknown>;
  const classes = Object.entries(errors).filter(([, of]) => error instanceof of);
  return {
    provider_id: providerId ?? null,
    agent_id: agentId ?? null,
    grant_id: grantId ?? null,
    classes: classes.map(([name]) => name),
  };
}
