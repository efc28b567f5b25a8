// What programs write, as the compiler sees it: everything here must compile in strict mode, without a cast.

import {
  ActorType,
  Agent,
  type AgentOptions,
  type AlterLogger,
  type AlterResponse,
  AlterSDKError,
  type AlterVault,
  App,
  type AppOptions,
  CallerType,
  type Constraints,
  GrantNotFoundError,
  HttpMethod,
  isValidKey,
  NetworkError,
  PolicyViolationError,
  Provider,
  ProviderAPIError,
  type RateLimitSnapshot,
  ReAuthRequiredError,
  type RequestOptions,
  type RetryInfo,
  ScopeReauthRequiredError,
} from "@alter-ai/alter-sdk";

const logger: AlterLogger = { warn: (message: string) => console.warn(message) };
const agentOptions: AgentOptions = { apiKey: "alter_ak_…", timeout: 5_000, caller: "a", logger };
const appOptions: AppOptions = { ...agentOptions, callerType: CallerType.SERVICE, userTokenGetter: async () => "jwt" };
const options: RequestOptions = {
  grantId: "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f",
  json: { a: [1, null] },
  queryParams: { limit: 10, tags: ["a", "b"], on: true, skip: undefined },
  pathParams: { id: "7" },
  extraHeaders: { "X-One": "1" },
  context: { tool: "read_calendar", agent: "cursor" },
  signal: AbortSignal.timeout(1_000),
};

export async function everything(grantId: string): Promise<unknown> {
  const app = new App(appOptions);
  const agent: Agent = app.getAgent("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f");
  const constraints: Constraints = { scopes: ["a"], rule: { ruleType: "json_match", ruleBody: { any: 1 } } };
  const narrowed: App = app.withConstraints(constraints);
  const response: AlterResponse = await narrowed.request(HttpMethod.GET, "https://api.example.com/{id}", options);
  const standard: Response = response;
  const retry: RetryInfo | null = response.retryInfo ?? app.lastRetryInfo;
  const limit: RateLimitSnapshot | null = app.lastRateLimit;
  const reset: Date | undefined = limit?.resetAt;
  await agent.request("post", "https://api.example.com/", {
    provider: Provider.GOOGLE,
    account: "a@b",
    body: new Uint8Array(1),
  });
  await agent.request("GET", "https://api.example.com/", { provider: "my-own-secret" });
  await app.close();
  await agent[Symbol.asyncDispose]();
  return [
    await standard.json(),
    retry?.errors[0]?.delayS,
    reset,
    isValidKey("x"),
    app.actorId,
    app.baseUrl,
    ActorType.AI_AGENT,
    grantId,
  ];
}

export async function formerOrder(vault: AlterVault, grantId: string): Promise<Response> {
  await vault.request(HttpMethod.GET, "https://api.example.com/", { grantId, runId: "r" });
  return vault.request(grantId, "GET", "https://api.example.com/");
}

export async function ladder(vault: AlterVault, grantId: string): Promise<string> {
  try {
    const response = await vault.request("GET", "https://api.example.com/", { grantId });
    return response.text();
  } catch (e) {
    if (e instanceof ReAuthRequiredError) {
      return "authorize again";
    } else if (e instanceof PolicyViolationError) {
      return `${e.message} (rule: ${e.policyError})`;
    } else if (e instanceof GrantNotFoundError) {
      return `no grant of ${e.providerId ?? "this provider"}`;
    } else if (e instanceof NetworkError) {
      return e.message;
    } else if (e instanceof ScopeReauthRequiredError) {
      return `${e.grantId}: ${e.missingScopes?.join(" ")}`;
    } else if (e instanceof ProviderAPIError) {
      return `${e.statusCode}: ${e.responseBody}`;
    } else if (e instanceof AlterSDKError) {
      return `${e.code}: ${JSON.stringify(e.details)}`;
    }
    throw e;
  } finally {
    await vault.close();
  }
}

export function mustNotCompile(agent: Agent, app: App): void {
  // @ts-expect-error an agent has no agents of its own (TS-070)
  agent.getAgent("x");
  // @ts-expect-error an agent is always an agent (TS-013)
  new Agent({ apiKey: "k", callerType: "agent" });
  // @ts-expect-error the key is required
  new App({});
  // @ts-expect-error only AlterVault declares the former order
  void app.request("grant", "GET", "https://api.example.com/", {});
  // @ts-expect-error properties are read-only
  app.baseUrl = "x";
  // @ts-expect-error a typing error in an option
  void app.request("GET", "https://api.example.com/", { grantID: "x" });
  // @ts-expect-error context is text to text
  void app.request("GET", "https://api.example.com/", { context: { n: 1 } });
}
