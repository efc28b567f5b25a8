// A real vault, and a real OpenID provider, on loopback.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug", "alter");

/** How long either may take to become ready, in milliseconds; a debug build on a busy machine is slow. */
const READY = 60_000;

/** A port that was free a moment ago; the system does not give the same one out again at once. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The program's settings come from the test alone. */
const environment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ALTER_")));

/** A running `alter serve` on an empty folder. */
export class Vault {
  static async start() {
    const vault = new Vault();
    vault.folder = mkdtempSync(join(tmpdir(), "alter-node-"));
    vault.url = `http://127.0.0.1:${await freePort()}`;
    const args = ["serve", "--data-dir", vault.folder, "--address", new URL(vault.url).host];
    vault.child = spawn(PROGRAM, args, { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
    vault.printed = "";
    for (const stream of [vault.child.stdout, vault.child.stderr]) {
      stream.on("data", (text) => {
        vault.printed += text;
      });
    }
    await vault.#ready();
    return vault;
  }

  async #ready() {
    for (const deadline = Date.now() + READY; Date.now() < deadline; await pause(20)) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.status === 200) {
        return;
      }
      if (this.child.exitCode !== null) {
        break;
      }
    }
    throw new Error(`the vault is not ready:\n${this.printed}`);
  }

  /** Runs an `alter` command that must succeed; gives the first record that it prints. */
  async run(args, input = "") {
    const all = [...args, "--data-dir", this.folder, "--vault", this.url, "--no-input", "--json"];
    const printed = await new Promise((resolve, reject) => {
      const child = execFile(PROGRAM, all, { env: environment() }, (error, stdout, stderr) =>
        error ? reject(new Error(`alter ${args.join(" ")}: ${stderr}`)) : resolve(stdout),
      );
      child.stdin.end(input);
    });
    const [line] = printed.split("\n");
    return line === "" ? null : JSON.parse(line);
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A running provider of `tests/oidc`; gives its issuer, and how to stop it. */
export async function openIdProvider(clients) {
  const child = spawn(process.execPath, [join(root, "tests/oidc/provider.mjs"), JSON.stringify({ clients })], {
    cwd: root,
    stdio: ["pipe", "pipe", "ignore"],
  });
  let printed = "";
  const line = new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => {
      printed += text;
      if (printed.includes("\n")) {
        resolve(printed);
      }
    });
    child.once("exit", (status) => reject(new Error(`the provider ended with ${status}`)));
  });
  const { issuer } = JSON.parse(await line);
  const stop = async () => {
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.end();
    await ended;
  };
  return { issuer, stop };
}
