//! Whose a grant or a credential is, and who somebody is.

use super::AgentId;

/// A person, as an identity provider names them. Issuer and subject together are the identity; neither is one alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Person {
    /// The issuer's URL, as in the `iss` claim.
    pub issuer: String,
    /// The person's id at that issuer, as in the `sub` claim.
    pub subject: String,
}

/// Whose a grant is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Principal {
    /// The app itself: what `provider=` finds when no user is named.
    System,
    /// One of the app's users.
    User(Person),
    /// A group of the app's identity provider. Who belongs to it is judged from the user's token on each call.
    Group {
        /// The issuer's URL.
        issuer: String,
        /// The group's id at that issuer.
        group: String,
    },
    /// An agent: it holds the grant itself, or another holder delegated it.
    Agent {
        /// The agent.
        agent: AgentId,
    },
}

impl Principal {
    /// The word for it on the wire: `system`, `user`, `group` or `agent`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User(_) => "user",
            Self::Group { .. } => "group",
            Self::Agent { .. } => "agent",
        }
    }

    /// The agent, if it is one.
    pub const fn agent(&self) -> Option<AgentId> {
        match self {
            Self::Agent { agent } => Some(*agent),
            _ => None,
        }
    }
}
