//! Connecting a person's account, and signing a person in.

use super::declare::models;
use super::{Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "connect",
    summary: "What connecting an account and signing in give back.",
    models: &[
        ConnectSession::MODEL,
        AuthSession::MODEL,
        ManagedSecretConnectSession::MODEL,
        GrantPolicy::MODEL,
        GrantPolicyInput::MODEL,
        ConnectFailedGrant::MODEL,
        ConnectDelegation::MODEL,
        ConnectResult::MODEL,
        AuthResult::MODEL,
    ],
    unions: &[],
    words: &[],
};

models! {
    /// A Connect session: where to send the person, and how to learn what came of it.
    ConnectSession(strict) {
        /// Opens the session to whoever has it; short-lived.
        session_token: String = Rule::filled().secret(),
        /// Where to send the person. It holds the session's token.
        connect_url: String = Rule::filled().secret(),
        /// Seconds until the session ends.
        expires_in: u64 = Rule::whole().least(0),
        expires_at: String = Rule::filled(),
        /// One for each provider that the scope constraint does not fit.
        scope_constraint_warnings: Vec<String> = Rule::texts_or_empty().elements_dropped(),
        single_provider: bool = Rule::flag_or_false().dropped(),
        /// Whether the person skips the choice of a provider.
        direct: bool = Rule::flag_or_false().dropped(),
    }

    /// A sign-in session: where to send the person.
    AuthSession(strict) {
        /// Opens the session to whoever has it; short-lived.
        session_token: String = Rule::filled().secret(),
        /// Where to send the person.
        auth_url: String = Rule::filled().secret(),
        /// Seconds until the session ends.
        expires_in: i64 = Rule::whole(),
        expires_at: String = Rule::filled(),
    }

    /// A Connect session for a managed secret.
    ManagedSecretConnectSession(strict) {
        /// Opens the session to whoever has it; short-lived.
        session_token: String = Rule::filled().secret(),
        /// Where to send the person. It holds the session's token.
        connect_url: String = Rule::filled().secret(),
        /// Seconds until the session ends.
        expires_in: u64 = Rule::whole().least(0),
        /// When the session ends.
        expires_at: String = Rule::filled(),
        delegable_requested: bool = Rule::flag_or_false(),
        /// What the person will be asked for.
        path: Option<String> = Rule::one_of(&["fast_path", "key_entry", "repair"]).or_null().dropped(),
        existing_grant_id: Option<String> = Rule::text().or_null(),
        direct: bool = Rule::flag_or_false(),
        secret_slug: Option<String> = Rule::text().or_null(),
        template_slug: Option<String> = Rule::text().or_null(),
        agent_id: Option<String> = Rule::text().or_null(),
        /// When the delegation will end, if the vault knows it already.
        delegation_expires_at: Option<String> = Rule::text().or_null().dropped().hidden(),
    }

    /// The time limit that a person chose for a grant.
    GrantPolicy {
        expires_at: Option<String> = Rule::text().or_null(),
        created_by: Option<String> = Rule::text().or_null(),
        created_at: Option<String> = Rule::text().or_null(),
    }

    /// The time limits that an application sets for a grant.
    GrantPolicyInput(closed) {
        /// When the grant ends: ISO 8601.
        expires_at: Option<String> = Rule::iso_text().or_null(),
        /// The longest that the person may choose.
        max_ttl_seconds: Option<u64> = Rule::whole().least(1).or_null(),
        /// What is chosen unless the person chooses something else.
        default_ttl_seconds: Option<u64> = Rule::whole().least(1).or_null(),
    }

    /// A provider that the person began to connect and that gave no grant.
    ConnectFailedGrant(strict) {
        provider_id: String = Rule::filled(),
        /// For example `not_selected` or `activation_failed`.
        reason: String = Rule::filled(),
        message: String = Rule::filled(),
    }

    /// The delegation that came with a grant.
    ConnectDelegation(strict) {
        agent_id: String = Rule::filled(),
        /// Whether the agent may delegate it on.
        delegable: bool = Rule::flag(),
        policy_refused: bool = Rule::flag_or_false(),
    }

    /// One connected account.
    ConnectResult {
        grant_id: String = Rule::text(),
        provider_id: String = Rule::text(),
        account_identifier: Option<String> = Rule::text().or_null(),
        scopes: Vec<String> = Rule::texts_or_empty(),
        /// Where this account's API is, if that differs from account to account.
        api_base_url: Option<String> = Rule::origin(),
        /// `creation`, or `reauth` if an existing grant was renewed.
        operation: String = Rule::one_of(&["creation", "reauth"]).or("creation"),
        grant_policy: Option<GrantPolicy> = Rule::model(GrantPolicy::MODEL).or_null(),
        /// Providers of the same session that gave no grant.
        failed_grants: Vec<ConnectFailedGrant> = Rule::models(ConnectFailedGrant::MODEL).or_empty(),
        delegation: Option<ConnectDelegation> = Rule::model(ConnectDelegation::MODEL).or_null(),
    }

    /// A person who signed in.
    AuthResult {
        /// The person's JWT.
        user_token: String = Rule::text().secret(),
        /// The identity provider's claims about the person.
        user_info: Map<String, Value> = Rule::map().or_empty_map().dropped(),
    }
}
