/** The engine's errors as the package's. The engine's name for a kind of error is the name of its class. */

import * as errors from "./errors.js";
import { camel, camelObject, inTypeScript } from "./names.js";

/** One error as the engine writes it. */
interface Failure {
  kind: string;
  code: string;
  message: string;
  details: Record<string, unknown>;
  attributes: Record<string, unknown>;
}

/** Attributes whose entries are objects of ours. Everything else is as the vault wrote it. */
const ENTRIES = new Set(["candidates", "credentials"]);

/** Kinds whose messages speak of arguments and calls, which have other names in TypeScript than in the engine. */
const ABOUT_ARGUMENTS = new Set(["AlterSDKError", "AlterValueError"]);

/** Codes of such kinds under which the vault's own words stand, which are nobody's to respell. */
const OTHERS_WORDS = new Set(["sign_in_failed"]);

/** The error that an engine's JSON text stands for. Its stack is that of whoever calls this. */
export function restore(text: string): errors.AlterSDKError {
  const failure = JSON.parse(text) as Failure;
  const of = errors[failure.kind as keyof typeof errors] ?? errors.AlterSDKError;
  const ours = ABOUT_ARGUMENTS.has(failure.kind) && !OTHERS_WORDS.has(failure.code);
  const message = ours ? inTypeScript(failure.message) : failure.message;
  // Without the class's own constructor: its arguments are for people, the engine has every attribute.
  const error = Reflect.construct(Error, [message], of) as errors.AlterSDKError;
  // The agent family's code is that of the class, as it always was; what the vault itself said stands in the details.
  const code = error instanceof errors.AgentError ? of.code : failure.code;
  Object.assign(error, { code, details: failure.details });
  for (const [name, value] of Object.entries(failure.attributes)) {
    Object.assign(error, { [camel(name)]: ENTRIES.has(name) ? entries(value) : value });
  }
  Error.captureStackTrace(error, restore);
  return error;
}

function entries(value: unknown): unknown {
  return Array.isArray(value) ? value.map((entry) => camelObject(entry as Record<string, unknown>)) : value;
}
