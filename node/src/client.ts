/** What `App`, `Agent` and `AlterVault` have in common. */

import { json, list, options, text, typeName } from "./arguments.js";
import { run } from "./bridge.js";
import { type RequestOptions, readCall } from "./call.js";
import type { HttpMethod } from "./enums.js";
import { isPlainObject } from "./error-parts.js";
import { type AnyEncoders, encodeCancelable, plain } from "./given.js";
import { warn } from "./logging.js";
import { RateLimitSnapshot, RetryInfo } from "./models/index.js";
import { trusted } from "./models/model.js";
import { camel } from "./names.js";
import { askForUserToken, type EventListener, operate } from "./operate.js";
import { type AlterResponse, makeResponse } from "./response.js";
import { accepted, type Session } from "./session.js";

/** A rule that can deny requests. The keys inside `ruleBody` go to the vault as they are. */
export interface RequestRule {
  ruleType: string;
  ruleBody: Record<string, unknown>;
}

/** What narrows a client: scopes, a rule, or both. */
export interface Constraints {
  /** The only scopes of the key that count, for example `["tokens:retrieve"]`. */
  scopes?: readonly string[] | null | undefined;
  /** A rule that can deny requests. */
  rule?: RequestRule | null | undefined;
}

/** One vault, one API key. */
export abstract class ClientBase {
  readonly #session: Session;

  /** @internal */
  protected constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Calls a provider with a credential that this program never sees.
   *
   * The vault hands the credential of a grant to the engine, which puts it into the request, sends it, and gives back the answer.
   * Redirects are not followed: a 3xx is an answer.
   *
   * ```ts
   * const response = await app.request("GET", "https://api.example.com/v1/{id}", {
   *   grantId: "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f",
   *   pathParams: { id: "7" },
   * });
   * console.log(response.status, await response.json());
   * ```
   *
   * @param method - `HttpMethod` or text, in any case.
   * @param url - The provider's URL; `{name}` parts are filled from `pathParams`. `https`, or `http` to this machine.
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws AlterSDKError - `grantId` and `provider` are both given or both missing, or the client is closed.
   * @throws BackendError - The vault refused; its subclasses say why.
   * @throws ProviderAPIError - The provider answered with a status of 400 or above.
   * @throws NetworkError - No answer; `TimeoutError` if it took too long.
   */
  request(method: HttpMethod | string, url: string, options?: RequestOptions): Promise<AlterResponse>;
  async request(...given: readonly unknown[]): Promise<AlterResponse> {
    const { engine, userTokenGetter } = this.#session;
    const { request, json: jsonBody, body, signal } = readCall(given);
    const prepared = accepted(engine.prepare(request, jsonBody, body));
    await askForUserToken(prepared, userTokenGetter, signal);
    const outcome = await run((queue) => prepared.send(queue), signal);
    return makeResponse(outcome.text, outcome.body);
  }

  /**
   * Closes the client after its audit reports have been sent. Calling it again does nothing.
   *
   * What `withConstraints` made of this client is closed with it.
   */
  async close(): Promise<void> {
    await run((queue) => this.#session.engine.close(queue));
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The vault's address. */
  get baseUrl(): string {
    return this.#session.engine.baseUrl;
  }

  /** The id that the vault gave this client's caller; `null` before the first answer that told it. */
  get actorId(): string | null {
    return this.#session.engine.actorId;
  }

  /** What the vault went through to get the credential of the last call. Concurrent calls share it; each response has its own. */
  get lastRetryInfo(): RetryInfo | null {
    const info = this.#session.engine.lastRetryInfo;
    return info === null ? null : new RetryInfo(trusted(JSON.parse(info)));
  }

  /** The key's rate limit as the vault last told it; `null` if it never did. */
  get lastRateLimit(): RateLimitSnapshot | null {
    const told = this.#session.engine.lastRateLimit;
    if (told === null) {
      return null;
    }
    const [limit, remaining, resetAt] = told;
    return new RateLimitSnapshot({ limit, remaining, reset_at: new Date(resetAt * 1000).toISOString() });
  }

  /**
   * Runs one of the engine's operations. `first` are the arguments that stand before the options, by the engine's names.
   *
   * @internal
   */
  protected async operate<T>(
    name: string,
    first: Record<string, unknown> = {},
    encoders: AnyEncoders = {},
    options: unknown = null,
  ): Promise<T> {
    const { args, signal } = encodeCancelable(`${camel(name)}()`, encoders, options);
    const leading = Object.entries(first).map(([argument, value]) => plain(argument, value));
    const listener = (options as { onEvent?: unknown } | null)?.onEvent;
    const told = typeof listener === "function" ? (listener as EventListener) : null;
    return (await operate(this.#session, name, [...leading, ...args], signal, told)) as T;
  }

  /** @internal */
  protected get callerName(): string | null {
    return this.#session.engine.caller;
  }

  /** @internal */
  protected signIn(userToken: string): void {
    if (this.#session.userTokenGetter !== null) {
      warn(this.#session.logger, "authenticate() replaces the userTokenGetter that this client had.");
    }
    this.#session.userTokenGetter = () => userToken;
  }

  /** @internal */
  protected agentSession(agentId: unknown): Session {
    return this.#session.agent(agentId);
  }

  /** @internal */
  protected narrowedSession(constraints: unknown): Session {
    const { scopes, rule } = options<Constraints>(constraints, "withConstraints()", ["scopes", "rule"]);
    return this.#session.narrowed(JSON.stringify({ scopes: list(scopes), rule: readRule(rule) }));
  }
}

function readRule(rule: unknown): object | undefined {
  if (rule === undefined || rule === null) {
    return undefined;
  }
  if (!isPlainObject(rule)) {
    return { w: typeName(rule) };
  }
  const { ruleType, ruleBody } = options<RequestRule>(rule, "rule", ["ruleType", "ruleBody"]);
  return { v: { ruleType: text(ruleType), ruleBody: json(ruleBody) } };
}
