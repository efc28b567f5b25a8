// The examples of the TypeScript guide that came with the task run as it prints them (TS-110), compiled in strict mode (TS-112). Two things
// are changed: the hosts lead to the scripted server, and the key of the page, which is no key, is replaced.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { AlterVault } from "@alter-ai/alter-sdk";

import {
  CONNECT,
  CONNECTED,
  LIST,
  MANAGED,
  OAUTH,
  POLL,
  page,
  printed,
  REVOKED,
  SESSION,
  SOON,
} from "./support/people.mjs";
import { APP_KEY, GRANT, Scripted, SILENT } from "./support/scripted.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "alter-examples-"));
const server = await Scripted.start();
const OTHER = "44444444-4444-4444-8444-444444444444";
let examples;

before(async () => {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const source = readFileSync(new URL("consumer/examples.ts", import.meta.url), "utf8");
  const local = source.replaceAll(/https:\/\/(?!myapp)[^/"]+/g, server.url).replaceAll("alter_key_...", APP_KEY);
  writeFileSync(join(folder, "examples.mts"), local);
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const strict = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "examples.mts"];
  await promisify(execFile)(process.execPath, [compiler, ...strict], { cwd: folder });
  examples = await import(pathToFileURL(join(folder, "examples.mjs")));
  for (const name of ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY"]) {
    delete process.env[name];
  }
  process.env.ALTER_BASE_URL = server.url;
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.reset();
  server.answer(LIST, page(OAUTH, MANAGED));
  server.answer(CONNECT, SESSION);
  server.answer(POLL, CONNECTED);
  server.answer("/sdk/oauth/grants/", REVOKED);
});

/** Runs an example; gives what it returned and printed. */
async function run(name, ...given) {
  let returned;
  const lines = await printed(async () => {
    returned = await examples[name](...given);
  });
  return { returned, lines };
}

/** Runs one that is given a client. */
async function withVault(name) {
  const vault = new AlterVault({ apiKey: APP_KEY, logger: SILENT });
  try {
    return await run(name, vault);
  } finally {
    await vault.close();
  }
}

const provider = (path) => server.requests(path).map((seen) => seen.target);

describe("the guide's examples", () => {
  test("list tasks, and users", async () => {
    server.answer("/v1/tasks", { items: [{ id: 1 }, { id: 2, title: "two" }] });
    server.answer("/v1/users", { items: [{ name: "Ada" }] });
    assert.deepEqual((await run("listTasks", GRANT)).lines, ["1: Untitled", "2: two"]);
    assert.deepEqual((await run("listUsers", GRANT)).lines, ["Ada - No email"]);
    assert.deepEqual(provider("/v1/"), [
      "/v1/tasks?limit=10&status=active&sort=created_at",
      "/v1/users?limit=10&sort=name",
    ]);
    assert.equal(server.requests("/sdk/token")[0].header("x-alter-caller"), "my-agent");
  });

  test("use a managed secret", async () => {
    server.answer("/v1/loyalty", { points: 5 });
    assert.deepEqual((await run("managedSecret", GRANT)).returned, { points: 5 });
    assert.deepEqual(provider("/v1/loyalty"), ["/v1/loyalty/points?user_id=alice"]);
    assert.equal(server.requests("/sdk/token")[0].json().reason, "Checking loyalty points for rewards calculation");
  });

  test("say for whom a call is made", async () => {
    assert.equal((await run("context", GRANT)).returned, 200);
    const [report] = server.requests("/sdk/oauth/audit").map((seen) => seen.json());
    assert.deepEqual(report.context, { tool: "read_calendar", agent: "cursor" });
    await run("twoAgents", GRANT, GRANT);
    const callers = server.requests("/sdk/token").map((seen) => seen.header("x-alter-caller"));
    assert.deepEqual(callers, ["email-assistant-v2", "email-assistant-v2", "calendar-agent-v1"]);
  });

  test("list grants", async () => {
    const { lines, returned } = await withVault("listGrants");
    assert.deepEqual(lines, ["google: Ada (active)", "loyalty-api: Loyalty API (active)"]);
    assert.deepEqual(returned, [2, 100, 0, false]);
    assert.deepEqual(server.requests(LIST)[1].json(), { limit: 10, offset: 0, provider_id: "google" });
  });

  test("make a session", async () => {
    assert.deepEqual((await withVault("connectSession")).lines, [`Connect URL: ${SESSION.connect_url}`]);
    const { allowed_providers, return_url } = server.requests(CONNECT)[0].json();
    assert.deepEqual([allowed_providers, return_url], [["google", "github"], "https://myapp.com/callback"]);
  });

  test("scope everything to the caller", async () => {
    assert.deepEqual((await run("scoped", () => "the-jwt", GRANT, `${server.url}/p/x`)).returned, [2, 600]);
    const tokens = [LIST, "/sdk/oauth/grants/", CONNECT, "/sdk/token"].map(
      (path) => server.requests(path)[0].json().user_token,
    );
    assert.deepEqual(new Set(tokens), new Set(["the-jwt"]));
  });

  test("connect without a page of one's own", async () => {
    const { lines, returned } = await withVault("connect");
    assert.deepEqual(lines, [`Please visit: ${SESSION.connect_url}`, `Connected: ${GRANT} (google)`]);
    assert.equal(returned, 200);
    assert.equal(server.requests("/sdk/token")[0].json().grant_id, GRANT);
  });

  test("limit the time", async () => {
    assert.deepEqual((await withVault("timeLimits")).returned, [SOON, SOON]);
    assert.deepEqual(
      server
        .requests(CONNECT)
        .filter((seen) => seen.target === CONNECT)
        .map((seen) => seen.json().grant_policy),
      [
        { max_ttl_seconds: 604800, default_ttl_seconds: 86400 },
        { max_ttl_seconds: 2592000, default_ttl_seconds: 604800 },
      ],
    );
  });

  for (const [cause, status, body, line] of [
    ["an expired grant", 403, { error: "grant_expired" }, /^User must re-authorize via Alter Connect$/],
    ["a revoked grant", 400, { error: "grant_revoked" }, /^User must re-authorize/],
    ["a deleted grant", 410, { error: "grant_deleted" }, /^User must re-authorize/],
    [
      "a policy",
      403,
      { error: "policy_violation", message: "at night", details: { policy_error: "hours" } },
      /^Access denied by policy: /,
    ],
    ["no grant", 404, { error: "grant_not_found" }, /^User hasn't connected Google yet$/],
  ]) {
    test(`handle ${cause} (TS-093)`, async () => {
      server.answer("/sdk/token", body, { status });
      const { lines, returned } = await run("safeApiCall", OTHER);
      assert.equal(returned, undefined);
      assert.match(lines[0], line);
    });
  }

  test("handle what the provider says (TS-093)", async () => {
    server.answer("/calendar/", { a: 1 }, { status: 500 });
    assert.deepEqual((await run("safeApiCall", GRANT)).lines, ['Provider error 500: {"a":1}']);
    server.answer("/sdk/token", { access_token: "t", grant_id: GRANT, provider_id: "google", scope_mismatch: true });
    server.answer("/calendar/", {}, { status: 403 });
    assert.deepEqual((await run("safeApiCall", GRANT)).lines, [`Scope mismatch on ${GRANT}: re-auth needed`]);
    server.answer("/calendar/", { items: [] });
    assert.deepEqual((await run("safeApiCall", GRANT)).returned, { items: [] });
  });

  test("handle a dead vault (TS-093)", async () => {
    process.env.ALTER_BASE_URL = "http://127.0.0.1:9";
    try {
      assert.match((await run("safeApiCall", GRANT)).lines[0], /^Network issue: /);
    } finally {
      process.env.ALTER_BASE_URL = server.url;
    }
  });
});
