/** The answer of a provider: a WHATWG `Response` with two things more. */

import { RetryInfo, type Wire } from "./models/index.js";
import { trusted } from "./models/model.js";

/** An answer's head as the engine writes it. */
interface Head {
  status: number;
  statusText: string;
  url: string;
  headers: [string, string][];
  retryInfo?: Wire;
}

/** Statuses that never have a body; `Response` refuses one. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/** What `Response` takes as a status text. HTTP/2 has none, and a server can send anything. */
const STATUS_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A provider's answer, read whole: a standard `Response`, read with `json()`, `text()`, `arrayBuffer()` or `body`. */
export interface AlterResponse extends Response {
  /** The URL that was called, without what the vault's credential added to it. */
  readonly url: string;
  /** What the vault went through to get the credential; `null` if it said nothing. */
  readonly retryInfo: RetryInfo | null;
}

/** The public response of an answer of the engine's. */
export function makeResponse(head: string, body: Uint8Array | undefined): AlterResponse {
  const { status, statusText, url, headers, retryInfo } = JSON.parse(head) as Head;
  const response = new Response(WITHOUT_BODY.has(status) ? null : (body ?? null), {
    status,
    statusText: STATUS_TEXT.test(statusText) ? statusText : "",
    headers,
  });
  return complete(response, url, retryInfo === undefined ? null : new RetryInfo(trusted(retryInfo)));
}

/** Gives a response, and every clone of it, what the standard constructor has no place for. */
function complete(response: Response, url: string, retryInfo: RetryInfo | null): AlterResponse {
  return Object.defineProperties(response, {
    url: { value: url },
    retryInfo: { value: retryInfo },
    clone: { value: () => complete(Response.prototype.clone.call(response), url, retryInfo) },
  }) as AlterResponse;
}
