/** The options of calls that the vault makes itself, and of approvals; and how each goes to the engine. */

import type { Cancelable } from "./aborting.js";
import type { QueryValue, StringMap } from "./call.js";
import type { HttpMethod, ProviderId } from "./enums.js";
import { anyJson, type Encoders, plain } from "./given.js";
import { POLL, type PollOptions } from "./identity-options.js";

/** The options of `proxyRequest()`. Either `grantId` or `provider` is required. */
export interface ProxyRequestOptions extends Cancelable {
  /** The grant to use. Either this or `provider`. */
  grantId?: string | null | undefined;
  /** The provider whose grant to use. */
  provider?: ProviderId | null | undefined;
  /** Picks one of a user's accounts at the provider. */
  account?: string | null | undefined;
  /** Picks one of several grants of an account. */
  label?: string | null | undefined;
  /** Body, sent as JSON. */
  json?: unknown;
  /** Another name for `json`. */
  jsonBody?: unknown;
  /** More headers. Those that carry credentials are refused. */
  extraHeaders?: StringMap | null | undefined;
  /** Another name for `extraHeaders`. */
  headers?: StringMap | null | undefined;
  /** Query parameters, added to the URL's own. */
  queryParams?: Record<string, QueryValue | readonly QueryValue[]> | null | undefined;
  /** Values for the `{name}` parts of the URL, percent-encoded. */
  pathParams?: StringMap | null | undefined;
  /** Why, in words: for the approver and the audit log. */
  reason?: string | null | undefined;
  /** Text-to-text metadata for the audit log. */
  context?: StringMap | null | undefined;
  /** The end user's JWT for this call; otherwise `userTokenGetter` is asked. */
  userToken?: string | null | undefined;
  /** Replaces the client's `caller` for this call. */
  caller?: string | null | undefined;
  /** Picks the grant of one of the application's users. Needs `provider`. */
  appUserId?: string | null | undefined;
  /**
   * With the same key a call never runs twice, whatever happens in between: 1 to 255 printable ASCII characters. Vaults other than this
   * project's may ignore it.
   */
  idempotencyKey?: string | null | undefined;
}

export const PROXY_REQUEST: Encoders<ProxyRequestOptions> = {
  grantId: plain,
  provider: plain,
  account: plain,
  label: plain,
  json: anyJson,
  jsonBody: anyJson,
  extraHeaders: plain,
  headers: plain,
  queryParams: plain,
  pathParams: plain,
  reason: plain,
  context: plain,
  userToken: plain,
  caller: plain,
  appUserId: plain,
  idempotencyKey: plain,
};

/** The one argument of `proxyRequest()`, if method and URL do not stand before the options. */
export interface ProxyCall extends ProxyRequestOptions {
  /** `HttpMethod` or text, in any case. */
  method: HttpMethod | string;
  /** The provider's URL; `{name}` parts are filled from `pathParams`. */
  url: string;
}

/** The options of `getApprovalStatus()`. */
export interface ApprovalStatusOptions extends Cancelable {
  /** Seconds for which the vault may hold the question until something changes; it takes up to 25. */
  wait?: number | null | undefined;
}

export const APPROVAL_STATUS: Encoders<ApprovalStatusOptions> = { wait: plain };

/** The options of `awaitApproval()`. */
export interface AwaitApprovalOptions extends PollOptions {
  /** Another name for `timeout`. */
  timeoutMs?: number | null | undefined;
  /** Another name for `pollInterval`. */
  pollIntervalMs?: number | null | undefined;
}

export const AWAIT_APPROVAL: Encoders<AwaitApprovalOptions> = { ...POLL, timeoutMs: plain, pollIntervalMs: plain };
