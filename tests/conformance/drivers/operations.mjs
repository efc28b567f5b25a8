// Makes the calls besides request() with our TypeScript package; started by `cargo xtask conformance`.
//
// Standard input: one JSON object a line, `{"base_url", "api_key", "agent", "user_token", "operation", "arguments"}`.
// Standard output: one JSON object for each, `{"result"}` or `{"error", "bases", "attributes", "visible"}`. Names are the list's own, in
// snake case.

import { createInterface } from "node:readline";

import { Agent, App, verifyIdentityAssertion } from "@alter-ai/alter-sdk";

import { camel, renamed, thrown } from "./told.mjs";

/** The arguments that come before the options, by operation. */
const FIRST = {
  mint_grant: ["source_grant_id"],
  revoke_grant: ["grant_id"],
  revoke_delegation: ["grant_id", "agent_id"],
  delegate: ["grant_id", "to_agent_id"],
  create_managed_secret_grant: ["managed_secret_id"],
  poll_auth_session: ["session_token"],
  poll_connect_session: ["session_token"],
  verify_user_token: ["token"],
  verify_identity_assertion: ["token"],
  "agents.get": ["agent_id"],
  "agents.get_by_name": ["name"],
  "agents.update": ["agent_id"],
  "agents.suspend": ["agent_id"],
  "agents.resume": ["agent_id"],
  "agents.delete": ["agent_id"],
  "agents.mint_key": ["agent_id"],
  "agents.list_keys": ["agent_id"],
  "agents.deprecate_key": ["agent_id", "key_id"],
  "agents.undeprecate_key": ["agent_id", "key_id"],
  "agents.revoke_key": ["agent_id", "key_id"],
  "keys.rotate": ["key_id"],
  "keys.revoke": ["key_id"],
  "provider_specs.get": ["kind", "provider_id"],
  "provider_specs.list_operations": ["kind", "provider_id"],
  "provider_specs.get_operation": ["kind", "provider_id", "operation_id"],
  "spans.emit": ["spans"],
};

/** Arguments whose own keys have TypeScript's names. */
const NAMED = ["grant_policy", "principal", "requested_grant"];

/** Arguments that are seconds in the list. */
const SECONDS = ["timeout", "poll_interval"];

/** One argument as a TypeScript program writes it. */
function argument(name, value) {
  if (NAMED.includes(name)) {
    return renamed(value, camel);
  }
  if (name === "spans") {
    return value.map((span) => renamed(span, camel));
  }
  return SECONDS.includes(name) ? value * 1000 : value;
}

/** The values of a call: those that come first, then the options, if there are any. */
function values({ operation, arguments: given }) {
  const first = (FIRST[operation] ?? []).filter((name) => name in given);
  const options = Object.entries(given).filter(([name]) => !first.includes(name));
  const positional = first.map((name) => argument(name, given[name]));
  const rest = Object.fromEntries(options.map(([name, value]) => [camel(name), argument(name, value)]));
  return options.length > 0 ? [...positional, rest] : positional;
}

/** The method of an operation; a name with a dot is one of a namespace's. */
function method(client, operation) {
  const names = operation.split(".").map(camel);
  const name = names.pop();
  const owner = names.reduce((of, part) => of[part], client);
  return (...given) => owner[name](...given);
}

/** A result in the wire's names. What no printed form of a model shows is read from its getter. */
function plain(value) {
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value?.toJSON !== "function" || value instanceof Date) {
    return value ?? null;
  }
  const entries = Object.entries(value.toJSON());
  return Object.fromEntries(
    entries.map(([name, entry]) => [name, entry === "[redacted]" ? value[camel(name)] : plain(entry)]),
  );
}

/** What a caller can tell from an error, with times in the list's seconds. */
function raised(error) {
  const told = thrown(error);
  const { details } = told.attributes;
  for (const name of SECONDS.filter((name) => typeof details?.[name] === "number")) {
    details[name] /= 1000;
  }
  return told;
}

/** What a request fails with that cannot succeed. */
async function failure(client, { url, provider }) {
  try {
    await client.request("GET", url, { provider });
  } catch (error) {
    return error;
  }
}

/** Makes one call with a client of its own. */
async function call(given) {
  try {
    if (given.operation === "verify_identity_assertion") {
      return { result: plain(verifyIdentityAssertion(...values(given))) };
    }
    const getter = given.user_token === null ? {} : { userTokenGetter: () => given.user_token };
    const options = { apiKey: given.api_key, baseUrl: given.base_url, ...getter };
    const client = given.agent ? new Agent(options) : new App(options);
    try {
      const { failing } = given.arguments;
      const error = failing && (await failure(client, failing));
      return { result: plain(await method(client, given.operation)(...(failing ? [error] : values(given)))) };
    } finally {
      await client.close();
    }
  } catch (error) {
    return raised(error);
  }
}

// The package prints the address that a person has to visit: not among the answers.
console.log = console.error;
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await call(JSON.parse(line)))}\n`);
}
