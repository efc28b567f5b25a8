/**
 * The TypeScript half of the bridge to the engine.
 *
 * The engine's threads never touch JavaScript. What they finish waits in this thread's queue; one wake-up of the event loop takes the
 * whole queue. Each thread (the main one, a worker) has a queue of its own.
 */

import { unlessAborted } from "./aborting.js";
import { AlterSDKError } from "./errors.js";
import { restore } from "./failure.js";
import { writeDropped, writeLine } from "./logging.js";
import { native, type Outcome, type Queue } from "./native.js";

/** Who waits for which operation. */
const waiting = new Map<number, (outcome: Outcome) => void>();

/** Who is told what happens while an operation goes on. */
const listening = new Map<number, Listener>();

/** Gets JSON text of what happens. It must not throw. */
export type Listener = (text: string) => void;

/** This thread's queue. */
export const queue: Queue = native.Queue.open(() => {
  const { notices, outcomes, lines, dropped } = queue.drain();
  for (const line of lines) {
    writeLine(line);
  }
  if (dropped > 0) {
    writeDropped(dropped);
  }
  for (const notice of notices) {
    listening.get(notice.number)?.(notice.text);
  }
  for (const outcome of outcomes) {
    const resolve = waiting.get(outcome.number);
    forget(outcome.number);
    resolve?.(outcome);
  }
});

/**
 * Runs one operation of the engine.
 *
 * Aborting the signal gives the operation up, which closes its connection, and rejects with the signal's reason. `started` gets a function
 * that gives it up in silence: the promise is never settled.
 */
export async function run(
  start: (queue: Queue) => number,
  signal: AbortSignal | null = null,
  listener: Listener | null = null,
  started: ((giveUp: () => void) => void) | null = null,
): Promise<Outcome> {
  signal?.throwIfAborted();
  const operation = begin(start);
  started?.(() => giveUp(operation));
  if (listener !== null) {
    listening.set(operation, listener);
  }
  const ended = new Promise<Outcome>((resolve) => waiting.set(operation, resolve));
  const outcome = signal === null ? await ended : await unlessAborted(ended, signal, () => giveUp(operation));
  if (outcome.failed) {
    // Made here and not where it arrived, so that its stack leads to whoever awaits the call.
    throw restore(outcome.text);
  }
  return outcome;
}

function begin(start: (queue: Queue) => number): number {
  try {
    return start(queue);
  } catch (cause) {
    throw new AlterSDKError(cause instanceof Error ? cause.message : String(cause));
  }
}

function giveUp(operation: number): void {
  forget(operation);
  queue.cancel(operation);
}

function forget(operation: number): void {
  waiting.delete(operation);
  listening.delete(operation);
}
