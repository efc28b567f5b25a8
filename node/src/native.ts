/** The addon with the engine: how it is found, and what it offers. */

import { existsSync } from "node:fs";
import { join } from "node:path";

/** An operation that ended. */
export interface Outcome {
  number: number;
  failed: boolean;
  text: string;
  body?: Uint8Array;
}

/** Something that a client has to say. */
export interface Line {
  client: number;
  level: "debug" | "warn" | "deprecation";
  message: string;
}

/** Something that happened while an operation goes on. */
export interface Notice {
  number: number;
  text: string;
}

/** Everything that happened since the last wake-up. */
export interface Batch {
  notices: Notice[];
  outcomes: Outcome[];
  lines: Line[];
  dropped: number;
}

/** The completion queue of this thread. */
export interface Queue {
  drain(): Batch;
  cancel(operation: number): void;
}

/** A client of the engine. A method that refuses its arguments gives JSON text of the error. */
export interface EngineClient {
  agent(queue: Queue, number: number, agentId: string): EngineClient | string;
  withConstraints(narrowing: string): EngineClient | string;
  prepare(request: string, json?: string, body?: Uint8Array): Prepared | string;
  operation(name: string, args: string, surroundings: string): PreparedOperation | string;
  close(queue: Queue): number;
  readonly isClosed: boolean;
  readonly baseUrl: string;
  readonly caller: string | null;
  readonly actorId: string | null;
  readonly lastRetryInfo: string | null;
  readonly lastRateLimit: [limit: number, remaining: number, resetAt: number] | null;
}

/** A call that passed every local check. */
export interface Prepared {
  readonly wantsUserToken: boolean;
  setUserToken(token?: string): string | null;
  userTokenFailed(): string;
  send(queue: Queue): number;
}

/** An operation that passed every local check. It is sent part by part until it is done. */
export interface PreparedOperation extends Prepared {
  abandon(): void;
}

/** What was read, or JSON text of the error. */
export interface Reading {
  failed: boolean;
  text: string;
}

interface Addon {
  isValidKey(text: string): boolean;
  isSensitiveHeader(name: string): boolean;
  readModel(name: string, text: string): Reading;
  localCall(name: string, args: string): Reading;
  verifyIdentityAssertion(args: string): Reading;
  Queue: { open(wake: () => void): Queue };
  Client: {
    open(queue: Queue, number: number, kind: "app" | "agent", apiKey: string, options: string): EngineClient | string;
  };
}

/** The oldest Node that the package runs on. */
const OLDEST_NODE = 20;

function load(): Addon {
  const version = typeof process === "object" ? process.versions?.node : undefined;
  if (version === undefined) {
    throw new Error(
      "@alter-ai/alter-sdk runs on servers only: it needs Node.js, and an API key has no place in a browser.",
    );
  }
  if (Number.parseInt(version, 10) < OLDEST_NODE) {
    throw new Error(`@alter-ai/alter-sdk needs Node.js ${OLDEST_NODE} or newer; this is ${version}.`);
  }
  const names = addonNames();
  const causes: unknown[] = [];
  for (const path of names.map((name) => join(__dirname, "..", name)).filter((path) => existsSync(path))) {
    try {
      return require(path) as Addon;
    } catch (cause) {
      causes.push(cause);
    }
  }
  const why = causes.length === 0 ? `${names.join(" or ")} is missing from the package` : causes.join("; ");
  throw new Error(`@alter-ai/alter-sdk has no engine for this machine: ${why}.`);
}

/** The addon's file names for this system. Of the two for Linux, the one for another C library does not load. */
function addonNames(): string[] {
  const base = `alter.${process.platform}-${process.arch}`;
  return process.platform === "linux" ? [`${base}-gnu.node`, `${base}-musl.node`] : [`${base}.node`];
}

/** The addon. One instance serves ESM and CommonJS alike. */
export const native = load();
