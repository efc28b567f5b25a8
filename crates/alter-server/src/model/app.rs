//! Apps, the operators who run the vault, and the callers seen in requests.

use super::{ActorId, AppId, KeyDigest, OperatorId, words};
use crate::clock::Timestamp;

/// An application: the unit of tenancy. Keys, secrets, grants and an audit chain belong to exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its name, unique in the vault; what the command line takes and people are shown.
    pub name: String,
    /// What its operator has set.
    pub settings: AppSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an operator sets for an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSettings {
    /// Where a person's browser may be sent after a page of the vault's: URLs whose scheme, host and port must be equal, and whose path must
    /// begin with this one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub return_urls: Vec<String>,
    /// Origins that may open a page of the vault's in a window and be told its result (`https://shop.example`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_origins: Vec<String>,
    /// Whether a delegated grant that nothing narrows may be retrieved by its first holder, and not only used through the vault.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retrieve_delegated: bool,
    /// How people are asked.
    #[serde(default, skip_serializing_if = "ApprovalSettings::is_usual")]
    pub approvals: ApprovalSettings,
}

/// What an operator sets about calls that people have to agree to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalSettings {
    /// How long people have, in seconds; `None` for what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_seconds: Option<u64>,
    /// The URL at which it is told that a call waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Which of its secrets signs what is told there: one more with each new one, and 0 while there was none.
    #[serde(default)]
    pub webhook_secret_version: u32,
}

impl ApprovalSettings {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

words! {
    /// What an operator may do.
    pub enum OperatorRole {
        /// Everything on the admin plane.
        Admin = "admin",
        /// Decides approvals, reads the rest.
        Approver = "approver",
        /// Reads only.
        Auditor = "auditor",
    }
}

/// A person or script with a key to the admin plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its id.
    pub id: OperatorId,
    /// Its name, unique among operators that are not revoked.
    pub name: String,
    /// What it may do.
    pub role: OperatorRole,
    /// Keyed digest of its key.
    pub digest: KeyDigest,
    /// The first characters of its key, to tell keys apart in a list.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked; `None` while it is in force.
    pub revoked_at: Option<Timestamp>,
}

words! {
    /// What kind of caller a request names (`X-Alter-Caller-Type`).
    pub enum CallerType {
        /// An AI agent.
        Agent = "agent",
        /// A program.
        Service = "service",
    }
}

/// A caller that a request named in `X-Alter-Caller`, as first seen. Its id (`X-Alter-Actor-ID`) is a function of app, type and name:
/// [`crate::crypto::VaultKeys::actor_id`], so that two processes that see it at once agree without asking each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Its id.
    pub id: ActorId,
    /// The app whose key carried the request.
    pub app: AppId,
    /// The kind it claimed.
    pub caller_type: CallerType,
    /// The name it gave.
    pub caller: String,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
}
