// A vault and a provider on loopback that answer what a test tells them to.

import { createServer } from "node:http";

export const APP_KEY = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
export const AGENT_KEY = "alter_ak_k7q2mzt4yb6xw3n5p2adfh_4gj2vw";
export const GRANT = "11111111-1111-4111-8111-111111111111";
export const AGENT_ID = "22222222-2222-4222-8222-222222222222";

/** Looked for wherever a credential must not be. */
export const SECRET = "tok-canary-9f3b77";

const TOKEN = { access_token: SECRET, grant_id: GRANT, provider_id: "google" };

/** How long a wait for something that must happen may take, in milliseconds. */
export const LIMIT = 20_000;

/** One request that arrived. */
class Seen {
  constructor(request, body) {
    this.method = request.method;
    this.target = request.url;
    this.rawHeaders = request.rawHeaders;
    this.body = body;
  }

  /** The values of a header, in the order in which they came. */
  all(name) {
    const found = [];
    for (let at = 0; at < this.rawHeaders.length; at += 2) {
      if (this.rawHeaders[at].toLowerCase() === name.toLowerCase()) {
        found.push(this.rawHeaders[at + 1]);
      }
    }
    return found;
  }

  header(name) {
    return this.all(name)[0];
  }

  json() {
    return JSON.parse(this.body.toString());
  }
}

/** The server. Requests whose target begins with a prefix get its answer; the longest prefix counts. */
export class Scripted {
  #answers = new Map();
  #all = [];
  #held = [];
  #waiting = [];

  static async start() {
    const scripted = new Scripted();
    scripted.reset();
    await new Promise((resolve) => scripted.server.listen(0, "127.0.0.1", resolve));
    scripted.port = scripted.server.address().port;
    scripted.url = `http://127.0.0.1:${scripted.port}`;
    return scripted;
  }

  constructor() {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.closedWhileHeld = 0;
  }

  /** Forgets what came, and answers as a healthy vault and provider again. */
  reset() {
    this.release();
    this.#all.length = 0;
    this.closedWhileHeld = 0;
    this.#answers.clear();
    this.answer("/sdk/token", TOKEN);
    this.answer("/sdk/", {});
    this.answer("/p/", { hello: 1 });
  }

  /** Sets the answer for a prefix. With `hold` the request is left without one until `release()`. */
  answer(prefix, body, { status = 200, headers = {}, raw, hold = false } = {}) {
    const content = raw ?? (body === undefined ? "" : JSON.stringify(body));
    this.#answers.set(prefix, { status, headers, content, hold });
  }

  /** The requests so far whose target begins with a prefix. */
  requests(prefix = "/") {
    return this.#all.filter((seen) => seen.target.startsWith(prefix));
  }

  /** Lets go of everything that is held. */
  release() {
    for (const go of this.#held.splice(0)) {
      go();
    }
  }

  /** Waits until `condition` holds; looked at whenever something happens here. */
  async until(condition) {
    if (condition()) {
      return;
    }
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`nothing of the kind happened: ${condition}`)), LIMIT);
      this.#waiting.push(() => {
        if (condition()) {
          clearTimeout(timer);
          resolve();
          return true;
        }
        return false;
      });
    });
  }

  async stop() {
    this.release();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #happened() {
    this.#waiting = this.#waiting.filter((look) => !look());
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    this.#all.push(new Seen(request, Buffer.concat(chunks)));
    const fits = [...this.#answers.keys()].filter((prefix) => request.url.startsWith(prefix));
    const longest = fits.reduce((best, prefix) => (prefix.length > best.length ? prefix : best), "");
    const answer = this.#answers.get(longest) ?? { status: 200, headers: {}, content: "{}", hold: false };
    if (answer.hold) {
      response.on("close", () => {
        if (!response.writableEnded) {
          this.closedWhileHeld += 1;
          this.#happened();
        }
      });
      this.#happened();
      await new Promise((resolve) => this.#held.push(resolve));
    }
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(answer.content);
    this.#happened();
  }
}

/** A logger that keeps what it is told. */
export function recorder() {
  const lines = [];
  const note = (level) => (message) => lines.push(`${level}: ${message}`);
  return { lines, debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
}

/** Takes nothing. */
export const SILENT = { warn() {} };

/** What a promise rejects with; a promise that does not is a failure. */
export async function thrown(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}
