/** `keys`: API keys that are made of other API keys. */

import type { Cancelable } from "./aborting.js";
import { FORCE, type ForceOptions } from "./agents.js";
import { type Encoders, plain } from "./given.js";
import type { APIKeyInfo, MintedKey } from "./models/index.js";
import { Part } from "./part.js";

/** The options of `keys.derive()`. */
export interface DeriveKeyOptions extends Cancelable {
  /** What it may do: at least one scope, and no more than this client's key. */
  scopes: readonly string[];
  /** Seconds that it lives. */
  expiresIn: number;
  /** The address ranges from which it may be used; those of this client's key, if not given. */
  cidrAllowlist?: readonly string[] | null | undefined;
  /** A name for people. */
  name?: string | null | undefined;
  /** Whatever the application wants to keep with it. */
  metadata?: Record<string, unknown> | null | undefined;
  /** Most calls a minute; no more than this client's key. */
  rateLimitRpm?: number | null | undefined;
}

const DERIVE: Encoders<DeriveKeyOptions> = {
  scopes: plain,
  expiresIn: plain,
  cidrAllowlist: plain,
  name: plain,
  metadata: plain,
  rateLimitRpm: plain,
};

/** The options of `keys.rotate()`. */
export interface RotateKeyOptions extends Cancelable {
  /** How many days the old key still works, 0 to 30; 7 if not given. */
  overlapDays?: number | null | undefined;
}

const ROTATE: Encoders<RotateKeyOptions> = { overlapDays: plain };

interface Named {
  /** The key. */
  keyId: string;
}

/**
 * API keys: derive narrower ones, replace one, end one.
 *
 * Every method throws `AlterValueError` for an argument that is refused before anything is sent, `InsufficientScopeError` if this client's
 * key may not do it, and `BackendError` for whatever else the vault refuses.
 */
export class KeysNamespace extends Part {
  /**
   * Makes a short-lived key that may do less than this client's own.
   *
   * ```ts
   * const { apiKey } = await app.keys.derive({ scopes: ["tokens:retrieve"], expiresIn: 900 });
   * ```
   */
  derive(options: DeriveKeyOptions): Promise<MintedKey> {
    return this.operate("keys.derive", {}, DERIVE, options);
  }

  /** Makes the successor of a key. Both work for a while. */
  rotate(options: Named & RotateKeyOptions): Promise<MintedKey>;
  rotate(keyId: string, options?: RotateKeyOptions | null): Promise<MintedKey>;
  rotate(key: unknown, options?: unknown): Promise<MintedKey> {
    const [keyId, rest] = keyAndOptions(key, options);
    return this.operate("keys.rotate", { key_id: keyId }, ROTATE, rest);
  }

  /** Ends a key, and all that were derived from it; an agent's last one only with `force`. */
  revoke(options: Named & ForceOptions): Promise<APIKeyInfo>;
  revoke(keyId: string, options?: ForceOptions | null): Promise<APIKeyInfo>;
  revoke(key: unknown, options?: unknown): Promise<APIKeyInfo> {
    const [keyId, rest] = keyAndOptions(key, options);
    return this.operate("keys.revoke", { key_id: keyId }, FORCE, rest);
  }
}

/** The key's id, which may stand before the options or among them. */
function keyAndOptions(key: unknown, options: unknown): readonly [unknown, unknown] {
  if (options !== undefined || typeof key !== "object" || key === null || Array.isArray(key)) {
    return [key, options];
  }
  const { keyId, ...rest } = key as Partial<Named>;
  return [keyId, rest];
}
