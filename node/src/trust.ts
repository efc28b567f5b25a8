/** Which identities this process has from the vault, and what the engine makes of them. */

import { type Argument, plain } from "./given.js";
import { localCall } from "./local.js";
import type { IdentityAssertion, IdentityContext } from "./models/identity.js";
import { moment, type Wire } from "./models/model.js";

/** What is known about one identity object. */
interface Known {
  /** In Unix seconds; `null` for one that only asking again could end. */
  ends: number | null;
  /** On the clock that nobody sets, in milliseconds. */
  made: number;
}

// By the object itself and not by its value: whoever builds an equal one has not asked the vault.
const known = new WeakMap<object, Known>();

/** Notes that the vault gave this very object. */
export function trust<T extends IdentityContext>(identity: T, ends: number | null = null): T {
  known.set(identity, { ends, made: performance.now() });
  return identity;
}

/** Notes that the vault gave the identity of this assertion, until the assertion ends. */
export function trustedAssertion(assertion: IdentityAssertion): IdentityAssertion {
  trust(assertion.identity, Math.floor((moment(assertion.expiresAt)?.getTime() ?? 0) / 1000));
  return assertion;
}

/** What else the engine has to know. */
export interface Circumstances {
  /** When a call began that asked for the identity. */
  askedAt?: number;
  /** Whether only an identity will do that ends by itself. */
  needsEnd?: boolean;
  agentOnly?: unknown;
  /** The partition that it must be of. */
  partition?: string;
}

/** The scope of an identity, as its model reads it. */
export function scopeOf(identity: unknown, { askedAt, needsEnd, agentOnly, partition }: Circumstances): Wire {
  const record = typeof identity === "object" && identity !== null ? known.get(identity) : undefined;
  const args: Argument[] = agentOnly === undefined || agentOnly === null ? [] : [plain("agentOnly", agentOnly)];
  args.push(plain("verified", record !== undefined));
  if (record !== undefined) {
    const { appId, agentId, appUserId, userStatus } = identity as IdentityContext;
    args.push(...Object.entries({ appId, agentId, appUserId, userStatus }).map(([name, value]) => plain(name, value)));
    args.push(plain("expired", record.ends !== null && Date.now() >= record.ends * 1000));
    args.push(plain("endless", needsEnd === true && record.ends === null));
    args.push(plain("stale", askedAt !== undefined && record.made < askedAt));
  }
  return localCall("memory_scope", [...args, plain("partition", partition)]) as Wire;
}

/** A namespace with a path added, once all arguments of the call are judged. */
export function namespaceFor(namespace: readonly string[], call: Record<string, unknown>): readonly string[] {
  const given = Object.entries(call).filter(([, value]) => value !== undefined);
  const args = given.map(([name, value]) => plain(name, value));
  return Object.freeze(localCall("memory_namespace", [plain("namespace", namespace), ...args]) as string[]);
}

/** Refuses what a store gave of another namespace. */
export function checkResult(namespace: readonly string[], found: unknown, more: Record<string, unknown>): void {
  const args = Object.entries(more).map(([name, value]) => plain(name, value));
  localCall("memory_result", [plain("namespace", namespace), plain("found", found), ...args]);
}
