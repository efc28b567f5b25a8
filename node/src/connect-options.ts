/** The options of the calls that let a person connect accounts and secrets, and how each goes to the engine. */

import type { Cancelable } from "./aborting.js";
import type { ProviderId } from "./enums.js";
import { type Encoders, named, namedThroughout, plain } from "./given.js";
import { POLL, type PollOptions } from "./identity-options.js";
import type { GrantPolicyInput } from "./models/index.js";

/** Who the person is, as the application's own request says it. */
export interface ConnectMetadata {
  ipAddress?: string | null | undefined;
  userAgent?: string | null | undefined;
}

/** The grant that a session is to make. */
export interface RequestedGrant {
  /** Its name: 1 to 255 characters. */
  label: string;
  /** What may be done with it; only for connected accounts. */
  restrictions?:
    | {
        allowedMethods?: readonly string[] | null | undefined;
        allowedEndpoints?: readonly string[] | null | undefined;
      }
    | null
    | undefined;
}

/** The options of `createConnectSessionForError()`. */
export interface SessionRecoveryOptions extends Cancelable {
  /** The origin of the page that gets the result as a message. */
  allowedOrigin?: string | null | undefined;
  /** Where the person goes afterwards. */
  returnUrl?: string | null | undefined;
  /** Who the person is, as the application's own request says it. */
  metadata?: ConnectMetadata | null | undefined;
  /** Time limits. */
  grantPolicy?: GrantPolicyInput | null | undefined;
  /** For each provider the scopes to ask for. */
  requiredScopes?: Readonly<Record<string, readonly string[]>> | null | undefined;
  /** The person's JWT; otherwise `userTokenGetter` is asked. Binds session and grant to that person. */
  userToken?: string | null | undefined;
}

export const SESSION_RECOVERY: Encoders<SessionRecoveryOptions> = {
  allowedOrigin: plain,
  returnUrl: plain,
  metadata: named,
  grantPolicy: named,
  requiredScopes: plain,
  userToken: plain,
};

/** The options of `createConnectSession()`. */
export interface CreateConnectSessionOptions extends SessionRecoveryOptions {
  /** The providers to choose from; all of the application's if it is not given. */
  allowedProviders?: readonly ProviderId[] | null | undefined;
  /** Skips the choice; `allowedProviders` must name one provider. */
  direct?: boolean | null | undefined;
  /** The agent, by id or name, to which the person delegates the grant. */
  agent?: string | null | undefined;
  /** Name and restrictions of the new grant. */
  requestedGrant?: RequestedGrant | null | undefined;
  /** Renews the login of this grant instead of making one. */
  repairGrantId?: string | null | undefined;
  /** Whether the agent may delegate on: never (`false`), or if the person agrees (`true`). */
  delegable?: boolean | null | undefined;
  /** The scopes to which the agent is narrowed. */
  scopeConstraint?: readonly string[] | null | undefined;
  /** Has the provider ask for the account anew. */
  switchAccount?: boolean | null | undefined;
  /** Whether the person may set limits; yes if it is not given. */
  allowUserPolicyRules?: boolean | null | undefined;
}

export const CREATE_CONNECT_SESSION: Encoders<CreateConnectSessionOptions> = {
  ...SESSION_RECOVERY,
  allowedProviders: plain,
  direct: plain,
  agent: plain,
  requestedGrant: namedThroughout,
  repairGrantId: plain,
  delegable: plain,
  scopeConstraint: plain,
  switchAccount: plain,
  allowUserPolicyRules: plain,
};

/** A person refused a provider and went on. */
export interface ConnectPollEvent {
  readonly type: "provider_declined";
  readonly providerId: string;
  readonly errorCode: string;
  /** ISO 8601; `null` if the vault did not say. */
  readonly declinedAt: string | null;
}

/** The options of `pollConnectSession()`. */
export interface PollConnectSessionOptions extends PollOptions {
  /** Called when the person refuses a provider and goes on. It is not waited for, and what it throws is only logged. */
  onEvent?: ((event: ConnectPollEvent) => void) | null | undefined;
}

export const POLL_CONNECT_SESSION: Encoders<PollConnectSessionOptions> = { ...POLL, onEvent: plain };

/** The options of `connect()`. */
export interface ConnectOptions extends PollOptions {
  /** The providers to choose from; all of the application's if it is not given. */
  providers?: readonly ProviderId[] | null | undefined;
  /** Whether to open the browser; if not, the address is only printed. Yes if it is not given. */
  openBrowser?: boolean | null | undefined;
  /** Time limits. */
  grantPolicy?: GrantPolicyInput | null | undefined;
  /** Whether the person may set limits; yes if it is not given. */
  allowUserPolicyRules?: boolean | null | undefined;
  /** Skips the choice; `providers` must name one provider. */
  direct?: boolean | null | undefined;
  /** The account that the provider should suggest. */
  email?: string | null | undefined;
  /** The scopes to ask for: a list for one provider, or for each provider a list. */
  scopes?: readonly string[] | Readonly<Record<string, readonly string[]>> | null | undefined;
}

export const CONNECT: Encoders<ConnectOptions> = {
  ...POLL,
  providers: plain,
  openBrowser: plain,
  grantPolicy: named,
  allowUserPolicyRules: plain,
  direct: plain,
  email: plain,
  scopes: plain,
};

/** The options of an agent's `createManagedSecretConnectSession()`. */
export interface AgentManagedSecretConnectSessionOptions extends Cancelable {
  /** The person's JWT. */
  userToken: string;
  /** The secret's slug. */
  provider?: string | null | undefined;
  /** Whether to ask that the agent may delegate it on. */
  delegable?: boolean | null | undefined;
  /** The new grant's name. */
  requestedGrant?: RequestedGrant | null | undefined;
  /** Time limits. */
  grantPolicy?: GrantPolicyInput | null | undefined;
  /** Skips the first page. */
  direct?: boolean | null | undefined;
  /** Whether the person may set limits; yes if it is not given. */
  allowUserPolicyRules?: boolean | null | undefined;
  /** The origin of the page that gets the result as a message. */
  allowedOrigin?: string | null | undefined;
  /** Where the person goes afterwards. */
  returnUrl?: string | null | undefined;
  /** Ends after so many seconds; `grantPolicy` is the newer way. */
  requestedTtlSeconds?: number | null | undefined;
  /** @deprecated `provider` took its place. */
  templateSlug?: string | null | undefined;
}

export const AGENT_MANAGED_SECRET_CONNECT_SESSION: Encoders<AgentManagedSecretConnectSessionOptions> = {
  userToken: plain,
  provider: plain,
  delegable: plain,
  requestedGrant: namedThroughout,
  grantPolicy: named,
  direct: plain,
  allowUserPolicyRules: plain,
  allowedOrigin: plain,
  returnUrl: plain,
  requestedTtlSeconds: plain,
  templateSlug: plain,
};

/** The options of an application's `createManagedSecretConnectSession()`. */
export interface ManagedSecretConnectSessionOptions extends AgentManagedSecretConnectSessionOptions {
  /** The agent, by id or name, that may use it; the application itself if it is not given. */
  agent?: string | null | undefined;
  /** Brings a new key for this grant. */
  repairGrantId?: string | null | undefined;
  /** @deprecated `agent` took its place. */
  delegatedAgentId?: string | null | undefined;
  /** @deprecated It is ignored: the vault shows the agent's own name. */
  delegatedAgentName?: string | null | undefined;
}

export const MANAGED_SECRET_CONNECT_SESSION: Encoders<ManagedSecretConnectSessionOptions> = {
  ...AGENT_MANAGED_SECRET_CONNECT_SESSION,
  agent: plain,
  repairGrantId: plain,
  delegatedAgentId: plain,
  delegatedAgentName: plain,
};
