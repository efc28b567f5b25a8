/** Memory of an agent for one user, in a store of the application's own. */

import { options as readOptions } from "./arguments.js";
import { AlterValueError } from "./errors.js";
import { type IdentityContext, MemoryScope } from "./models/index.js";
import { trusted } from "./models/model.js";
import { checkResult, namespaceFor, scopeOf } from "./trust.js";

/** What a store gives back. */
export interface MemoryItem {
  readonly namespace: readonly string[];
  readonly key: string;
  readonly value: Record<string, unknown>;
}

/** How a search is made; the store says what `query` and `filter` mean. */
export interface MemorySearchOptions {
  query?: string;
  filter?: Record<string, unknown>;
  /** At most so many; 10 if not given. */
  limit?: number;
  /** Leaves out so many. */
  offset?: number;
}

/** The part of a LangGraph store that is used. */
export interface NamespaceStore {
  get(namespace: string[], key: string): Promise<MemoryItem | null>;
  put(namespace: string[], key: string, value: Record<string, unknown>): Promise<void>;
  delete(namespace: string[], key: string): Promise<void>;
  search(namespacePrefix: string[], options?: MemorySearchOptions): Promise<MemoryItem[]>;
  listNamespaces(options: { prefix: string[]; limit?: number; offset?: number }): Promise<string[][]>;
}

/** The options of a `ScopedMemoryStore`. */
export interface ScopedMemoryStoreOptions {
  /** Asks for the same identity anew. */
  refreshIdentity?: (() => Promise<IdentityContext>) | undefined;
  /** The agent's own memory, of an identity without a user. */
  agentOnly?: boolean | undefined;
}

/**
 * A store that holds one agent's memory for one user, and cannot be asked for anybody else's.
 *
 * ```ts
 * const identity = await agent.resolveIdentity({ userToken });
 * const memory = new ScopedMemoryStore(store, identity, { refreshIdentity: () => agent.resolveIdentity({ userToken }) });
 * await memory.put(["notes"], "coffee", { text: "black" });
 * ```
 *
 * Every call proves the identity again: by asking `refreshIdentity`, or, without it, by the end of the assertion that the identity is from.
 * What the store gives is checked; its own exceptions pass through.
 */
export class ScopedMemoryStore {
  /** Where this memory is kept. */
  readonly scope: MemoryScope;
  readonly #store: NamespaceStore;
  readonly #identity: IdentityContext;
  readonly #refresh: (() => unknown) | undefined;
  readonly #agentOnly: unknown;

  /**
   * @throws MemoryIsolationError - The identity has no memory of its own, or does not hold any more; `code` says why.
   * @throws AlterValueError - An option is of a wrong type.
   */
  constructor(store: NamespaceStore, identity: IdentityContext, options?: ScopedMemoryStoreOptions) {
    const { refreshIdentity, agentOnly } = readOptions<ScopedMemoryStoreOptions>(options, "ScopedMemoryStore()", [
      "refreshIdentity",
      "agentOnly",
    ]);
    if (refreshIdentity !== undefined && typeof refreshIdentity !== "function") {
      throw new AlterValueError("refreshIdentity must be a function that asks for the identity.");
    }
    this.scope = new MemoryScope(trusted(scopeOf(identity, { needsEnd: refreshIdentity === undefined, agentOnly })));
    this.#store = store;
    this.#identity = identity;
    this.#refresh = refreshIdentity;
    this.#agentOnly = agentOnly;
  }

  /** Sees that the identity still holds. */
  async #prove(): Promise<void> {
    const { partitionKey: partition } = this.scope;
    const how = { agentOnly: this.#agentOnly, partition };
    if (this.#refresh === undefined) {
      scopeOf(this.#identity, how);
      return;
    }
    const askedAt = performance.now();
    scopeOf(await this.#refresh(), { ...how, askedAt });
  }

  /** What is kept under a key; `null` if there is nothing. */
  async get(path: readonly string[], key: string): Promise<MemoryItem | null> {
    const namespace = namespaceFor(this.scope.namespace, { path, key: key ?? "" });
    await this.#prove();
    const item = (await this.#store.get([...namespace], key)) ?? null;
    if (item !== null) {
      checkResult(namespace, item.namespace, { key, foundKey: item.key });
    }
    return item;
  }

  /** Keeps a value under a key. */
  async put(path: readonly string[], key: string, value: Record<string, unknown>): Promise<void> {
    const namespace = namespaceFor(this.scope.namespace, { path, key: key ?? "", value: value ?? null });
    await this.#prove();
    await this.#store.put([...namespace], key, value);
  }

  /** Forgets what is kept under a key. */
  async delete(path: readonly string[], key: string): Promise<void> {
    const namespace = namespaceFor(this.scope.namespace, { path, key: key ?? "" });
    await this.#prove();
    await this.#store.delete([...namespace], key);
  }

  /** Looks for items at a path and below it. */
  async search(path: readonly string[] = [], options: MemorySearchOptions = {}): Promise<MemoryItem[]> {
    const { query, filter, limit = 10, offset = 0 } = options;
    const namespace = namespaceFor(this.scope.namespace, { path, query, filter, limit, offset });
    await this.#prove();
    const how = {
      ...(query === undefined ? {} : { query }),
      ...(filter === undefined ? {} : { filter }),
      limit,
      offset,
    };
    const items = await this.#store.search([...namespace], how);
    for (const item of items) {
      checkResult(namespace, item?.namespace, { prefix: true });
    }
    return items;
  }

  /** The namespaces at a path and below it. */
  async listNamespaces(
    path: readonly string[] = [],
    options: { limit?: number; offset?: number } = {},
  ): Promise<string[][]> {
    const { limit = 100, offset = 0 } = options;
    const prefix = [...namespaceFor(this.scope.namespace, { path, limit, offset })];
    await this.#prove();
    const found = await this.#store.listNamespaces({ prefix, limit, offset });
    for (const namespace of found) {
      checkResult(prefix, namespace, { prefix: true });
    }
    return found;
  }
}
