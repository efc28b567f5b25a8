/** The options of the calls about who is signed in, and how each goes to the engine. */

import type { Cancelable } from "./aborting.js";
import { type Encoders, milliseconds, plain } from "./given.js";

/** How long to wait for a person. */
export interface PollOptions extends Cancelable {
  /** Milliseconds to wait; 300000 if not given. */
  timeout?: number | null | undefined;
  /** Milliseconds between two questions; 2000 if not given. */
  pollInterval?: number | null | undefined;
}

export const POLL: Encoders<PollOptions> = { timeout: milliseconds, pollInterval: milliseconds };

/** The options of `authenticate()`. */
export interface AuthenticateOptions extends Cancelable {
  /** Milliseconds to wait; 300000 if not given. */
  timeout?: number | null | undefined;
}

export const AUTHENTICATE: Encoders<AuthenticateOptions> = { timeout: milliseconds };

/** The options of `resolveIdentity()`. */
export interface ResolveIdentityOptions extends Cancelable {
  /** The user's JWT; otherwise `userTokenGetter` is asked. */
  userToken?: string | null | undefined;
  /** Whether to give the user's e-mail address and name. */
  includeProfile?: boolean | null | undefined;
}

export const RESOLVE_IDENTITY: Encoders<ResolveIdentityOptions> = { userToken: plain, includeProfile: plain };

/** Which user an agent speaks for. */
export interface OnBehalfOf {
  /** The vault's id of the user. */
  appUserId?: string | null | undefined;
}

export const ON_BEHALF_OF: Encoders<OnBehalfOf> = { appUserId: plain };

/** The options of `assertIdentity()`. */
export interface AssertIdentityOptions extends ResolveIdentityOptions {
  /** The URI of the service that will verify it: 1 to 512 characters. */
  audience: string;
  /** How long it lives: 10 to 300 seconds. */
  ttlSeconds?: number | null | undefined;
}

export const ASSERT_IDENTITY: Encoders<AssertIdentityOptions> = {
  ...RESOLVE_IDENTITY,
  audience: plain,
  ttlSeconds: plain,
};

/** What an assertion must be about, and who must have signed it. */
export interface VerifyIdentityAssertionOptions {
  /** The vault that must have signed it. */
  issuer: string;
  /** The URI of this service. */
  audience: string;
  /** The vault's public keys, as its JWKS address gives them. */
  jwks: Readonly<Record<string, unknown>>;
  /** The application that it must be about. */
  expectedAppId: string;
  /** The agent that must act; any, or none, if it is not given. */
  expectedAgentId?: string | null | undefined;
}

export const VERIFY_IDENTITY_ASSERTION: Encoders<VerifyIdentityAssertionOptions> = {
  issuer: plain,
  audience: plain,
  jwks: plain,
  expectedAppId: plain,
  expectedAgentId: plain,
};
