// A real vault with a real identity provider and a real OAuth provider, set up with the command line as an operator does.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const ROOT = new URL("../../..", import.meta.url).pathname;
const ALTER = join(ROOT, "target/debug/alter");
/** How long anything that must happen may take, in milliseconds. */
export const LIMIT = 30_000;
const SECRET = "only-for-tests";

/** Looks until `look` gives something, and gives that. */
export async function eventually(what, look) {
  const end = Date.now() + LIMIT;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`it never happened: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Somebody's identity provider, or a service with accounts: the npm package oidc-provider in a process of its own. */
class OidcProvider {
  static async start(settings) {
    const child = spawn("node", ["tests/oidc/provider.mjs", JSON.stringify(settings)], {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "ignore"],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      return new OidcProvider(child, JSON.parse(line).issuer);
    }
    throw new Error("the provider did not start");
  }

  constructor(child, issuer) {
    this.child = child;
    this.issuer = issuer;
    this.host = new URL(issuer).host;
  }

  /** Takes back what people have agreed to. */
  async endGrants() {
    const answer = await fetch(`${this.issuer}/test/end-grants`, { method: "POST" });
    if (answer.status !== 204) {
      throw new Error(await answer.text());
    }
  }

  stop() {
    this.child.kill();
  }
}

/** A service that takes messages. What it was sent is in `received`. */
class Post {
  static start() {
    return new Promise((resolve, reject) => {
      const received = [];
      const server = createHttpServer((request, response) => {
        const parts = [];
        request.on("data", (part) => parts.push(part));
        request.on("end", () => {
          received.push({
            url: request.url,
            body: Buffer.concat(parts).toString(),
            credential: request.headers.authorization,
          });
          response.writeHead(201, { "content-type": "application/json" }).end('{"sent":true}');
        });
      });
      server.once("error", reject).listen(0, "127.0.0.1", () => resolve(new Post(server, received)));
    });
  }

  constructor(server, received) {
    this.server = server;
    this.received = received;
    this.host = `127.0.0.1:${server.address().port}`;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** The vault with app `calendar-helper`, sign-in at one provider, and accounts at another. */
export class Stage {
  static async set() {
    const stage = new Stage();
    try {
      await stage.build();
    } catch (error) {
      await stage.clear();
      throw error;
    }
    return stage;
  }

  async build() {
    this.folder = await mkdtemp(join(tmpdir(), "alter-pages-"));
    this.url = `http://127.0.0.1:${await freePort()}`;
    this.data = join(this.folder, "data");
    const address = new URL(this.url).host;
    this.post = await Post.start();
    // What the vault calls itself are public addresses, unless an operator says otherwise.
    const env = { ...process.env, ALTER_EGRESS_ALLOW: this.post.host };
    this.vault = spawn(ALTER, ["serve", "--data-dir", this.data, "--address", address], { stdio: "ignore", env });
    const ready = () =>
      fetch(`${this.url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
    await eventually("the vault is ready", ready);
    const client = (callback, more) => ({
      clients: [{ client_id: "vault", client_secret: SECRET, redirect_uris: [`${this.url}${callback}`], ...more }],
    });
    this.people = await OidcProvider.start(client("/sign-in/callback"));
    // An access token that is due for a refresh one second after it was given, since the vault refreshes a minute ahead.
    const calendar = client("/oauth/callback", { grant_types: ["authorization_code", "refresh_token"] });
    this.calendar = await OidcProvider.start({ ...calendar, ttl: { AccessToken: 61 } });
    await this.furnish();
  }

  async furnish() {
    await this.alter(["app", "create", "calendar-helper"]);
    this.key = (
      await this.alter([
        "key",
        "create",
        "--scope",
        "connect:initiate",
        "--scope",
        "tokens:retrieve",
        "--scope",
        "grants:write",
        "--scope",
        "idp_users:write",
        "--scope",
        "secrets:write",
        "--scope",
        "audit:emit",
        "--scope",
        "proxy:execute",
        "--scope",
        "agents:admin",
      ])
    )[0].api_key;
    await this.alter(["idp", "set", this.people.issuer, "--client-id", "vault", "--stdin"], SECRET);
    for (const [id, name] of [
      ["calendar", "Sunny Calendar"],
      ["archive", "Old Archive"],
    ]) {
      await this.alter(
        [
          "provider",
          "add",
          id,
          "--issuer",
          this.calendar.issuer,
          "--name",
          name,
          "--client-id",
          "vault",
          "--stdin",
          "--allow-host",
          this.calendar.host,
          "--scope",
          "openid",
          "--scope",
          "offline_access",
          "--scope",
          "email",
        ],
        SECRET,
      );
    }
    await this.alter(
      ["secret", "create", "weather", "--bearer", "--allow-host", "api.weather.example", "--stdin"],
      "the-developers-own",
    );
    await this.alter(["agent", "create", "planner"]);
    await this.alter(["secret", "create", "post", "--bearer", "--allow-host", this.post.host, "--stdin"], SECRET);
    const [mailer] = await this.alter(["agent", "create", "mailer", "--approver", "ada@example.com"]);
    const [grant] = await this.alter(["grant", "create", "--secret", "post"]);
    const [asks] = await this.alter(["grant", "create", "--secret", "post", "--label", "asks", "--requires-approval"]);
    Object.assign(this, { mailer: mailer.agent_id, postGrant: grant.grant_id, asks: asks.grant_id });
  }

  /** Runs a command that must succeed; gives the records that it printed. */
  alter(args, input = "") {
    const all = [...args, "--json", "--no-input", "--data-dir", this.data, "--vault", this.url];
    return new Promise((resolve, reject) => {
      const child = execFile(ALTER, all, (error, stdout, stderr) => {
        if (error) {
          reject(new Error(`alter ${args.join(" ")}: ${stderr}`));
        } else {
          resolve(
            stdout
              .split("\n")
              .filter(Boolean)
              .map((line) => JSON.parse(line)),
          );
        }
      });
      child.stdin.end(input);
    });
  }

  /** The first operator's key. */
  async operatorKey() {
    return (await readFile(join(this.data, "operator.key"), "utf8")).trim();
  }

  /** How often an action stands in the audit. */
  async count(action) {
    const rows = await this.alter(["audit", "tail", "--limit", "1000"]);
    return rows.filter((row) => row.action === action && row.outcome !== "refused").length;
  }

  async clear() {
    for (const process of [this.people, this.calendar, this.post]) {
      process?.stop();
    }
    if (this.vault?.exitCode === null) {
      const ended = new Promise((resolve) => this.vault.once("exit", resolve));
      this.vault.kill();
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
