/** Waiting that an `AbortSignal` can end. */

import { typeName } from "./arguments.js";
import { AlterValueError } from "./errors.js";

/** What can be given up. */
export interface Cancelable {
  /** Aborting it gives the call up: its connection is closed and the promise rejects with the signal's reason. */
  signal?: AbortSignal | null | undefined;
}

/** The signal of a call, refusing what is none. */
export function checkSignal(signal: unknown): AbortSignal | null {
  if (signal === undefined || signal === null) {
    return null;
  }
  // Not instanceof: a polyfill's signal, or one of another realm, does as well.
  const like = signal as Partial<AbortSignal>;
  if (typeof like.addEventListener !== "function" || typeof like.throwIfAborted !== "function") {
    throw new AlterValueError(`signal must be an AbortSignal, not ${typeName(signal)}.`);
  }
  return signal as AbortSignal;
}

/** Who is to be told of which signal. One listener a signal: Node warns of a leak when there are more than ten. */
const watchers = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `stop` when the signal aborts; gives the function that takes that back. */
function watch(signal: AbortSignal, stop: () => void): () => void {
  let stops = watchers.get(signal);
  if (stops === undefined) {
    stops = new Set();
    watchers.set(signal, stops);
    signal.addEventListener("abort", tellAll);
  }
  stops.add(stop);
  return () => {
    stops.delete(stop);
    if (stops.size === 0 && watchers.get(signal) === stops) {
      // The signal may live as long as the program; nothing of a call that has ended may stay with it.
      watchers.delete(signal);
      signal.removeEventListener("abort", tellAll);
    }
  };
}

function tellAll(this: AbortSignal): void {
  for (const stop of [...(watchers.get(this) ?? [])]) {
    stop();
  }
}

/** Waits for a promise, or rejects with the signal's reason as soon as it aborts, after `onAbort` was called. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, onAbort?: () => void): Promise<T> {
  let unwatch: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    unwatch = watch(signal, () => {
      onAbort?.();
      reject(signal.reason);
    });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    unwatch();
  }
}
