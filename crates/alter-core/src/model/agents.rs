//! Managed agents and their keys.

use super::declare::models;
use super::{Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "agents",
    summary: "Managed agents and their keys.",
    models: &[
        AgentInfo::MODEL,
        AgentCreateResult::MODEL,
        AgentListResult::MODEL,
        AgentKey::MODEL,
        AgentKeyMintResult::MODEL,
        AgentKeyList::MODEL,
    ],
    unions: &[],
    words: &[],
};

models! {
    /// A managed agent.
    AgentInfo {
        id: String = Rule::uuid(),
        name: String = Rule::text(),
        display_name: Option<String> = Rule::text().or_null(),
        r#type: String = Rule::one_of(&["agent", "service"]),
        /// An `inactive` agent can be resumed; a `revoked` one never comes back.
        status: String = Rule::one_of(&["active", "inactive", "revoked"]),
        /// What it may ask for: scopes by provider, and the slugs of stored secrets under `managed_secret_slugs`.
        scopes: Map<String, Value> = Rule::map().or_empty_map(),
        /// What `scopes` will be, while a narrowing waits.
        scopes_pending: Option<Map<String, Value>> = Rule::map().or_null(),
        /// When `scopes_pending` takes effect.
        scopes_applies_at: Option<String> = Rule::time().or_null(),
        policy: Map<String, Value> = Rule::map().or_empty_map(),
        metadata: Map<String, Value> = Rule::map().or_empty_map(),
        rate_limit_per_minute: Option<i64> = Rule::whole().or_null(),
        /// Grows with every change.
        version: i64 = Rule::whole(),
        created_at: String = Rule::time(),
        last_used_at: Option<String> = Rule::time().or_null(),
        parent_agent_id: Option<String> = Rule::uuid().or_null(),
        /// Display names of stored secrets that count in `scopes` still.
        stored_legacy_managed_secret_names: Vec<String> = Rule::texts_or_empty(),
    }

    /// A new agent, with its first key.
    AgentCreateResult with agent: AgentInfo {
        /// The key, shown this once; null if the same `idempotency_key` made the agent before.
        api_key: Option<String> = Rule::filled().nullable().secret(),
        key_id: String = Rule::uuid(),
    }

    /// One page of agents.
    AgentListResult {
        agents: Vec<AgentInfo> = Rule::models(AgentInfo::MODEL),
        /// How many there are on all pages.
        total: i64 = Rule::whole(),
        limit: i64 = Rule::whole(),
        offset: i64 = Rule::whole(),
        has_more: bool = Rule::flag(),
    }

    /// A key of an agent, without the key itself.
    AgentKey {
        key_id: String = Rule::uuid(),
        key_prefix: String = Rule::filled(),
        name: String = Rule::filled(),
        created_at: String = Rule::time(),
        /// Since when calls with it are warned of.
        deprecated_at: Option<String> = Rule::time().or_null(),
        revoked_at: Option<String> = Rule::time().or_null(),
        last_used_at: Option<String> = Rule::time().or_null(),
    }

    /// A new key of an agent.
    AgentKeyMintResult with key: AgentKey {
        /// The key, shown this once.
        api_key: Option<String> = Rule::filled().nullable().secret(),
    }

    /// All keys of an agent.
    AgentKeyList {
        items: Vec<AgentKey> = Rule::models(AgentKey::MODEL),
    }
}
