/** Rules for `withConstraints()` about what a call does and to what. */

import type { RequestRule } from "./client.js";
import { type Encoders, encode, plain } from "./given.js";
import { localCall } from "./local.js";

/** What an operation does. */
export type ContentMatchFamily = "send" | "read" | "write" | "delete" | "admin" | "payment";

/** What a rule does to a call that it is about. */
export type ContentMatchEffect = "deny" | "redact" | "step_up";

/** How a condition compares. */
export type ContentParamOp = "equals" | "any_in" | "not_subset_of" | "gt" | "gte" | "lt" | "lte" | "outside_windows";

/** Some hours of some days. An end before the start is on the next day. */
export interface TimeWindow {
  /** `mon` to `sun`. */
  days: string[];
  /** `HH:MM`. */
  start: string;
  /** `HH:MM`, or `24:00`. */
  end: string;
}

/** Hours of the week in a time zone. */
export interface TimeWindows {
  windows: TimeWindow[];
  /** A name of the IANA database, for example `Europe/Berlin`. */
  timezone: string;
}

/** A condition on one parameter of an operation. */
export interface ContentParamCondition {
  name: string;
  op: ContentParamOp;
  value: string | number | string[] | TimeWindows;
}

/** The options of `contentMatchRule()`. */
export interface ContentMatchRuleOptions {
  /** Ids of operations. */
  operations?: readonly string[] | null | undefined;
  /** What operations do. At least one operation or family, and 100 together at most. */
  families?: readonly ContentMatchFamily[] | null | undefined;
  /** At most 20 conditions, all of which must hold. */
  params?: readonly ContentParamCondition[] | null | undefined;
  /** `deny` (if not given) refuses the call; `redact` removes `redactFields`; `step_up` asks for a sign-in that is fresh enough. */
  effect?: ContentMatchEffect | null | undefined;
  /** 1 to 50 names of fields; with `redact` only. */
  redactFields?: readonly string[] | null | undefined;
  /** 1 to 86400; with `step_up` only. */
  maxSessionAgeSeconds?: number | null | undefined;
}

const CONTENT_MATCH_RULE: Encoders<ContentMatchRuleOptions> = {
  operations: plain,
  families: plain,
  params: plain,
  effect: plain,
  redactFields: plain,
  maxSessionAgeSeconds: plain,
};

/**
 * A rule about operations, or families of them, whose parameters meet all conditions. It only ever narrows.
 *
 * ```ts
 * const narrow = app.withConstraints({ rule: contentMatchRule({ families: ["delete", "payment"] }) });
 * ```
 *
 * @throws AlterValueError - An option was refused.
 */
export function contentMatchRule(options: ContentMatchRuleOptions): RequestRule {
  const made = localCall("content_match_rule", encode("contentMatchRule()", CONTENT_MATCH_RULE, options));
  const { rule_type: ruleType, rule_body: ruleBody } = made as {
    rule_type: string;
    rule_body: Record<string, unknown>;
  };
  return { ruleType, ruleBody };
}
