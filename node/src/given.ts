/**
 * Arguments of any type as the engine reads them.
 *
 * What JSON has a form for is itself; everything else is an object with one member that says what it is. Nothing is refused here: the
 * engine judges all values, by names that are its own. The other end of this is `bindings/node/src/given.rs`.
 */

import { checkSignal } from "./aborting.js";
import { json, LONE_SURROGATE, options as readOptions, typeName } from "./arguments.js";
import { isPlainObject } from "./error-parts.js";
import { AlterValueError } from "./errors.js";
import { camel, snake } from "./names.js";

type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | { map: readonly (readonly [string, Value])[] }
  | { set: readonly Value[] }
  | { number: string }
  | { whole: string }
  | { function: boolean }
  | { other: string };

/** An argument: its name in the engine, and its value. */
export type Argument = readonly [string, Value];

/** How an option goes to the engine. */
type Encoder = (name: string, value: unknown) => Argument;

/** How each option of a call goes to the engine. */
export type Encoders<Options> = { readonly [Name in Exclude<keyof Options, "signal">]-?: Encoder };

/** How deep a value may be: JSON has no end, a thread's stack has. */
const DEEPEST = 32;

/** A value as it is. */
function given(value: unknown, above: readonly object[] = []): Value {
  switch (typeof value) {
    case "undefined":
      return null;
    case "boolean":
      return value;
    case "string":
      return value.isWellFormed() ? value : { other: LONE_SURROGATE };
    case "number":
      return Number.isFinite(value) ? value : { number: String(value) };
    case "bigint":
      return { whole: String(value) };
    case "function":
      // Whatever it returns, it is called and not waited for, as every listener in JavaScript.
      return { function: false };
    case "object":
      return value === null ? null : givenObject(value, above);
    default:
      return { other: typeof value };
  }
}

function givenObject(value: object, above: readonly object[]): Value {
  if (above.includes(value) || above.length === DEEPEST) {
    return { other: `an object that holds itself, or more than ${DEEPEST} objects in each other` };
  }
  const within = [...above, value];
  if (Array.isArray(value)) {
    return value.map((entry) => given(entry, within));
  }
  if (value instanceof Set) {
    return { set: [...value].map((entry) => given(entry, within)) };
  }
  if (!isPlainObject(value)) {
    return { other: typeName(value) };
  }
  return map(value, (name, entry) => [name, given(entry, within)]);
}

function map(value: Record<string, unknown>, member: (name: string, entry: unknown) => Argument): Value {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return entries.every(([name]) => name.isWellFormed())
    ? { map: entries.map(([name, entry]) => member(name, entry)) }
    : { other: `a map with ${LONE_SURROGATE}` };
}

/** An object whose own names are TypeScript's; with `nested`, those of the objects in it too. */
function members(field: string, value: unknown, nested: boolean): Value {
  if (!isPlainObject(value)) {
    return given(value);
  }
  return map(value, (name, entry) => {
    if (name.includes("_")) {
      throw new AlterValueError(`${field} has the unknown key '${name}'. It is spelt ${camel(name)}.`);
    }
    return [snake(name), nested ? members(`${field}.${name}`, entry, false) : given(entry)];
  });
}

/** An option whose value goes as it is. */
export const plain: Encoder = (name, value) => [snake(name), given(value)];

/** A span of time in milliseconds. */
export const milliseconds: Encoder = (name, value) => [`${snake(name)}_ms`, given(value)];

/** An object whose names are TypeScript's. */
export const named: Encoder = (name, value) => [snake(name), members(name, value, false)];

/** A list of such objects. */
export const namedEach: Encoder = (name, value) => [
  snake(name),
  Array.isArray(value) ? value.map((entry, at) => members(`${name}[${at}]`, entry, false)) : given(value),
];

/** Whatever JSON can hold; an object may say itself what stands for it, with `toJSON()`. */
export const anyJson: Encoder = (name, value) => [snake(name), jsonValue(value)];

function jsonValue(value: unknown): Value {
  const isOther = typeof value === "object" && value !== null && !Array.isArray(value) && !isPlainObject(value);
  if (isOther && typeof (value as { toJSON?: unknown }).toJSON !== "function") {
    return { other: typeName(value) };
  }
  const written = json(value);
  if (written === undefined) {
    return null;
  }
  return "v" in written ? given(JSON.parse(written.v)) : { other: written.w };
}

/** An object whose names, and those of the objects in it, are TypeScript's. */
export const namedThroughout: Encoder = (name, value) => [snake(name), members(name, value, true)];

/** How each option of some call goes to the engine. */
export type AnyEncoders = Readonly<Record<string, Encoder>>;

/**
 * The options of a call as arguments. One that is `null` counts as absent.
 *
 * @throws AlterValueError - There is an option that the call does not have.
 */
export function encode(call: string, encoders: AnyEncoders, options: unknown): Argument[] {
  const values = readOptions<Record<string, unknown>>(options, call, Object.keys(encoders));
  return Object.entries(encoders)
    .filter(([name]) => values[name] !== undefined && values[name] !== null)
    .map(([name, encoder]) => encoder(name, values[name]));
}

/**
 * The same of a call that can be given up, with its signal.
 *
 * @throws AlterValueError - As `encode`, or the signal is none.
 */
export function encodeCancelable(
  call: string,
  encoders: AnyEncoders,
  options: unknown,
): { args: Argument[]; signal: AbortSignal | null } {
  const args = encode(call, { ...encoders, signal: unsent }, options).filter(([name]) => name !== "signal");
  return { args, signal: checkSignal((options as { signal?: unknown } | null | undefined)?.signal) };
}

/** An option that stays here. */
const unsent: Encoder = (name) => [name, null];
