// What the vault writes about agents, keys, catalogues, approvals and spans.

import { GRANT } from "./scripted.mjs";

export const NOW = "2026-01-02T03:04:05Z";
export const AGENT_ID = "22222222-2222-4222-8222-222222222222";
export const KEY_ID = "33333333-3333-4333-8333-333333333333";
export const APPROVAL_ID = "44444444-4444-4444-8444-444444444444";

/** Looked for wherever a new key must not be. */
export const NEW_KEY = "alter_ak_canary_5c1e";

export const AGENT = {
  id: AGENT_ID,
  name: "email-assistant",
  type: "agent",
  status: "active",
  scopes: { google: ["gmail.readonly"] },
  version: 7,
  created_at: NOW,
};
export const CREATED = { ...AGENT, api_key: NEW_KEY, key_id: KEY_ID };
export const AGENTS = { agents: [AGENT], total: 1, limit: 100, offset: 0, has_more: false };
export const AGENT_KEY = { key_id: KEY_ID, key_prefix: "alter_ak_x", name: "bot-1", created_at: NOW };
export const API_KEY = {
  id: KEY_ID,
  name: "k",
  key_prefix: "alter_dk_x",
  key_type: "dk",
  scopes: ["tokens:retrieve"],
  scope_version: 1,
  created_at: NOW,
};
export const MINTED = { ...API_KEY, api_key: NEW_KEY };

const SCOPE = { description: "d", required: false, is_default: true, requires: [] };
export const PROVIDER = {
  id: "google",
  name: "google",
  display_name: "Google",
  supports_refresh: true,
  supports_pkce: true,
  available_scopes: { a: SCOPE },
  default_scopes: ["a"],
  required_scopes: ["openid"],
  status: "active",
};
export const PROVIDERS = { providers: { google: PROVIDER } };
export const SCOPES = { scope_version: 2, resources: { tokens: { verbs: ["retrieve"] } }, action_verbs: ["retrieve"] };
export const SPEC = {
  provider_kind: "oauth",
  provider_id: "github",
  version: 3,
  provenance: "vendor",
  content_hash: "h",
  operation_count: 2,
  fetched_at: NOW,
  changed_at: NOW,
};
export const OPERATION = { operation_id: "repos/get", method: "GET", path_template: "/repos/{owner}" };
export const OPERATIONS = { items: [OPERATION], total: 1, limit: 100, offset: 0, has_more: false, spec: SPEC };

export const RESULT = {
  status_code: 200,
  headers: { "content-type": "application/json" },
  body_b64: Buffer.from('{"id": 7}').toString("base64"),
};
export const GATE = {
  approval_id: APPROVAL_ID,
  expires_at: NOW,
  expires_in: 60,
  approval_url: "https://vault.example/a",
};
export const PENDING = { ...GATE, approval_group_id: APPROVAL_ID, status: "pending", gates: [GATE] };
export const GATE_STATUS = { approval_id: APPROVAL_ID, status: "pending", expires_at: NOW };

/** The vault's answer to the question what became of a call. */
export const status = (word, more = {}) => ({
  approval_id: APPROVAL_ID,
  approval_group_id: APPROVAL_ID,
  expires_at: NOW,
  has_result: false,
  status: word,
  gates: [GATE_STATUS],
  ...more,
});

/** What the vault writes for each model, with no more than it must. */
export const WIRE = {
  AgentCreateResult: CREATED,
  AgentInfo: AGENT,
  AgentKey: AGENT_KEY,
  AgentKeyList: { items: [AGENT_KEY] },
  AgentKeyMintResult: { ...AGENT_KEY, api_key: NEW_KEY },
  AgentListResult: AGENTS,
  APIKeyInfo: API_KEY,
  ApprovalGate: GATE,
  ApprovalGateStatus: GATE_STATUS,
  ApprovalResult: { ...RESULT, approval_id: GRANT },
  ApprovalStatus: status("pending"),
  EmitSpansResult: { accepted: 1 },
  MemoryScope: {
    user_key: null,
    agent_key: "alter:agent:g",
    app_key: "alter:app:A",
    namespace: ["alter", "v2", "agent", "QQ", "Zw"],
    partition_key: "alter/v2/agent/QQ/Zw/",
  },
  MintedKey: MINTED,
  OAuthProviderCatalog: PROVIDERS,
  OAuthProviderCatalogItem: PROVIDER,
  OAuthProviderScopeInfo: SCOPE,
  PendingApproval: PENDING,
  ProviderSpec: SPEC,
  ResourceScopes: SCOPES.resources.tokens,
  ScopeCatalog: SCOPES,
  SpecOperation: OPERATION,
  SpecOperationDetail: { ...OPERATION, params_schema: [{ name: "owner" }], spec: SPEC },
  SpecOperationsPage: OPERATIONS,
};

/** What opens something, by the model that has it. */
export const SECRETS = { AgentCreateResult: ["api_key"], AgentKeyMintResult: ["api_key"], MintedKey: ["api_key"] };
