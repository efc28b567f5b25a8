/** Verifying who another service's caller is. */

import { restore } from "./failure.js";
import { encode, plain } from "./given.js";
import { VERIFY_IDENTITY_ASSERTION, type VerifyIdentityAssertionOptions } from "./identity-options.js";
import { IdentityContext } from "./models/index.js";
import { trusted, type Wire } from "./models/model.js";
import { native } from "./native.js";
import { trust } from "./trust.js";

/**
 * The identity that a signed token of `assertIdentity()` proves. Nothing is sent, and nothing is remembered: whoever must not take the same
 * token twice has to keep its `jti`.
 *
 * @returns `appId`, `agentId`, `appUserId` and `userStatus`. Everything else of the token is left out.
 * @throws AlterValueError - An argument is missing or of a wrong type.
 * @throws MemoryIsolationError - The token is not accepted; `details.reason` says why in a word.
 */
export function verifyIdentityAssertion(token: string, options: VerifyIdentityAssertionOptions): IdentityContext {
  const args = encode("verifyIdentityAssertion()", VERIFY_IDENTITY_ASSERTION, options);
  const { failed, text } = native.verifyIdentityAssertion(JSON.stringify([plain("token", token), ...args]));
  if (failed) {
    throw restore(text);
  }
  return trust(new IdentityContext(trusted(JSON.parse(text) as Wire)), endOf(token));
}

/** The `exp` claim of a token that has been verified. */
function endOf(token: string): number {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
  return claims.exp;
}
