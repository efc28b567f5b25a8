/** Waiting that an `AbortSignal` can end. */

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
