/** Calls of the engine that send nothing. */

import { restore } from "./failure.js";
import type { Argument } from "./given.js";
import { native } from "./native.js";

/**
 * Runs one and gives its result.
 *
 * @throws AlterSDKError - What the engine refuses.
 */
export function localCall(name: string, args: readonly Argument[]): unknown {
  const { failed, text } = native.localCall(name, JSON.stringify(args));
  if (failed) {
    throw restore(text);
  }
  return JSON.parse(text);
}
