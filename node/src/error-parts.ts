/** What errors carry besides text and numbers. */

/** Facts that came with an error. */
export type Details = Record<string, unknown>;

/** Every code of a `MemoryIsolationError`. */
export const MEMORY_ISOLATION_CODES = [
  "memory_identity_unverified",
  "memory_live_refresh_required",
  "memory_refresh_not_live",
  "memory_identity_expired",
  "memory_assertion_invalid",
  "memory_agent_required",
  "memory_user_required",
  "memory_user_not_active",
  "memory_user_cannot_be_dropped",
  "memory_identity_changed",
  "memory_store_scope_violation",
] as const;

/** The code of a `MemoryIsolationError`. */
export type MemoryIsolationCode = (typeof MEMORY_ISOLATION_CODES)[number];

/** What a rate limit can be counted for. */
export const RATE_LIMIT_SCOPE_VALUES = ["ip", "api_key", "organization"] as const;

/** What a rate limit is counted for. */
export type RateLimitScope = (typeof RATE_LIMIT_SCOPE_VALUES)[number];

/** One of the grants that an ambiguous call could have meant. */
export interface GrantCandidate {
  readonly grantId: string;
  readonly label: string | null;
  readonly accountIdentifier: string | null;
  readonly accountDisplayName: string | null;
}

/** One of the credentials that could be used. */
export interface CredentialChoice {
  readonly credentialId: string;
  readonly label: string;
}

/** A plain object as it is, anything else as `{}`. */
export function plainDetails(details: unknown): Details {
  return isPlainObject(details) ? details : {};
}

/** Whether a value is an object as a literal makes it: no class, no array. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object from another realm (`node:vm`, a test runner) has that realm's own Object.prototype.
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

/** What a vault's answer says about missing scopes. A field of a wrong type counts as absent. */
export function insufficientScopeFields(body: Details) {
  const texts = (name: string): string[] => {
    const value = body[name];
    return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
  };
  const whole = (name: string): number | null => {
    const value = body[name];
    return Number.isInteger(value) ? (value as number) : null;
  };
  const url = body["documentation_url"];
  return {
    required: texts("required"),
    granted: texts("granted"),
    missing: texts("missing"),
    scopeVersion: whole("scope_version"),
    currentScopeVersion: whole("current_scope_version"),
    scopeVersionMismatch: body["scope_version_mismatch"] === true,
    documentationUrl: typeof url === "string" ? url : null,
    requiredAnyOf: body["required_any_of"] === true,
  };
}
