/** `app.agents`: managed agents and their keys. */

import type { Cancelable } from "./aborting.js";
import { type Encoders, plain } from "./given.js";
import type {
  AgentCreateResult,
  AgentInfo,
  AgentKey,
  AgentKeyList,
  AgentKeyMintResult,
  AgentListResult,
} from "./models/index.js";
import { Part } from "./part.js";

/** The options of `agents.create()`. */
export interface AgentCreateOptions extends Cancelable {
  /** Unique in the application: lower case, digits, `-` and `_`. */
  name: string;
  /** What it may ask for: scopes by provider, and the slugs of stored secrets under `managed_secret_slugs`. Nothing if not given. */
  scopes?: Record<string, readonly string[]> | null | undefined;
  /** A name for people. */
  displayName?: string | null | undefined;
  /** `agent` if not given. */
  type?: "agent" | "service" | null | undefined;
  /** Whatever the application wants to keep with it. */
  metadata?: Record<string, unknown> | null | undefined;
  /** `requires_approval`, for calls that a person must approve. */
  policy?: Record<string, unknown> | null | undefined;
  /** Makes a repeated call give the same agent, without its key. */
  idempotencyKey?: string | null | undefined;
}

const CREATE: Encoders<AgentCreateOptions> = {
  name: plain,
  scopes: plain,
  displayName: plain,
  type: plain,
  metadata: plain,
  policy: plain,
  idempotencyKey: plain,
};

/** The options of `agents.list()`: which page. */
export interface AgentListOptions extends Cancelable {
  /** Whether to list those that were deleted, too. */
  includeRevoked?: boolean | null | undefined;
  /** At most so many, 1 to 1000; 100 if not given. */
  limit?: number | null | undefined;
  /** Leaves out so many; none if not given. */
  offset?: number | null | undefined;
}

const LIST: Encoders<AgentListOptions> = { includeRevoked: plain, limit: plain, offset: plain };

/** The options of `agents.update()`: what changes. What is not given stays as it is. */
export interface AgentUpdateOptions extends Cancelable {
  /** Its name for people. */
  displayName?: string | null | undefined;
  /** All of it. */
  metadata?: Record<string, unknown> | null | undefined;
  /** All that it may ask for. More counts at once, less after a time: see `scopesPending` of the result. */
  scopes?: Record<string, readonly string[]> | null | undefined;
  /** All of it. */
  policy?: Record<string, unknown> | null | undefined;
  /** Changes it only if it has this version. With `scopes` and without this, the version is read first. */
  expectedVersion?: number | null | undefined;
  /** How many seconds a narrowing waits, 0 to 604800. Only with `scopes`. */
  graceSeconds?: number | null | undefined;
}

const UPDATE: Encoders<AgentUpdateOptions> = {
  displayName: plain,
  metadata: plain,
  scopes: plain,
  policy: plain,
  expectedVersion: plain,
  graceSeconds: plain,
};

/** The options of calls that end a key. */
export interface ForceOptions extends Cancelable {
  /** Ends it even if it is an agent's last. */
  force?: boolean | null | undefined;
}

export const FORCE: Encoders<ForceOptions> = { force: plain };

/**
 * Managed agents: each has keys of its own, reaches what was delegated to it, and can be suspended.
 *
 * Every method throws `AlterValueError` for an argument that is refused before anything is sent, `AgentError` and its subclasses for what the
 * vault refuses, and `BackendError` for an answer that cannot be trusted.
 */
export class AgentsNamespace extends Part {
  /**
   * Makes an agent with a first key, which is shown this once.
   *
   * ```ts
   * const { apiKey } = await app.agents.create({ name: "email-assistant", scopes: { google: ["gmail.readonly"] } });
   * ```
   */
  create(options: AgentCreateOptions): Promise<AgentCreateResult> {
    return this.operate("agents.create", {}, CREATE, options);
  }

  /** One page of the application's agents. */
  list(options?: AgentListOptions | null): Promise<AgentListResult> {
    return this.operate("agents.list", {}, LIST, options);
  }

  /** An agent. */
  get(agentId: string, options?: Cancelable | null): Promise<AgentInfo> {
    return this.operate("agents.get", { agent_id: agentId }, {}, options);
  }

  /** The agent of a name; `null` if there is none. */
  getByName(name: string, options?: Cancelable | null): Promise<AgentInfo | null> {
    return this.operate("agents.get_by_name", { name }, {}, options);
  }

  /** Changes an agent. */
  update(agentId: string, options: AgentUpdateOptions): Promise<AgentInfo> {
    return this.operate("agents.update", { agent_id: agentId }, UPDATE, options);
  }

  /** Lets an agent do nothing until `resume()`. Its keys and grants stay. */
  suspend(agentId: string, options?: Cancelable | null): Promise<AgentInfo> {
    return this.operate("agents.suspend", { agent_id: agentId }, {}, options);
  }

  /** Ends a suspension. */
  resume(agentId: string, options?: Cancelable | null): Promise<AgentInfo> {
    return this.operate("agents.resume", { agent_id: agentId }, {}, options);
  }

  /** Ends an agent for good, and all of its keys. Doing it again is fine. */
  delete(agentId: string, options?: Cancelable | null): Promise<AgentInfo> {
    return this.operate("agents.delete", { agent_id: agentId }, {}, options);
  }

  /** Makes another key of an agent. It is shown this once. */
  mintKey(agentId: string, options?: Cancelable | null): Promise<AgentKeyMintResult> {
    return this.operate("agents.mint_key", { agent_id: agentId }, {}, options);
  }

  /** All keys of an agent, the oldest first, without the keys themselves. */
  listKeys(agentId: string, options?: Cancelable | null): Promise<AgentKeyList> {
    return this.operate("agents.list_keys", { agent_id: agentId }, {}, options);
  }

  /** Has whoever uses a key warned that it will end. It works on. */
  deprecateKey(agentId: string, keyId: string, options?: Cancelable | null): Promise<AgentKey> {
    return this.operate("agents.deprecate_key", { agent_id: agentId, key_id: keyId }, {}, options);
  }

  /** Takes such a warning back. */
  undeprecateKey(agentId: string, keyId: string, options?: Cancelable | null): Promise<AgentKey> {
    return this.operate("agents.undeprecate_key", { agent_id: agentId, key_id: keyId }, {}, options);
  }

  /** Ends a key for good; the agent's last one only with `force`. */
  revokeKey(agentId: string, keyId: string, options?: ForceOptions | null): Promise<AgentKey> {
    return this.operate("agents.revoke_key", { agent_id: agentId, key_id: keyId }, FORCE, options);
  }
}
