//! How a key looks in answers, on the wire and on the admin plane. The names are those of the wire protocol.

use alter_core::key::KeyKind;
use serde_json::{Value, json};

use crate::api::Vault;
use crate::api::judge::reach::SCOPE_VERSION;
use crate::clock::Timestamp;
use crate::model::{ApiKey, KeyStatus};

use super::make::Made;

/// A key, without the key itself.
pub fn key(vault: &Vault, key: &ApiKey) -> Value {
    let usual = vault.admission.usual_limit;
    json!({
        "id": key.id,
        "name": key.name,
        "key_type": key_type(key.kind),
        "agent_id": key.agent,
        "key_prefix": key.prefix,
        "scopes": key.scopes,
        "scope_version": SCOPE_VERSION,
        "status": status(key, vault.clock.now()),
        "cidr_allowlist": key.networks,
        "rate_limit_rpm": key.rate.own,
        "effective_rate_limit_rpm": key.rate.limit(usual),
        "rate_limit_source": if key.rate.is_usual() { "platform_default" } else { "key" },
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "deprecated_at": key.deprecated_at,
        "works_until": key.works_until,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "parent_key_id": key.parent,
        "metadata": key.metadata,
    })
}

/// A new key, with the key itself: the only answer that ever has it.
pub fn made(vault: &Vault, made: &Made) -> Value {
    let mut shown = key(vault, &made.key);
    shown["api_key"] = made.text.expose().into();
    shown
}

fn status(key: &ApiKey, now: Timestamp) -> &'static str {
    let ended = [key.expires_at, key.works_until].into_iter().flatten().any(|end| end <= now);
    if ended && key.status != KeyStatus::Revoked { "expired" } else { key.status.as_str() }
}

/// The two letters in a key; legacy keys have a word of their own.
const fn key_type(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Legacy => "key",
        KeyKind::Runtime => "rk",
        KeyKind::Agent => "ak",
        KeyKind::Derived => "dk",
        KeyKind::Publishable => "pk",
    }
}
