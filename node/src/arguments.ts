/**
 * Arguments as the engine reads them.
 *
 * A value of a wrong type is not refused here: it goes on as `{ w: its type's name }`, and the engine decides which of several mistakes
 * is told, and how.
 */

import { isPlainObject } from "./error-parts.js";
import { AlterValueError } from "./errors.js";

/** A value that fits, or the name of a type that does not. */
export type Given<T> = { v: T } | { w: string };

type Parameter = string | boolean | null | Parameter[];

/** What a message calls text that is not valid Unicode. */
export const LONE_SURROGATE = "text with half a surrogate pair";

/** The name of a value's type, as messages say it. */
export function typeName(value: unknown): string {
  if (typeof value !== "object") {
    return typeof value;
  }
  if (value === null) {
    return "null";
  }
  if (Array.isArray(value)) {
    return "array";
  }
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? name : "object";
}

function wrong(value: unknown): { w: string } {
  return { w: typeName(value) };
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** Text. */
export function text(value: unknown): Given<string> | undefined {
  if (isAbsent(value)) {
    return undefined;
  }
  if (typeof value !== "string") {
    return wrong(value);
  }
  return value.isWellFormed() ? { v: value } : { w: LONE_SURROGATE };
}

/** Any JSON value, as its text. */
export function json(value: unknown): Given<string> | undefined {
  if (isAbsent(value)) {
    return undefined;
  }
  try {
    const written = JSON.stringify(value) as string | undefined;
    if (written === undefined) {
      return wrong(value);
    }
    // NaN and the infinities become null without a word. Looking at every number is only worth it if there is a null.
    if (written.includes("null")) {
      JSON.stringify(value, refuseNonFinite);
    }
    return { v: written };
  } catch (cause) {
    // A cycle, a bigint, a toJSON() that throws.
    const why = cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause);
    return { w: `${typeName(value)} (${why})` };
  }
}

function refuseNonFinite(_: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`${value} has no JSON form`);
  }
  return value;
}

/** A map of text to text, in its order. Members that are `undefined` are left out. */
export function texts(value: unknown): Given<[string, string][]> | undefined {
  if (isAbsent(value)) {
    return undefined;
  }
  if (!isPlainObject(value)) {
    return wrong(value);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    return { w: "a map with a name of type symbol" };
  }
  const pairs: [string, string][] = [];
  for (const [name, entry] of Object.entries(value)) {
    if (entry === undefined) {
      continue;
    }
    if (typeof entry !== "string") {
      return { w: `a map with a value of type ${typeName(entry)}` };
    }
    if (!name.isWellFormed() || !entry.isWellFormed()) {
      return { w: `a map with ${LONE_SURROGATE}` };
    }
    pairs.push([name, entry]);
  }
  return { v: pairs };
}

/** Query parameters or form fields: a map, or `URLSearchParams`. Members that are `undefined` are left out. */
export function parameters(value: unknown): Given<[string, Parameter][]> | undefined {
  if (isAbsent(value)) {
    return undefined;
  }
  if (!isPlainObject(value) && !(value instanceof URLSearchParams)) {
    return wrong(value);
  }
  const pairs: [string, Parameter][] = [];
  for (const [name, entry] of value instanceof URLSearchParams ? value.entries() : Object.entries(value)) {
    if (entry === undefined) {
      continue;
    }
    const read = parameter(entry);
    if (read === undefined || !name.isWellFormed()) {
      return { w: `a map with a value of type ${typeName(entry)}` };
    }
    pairs.push([name, read]);
  }
  return { v: pairs };
}

function parameter(value: unknown): Parameter | undefined {
  if (value === null || typeof value === "boolean") {
    return value;
  }
  if (typeof value === "string") {
    return value.isWellFormed() ? value : undefined;
  }
  if ((typeof value === "number" && Number.isFinite(value)) || typeof value === "bigint") {
    return String(value);
  }
  if (!Array.isArray(value)) {
    return undefined;
  }
  const entries = value.filter((entry) => entry !== undefined).map(parameter);
  return entries.includes(undefined) ? undefined : (entries as Parameter[]);
}

/** A body that is no JSON: bytes, text, or form fields. */
export function body(value: unknown): { bytes?: Uint8Array; form?: Given<[string, Parameter][]> | undefined } {
  if (value instanceof Uint8Array) {
    return { bytes: value };
  }
  if (value instanceof ArrayBuffer) {
    return { bytes: new Uint8Array(value) };
  }
  if (ArrayBuffer.isView(value)) {
    return { bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
  }
  if (typeof value === "string") {
    return { bytes: new TextEncoder().encode(value) };
  }
  return { form: parameters(value) };
}

/** A list of texts. */
export function list(value: unknown): Given<string[]> | undefined {
  if (isAbsent(value)) {
    return undefined;
  }
  if (!Array.isArray(value)) {
    return wrong(value);
  }
  const odd = value.find((entry) => typeof entry !== "string" || !entry.isWellFormed());
  return odd === undefined && !value.includes(undefined)
    ? { v: value }
    : { w: `a list with a value of type ${typeName(odd)}` };
}

/** An object of options, refusing names that it does not have: a typing error must not be lost in silence. */
export function options<T extends object>(value: unknown, call: string, names: readonly string[]): Partial<T> {
  if (isAbsent(value)) {
    return {};
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new AlterValueError(`The options of ${call} must be an object, not ${typeName(value)}.`);
  }
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new AlterValueError(`${call} has no option ${JSON.stringify(unknown)}. It has ${names.join(", ")}.`);
  }
  return value as Partial<T>;
}
