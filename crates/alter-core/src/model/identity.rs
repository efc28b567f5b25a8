//! Who makes a call, as the vault knows it.

use super::declare::models;
use super::{Group, Rule};

pub(super) const GROUP: Group = Group {
    name: "identity",
    summary: "Who makes a call, as the vault knows it.",
    models: &[MemoryScope::MODEL, IdentityTrace::MODEL, IdentityContext::MODEL, IdentityAssertion::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// Where the memory of one agent for one user is kept.
    MemoryScope {
        /// A label of the user; null for the agent's own memory.
        user_key: Option<String> = Rule::text().or_null(),
        /// A label of the agent.
        agent_key: Option<String> = Rule::text().or_null(),
        /// A label of the application.
        app_key: String = Rule::filled(),
        /// What every namespace of this memory begins with.
        namespace: Vec<String> = Rule::text_tuple(),
        /// The same as one text.
        partition_key: String = Rule::filled(),
    }

    /// The run that a call belongs to, as its context named it.
    IdentityTrace {
        run_id: Option<String> = Rule::text().or_null(),
        thread_id: Option<String> = Rule::text().or_null(),
    }

    /// Who makes a call: application, user and agent.
    IdentityContext {
        app_id: String = Rule::filled(),
        /// The vault's id of the user.
        app_user_id: Option<String> = Rule::text().or_null(),
        /// The identity provider's id of the user.
        external_subject_id: Option<String> = Rule::text().or_null(),
        idp_id: Option<String> = Rule::text().or_null(),
        /// `active`, `suspended`, or a word of a newer vault.
        user_status: Option<String> = Rule::text().or_null(),
        group_ids: Vec<String> = Rule::texts_or_empty(),
        agent_id: Option<String> = Rule::text().or_null(),
        actor_id: Option<String> = Rule::text().or_null(),
        trace: Option<IdentityTrace> = Rule::model(IdentityTrace::MODEL).or_null(),
        /// Only if the profile was asked for.
        email: Option<String> = Rule::text().or_null(),
        /// Only if the profile was asked for.
        display_name: Option<String> = Rule::text().or_null(),
    }

    /// An identity as a signed token for another service.
    IdentityAssertion {
        /// A signed token that proves the identity to its audience.
        token: String = Rule::filled().secret(),
        expires_at: String = Rule::time(),
        identity: IdentityContext = Rule::model(IdentityContext::MODEL),
    }
}
