/** API keys. */

import { native } from "./native.js";

/** Whether a value is a well-formed API key: its form and checksum, not whether any vault knows it. */
export function isValidKey(value: unknown): boolean {
  return typeof value === "string" && native.isValidKey(value);
}
