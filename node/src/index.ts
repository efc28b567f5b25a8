/**
 * Call third-party APIs with credentials that your code never sees.
 *
 * The vault keeps the credential; the engine fetches it, puts it into one request, and reports the call to the vault's audit log. What
 * your program holds is the id of a grant.
 *
 * @packageDocumentation
 */

export type { Cancelable } from "./aborting.js";
export { Agent, type AgentOptions } from "./agent.js";
export {
  type AgentCreateOptions,
  type AgentListOptions,
  AgentsNamespace,
  type AgentUpdateOptions,
  type ForceOptions,
} from "./agents.js";
export { type DeriveKeyOptions, KeysNamespace, type RotateKeyOptions } from "./api-keys.js";
export { App, type AppOptions } from "./app.js";
export type { QueryParameters, QueryValue, RequestOptions, StringMap } from "./call.js";
export {
  type ListOperationsOptions,
  type OAuthProviderListOptions,
  OAuthProvidersNamespace,
  ProviderSpecsNamespace,
  ScopesNamespace,
} from "./catalogues.js";
export type { Constraints, RequestRule } from "./client.js";
export type {
  AgentManagedSecretConnectSessionOptions,
  ConnectMetadata,
  ConnectOptions,
  ConnectPollEvent,
  CreateConnectSessionOptions,
  ManagedSecretConnectSessionOptions,
  PollConnectSessionOptions,
  RequestedGrant,
  SessionRecoveryOptions,
} from "./connect-options.js";
export { ActorType, CallerType, HttpMethod, Provider, type ProviderId } from "./enums.js";
export {
  type CredentialChoice,
  type Details,
  type GrantCandidate,
  MEMORY_ISOLATION_CODES,
  type MemoryIsolationCode,
  RATE_LIMIT_SCOPE_VALUES,
  type RateLimitScope,
} from "./error-parts.js";
export * from "./errors.js";
export type {
  CreateManagedSecretGrantOptions,
  CreateOwnManagedSecretGrantOptions,
  DelegateOptions,
  ListGrantsOptions,
  MintGrantOptions,
  RevokeDelegationOptions,
  RevokeGrantOptions,
} from "./grant-options.js";
export { verifyIdentityAssertion } from "./identity.js";
export type {
  AssertIdentityOptions,
  AuthenticateOptions,
  OnBehalfOf,
  PollOptions,
  ResolveIdentityOptions,
  VerifyIdentityAssertionOptions,
} from "./identity-options.js";
export { isValidKey } from "./keys.js";
export type { AlterLogger } from "./logging.js";
export {
  type MemoryItem,
  type MemorySearchOptions,
  type NamespaceStore,
  ScopedMemoryStore,
  type ScopedMemoryStoreOptions,
} from "./memory.js";
export * from "./models/index.js";
export type {
  ApprovalStatusOptions,
  AwaitApprovalOptions,
  ProxyCall,
  ProxyRequestOptions,
} from "./proxy-options.js";
export type { AlterResponse } from "./response.js";
export {
  type ContentMatchEffect,
  type ContentMatchFamily,
  type ContentMatchRuleOptions,
  type ContentParamCondition,
  type ContentParamOp,
  contentMatchRule,
  type TimeWindow,
  type TimeWindows,
} from "./rules.js";
export type { UserTokenGetter } from "./session.js";
export { SpansNamespace } from "./spans.js";
export type { TraceOptions } from "./trace.js";
export { AlterVault, type AlterVaultOptions } from "./vault.js";
