//! How agents and their keys look on the wire.

use serde_json::{Value, json};

use super::policy;
use crate::clock::Timestamp;
use crate::model::{Agent, AgentStatus, ApiKey};

/// An agent.
pub fn agent(agent: &Agent, now: Timestamp) -> Value {
    let staged = agent.staged_at(now);
    json!({
        "id": agent.id,
        "name": agent.name,
        "display_name": agent.display_name,
        "type": agent.kind,
        "status": status(agent.status),
        "scopes": agent.scopes_at(now),
        "scopes_pending": staged.map(|staged| &staged.scopes),
        "scopes_applies_at": staged.map(|staged| staged.applies_at),
        "policy": policy::shown(&agent.policy),
        "metadata": agent.metadata,
        "rate_limit_per_minute": null,
        "version": agent.version,
        "created_at": agent.created_at,
        "last_used_at": agent.last_used_at,
        "parent_agent_id": null,
        "stored_legacy_managed_secret_names": [],
    })
}

/// The wire's words for the states.
const fn status(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Active => "active",
        AgentStatus::Suspended => "inactive",
        AgentStatus::Deleted => "revoked",
    }
}

/// A key of an agent, without the key itself.
pub fn key(key: &ApiKey) -> Value {
    json!({
        "key_id": key.id,
        "key_prefix": key.prefix,
        "name": if key.name.is_empty() { &key.prefix } else { &key.name },
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "deprecated_at": key.deprecated_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    })
}
