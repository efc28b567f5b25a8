/** Where a client's log lines go: the logger that the program gave, else the console. */

import { AlterSDKError } from "./errors.js";
import { inTypeScript } from "./names.js";
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

/** This thread's clients, for as long as they are there: a logger may hold its client, so neither is held from here. */
const clients = new Map<number, WeakRef<{ readonly logger: AlterLogger }>>();
const gone = new FinalizationRegistry<number>((number) => clients.delete(number));
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

/** A number for a new client. */
export function nextNumber(): number {
  last += 1;
  return last;
}

/** Gives the lines of a client to its logger, until nobody holds the client any more. */
export function register(client: { readonly logger: AlterLogger }, number: number): void {
  clients.set(number, new WeakRef(client));
  gone.register(client, number);
}

/**
 * Writes a line with its client's logger; that of a client which is gone, with the usual one. What the program's author should change is
 * a warning of the process, which Node shows with where it came from if it is asked to.
 */
export function writeLine({ client, level, message }: Line): void {
  if (level === "deprecation") {
    process.emitWarning(inTypeScript(message), "DeprecationWarning");
    return;
  }
  const logger = clients.get(client)?.deref()?.logger ?? usual;
  write(logger, level, message);
}

/** Says something of this package's own. */
export function warn(logger: AlterLogger, message: string): void {
  write(logger, "warn", message);
}

function write(logger: AlterLogger, level: "debug" | "warn", message: string): void {
  try {
    logger[level]?.(message);
  } catch {
    // What a logger throws must not reach a call that has nothing to do with it.
  }
}

/** Says that lines were lost. */
export function writeDropped(count: number): void {
  warn(usual, `${count} log lines were dropped: the event loop did not run for a while.`);
}
