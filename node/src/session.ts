/** What a client is inside: the engine's client, and what only JavaScript can give it. Never exported, and never reachable from a client. */

import { options as readOptions, text } from "./arguments.js";
import { queue } from "./bridge.js";
import { AlterSDKError, AlterValueError } from "./errors.js";
import { restore } from "./failure.js";
import { type AlterLogger, checkLogger, nextNumber, register } from "./logging.js";
import { type EngineClient, native } from "./native.js";

/** Returns the signed-in user's JWT. Asked for every call that brings no `userToken`. */
export type UserTokenGetter = () => string | Promise<string>;

/** What every client is made of. */
export interface SessionOptions {
  apiKey?: unknown;
  timeout?: unknown;
  caller?: unknown;
  callerType?: unknown;
  userTokenGetter?: unknown;
  logger?: unknown;
  baseUrl?: unknown;
}

/** The options of every client. */
export const CLIENT_OPTIONS = ["apiKey", "baseUrl", "timeout", "caller", "userTokenGetter", "logger"] as const;

/** A client's inside. */
export class Session {
  private constructor(
    readonly engine: EngineClient,
    readonly logger: AlterLogger,
    /** Replaced by `authenticate()`. */
    public userTokenGetter: UserTokenGetter | null,
    /** Under which log lines name this client. */
    private readonly number: number,
    /** A narrowed client works as long as anybody holds it, whether or not anybody holds the one it was made from. */
    readonly parent: Session | null = null,
  ) {
    if (parent === null) {
      register(this, number);
    }
  }

  /** Checks the options of a client and makes it; nothing is sent. */
  static open(kind: "app" | "agent", given: unknown, names: readonly string[]): Session {
    const options = readOptions<SessionOptions>(given, "the constructor", names);
    const getter = options.userTokenGetter ?? null;
    if (getter !== null && typeof getter !== "function") {
      throw new AlterSDKError("userTokenGetter must be a function that returns the signed-in user's JWT.");
    }
    const logger = checkLogger(options.logger);
    const number = nextNumber();
    const rest = JSON.stringify({
      timeout: milliseconds(options.timeout),
      caller: text(options.caller),
      callerType: text(options.callerType),
      baseUrl: text(options.baseUrl),
    });
    const engine = accepted(native.Client.open(queue, number, kind, key(options.apiKey), rest));
    return new Session(engine, logger, getter as UserTokenGetter | null, number);
  }

  /** A client that acts as an agent with this client's key. The user's token is not the agent's. */
  agent(agentId: unknown): Session {
    const id = text(agentId);
    if (id === undefined || "w" in id) {
      throw new AlterValueError("agentId must be text: the id that the agent was created with.");
    }
    const number = nextNumber();
    return new Session(accepted(this.engine.agent(queue, number, id.v)), this.logger, null, number);
  }

  /** A sibling whose every request is narrowed. */
  narrowed(narrowing: string): Session {
    const engine = accepted(this.engine.withConstraints(narrowing));
    return new Session(engine, this.logger, this.userTokenGetter, this.number, this);
  }
}

/** What the engine made, or the error that it gave instead. */
export function accepted<T extends object>(made: T | string): T {
  if (typeof made === "string") {
    throw restore(made);
  }
  return made;
}

function key(value: unknown): string {
  if (value === undefined || value === null) {
    return "";
  }
  if (typeof value !== "string") {
    throw new AlterValueError(`apiKey must be text, not ${typeof value}.`);
  }
  return value;
}

/** Milliseconds as the engine reads them, where `null` stands for no limit. */
function milliseconds(value: unknown): { v: number | null } | { w: string } | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== "number" || Number.isNaN(value)) {
    return { w: typeof value === "number" ? "NaN" : typeof value };
  }
  return { v: value === Number.POSITIVE_INFINITY ? null : value };
}
