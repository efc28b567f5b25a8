/** Running the engine's operations, and making objects of what they give. */

import { unlessAborted } from "./aborting.js";
import { text, typeName } from "./arguments.js";
import { type Listener, run } from "./bridge.js";
import { restore } from "./failure.js";
import type { Argument } from "./given.js";
import { type AlterLogger, warn } from "./logging.js";
import { trusted, type Wire } from "./models/model.js";
import { classes } from "./models/registry.js";
import { camelObject } from "./names.js";
import type { Prepared, PreparedOperation } from "./native.js";
import { accepted, type Session, type UserTokenGetter } from "./session.js";
import { surroundings } from "./trace.js";
import { show, waiting } from "./visit.js";

/** What a part of an operation came to, as `bindings/node/src/operations.rs` writes it. */
type Part =
  | { text: string | null }
  | { one: [model: keyof typeof classes, fields: Wire] }
  | { many: [model: keyof typeof classes, entries: Wire[]] }
  | { again: true }
  | { visit: { url: string; openBrowser: boolean } };

/** Gets what happens while a call goes on. */
export type EventListener = (event: never) => unknown;

/** Runs an operation to its end: asks for the user's token, and sends a person to an address. */
export async function operate(
  session: Session,
  name: string,
  args: readonly Argument[],
  signal: AbortSignal | null,
  listener: EventListener | null,
): Promise<unknown> {
  const operation = accepted(session.engine.operation(name, JSON.stringify(args), JSON.stringify(surroundings())));
  const tell = listener && telling(listener, session.logger);
  for (;;) {
    const part = await send(session, operation, signal, tell);
    if ("visit" in part) {
      return await visit(session, operation, part.visit, signal, tell);
    }
    if (!("again" in part)) {
      return result(part);
    }
  }
}

async function send(
  session: Session,
  operation: PreparedOperation,
  signal: AbortSignal | null,
  tell: Listener | null,
  started: ((giveUp: () => void) => void) | null = null,
): Promise<Part> {
  await askForUserToken(operation, session.userTokenGetter, signal);
  const outcome = await run((queue) => operation.send(queue), signal, tell, started);
  return JSON.parse(outcome.text) as Part;
}

/** Sends a person to an address, and waits for what the person does. */
async function visit(
  session: Session,
  operation: PreparedOperation,
  { url, openBrowser }: { url: string; openBrowser: boolean },
  signal: AbortSignal | null,
  tell: Listener | null,
): Promise<unknown> {
  let giveUp = () => {};
  const started = (how: () => void) => {
    giveUp = how;
  };
  const stop = async () => {
    giveUp();
    // A client is closed once its last words have reached the vault; a narrowed one has none of its own.
    const { engine } = session.parent ?? session;
    await run((queue) => engine.close(queue));
  };
  try {
    await show(url, openBrowser);
    return result(await waiting(() => send(session, operation, signal, tell, started), stop));
  } finally {
    // Whatever kept it from being waited for, the vault shall know that nobody waits. Nothing is left of one that was.
    operation.abandon();
  }
}

function result(part: Part): unknown {
  if ("one" in part) {
    const [model, fields] = part.one;
    return new classes[model](trusted(fields));
  }
  if ("many" in part) {
    const [model, entries] = part.many;
    return entries.map((fields) => new classes[model](trusted(fields)));
  }
  return "text" in part ? part.text : null;
}

/** Asks for the user's token, if the call wants one and there is somebody to ask. */
export async function askForUserToken(
  prepared: Prepared,
  getter: UserTokenGetter | null,
  signal: AbortSignal | null,
): Promise<void> {
  if (getter === null || !prepared.wantsUserToken) {
    return;
  }
  signal?.throwIfAborted();
  const asked = tokenFrom(prepared, getter);
  const token = text(signal === null ? await asked : await unlessAborted(asked, signal));
  const refused = prepared.setUserToken(token !== undefined && "v" in token ? token.v : undefined);
  if (refused !== null) {
    throw restore(refused);
  }
}

/** What the getter gives. What it throws may hold the token, so it goes no further. */
async function tokenFrom(prepared: Prepared, getter: UserTokenGetter): Promise<unknown> {
  try {
    return await getter();
  } catch {
    throw restore(prepared.userTokenFailed());
  }
}

/** Hands events on to a listener. One that throws, at once or later, breaks no call. */
function telling(listener: EventListener, logger: AlterLogger): Listener {
  const failed = (cause: unknown) => warn(logger, `onEvent threw ${typeName(cause)}; the wait goes on.`);
  return (event) => {
    try {
      const returned = listener(camelObject(JSON.parse(event) as Wire) as never);
      Promise.resolve(returned).catch(failed);
    } catch (cause) {
      failed(cause);
    }
  };
}
