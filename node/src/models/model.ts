/** What all models have in common: the engine reads their fields, they never change, and no printed form shows what opens something. */

import { json } from "../arguments.js";
import { BackendError } from "../errors.js";
import { restore } from "../failure.js";
import { camelObject } from "../names.js";
import { native } from "../native.js";

/** An object as the vault writes it. */
export type Wire = Record<string, unknown>;

/** What a credential puts into a request besides its header. */
export interface Injection {
  /** Where: `header`, `query_param` and the like. */
  readonly target: string;
  /** Under which name. */
  readonly key: string;
  /** Which part of the credential. */
  readonly valueSource: string;
}

/** What stands in for a value that opens something. */
export const REDACTED = "[redacted]";

/** Under which name Node asks an object how it is to be printed. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** A model. Values that open something are in private fields with a getter: a program reads them, a log does not. */
export abstract class Model {
  /** The object as the vault writes it, for `JSON.stringify`; in place of what opens something it says `[redacted]`. */
  abstract toJSON(): Wire;

  /** The same as text, after the class's name. */
  toString(): string {
    return `${this.constructor.name} ${JSON.stringify(this)}`;
  }

  /** @internal */
  [INSPECT](depth: number, options: object, inspect: (value: unknown, options: object) => string): string {
    const { name } = this.constructor;
    if (depth < 0) {
      return `[${name}]`;
    }
    const redacted = Object.entries(this.toJSON()).filter(([, value]) => value === REDACTED);
    const shown = { ...camelObject(Object.fromEntries(redacted)), ...this };
    return `${name} ${inspect(shown, { ...options, depth })}`;
  }
}

/** What the engine gave as fields of a model, so that it need not read them again. */
const readBefore = new WeakSet<object>();

/** Marks an object as fields that the engine has read. */
export function trusted(wire: Wire): Wire {
  readBefore.add(wire);
  return wire;
}

/**
 * The fields of a model, as the engine reads them from an object.
 *
 * @throws BackendError - The object is not what a vault writes.
 */
export function fields(model: string, wire: Wire): Wire {
  if (typeof wire === "object" && wire !== null && readBefore.has(wire)) {
    return wire;
  }
  const given = json(wire);
  if (given !== undefined && "w" in given) {
    throw new BackendError(`${model} cannot be read from ${given.w}.`);
  }
  const { failed, text } = native.readModel(model, given?.v ?? "null");
  if (failed) {
    throw restore(text);
  }
  return JSON.parse(text) as Wire;
}

/** JSON that never changes. */
export function frozen(value: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

/** A time as the engine writes it. One without an offset is UTC. */
export function moment(value: unknown): Date | null {
  if (typeof value !== "string") {
    return null;
  }
  return new Date(/(Z|[+-]\d\d:\d\d)$/.test(value) ? value : `${value}Z`);
}

/** Whether a time that may be unknown comes within so many seconds. */
export function endsWithin(end: Date | null, seconds: number): boolean {
  return end !== null && end.getTime() <= Date.now() + seconds * 1000;
}

/** A list of injections, whose own names are TypeScript's. */
export function injections(value: unknown): readonly Injection[] | null {
  const entries = value as readonly Wire[] | null;
  return entries && (frozen(entries.map(camelObject)) as readonly Injection[]);
}

type Maker<T> = new (wire: Wire) => T;

/** Another model, from fields that were read with those around it. */
export function one<T>(maker: Maker<T>, value: unknown): T | null {
  return value === null ? null : new maker(trusted(value as Wire));
}

/** A list of another model. */
export function many<T>(maker: Maker<T>, value: unknown): readonly T[] {
  return Object.freeze((value as readonly Wire[]).map((entry) => new maker(trusted(entry))));
}

/** An object whose values are another model. */
export function mapped<T>(maker: Maker<T>, value: unknown): Readonly<Record<string, T>> {
  const members = Object.entries(value as Record<string, Wire>);
  return Object.freeze(Object.fromEntries(members.map(([name, member]) => [name, new maker(trusted(member))])));
}

/** The same as the vault writes it. */
export function wires(models: Readonly<Record<string, Model>>): Wire {
  return Object.fromEntries(Object.entries(models).map(([name, model]) => [name, model.toJSON()]));
}

/** A list of several models, told apart by a member. */
export function either<Makers extends Record<string, Maker<unknown>>>(
  value: unknown,
  by: string,
  makers: Makers,
): readonly InstanceType<Makers[keyof Makers]>[] {
  const make = (entry: Wire) =>
    new (makers[entry[by] as string] as Maker<InstanceType<Makers[keyof Makers]>>)(trusted(entry));
  return Object.freeze((value as readonly Wire[]).map(make));
}
