// Calls recorded on the public Python package, spelt as TypeScript has them: the same is sent, returned and thrown.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";

import { printed } from "./support/people.mjs";
import { Replay, Stub } from "./support/recorded.mjs";

const read = (path) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const { app_key: app, agent_key: agent, bases, cases } = read("../recorded/calls.json");

/** What differs on purpose: in all of our packages, and in TypeScript. */
const DECIDED = Object.keys({ ...read("../deviations.json"), ...read("deviations.json") }).map(pattern);

const GROUPS = [
  "list_grants",
  "revoke_",
  "mint_grant",
  "delegate",
  "create_ms_grant",
  "connect",
  "ms_session",
  "poll_",
  "auth_session",
  "verify_user_token",
  "resolve_identity",
  "assert_identity",
  "agents.",
  "me",
  "keys.",
  "scopes.",
  "oauth_providers.",
  "provider_specs.",
  "spans.",
  "proxy.",
  "approval_status",
  "await_approval",
];

/** A pattern of Python's fnmatch as a regular expression. */
function pattern(glob) {
  const parts = glob.split(/(\*|\?|\[[^\]]*\]\]?)/);
  const source = parts.map((part) => {
    if (part === "*") {
      return ".*";
    }
    if (part === "?") {
      return ".";
    }
    return part.startsWith("[")
      ? `[${part.slice(1, -1).replace(/[\\\]]/g, "\\$&")}]`
      : part.replace(/[.+^${}()|\\/\]]/g, "\\$&");
  });
  return new RegExp(`^${source.join("")}$`, "s");
}

/**
 * Python has types that JavaScript has not: its tuples, UUIDs and whole numbers with a point are lists, texts and whole numbers there, and a
 * policy is no class that reads text as a number.
 */
const PYTHONS_OWN = /"\$": ?"(tuple|uuid|datetime)"|"name":"GrantPolicyInput"|[=:]-?\d+\.0$/;

/** `null` is the same as absent in TypeScript. */
const isNull = (case_) => Object.values(case_.set ?? {}).includes(null);

const stub = await Stub.start();
after(() => stub.stop());
const replay = new Replay(stub, { app, agent });
const ported = JSON.parse(JSON.stringify(bases).replaceAll(":PORT", `:${stub.port}`));

describe("recorded calls", () => {
  for (const group of GROUPS) {
    const ours = cases.filter(
      (case_) =>
        case_.base.startsWith(group) && !PYTHONS_OWN.test(`${JSON.stringify(case_.set)}${case_.id}`) && !isNull(case_),
    );
    test(`${group}: ${ours.length} cases`, async () => {
      assert.ok(ours.length > 5, "the file is there");
      const before = new Map();
      const failed = [];
      await printed(async () => {
        for (const case_ of ours) {
          const base = ported[case_.base];
          if (!before.has(case_.base)) {
            before.set(case_.base, await replay.run({}, base));
          }
          const got = await replay.run(case_, base);
          const found = replay.differences(case_.expect, got, before.get(case_.base));
          if (found.length > 0 && !DECIDED.some((decided) => decided.test(case_.id))) {
            failed.push(`${case_.id}\n  ${found.join("\n  ")}`);
          }
        }
      });
      assert.equal(failed.length, 0, `${failed.length} differ:\n${failed.slice(0, 20).join("\n")}`);
    });
  }
});
