//! Grants of stored secrets.

use super::declare::models;
use super::grants::PRINCIPALS;
use super::{Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "managed_secrets",
    summary: "Grants of stored secrets.",
    models: &[ManagedSecretGrantItem::MODEL, CreateGrantResult::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// A grant of a stored secret, in a list.
    ManagedSecretGrantItem {
        grant_kind: String = Rule::always(&["managed_secret"]),
        grant_id: String = Rule::text(),
        managed_secret_id: String = Rule::text(),
        managed_secret_slug: String = Rule::text(),
        managed_secret_name: String = Rule::text(),
        agent_id: Option<String> = Rule::text().or_null(),
        label: Option<String> = Rule::text().or_null().dropped(),
        status: String = Rule::text(),
        account_identifier: Option<String> = Rule::text().or_null(),
        grant_policy: Option<Map<String, Value>> = Rule::map().or_null().dropped(),
        expires_at: Option<String> = Rule::text().or_null().dropped(),
        /// When the permission itself ends; null if it lasts until it is revoked.
        grant_expires_at: Option<String> = Rule::text().or_null().dropped(),
        created_at: String = Rule::text(),
        last_used_at: Option<String> = Rule::text().or_null(),
        principal_type: String = Rule::one_of(PRINCIPALS),
        /// How the caller reaches it.
        access_via: String = Rule::one_of(&["ownership", "ms_delegation"]).or("ownership"),
        delegated_at: Option<String> = Rule::text().or_null(),
        /// The grant that this one was delegated from; null for a root.
        parent_grant_id: Option<String> = Rule::text().or_null().dropped(),
        /// How many delegations lie between this grant and its root.
        depth: i64 = Rule::whole().or_zero().dropped(),
        delegable: bool = Rule::flag_or_false().dropped(),
        scope_constraint: Option<Vec<String>> = Rule::texts().or_null().dropped_unless_list(),
        credential_id: Option<String> = Rule::text().or_null().dropped(),
        /// Whose credential it is: the developer's or an end user's.
        credential_kind: Option<String> = Rule::one_of(&["developer", "end_user"]).or_null().dropped(),
        credential_label: Option<String> = Rule::text().or_null().dropped(),
    }

    /// A new grant of a stored secret.
    CreateGrantResult {
        grant_id: String = Rule::text(),
        principal_type: String = Rule::one_of(PRINCIPALS),
        label: Option<String> = Rule::text().nullable(),
        created_at: String = Rule::text(),
        credential_id: Option<String> = Rule::filled().or_null().dropped(),
    }
}
