/** The arguments of `request()`: their types, and how they are read. */

import { type Cancelable, checkSignal } from "./aborting.js";
import type { Given } from "./arguments.js";
import * as read from "./arguments.js";
import type { ProviderId } from "./enums.js";
import { isPlainObject } from "./error-parts.js";
import { surroundings } from "./trace.js";

/** Names and texts. */
export type StringMap = Record<string, string>;

/** A value of `queryParams`: a list repeats the name, `null` sends it without a value, `undefined` leaves it out. */
export type QueryValue = string | number | boolean | null | undefined;

/** Names and values of a query or a form. */
export type QueryParameters = Record<string, QueryValue | readonly QueryValue[]> | URLSearchParams;

/** The options of `request()`. Either `grantId` or `provider` is required; `null` is the same as absent. */
export interface RequestOptions extends Cancelable {
  /** The grant to use. Either this or `provider`. */
  grantId?: string | null | undefined;
  /** The provider whose grant to use; which one follows from the user's token, `account` and `label`. */
  provider?: ProviderId | null | undefined;
  /** Picks one of a user's accounts at the provider. */
  account?: string | null | undefined;
  /** Picks one of several grants of an account. Needs `provider`. */
  label?: string | null | undefined;
  /** Body, sent as JSON. */
  json?: unknown;
  /** Any other body: bytes, text (as UTF-8), or fields, which are sent as a form. Not together with `json`. */
  body?: Uint8Array | ArrayBuffer | string | QueryParameters | null | undefined;
  /** More headers. The credential's own header is set by the engine. */
  extraHeaders?: StringMap | null | undefined;
  /** Another name for `extraHeaders`. */
  headers?: StringMap | null | undefined;
  /** Query parameters; they replace the URL's own query. */
  queryParams?: QueryParameters | null | undefined;
  /** Values for the `{name}` parts of the URL, percent-encoded. */
  pathParams?: StringMap | null | undefined;
  /** Why, in words, for the audit log and the user. */
  reason?: string | null | undefined;
  /** Text-to-text metadata for the audit log: at most 20 keys and 4096 characters of JSON. */
  context?: StringMap | null | undefined;
  /** The end user's JWT for this call; otherwise `userTokenGetter` is asked. */
  userToken?: string | null | undefined;
  /** Replaces the client's `caller` for this call. */
  caller?: string | null | undefined;
  /** Picks the grant of one of the application's users. Needs `provider`. */
  appUserId?: string | null | undefined;
  /** @deprecated Put it into `context` as `run_id`. */
  runId?: string | null | undefined;
  /** @deprecated Put it into `context` as `thread_id`. */
  threadId?: string | null | undefined;
  /** @deprecated Put it into `context` as `tool_call_id`. */
  toolCallId?: string | null | undefined;
}

const OPTIONS = [
  "grantId",
  "provider",
  "account",
  "label",
  "json",
  "body",
  "extraHeaders",
  "headers",
  "queryParams",
  "pathParams",
  "reason",
  "context",
  "userToken",
  "caller",
  "appUserId",
  "runId",
  "threadId",
  "toolCallId",
  "signal",
] as const;

/** A call as it goes to the engine. */
export interface Call {
  /** JSON text of all arguments but the bodies. */
  request: string;
  json?: string | undefined;
  body?: Uint8Array | undefined;
  signal: AbortSignal | null;
}

/** Reads the arguments of `request()`, in either order. */
export function readCall(given: readonly unknown[]): Call {
  const [method, url, rest] = inOrder(given);
  const options = read.options<RequestOptions>(rest, "request()", OPTIONS);
  const json = read.json(options.json);
  const { bytes, form } = read.body(options.body);
  const request = {
    method: read.text(method),
    url: read.text(url),
    grantId: read.json(options.grantId),
    provider: read.json(options.provider),
    account: read.json(options.account),
    label: read.text(options.label),
    json: json !== undefined && "w" in json ? json : undefined,
    body: form,
    extraHeaders: read.texts(options.extraHeaders),
    headers: read.texts(options.headers),
    queryParams: read.parameters(options.queryParams),
    pathParams: read.texts(options.pathParams),
    reason: read.json(options.reason),
    context: context(options),
    caller: read.text(options.caller),
    userToken: read.text(options.userToken),
    appUserId: read.text(options.appUserId),
    surroundings: surroundings(),
  };
  return {
    request: JSON.stringify(request),
    json: json !== undefined && "v" in json ? json.v : undefined,
    body: bytes,
    signal: checkSignal(options.signal),
  };
}

const METHOD = /^(get|post|put|patch|delete|head|options)$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Method, URL and options. The first versions took the grant's id before them. */
function inOrder(given: readonly unknown[]): readonly [unknown, unknown, unknown] {
  const [first, second, third, fourth] = given;
  const withGrant =
    given.length >= 4 || (given.length === 3 && METHOD.test(String(second)) && UUID.test(String(first)));
  if (!withGrant) {
    return [first, second, third];
  }
  if (fourth !== undefined && fourth !== null && typeof fourth !== "object") {
    return [second, third, fourth];
  }
  return [second, third, { ...fourth, grantId: first }];
}

/** The call's context, with what the first versions had as options of their own. What `context` says itself counts more. */
function context(options: Partial<RequestOptions>): Given<[string, string][]> | undefined {
  const own = options.context ?? undefined;
  const former = { run_id: options.runId, thread_id: options.threadId, tool_call_id: options.toolCallId };
  const given = Object.fromEntries(Object.entries(former).filter(([, value]) => value !== undefined && value !== null));
  if (Object.keys(given).length === 0 || (own !== undefined && !isPlainObject(own))) {
    return read.texts(own);
  }
  return read.texts({ ...given, ...own });
}
