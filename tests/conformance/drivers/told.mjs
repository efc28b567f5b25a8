// What a caller can tell from an error, for both drivers.

import { inspect } from "node:util";

import { AlterSDKError, MemoryIsolationError } from "@alter-ai/alter-sdk";

export const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
export const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const renamed = (value, rename) =>
  Object.fromEntries(Object.entries(value).map(([name, entry]) => [rename(name), entry]));

/** Everything that a look at a value shows. */
export const shown = (value) => inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true });

/** What a caller can tell from an error. `code` is compared where the public package's errors have one. */
export function thrown(error) {
  const bases = [];
  for (
    let of = error.constructor;
    of === AlterSDKError || of.prototype instanceof AlterSDKError;
    of = Object.getPrototypeOf(of)
  ) {
    bases.push(of.name);
  }
  const { code, ...own } = error;
  if (error instanceof MemoryIsolationError) {
    own.code = code;
  }
  for (const name of ["candidates", "credentials"]) {
    if (name in own) {
      own[name] = own[name].map((entry) => renamed(entry, snake));
    }
  }
  const attributes = JSON.parse(JSON.stringify(renamed(own, snake)));
  return { error: error.name, bases, attributes, visible: [String(error), shown(error), JSON.stringify(error)] };
}
