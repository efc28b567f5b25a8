// What the tests about people and grants share: the vault's answers, and one call on a fresh client.

import { App } from "@alter-ai/alter-sdk";

import { APP_KEY, GRANT, SILENT } from "./scripted.mjs";

export const SESSION_TOKEN = "session-canary-5d0c";
export const USER_TOKEN = "jwt-canary-81be";
export const SECRET_ID = "66666666-6666-4666-8666-666666666666";
export const SOON = "2026-01-02T03:04:05Z";

export const OAUTH = {
  grant_kind: "oauth",
  grant_id: GRANT,
  provider_id: "google",
  scopes: ["calendar.read"],
  account_identifier: "ada@example.com",
  account_display_name: "Ada",
  status: "active",
  scope_mismatch: true,
  expires_at: null,
  created_at: SOON,
  last_used_at: null,
  principal_type: "user",
};
export const MANAGED = {
  grant_kind: "managed_secret",
  grant_id: "44444444-4444-4444-8444-444444444444",
  managed_secret_id: SECRET_ID,
  managed_secret_slug: "loyalty-api",
  managed_secret_name: "Loyalty API",
  status: "active",
  created_at: SOON,
  principal_type: "system",
};
export const SESSION = {
  session_token: SESSION_TOKEN,
  connect_url: `https://vault.example/connect#${SESSION_TOKEN}`,
  expires_in: 600,
  expires_at: SOON,
};
export const MANAGED_SESSION = { ...SESSION, path: "key_entry", secret_slug: "openai", delegable_requested: false };
export const CONNECTED = {
  status: "completed",
  grants: [
    {
      grant_id: GRANT,
      provider_id: "google",
      account_identifier: "ada@example.com",
      scopes: ["calendar.read"],
      grant_policy: { expires_at: SOON },
    },
  ],
};
export const SIGN_IN = {
  session_token: SESSION_TOKEN,
  auth_url: `https://id.example/#${SESSION_TOKEN}`,
  expires_in: 600,
  expires_at: SOON,
};
export const SIGNED_IN = { status: "completed", user_token: USER_TOKEN, user_info: { sub: "ada", email: "a@b" } };
export const REVOKED = { success: true, message: "done", grant_id: GRANT, revoked_at: SOON };
export const IDENTITY = { app_id: "app-1", app_user_id: "u-1", trace: { run_id: "r" }, group_ids: ["g"] };

export const LIST = "/sdk/grants/list";
export const CONNECT = "/sdk/oauth/connect/session";
export const POLL = "/sdk/oauth/connect/session/poll";
export const CANCEL = "/sdk/oauth/connect/session/cancel";
export const MANAGED_CONNECT = "/sdk/managed-secrets/connect/session";
export const AUTH_SESSION = "/sdk/auth/session";
export const AUTH_POLL = "/sdk/auth/poll";
export const VERIFY = "/sdk/auth/verify-token";
export const RESOLVE = "/sdk/identity/resolve";
export const ASSERT = "/sdk/identity/assert";

/** Does not wait long, and opens nothing. */
export const QUICK = { pollInterval: 10 };

/** The header of a vault that takes cancellations of sessions. */
export const MARKED = { "x-alter-session-cancel": "true" };

/** An answer of the list endpoint. */
export const page = (...grants) => ({ grants, total: grants.length, limit: 100, offset: 0, has_more: false });

/** Makes `ask(method, ...)`: what a method of a fresh client gives. */
export function asking(server) {
  return async (method, ...given) => {
    const client = new App({ apiKey: APP_KEY, baseUrl: server.url, logger: SILENT });
    try {
      return await client[method](...given);
    } finally {
      await client.close();
    }
  };
}

/** Makes `sent(path)`: the body of the one request to a path. */
export function sending(server) {
  return (path) => {
    const seen = server.requests(path).filter(({ target }) => target === path);
    if (seen.length !== 1) {
      throw new Error(`${seen.length} requests came to ${path}`);
    }
    return seen[0].json();
  };
}

/** Runs `work` with what is printed kept from the terminal; gives what was printed. */
export async function printed(work) {
  const lines = [];
  const usual = console.log;
  console.log = (...parts) => lines.push(parts.join(" "));
  try {
    await work();
  } finally {
    console.log = usual;
  }
  return lines;
}
