/**
 * Call third-party APIs with credentials that your code never sees.
 *
 * The vault keeps the credential; the engine fetches it, puts it into one request, and reports the call to the vault's audit log. What
 * your program holds is the id of a grant.
 *
 * @packageDocumentation
 */

export { Agent, type AgentOptions } from "./agent.js";
export { App, type AppOptions } from "./app.js";
export type { Cancelable, QueryParameters, QueryValue, RequestOptions, StringMap } from "./call.js";
export type { Constraints, RequestRule } from "./client.js";
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
export { isValidKey } from "./keys.js";
export type { AlterLogger } from "./logging.js";
export { RateLimitSnapshot, RetryErrorInfo, RetryInfo, type Wire } from "./models.js";
export type { AlterResponse } from "./response.js";
export type { UserTokenGetter } from "./session.js";
export { AlterVault, type AlterVaultOptions } from "./vault.js";
