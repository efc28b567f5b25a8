//! Whom a grant is for.

use super::declare::models;
use super::grants::{NON_GROUP_PRINCIPALS, PRINCIPALS};
use super::{Choice, Group, Rule, Words};

pub(super) const GROUP: Group = Group {
    name: "principals",
    summary: "Whom a grant is for.",
    models: PRINCIPAL.models,
    unions: &[&PRINCIPAL],
    words: &[
        Words { name: "PrincipalType", summary: "Who can hold a grant.", values: PRINCIPALS },
        Words { name: "NonGroupPrincipalType", summary: "Who can hold a grant of a connected account.", values: NON_GROUP_PRINCIPALS },
    ],
};

/// The principals, told apart by their type.
pub const PRINCIPAL: Choice = Choice {
    name: "Principal",
    summary: "Whom a grant is for, by its `type`.",
    by: "type",
    models: &[UserPrincipal::MODEL, GroupPrincipal::MODEL, SystemPrincipal::MODEL, AgentPrincipal::MODEL],
};

models! {
    /// A user of the application, named by the user's JWT.
    UserPrincipal(closed) {
        r#type: String = Rule::always(&["user"]),
        user_token: String = Rule::filled().most(8192).secret(),
        label: String = Rule::filled().most(255),
    }

    /// A group of the application's identity provider.
    GroupPrincipal(closed) {
        r#type: String = Rule::always(&["group"]),
        external_group_id: String = Rule::filled().most(255),
        idp_id: String = Rule::filled().most(255),
        label: String = Rule::filled().most(255),
    }

    /// The application itself.
    SystemPrincipal(closed) {
        r#type: String = Rule::always(&["system"]),
        label: Option<String> = Rule::text().most(255).or_null(),
    }

    /// An agent. Vaults refuse it where a grant of a stored secret is made.
    AgentPrincipal(closed) {
        r#type: String = Rule::always(&["agent"]),
        label: Option<String> = Rule::text().most(255).or_null(),
    }
}
