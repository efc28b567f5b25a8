//! Grants and delegations.

use super::declare::models;
use super::managed_secrets::ManagedSecretGrantItem;
use super::rule::Choice;
use super::{Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "grants",
    summary: "Grants and delegations.",
    models: &[GrantInfo::MODEL, OAuthGrantItem::MODEL, UnifiedGrantListResult::MODEL, RevokeGrantResult::MODEL, DelegationResult::MODEL],
    unions: &[&GRANT_LIST_ITEM],
    words: &[],
};

/// Who can hold a grant.
pub(super) const PRINCIPALS: &[&str] = &["user", "group", "system", "agent"];
/// Who can hold a grant of a connected account.
pub(super) const NON_GROUP_PRINCIPALS: &[&str] = &["user", "system", "agent"];

const GRANT_LIST_ITEM: Choice = Choice {
    name: "GrantListItem",
    summary: "A grant in a list, by its `grant_kind`.",
    by: "grant_kind",
    models: &[OAuthGrantItem::MODEL, ManagedSecretGrantItem::MODEL],
};

/// A grant in a list, by its `grant_kind`.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(untagged)]
pub enum GrantListItem {
    /// A grant of a stored secret.
    ManagedSecret(Box<ManagedSecretGrantItem>),
    /// A grant of a connected account.
    OAuth(Box<OAuthGrantItem>),
}

models! {
    /// A grant: the permission to use one credential.
    GrantInfo {
        grant_id: String = Rule::text(),
        provider_id: String = Rule::text(),
        scopes: Vec<String> = Rule::texts_or_empty(),
        account_identifier: Option<String> = Rule::text().or_null(),
        account_display_name: Option<String> = Rule::text().or_null(),
        /// Where this account's API is, if that differs from account to account.
        api_base_url: Option<String> = Rule::origin(),
        status: String = Rule::text(),
        /// Whether the granted scopes differ from those that were asked for.
        scope_mismatch: bool = Rule::flag_or_false(),
        /// When the provider's token ends.
        expires_at: Option<String> = Rule::text().or_null(),
        created_at: String = Rule::text(),
        last_used_at: Option<String> = Rule::text().or_null(),
        principal_type: String = Rule::one_of(PRINCIPALS),
        label: Option<String> = Rule::text().or_null().dropped(),
        credential_id: Option<String> = Rule::text().or_null().dropped(),
        grant_policy: Option<Map<String, Value>> = Rule::map().or_null().dropped(),
    }

    /// A grant of a connected account, in a list.
    OAuthGrantItem {
        grant_kind: String = Rule::always(&["oauth"]),
        grant_id: String = Rule::text(),
        provider_id: String = Rule::text(),
        scopes: Vec<String> = Rule::texts_or_empty(),
        account_identifier: Option<String> = Rule::text().or_null(),
        account_display_name: Option<String> = Rule::text().or_null(),
        /// Where this account's API is, if that differs from account to account.
        api_base_url: Option<String> = Rule::origin(),
        status: String = Rule::text(),
        /// Whether the granted scopes differ from those that were asked for.
        scope_mismatch: bool = Rule::flag_or_false(),
        /// Whether the login broke, so that the person must connect again.
        needs_reconnect: bool = Rule::flag_or_false(),
        /// When the provider's token ends.
        expires_at: Option<String> = Rule::text().or_null().dropped(),
        /// When the permission itself ends; null if it lasts until it is revoked.
        grant_expires_at: Option<String> = Rule::text().or_null().dropped(),
        created_at: String = Rule::text(),
        last_used_at: Option<String> = Rule::text().or_null(),
        principal_type: String = Rule::one_of(NON_GROUP_PRINCIPALS),
        /// How the caller reaches it.
        access_via: String = Rule::one_of(&["ownership", "oauth_delegation"]).or("ownership"),
        delegated_at: Option<String> = Rule::text().or_null(),
        delegated_agent_ids: Vec<String> = Rule::texts_or_empty(),
        label: Option<String> = Rule::text().or_null().dropped(),
        credential_id: Option<String> = Rule::text().or_null().dropped(),
        grant_policy: Option<Map<String, Value>> = Rule::map().or_null().dropped(),
        /// The grant that this one was delegated from; null for a root.
        parent_grant_id: Option<String> = Rule::text().or_null().dropped(),
        /// How many delegations lie between this grant and its root.
        depth: i64 = Rule::whole().or_zero().dropped(),
        delegable: bool = Rule::flag_or_false().dropped(),
        scope_constraint: Option<Vec<String>> = Rule::texts().or_null().dropped_unless_list(),
    }

    /// One page of grants.
    UnifiedGrantListResult {
        grants: Vec<GrantListItem> = Rule::either(&GRANT_LIST_ITEM),
        /// How many there are on all pages.
        total: i64 = Rule::whole(),
        limit: i64 = Rule::whole(),
        offset: i64 = Rule::whole(),
        has_more: bool = Rule::flag(),
    }

    /// A grant that was revoked.
    RevokeGrantResult(strict) {
        success: bool = Rule::flag(),
        message: String = Rule::filled(),
        grant_id: String = Rule::filled(),
        revoked_at: String = Rule::filled(),
    }

    /// A grant that an agent delegated to another.
    DelegationResult {
        /// The new grant.
        grant_id: String = Rule::filled(),
        grant_kind: String = Rule::one_of(&["oauth", "managed_secret"]),
        parent_grant_id: String = Rule::filled(),
        /// How many delegations lie between this grant and its root.
        depth: i64 = Rule::whole().least(1),
        /// Whether the other agent may delegate it on.
        delegable: bool = Rule::flag(),
        status: String = Rule::filled(),
        expires_at: Option<String> = Rule::text().or_null().dropped(),
    }
}
