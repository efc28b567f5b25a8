/** The trace that a program's calls belong to: its context goes with each of them. */

import { AsyncLocalStorage } from "node:async_hooks";

import type { StringMap } from "./call.js";
import { type Argument, type Encoders, encode, plain } from "./given.js";
import { localCall } from "./local.js";

/** The options of `agent.trace()`. */
export interface TraceOptions {
  /** The run. */
  runId?: string | null | undefined;
  /** The conversation. */
  threadId?: string | null | undefined;
  /** The agent that this one works for: that of the trace around, if it is not given; `null` for none. */
  parent?: string | null | undefined;
  /** At most 20 further texts. */
  metadata?: StringMap | null | undefined;
}

const TRACE: Encoders<TraceOptions> = { runId: plain, threadId: plain, parent: plain, metadata: plain };

const storage = new AsyncLocalStorage<Readonly<StringMap>>();

/** The context of the trace around, in its order. */
export function surroundings(): [string, string][] {
  return Object.entries(storage.getStore() ?? {});
}

/** Runs something within a trace of an agent's. */
export async function within<T>(agent: string, options: unknown, callback: () => T | Promise<T>): Promise<T> {
  const args = encode("trace()", TRACE, options);
  const none: Argument[] = (options as TraceOptions | null)?.parent === null ? [["parent", null]] : [];
  const around = plain("surroundings", { ...storage.getStore() });
  const context = localCall("trace_context", [plain("agent", agent), around, ...args, ...none]);
  return await storage.run(context as StringMap, callback);
}
