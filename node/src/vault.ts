/** `AlterVault`: the one client of earlier versions. */

import { APP_OPTIONS, App, type AppOptions } from "./app.js";
import { options as readOptions } from "./arguments.js";
import type { RequestOptions } from "./call.js";
import type { Constraints } from "./client.js";
import { ActorType, CallerType, type HttpMethod } from "./enums.js";
import { AlterValueError } from "./errors.js";
import type { AlterResponse } from "./response.js";
import { Session } from "./session.js";

/** What an `AlterVault` is made of. */
export interface AlterVaultOptions extends AppOptions {
  /** @deprecated `callerType` took its place. */
  actorType?: ActorType | "backend_service" | "ai_agent" | "mcp_server" | null | undefined;
  /** @deprecated `caller` took its place. */
  actorIdentifier?: string | null | undefined;
  /** @deprecated It has no effect. */
  clientType?: string | null | undefined;
  /** @deprecated It has no effect. */
  connectionProtocol?: string | null | undefined;
}

const OPTIONS = [...APP_OPTIONS, "actorType", "actorIdentifier", "clientType", "connectionProtocol"] as const;

/**
 * The client of earlier versions, for programs written for them.
 *
 * It takes a key of any type, and unlike `App` it stands for an agent unless it is told otherwise.
 *
 * @deprecated Use `App` or `Agent`.
 */
export class AlterVault extends App {
  constructor(options: AlterVaultOptions) {
    super((options as unknown) instanceof Session ? options : present(options));
  }

  override request(method: HttpMethod | string, url: string, options?: RequestOptions): Promise<AlterResponse>;
  /** @deprecated The grant's id is the option `grantId`. */
  override request(
    grantId: string,
    method: HttpMethod | string,
    url: string,
    options?: RequestOptions,
  ): Promise<AlterResponse>;
  override request(...given: readonly unknown[]): Promise<AlterResponse> {
    // Both orders are read in one place; only this class declares the former one.
    return super.request(...(given as Parameters<App["request"]>));
  }

  override withConstraints(constraints: Constraints): AlterVault {
    return new AlterVault(this.narrowedSession(constraints) as unknown as AlterVaultOptions);
  }
}

/** The options under their present names. */
function present(given: unknown): AppOptions {
  const { actorType, actorIdentifier, clientType, connectionProtocol, ...options } = readOptions<AlterVaultOptions>(
    given,
    "the constructor",
    OPTIONS,
  );
  const callerType = options.callerType ?? callerTypeOf(actorType ?? ActorType.AI_AGENT);
  return { ...(options as AppOptions), callerType, caller: options.caller ?? actorIdentifier };
}

function callerTypeOf(actorType: unknown): CallerType {
  switch (actorType) {
    case ActorType.BACKEND_SERVICE:
      return CallerType.SERVICE;
    case ActorType.AI_AGENT:
    case ActorType.MCP_SERVER:
      return CallerType.AGENT;
    default:
      throw new AlterValueError(
        `actorType must be one of ${Object.values(ActorType).join(", ")}, not ${JSON.stringify(actorType)}.`,
      );
  }
}
