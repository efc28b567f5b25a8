// The three exchanges of a call with Node's own fetch and nothing of anybody's SDK: no signature, no checks.

import { obey } from "./control.mjs";

class ByHand {
  #order;
  #reports = new Set();

  constructor(order) {
    this.#order = order;
  }

  /** Token, provider, and the report in the background. */
  async call() {
    const { grants, provider_url: url } = this.#order;
    const ask = { grant_id: grants[0], reason: null, request: { method: "GET", url } };
    const token = await (await this.#post("/sdk/token", ask)).json();
    const response = await succeed(fetch(url, { headers: { Authorization: `Bearer ${token.access_token}` } }));
    const report = this.#report(token, response, await response.text());
    this.#reports.add(report);
    // A report that failed stays in the set, so that close() fails with it.
    report.then(() => this.#reports.delete(report), () => {});
  }

  /** One exchange with the vault. */
  #post(path, body) {
    const { api_key: key, base_url: base } = this.#order;
    const headers = { "x-api-key": key, "content-type": "application/json" };
    return succeed(fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  /** The report of one call, as long as ours are. */
  async #report(token, response, text) {
    const told = {
      grant_id: token.grant_id,
      provider_id: "bench",
      token_generation: null,
      method: "GET",
      url: this.#order.provider_url,
      request_headers: { "User-Agent": "bench" },
      request_body: null,
      response_status: response.status,
      response_headers: Object.fromEntries(response.headers),
      response_body: text,
      latency_ms: 1,
      reason: null,
      context: null,
    };
    // An answer that nobody reads would keep its connection.
    await (await this.#post("/sdk/oauth/audit/api-call", told)).text();
  }

  /** Waits for the reports. */
  async close() {
    await Promise.all(this.#reports);
  }
}

async function succeed(answer) {
  const response = await answer;
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response;
}

await obey((order) => new ByHand(order));
