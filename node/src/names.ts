/** The wire's names and TypeScript's. */

/** `grant_id` as `grantId`. */
export function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** An object with its own names, but not those inside its values, in camel case. */
export function camelObject(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [camel(name), entry]));
}
