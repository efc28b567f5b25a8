/** `Agent`: an agent's client. */

import { ClientBase, type Constraints } from "./client.js";
import type { AlterLogger } from "./logging.js";
import { CLIENT_OPTIONS, Session, type UserTokenGetter } from "./session.js";

/** What every client is made of. */
export interface AgentOptions {
  /** The key that the vault printed when it was made. It is never read from the environment. */
  apiKey: string;
  /** The vault's address; `ALTER_BASE_URL` if not given. */
  baseUrl?: string | null | undefined;
  /** Milliseconds for connecting, and for each wait for data; 30000 if not given, `Infinity` waits without end. */
  timeout?: number | null | undefined;
  /** Who makes the calls, for the audit log: 1 to 255 printable ASCII characters. An agent's id acts as it. */
  caller?: string | null | undefined;
  /** Returns the signed-in user's JWT. Asked for every call that brings no `userToken`. */
  userTokenGetter?: UserTokenGetter | null | undefined;
  /** Takes warnings; the console if not given. */
  logger?: AlterLogger | null | undefined;
}

/** An agent's client of the vault: calls with the agent's own key, with the grants that were delegated to it. */
export class Agent extends ClientBase {
  /**
   * Makes a client; nothing is sent before its first call.
   *
   * @throws AlterValueError - The key is malformed (a typing error is found here), or another option is refused.
   * @throws AlterSDKError - The vault's address is refused, the getter cannot be called, or the logger cannot take warnings.
   */
  constructor(options: AgentOptions) {
    super(
      (options as unknown) instanceof Session
        ? (options as unknown as Session)
        : Session.open("agent", options, CLIENT_OPTIONS),
    );
  }

  /** A sibling of this client whose every request the vault judges more narrowly; as `App.withConstraints`. */
  withConstraints(constraints: Constraints): Agent {
    return new Agent(this.narrowedSession(constraints) as unknown as AgentOptions);
  }
}
