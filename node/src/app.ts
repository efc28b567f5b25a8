/** `App`: an application's client. */

import { Agent, type AgentOptions } from "./agent.js";
import { ClientBase, type Constraints } from "./client.js";
import type { CallerType } from "./enums.js";
import { CLIENT_OPTIONS, Session } from "./session.js";

/** What an `App` is made of. */
export interface AppOptions extends AgentOptions {
  /** What the caller is; groups the audit log. `service` if not given. */
  callerType?: CallerType | "agent" | "service" | null | undefined;
}

/** The options of an `App`. */
export const APP_OPTIONS = [...CLIENT_OPTIONS, "callerType"] as const;

/**
 * An application's client of the vault.
 *
 * ```ts
 * const app = new App({ apiKey: process.env.ALTER_API_KEY ?? "" });
 * try {
 *   const response = await app.request("GET", "https://api.example.com/v1/me", { grantId });
 * } finally {
 *   await app.close();
 * }
 * ```
 */
export class App extends ClientBase {
  /**
   * Makes a client; nothing is sent before its first call.
   *
   * @throws AlterValueError - The key is malformed (a typing error is found here), or another option is refused.
   * @throws AlterSDKError - The vault's address is refused, the getter cannot be called, or the logger cannot take warnings.
   */
  constructor(options: AppOptions) {
    super(
      (options as unknown) instanceof Session
        ? (options as unknown as Session)
        : Session.open("app", options, APP_OPTIONS),
    );
  }

  /**
   * A sibling of this client whose every request the vault judges more narrowly. It shares this client's connections and is closed with
   * it; closing the sibling closes nothing else.
   *
   * @throws AlterValueError - Neither scopes nor a rule is given, one is malformed, or this client is constrained already.
   * @throws AlterSDKError - This client is closed.
   */
  withConstraints(constraints: Constraints): App {
    return new App(this.narrowedSession(constraints) as unknown as AppOptions);
  }

  /**
   * A client that acts as one of the application's agents, with the application's key.
   *
   * It is attribution, not a boundary: whatever the key may do, this client may do. It has connections of its own, so it must be closed
   * by itself.
   *
   * @throws AlterValueError - `agentId` is not a UUID, or this client is closed.
   */
  getAgent(agentId: string): Agent {
    return new Agent(this.agentSession(agentId) as unknown as AgentOptions);
  }
}
