//! API keys that are made of other API keys.

use super::declare::models;
use super::{Fault, Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "keys",
    summary: "API keys that are made of other API keys.",
    models: &[APIKeyInfo::MODEL, MintedKey::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// An API key, without the key itself.
    APIKeyInfo {
        id: String = Rule::uuid(),
        name: String = Rule::text(),
        key_prefix: String = Rule::text(),
        /// The type that the key's text begins with: `dk` for a derived key.
        key_type: String = Rule::one_of(&["rk", "ak", "dk", "pk"]),
        scopes: Vec<String> = Rule::texts(),
        /// The version of the scope catalogue that `scopes` are from.
        scope_version: i64 = Rule::whole(),
        /// The address ranges from which it may be used; null for everywhere.
        cidr_allowlist: Option<Vec<String>> = Rule::texts().or_null(),
        /// The key's own limit; null does not mean that it has none.
        rate_limit_rpm: Option<i64> = Rule::whole().or_null(),
        /// Calls a minute that count in fact.
        effective_rate_limit_rpm: Option<i64> = Rule::whole().or_null(),
        /// Where that limit is from: `key`, `organization`, `platform_default`, or a word of a newer vault.
        rate_limit_source: Option<String> = Rule::text().or_null(),
        expires_at: Option<String> = Rule::time().or_null(),
        /// Since when it is replaced by another.
        deprecated_at: Option<String> = Rule::time().or_null(),
        revoked_at: Option<String> = Rule::time().or_null(),
        /// The key that it was made of.
        parent_key_id: Option<String> = Rule::uuid().or_null(),
        created_at: String = Rule::time(),
        last_used_at: Option<String> = Rule::time().or_null(),
    } checked by limit_has_a_source

    /// A new API key.
    MintedKey with key: APIKeyInfo {
        /// The key, shown this once.
        api_key: String = Rule::filled().secret(),
    }
}

/// A limit and where it is from are told together or not at all.
fn limit_has_a_source(read: &mut Map<String, Value>) -> Result<(), Fault> {
    let is_there = |name: &str| read.get(name).is_some_and(|value| !value.is_null());
    if is_there("effective_rate_limit_rpm") != is_there("rate_limit_source") {
        return Err(Fault::new("rate_limit_source", "must be there exactly if effective_rate_limit_rpm is"));
    }
    Ok(())
}
