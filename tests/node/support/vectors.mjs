// The recorded behaviour that all languages share.

import { readFileSync } from "node:fs";

/** One file of `tests/vectors`. */
export function vectors(name) {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8"));
}

/** `grant_id` as `grantId`. */
export const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

/** A short name for a case. */
export const title = (case_) =>
  String(case_.name ?? case_.note ?? case_.value ?? case_.header ?? case_.key).slice(0, 60);
