// The recorded behaviour that all languages share, through the TypeScript package.

import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";

import * as sdk from "@alter-ai/alter-sdk";

import { AGENT_KEY, APP_KEY, GRANT, Scripted, SILENT, thrown } from "./support/scripted.mjs";
import { title, vectors } from "./support/vectors.mjs";

const { Agent, AlterSDKError, App, isValidKey } = sdk;

// What is refused on purpose where the public package sends it: dot segments in a path value, user info in the URL.
const REFUSED_URLS = new Set(["dot dot", "dot", "userinfo"]);

// Token answers that the public package lets through until something else fails; ours refuses the answer.
const REFUSED_EARLIER = new Set(["token spaces", "fmt AWS secret only, no region"]);

const server = await Scripted.start();
after(() => server.stop());
beforeEach(() => server.reset());

async function request(Client, method, url, options) {
  const client = new Client({ apiKey: Client === Agent ? AGENT_KEY : APP_KEY, baseUrl: server.url, logger: SILENT });
  try {
    return await client.request(method, url, options);
  } finally {
    await client.close();
  }
}

describe("API keys", () => {
  const { cases, non_string_cases } = vectors("api_keys");
  for (const case_ of cases) {
    test(title(case_), () => assert.equal(isValidKey(case_.key), case_.valid));
  }
  for (const case_ of non_string_cases) {
    test(`no text: ${title(case_)}`, () => assert.equal(isValidKey(case_.value), false));
  }
});

describe("base URLs", () => {
  for (const case_ of vectors("base_url").cases) {
    test(title(case_), () => {
      const options = { apiKey: APP_KEY, baseUrl: case_.value, logger: SILENT };
      // A host with a space in it can never be reached: the public package finds out at the first call, ours at once.
      if ("error" in case_ || case_.value === "https://h /x") {
        assert.throws(() => new App(options), AlterSDKError);
      } else {
        assert.equal(new App(options).baseUrl, case_.base_url);
      }
    });
  }
});

describe("URLs", () => {
  const fillIn = (text) => text.replaceAll("{base}", server.url).replaceAll("{port}", String(server.port));
  for (const case_ of vectors("request_url").cases) {
    test(title(case_), async () => {
      let url = case_.url && fillIn(case_.url);
      if (case_.url_built !== undefined) {
        const { prefix, fill, total_length } = case_.url_built;
        url = fillIn(prefix) + fill.repeat(total_length - fillIn(prefix).length);
      }
      server.answer("/", {});
      const options = { grantId: GRANT, pathParams: case_.path_params, queryParams: case_.query_params };
      if ("error_class" in case_ || REFUSED_URLS.has(case_.name)) {
        const error = await thrown(request(App, "GET", url, options));
        assert.equal(error.name, "AlterValueError");
        assert.deepEqual(server.requests(), []);
        return;
      }
      await request(App, "GET", url, options);
      const [token, provider] = server.requests().filter((seen) => !seen.target.startsWith("/sdk/oauth"));
      assert.equal(provider.target, case_.target);
      assert.equal(token.json().request.url, fillIn(case_.token_request_url));
    });
  }
});

describe("token answers", () => {
  const { cases, request: call } = vectors("token_response");
  for (const case_ of cases) {
    test(title(case_), async () => {
      // JavaScript has no 1.0, so the one answer that is about it is written by hand.
      const raw =
        case_.name === "expires_in 1.0" ? JSON.stringify(case_.body).replace(/("expires_in":1)\b/, "$1.0") : undefined;
      server.answer("/sdk/token", case_.body, { raw: case_.body_text ?? raw });
      server.answer("/x", {});
      const made = request(App, "GET", `${server.url}/x`, { grantId: call.grant_id });
      if (!case_.accepted) {
        const error = await thrown(made);
        assert.equal(error.name, REFUSED_EARLIER.has(case_.name) ? "BackendError" : case_.error_class);
        assert.deepEqual(
          server.requests().map((seen) => seen.target),
          ["/sdk/token"],
        );
        return;
      }
      const response = await made;
      assert.deepEqual(JSON.parse(JSON.stringify(response.retryInfo)), case_.retry_info);
      const [provider] = server.requests("/x");
      assert.equal(provider.target, case_.provider_target);
      // The public package sends two lines for one name in two spellings; ours sends the last value once.
      const wanted = new Map(
        Object.entries(case_.provider_headers).map(([name, value]) => [name.toLowerCase(), value]),
      );
      for (const [name, value] of wanted) {
        assert.deepEqual(provider.all(name), [value]);
      }
    });
  }
});

describe("headers of the vault", () => {
  for (const case_ of vectors("headers").rate_limit) {
    test(`rate limit ${JSON.stringify(case_.headers)}`, async () => {
      server.answer("/sdk/token", { access_token: "t", grant_id: GRANT }, { headers: case_.headers });
      const app = new App({ apiKey: APP_KEY, baseUrl: server.url });
      await app.request("GET", `${server.url}/p/x`, { grantId: GRANT });
      const told = app.lastRateLimit;
      await app.close();
      if (case_.snapshot === null) {
        assert.equal(told, null);
        return;
      }
      assert.equal(told.limit, case_.snapshot.limit);
      assert.equal(told.remaining, case_.snapshot.remaining);
      assert.ok(told.resetAt instanceof Date);
      if (Number(case_.headers["X-RateLimit-Reset"]) === case_.snapshot.reset_at_epoch) {
        assert.equal(told.resetAt.getTime(), case_.snapshot.reset_at_epoch * 1000);
      }
    });
  }

  for (const case_ of vectors("headers").retry_after) {
    for (const [code, ceiling] of [
      ["rate_limit_exceeded", "rate_limit"],
      ["quota_exceeded", "quota"],
    ]) {
      test(`Retry-After ${case_.header}, body ${case_.body}: ${code}`, async () => {
        const seconds = case_.body_is_nan ? "NaN" : JSON.stringify(case_.body ?? null);
        // Header values travel as bytes; one of them is a digit of another script.
        const headers = case_.header === null ? {} : { "Retry-After": Buffer.from(case_.header).toString("latin1") };
        server.answer("/sdk/token", undefined, {
          raw: `{"error": "${code}", "retry_after": ${seconds}}`,
          status: 429,
          headers,
        });
        const error = await thrown(request(App, "GET", `${server.url}/p/x`, { grantId: GRANT }));
        assert.equal(error.retryAfter, case_[ceiling]);
      });
    }
  }

  for (const case_ of vectors("headers").bearer_challenge) {
    test(`challenge ${case_.header.slice(0, 50)}`, async () => {
      server.answer("/p/", {}, { status: 403, headers: { "WWW-Authenticate": case_.header } });
      const error = await thrown(request(App, "GET", `${server.url}/p/x`, { grantId: GRANT }));
      if (case_.params.error !== "insufficient_scope") {
        assert.equal(error.name, "ProviderAPIError");
        return;
      }
      assert.equal(error.name, "ScopeReauthRequiredError");
      const scopes = (case_.params.scope ?? "").split(/\s+/).filter((scope) => scope !== "");
      assert.deepEqual(error.missingScopes, scopes.length > 0 ? scopes : null);
    });
  }
});

describe("narrowed requests", () => {
  for (const case_ of vectors("hmac").vectors.filter(({ input }) => input.scopes || input.rule)) {
    test(title(case_), async () => {
      const { scopes, rule } = case_.input;
      const app = new App({ apiKey: APP_KEY, baseUrl: server.url });
      const narrowed = app.withConstraints({
        scopes,
        rule: rule && { ruleType: rule.rule_type, ruleBody: rule.rule_body },
      });
      await narrowed.request("GET", `${server.url}/p/x`, { grantId: GRANT });
      await app.close();
      const [token] = server.requests("/sdk/token");
      for (const name of ["X-Alter-Scope-Constraints", "X-Alter-Request-Rule"]) {
        assert.equal(token.header(name), case_.headers[name]);
      }
    });
  }
});
