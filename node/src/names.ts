/** The wire's names and TypeScript's. */

/** `grant_id` as `grantId`. */
export function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `grantId` as `grant_id`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** An object with its own names, but not those inside its values, in camel case. */
export function camelObject(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [camel(name), entry]));
}

/**
 * The parts of a message that matter to its spelling: keys of an argument whose keys have TypeScript's names, also one that is unknown; any
 * other text in quotes, which is a value or the program's own; and the names of arguments and calls.
 */
const KEYS = /\b(?:grant_policy|metadata|principal|requested_grant|rule)(?:\["[a-z_]+"\])+|\bunknown key '[a-z_]+'/;
const QUOTED = /"[^"]*"|(?<!\w)'[^']*'/;
const NAMES = /\b[a-z]+(?:_[a-z0-9]+)+\b/;
const PARTS = new RegExp(`(${KEYS.source})|(${QUOTED.source})|(${NAMES.source})`, "g");

/** A message about arguments, with the engine's names of arguments and calls as TypeScript spells them. */
export function inTypeScript(message: string): string {
  return message.replace(PARTS, (part, _keys, quoted) => (quoted === undefined ? camel(part) : part));
}
