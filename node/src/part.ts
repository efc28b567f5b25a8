/** A part of a client that has calls of its own, such as `app.agents`. */

import type { AnyEncoders } from "./given.js";

/** Runs an operation of the client, see `ClientBase.operate`. */
export type Operate = <T>(
  name: string,
  first?: Record<string, unknown>,
  encoders?: AnyEncoders,
  options?: unknown,
) => Promise<T>;

/** Calls of a client under a name of their own. It holds its client, so it can be kept instead of it. */
export abstract class Part {
  /** @internal */
  protected readonly operate: Operate;

  /** @internal */
  constructor(operate: Operate) {
    this.operate = operate;
  }
}
