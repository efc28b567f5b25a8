// Replays calls that were recorded on the public Python package, spelt as TypeScript has them, and says what came of them in the recording's
// own words. `tests/recorded/python_calls.py` does the same for Python and describes the file.

import { createServer } from "node:http";

import * as sdk from "@alter-ai/alter-sdk";

import { camel } from "./vectors.mjs";

const MEANING = new Set(
  "content-type idempotency-key x-alter-caller x-alter-caller-type x-alter-scope-constraints x-alter-request-rule x-alter-context x-alter-actor-id".split(
    " ",
  ),
);
const BACKGROUND = ["/sdk/oauth/audit/api-call", "/report-scope-mismatch"];

/** Arguments that stand before the options. */
const LEADING = {
  "agents.delete": ["agent_id"],
  "agents.deprecateKey": ["agent_id", "key_id"],
  "agents.get": ["agent_id"],
  "agents.getByName": ["name"],
  "agents.listKeys": ["agent_id"],
  "agents.mintKey": ["agent_id"],
  "agents.resume": ["agent_id"],
  "agents.revokeKey": ["agent_id", "key_id"],
  "agents.suspend": ["agent_id"],
  "agents.undeprecateKey": ["agent_id", "key_id"],
  "agents.update": ["agent_id"],
  awaitApproval: ["approval_id"],
  getApprovalStatus: ["approval_id"],
  "providerSpecs.get": ["kind", "provider_id"],
  "providerSpecs.getOperation": ["kind", "provider_id", "operation_id"],
  "providerSpecs.list": ["kind"],
  "providerSpecs.listOperations": ["kind", "provider_id"],
  proxyRequest: ["method", "url"],
  "spans.emit": ["spans"],
  createConnectSessionForError: ["error"],
  createManagedSecretGrant: ["managed_secret_id"],
  delegate: ["grant_id", "to_agent_id"],
  mintGrant: ["source_grant_id"],
  pollAuthSession: ["session_token"],
  pollConnectSession: ["session_token"],
  revokeGrant: ["grant_id"],
  verifyUserToken: ["token"],
};

/** Arguments whose keys have TypeScript's names in TypeScript. */
const NAMED = new Set(["grant_policy", "metadata", "principal", "requested_grant"]);

/** Fields that `toJSON()` does not show. */
const SECRETS = ["api_key", "session_token", "connect_url", "auth_url", "user_token", "token"];

/** A server whose first unused answer for a path counts; the last one stays. */
export class Stub {
  static async start() {
    const stub = new Stub();
    stub.server = createServer((request, response) => stub.#serve(request, response));
    await new Promise((resolve) => stub.server.listen(0, "127.0.0.1", resolve));
    stub.port = stub.server.address().port;
    return stub;
  }

  script(answers) {
    this.requests = [];
    this.answers = answers;
    this.used = new Set();
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const { method, url: target, headers } = request;
    this.requests.push({ method, target, headers, body: Buffer.concat(chunks).toString() });
    const answer = this.#pick(target);
    if (answer.drop) {
      request.socket.destroy();
      return;
    }
    const bodiless = answer.status === 204 || answer.status === 304;
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(bodiless ? undefined : (answer.raw ?? JSON.stringify(answer.body ?? null)));
  }

  #pick(target) {
    const fits = [...this.answers.keys()].filter((at) => target.startsWith(this.answers[at].at ?? "/"));
    if (fits.length === 0) {
      return { status: 200, body: {} };
    }
    const at = fits.find((one) => !this.used.has(one)) ?? fits.at(-1);
    this.used.add(at);
    return this.answers[at];
  }
}

/** A recorded value as a program in TypeScript has it. */
function build(value) {
  if (Array.isArray(value)) {
    return value.map(build);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  switch (value.$) {
    case undefined:
      return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, build(entry)]));
    case "bytes":
      return new TextEncoder().encode(value.v);
    case "tuple":
      return build(value.v);
    case "set":
      return new Set(value.v);
    case "nan":
      return Number.NaN;
    case "inf":
      return Number.POSITIVE_INFINITY;
    case "long":
      return (value.c ?? "a").repeat(value.n);
    case "object":
      return new (class Thing {})();
    case "datetime":
      return value.v.replace("+00:00", "Z");
    case "func":
      return () => value.v;
    case "enum":
      return value.v;
    case "model":
      return principal(value.name, build(value.kw ?? {}));
    case "error":
      if (value.name === "UserSpan") {
        return renamed(build(value.kw));
      }
      return mistake(value.name, build(value.kw ?? {}));
    default:
      throw new Error(`unknown special form ${value.$}`);
  }
}

/** What is a class in Python is an object with its type in TypeScript. */
function principal(name, fields) {
  const type = name.match(/^([A-Z][a-z]+)Principal$/)?.[1].toLowerCase();
  return type === undefined ? fields : { type, ...fields };
}

function mistake(name, attributes) {
  const error = new sdk[name]("m");
  for (const [attribute, value] of Object.entries(attributes)) {
    Object.assign(error, { [camel(attribute)]: value });
  }
  return error;
}

function renamed(value) {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [camel(name), renamed(entry)]));
}

function option(call, name, value) {
  if ((name === "timeout" || name === "poll_interval") && typeof value === "number") {
    return value * 1000;
  }
  const isNamed = NAMED.has(name) && !call.includes(".");
  return isNamed ? renamed(build(value)) : build(value);
}

/** The arguments of a call, by position and as options. */
function args(call, client, given) {
  const leading =
    call === "revokeDelegation" ? (client === "Agent" ? ["grant_id"] : ["grant_id", "agent_id"]) : LEADING[call];
  const names = Object.keys(given).filter((name) => !leading?.includes(name));
  const options = Object.fromEntries(names.map((name) => [camel(name), option(call, name, given[name])]));
  return [...(leading ?? []).map((name) => build(given[name])), ...(names.length > 0 ? [options] : [])];
}

/** One case: what was sent, and what was returned or thrown. */
export class Replay {
  constructor(stub, keys) {
    this.stub = stub;
    this.keys = keys;
    this.baseUrl = `http://127.0.0.1:${stub.port}`;
  }

  async run(case_, base) {
    const answers = structuredClone(base.answers);
    change(answers, case_.answer);
    for (const answer of answers) {
      answer.status ??= 200;
    }
    this.stub.script(answers);
    const given = { ...base.kwargs, ...case_.set };
    for (const name of case_.drop ?? []) {
      delete given[name];
    }
    const out = {};
    const opened = [];
    try {
      const result = await this.#call(case_, base, given, opened);
      out.result = this.#plain(result);
    } catch (error) {
      out.raised = this.#raised(error);
    }
    for (const client of opened.reverse()) {
      await client.close();
    }
    return { ...out, ...this.#wire() };
  }

  #call(case_, base, given, opened) {
    const init = build({ ...base.init, ...case_.init });
    const options = { baseUrl: this.baseUrl, logger: { warn() {} } };
    for (const [name, value] of Object.entries(init)) {
      options[camel(name)] = option("", name, value);
    }
    const open = () =>
      base.client === "Agent"
        ? new sdk.Agent({ apiKey: this.keys.agent, ...options })
        : new sdk.App({ apiKey: this.keys.app, ...options });
    let client = open();
    opened.push(client);
    if (base.client === "get_agent") {
      client = client.getAgent("22222222-2222-4222-8222-222222222222");
      opened.push(client);
    }
    const call = camel(base.call);
    const path = call.split(".");
    const method = path.pop();
    const target = path.reduce((part, name) => part[name], client);
    return target[method](...args(call, base.client, given));
  }

  #text(value) {
    const text = value
      .replaceAll(`:${this.stub.port}`, ":PORT")
      .replace(/alter-sdk-node\/[\w.+-]+/, "alter-sdk-python/VERSION");
    return text.length <= 700 ? text : `${text.slice(0, 20)}... ${[...text].length} characters`;
  }

  #plain(value) {
    if (typeof value === "string") {
      return this.#text(value);
    }
    if (typeof value !== "object" || value === null) {
      return value ?? null;
    }
    if (Array.isArray(value)) {
      return value.map((entry) => this.#plain(entry));
    }
    if (typeof value.toJSON === "function") {
      const fields = value.toJSON();
      for (const name of SECRETS.filter((name) => name in fields)) {
        fields[name] = value[camel(name)];
      }
      return { model: value.constructor.name, fields: this.#plain(fields) };
    }
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, this.#plain(entry)]));
  }

  #raised(error) {
    if (!(error instanceof sdk.AlterSDKError)) {
      return { error: error.name, outside: true, stack: error.stack };
    }
    const mro = [];
    for (let of = error.constructor; of !== Error; of = Object.getPrototypeOf(of)) {
      mro.push(of.name);
    }
    return { error: mro[0], mro, of: error };
  }

  #wire() {
    const requests = [];
    const background = [];
    for (const { method, target, headers, body } of this.stub.requests) {
      const told = Object.entries(headers).filter(([name]) => MEANING.has(name));
      const sent = {
        method,
        target: this.#text(target),
        body: this.#plain(json(body)),
        headers: this.#plain(Object.fromEntries(told)),
      };
      if (sent.body !== null && typeof sent.body === "object" && "wait_ms" in sent.body) {
        sent.body.wait_ms = "some";
      }
      const last = requests.at(-1);
      if (BACKGROUND.some((path) => target.split("?")[0].endsWith(path))) {
        background.push(sent);
      } else if (last !== undefined && equal({ ...last, again: true }, { ...sent, again: true })) {
        last.again = true;
      } else {
        requests.push(sent);
      }
    }
    return background.length > 0 ? { requests, background } : { requests };
  }

  /** What differs from what was recorded, in words; nothing if nothing does. */
  differences(wanted, got, base) {
    const found = [];
    const note = (what, want, have) => found.push(`${what}: want ${JSON.stringify(want)}, got ${JSON.stringify(have)}`);
    const requests = wanted.requests === "same" ? base.requests : wanted.requests;
    if (!equal(requests, got.requests)) {
      note("requests", requests, got.requests);
    }
    if (wanted.raised !== undefined) {
      this.#compareErrors(wanted.raised, got, note);
    } else if (got.raised !== undefined) {
      note("result", wanted.result, got.raised);
    } else {
      const result = whole(wanted.result, base.result);
      if (!equal(result, got.result)) {
        note("result", result, got.result);
      }
    }
    return found;
  }

  #compareErrors(wanted, got, note) {
    if (got.raised === undefined) {
      note("raised", wanted.error, got.result);
      return;
    }
    const { mro, of: error } = got.raised;
    // An exception of Python's own in the recording is a refusal of ours.
    if (wanted.outside ? mro === undefined : !equal(wanted.mro, mro)) {
      note("raised", wanted.mro ?? wanted.error, mro ?? got.raised);
      return;
    }
    for (const [name, value] of Object.entries(wanted.attributes ?? {})) {
      const have = this.#attribute(name, error[camel(name)]);
      if (!equal(value, have)) {
        note(`attribute ${name}`, value, have);
      }
    }
  }

  #attribute(name, value) {
    if (name !== "details") {
      return this.#plain(value);
    }
    const { validation_errors: _1, base_url: _2, validation_error: _3, ...details } = value;
    // As the caller gave it, which is in milliseconds here.
    return this.#plain("timeout" in details ? { ...details, timeout: details.timeout / 1000 } : details);
  }
}

function change(answers, changed) {
  if (changed === undefined) {
    return;
  }
  const [index, path, ...value] = changed;
  const at = path.slice(0, -1).reduce((inside, name) => inside[name], answers[index]);
  const last = path.at(-1);
  if (value.length > 0) {
    at[last] = value[0];
  } else if (Array.isArray(at)) {
    at.splice(last, 1);
  } else {
    delete at[last];
  }
}

function whole(wanted, base) {
  if (wanted === "same") {
    return base;
  }
  return wanted?.changed === undefined
    ? wanted
    : { model: wanted.model, fields: { ...base.fields, ...wanted.changed } };
}

function json(body) {
  if (body === "") {
    return null;
  }
  try {
    return JSON.parse(body);
  } catch {
    return { text: body };
  }
}

/** Whether two JSON values are the same, whatever the order of their members. */
function equal(one, other) {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value) {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, entry]) => [name, sorted(entry)]),
  );
}
