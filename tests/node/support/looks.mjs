// Looking at a value by every means that a program has.

import { inspect } from "node:util";

/** Every text that can be reached from a value: own, inherited, symbolic and hidden properties, getters included. */
function reachable(value) {
  const texts = [];
  const seen = new Set();
  const queue = [value];
  while (queue.length > 0) {
    const next = queue.pop();
    if (typeof next === "string" || typeof next === "symbol") {
      texts.push(String(next));
    }
    if ((typeof next !== "object" && typeof next !== "function") || next === null || seen.has(next)) {
      continue;
    }
    seen.add(next);
    if (ArrayBuffer.isView(next) && !(next instanceof DataView)) {
      texts.push(Buffer.from(next.buffer, next.byteOffset, next.byteLength).toString());
      continue;
    }
    if (next instanceof Map || next instanceof Set) {
      queue.push(...next.keys(), ...next.values());
    }
    for (const name of Reflect.ownKeys(next)) {
      const { value: plain, get } = Object.getOwnPropertyDescriptor(next, name);
      queue.push(name, plain);
      if (get !== undefined) {
        try {
          queue.push(get.call(value), get.call(next));
        } catch {
          // Not every getter can be called on every object.
        }
      }
    }
    queue.push(Object.getPrototypeOf(next));
  }
  return texts;
}

/** What a look at a value shows, by any means that a program has. */
export function everything(value) {
  const shown = [
    ...reachable(value),
    String(value),
    inspect(value, {
      depth: Number.POSITIVE_INFINITY,
      showHidden: true,
      getters: true,
      maxArrayLength: null,
      maxStringLength: null,
    }),
    inspect(value, { showProxy: true }),
    JSON.stringify(value),
  ];
  try {
    shown.push(inspect(structuredClone(value), { depth: Number.POSITIVE_INFINITY, showHidden: true }));
  } catch (error) {
    // A response cannot be cloned that way; the refusal must not show anything either.
    shown.push(String(error), inspect(error));
  }
  return shown.join("\n");
}
