/** Where a client's log lines go: the logger that the program gave, else the console. */

import { AlterSDKError } from "./errors.js";
import type { Line } from "./native.js";

/** Takes what a client has to say. Only `warn` is required; a logger that throws breaks no call. */
export interface AlterLogger {
  warn(message: string, ...args: unknown[]): void;
  info?(message: string, ...args: unknown[]): void;
  error?(message: string, ...args: unknown[]): void;
  debug?(message: string, ...args: unknown[]): void;
}

/** The console takes warnings; what is for whoever debugs the program is not for everybody's terminal. */
const usual: AlterLogger = { warn: (message) => console.warn(`alter: ${message}`) };

/** The loggers of this thread's clients, for as long as the clients are there. */
const loggers = new Map<number, AlterLogger>();
const gone = new FinalizationRegistry<number>((number) => loggers.delete(number));
let last = 0;

/** The logger to use for the option, refusing what cannot take a warning. */
export function checkLogger(logger: unknown): AlterLogger {
  if (logger === undefined || logger === null) {
    return usual;
  }
  if (typeof (logger as Partial<AlterLogger>).warn !== "function") {
    throw new AlterSDKError("logger must have a method warn(), as the console has.");
  }
  return logger as AlterLogger;
}

/** A number under which a logger is known; it is forgotten when `owner` is gone. */
export function register(logger: AlterLogger): number {
  last += 1;
  loggers.set(last, logger);
  return last;
}

/** Forgets a logger's number once nobody holds `owner` any more. */
export function forgetWith(owner: object, number: number): void {
  gone.register(owner, number);
}

/** Writes a line with its client's logger; that of a client which is gone, with the usual one. */
export function writeLine({ client, level, message }: Line): void {
  const logger = loggers.get(client) ?? usual;
  try {
    logger[level]?.(message);
  } catch {
    // What a logger throws must not reach a call that has nothing to do with it.
  }
}

/** Says that lines were lost. */
export function writeDropped(count: number): void {
  usual.warn(`${count} log lines were dropped: the event loop did not run for a while.`);
}
