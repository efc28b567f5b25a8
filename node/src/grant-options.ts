/** The options of the calls about grants, and how each goes to the engine. */

import type { Cancelable } from "./aborting.js";
import type { ProviderId } from "./enums.js";
import { type Encoders, named, plain } from "./given.js";
import type { AgentPrincipal, GrantPolicyInput, Principal } from "./models/index.js";

/** The options of `listGrants()`: which grants, and which page of them. */
export interface ListGrantsOptions extends Cancelable {
  /** Only grants of this provider, or of the stored secret with this slug. */
  providerId?: ProviderId | null | undefined;
  /** Only grants in this state, for example `active`. */
  status?: string | null | undefined;
  /** Only grants of this account. */
  account?: string | null | undefined;
  /** Only the grants with this label. */
  label?: string | null | undefined;
  /** A user's JWT: only that user's grants. Otherwise `userTokenGetter` is asked. */
  endUserToken?: string | null | undefined;
  /** At most so many, 1 to 1000; 100 if not given. */
  limit?: number | null | undefined;
  /** Leaves out so many; none if not given. */
  offset?: number | null | undefined;
  /** Only grants of connected accounts, or of stored secrets; both if not given. */
  grantKind?: "oauth" | "managed_secret" | null | undefined;
}

export const LIST_GRANTS: Encoders<ListGrantsOptions> = {
  providerId: plain,
  status: plain,
  account: plain,
  label: plain,
  endUserToken: plain,
  limit: plain,
  offset: plain,
  grantKind: plain,
};

/** The options of `revokeGrant()`. */
export interface RevokeGrantOptions extends Cancelable {
  /** Why, for the audit log. */
  reason?: string | null | undefined;
}

export const REVOKE_GRANT: Encoders<RevokeGrantOptions> = { reason: plain };

/** The options of `revokeDelegation()` of an application. */
export interface RevokeDelegationOptions extends Cancelable {
  /** The agent whose delegation ends. */
  agentId: string;
}

export const REVOKE_DELEGATION: Encoders<RevokeDelegationOptions> = { agentId: plain };

/** The options of `mintGrant()`. */
export interface MintGrantOptions extends Cancelable {
  /** The new grant's name, unlike any other of this credential. */
  label: string;
  /** Its limits. `defaultTtlSeconds` is refused: nobody is asked here. */
  grantPolicy?: GrantPolicyInput | null | undefined;
  /** Words for policies to go by. */
  grantTags?: readonly string[] | null | undefined;
}

export const MINT_GRANT: Encoders<MintGrantOptions> = { label: plain, grantPolicy: named, grantTags: plain };

/** The options of `delegate()`. */
export interface DelegateOptions extends Cancelable {
  /** Whether the other agent may delegate it on; as before, or not, if it is not given. */
  delegable?: boolean | null | undefined;
  /** 1 to 100 scopes to which the other agent is narrowed. */
  scopeConstraint?: readonly string[] | null | undefined;
  /** Ends after so many seconds, and never later than this agent's own. */
  ttlSeconds?: number | null | undefined;
}

export const DELEGATE: Encoders<DelegateOptions> = { delegable: plain, scopeConstraint: plain, ttlSeconds: plain };

/** The options of an agent's `createManagedSecretGrant()`. */
export interface CreateOwnManagedSecretGrantOptions extends Cancelable {
  /** The agent itself: `{ type: "agent" }`. */
  principal: AgentPrincipal;
  /** Time limits. */
  grantPolicy?: GrantPolicyInput | null | undefined;
}

export const CREATE_OWN_MANAGED_SECRET_GRANT: Encoders<CreateOwnManagedSecretGrantOptions> = {
  principal: named,
  grantPolicy: named,
};

/** The options of an application's `createManagedSecretGrant()`. */
export interface CreateManagedSecretGrantOptions extends Cancelable {
  /** Whom the grant is for: a user, a group, or the application itself. */
  principal: Principal;
  /** Time limits. */
  grantPolicy?: GrantPolicyInput | null | undefined;
  /** Which of the secret's credentials, if it has several. */
  credentialId?: string | null | undefined;
}

export const CREATE_MANAGED_SECRET_GRANT: Encoders<CreateManagedSecretGrantOptions> = {
  principal: named,
  grantPolicy: named,
  credentialId: plain,
};
