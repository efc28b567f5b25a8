//! Agents: programs of an app that act under their own name and hold their own grants.

mod scopes;

use serde_json::{Map, Value};

pub use scopes::AgentScopes;

use super::{AgentId, AppId, words};
use crate::clock::Timestamp;

words! {
    /// Whether an agent may act.
    pub enum AgentStatus {
        /// It may.
        Active = "active",
        /// Not until it is resumed.
        Suspended = "suspended",
        /// Never again; its keys are revoked with it.
        Deleted = "deleted",
    }
}

words! {
    /// What kind of program an agent is.
    pub enum AgentKind {
        /// An AI agent.
        Agent = "agent",
        /// A program.
        Service = "service",
    }
}

/// An agent of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The app it belongs to.
    pub app: AppId,
    /// Its name, unique in the app among agents that are not deleted.
    pub name: String,
    /// A name for people.
    pub display_name: Option<String>,
    /// What kind of program it is.
    pub kind: AgentKind,
    /// Whether it may act.
    pub status: AgentStatus,
    /// What of the grants that it holds it may use, until `staged` comes into force. Ask [`Agent::scopes_at`].
    pub scopes: AgentScopes,
    /// A narrowing that is announced.
    pub staged: Option<Staged>,
    /// Its policy, as it was given.
    pub policy: Map<String, Value>,
    /// What programs noted about it.
    pub metadata: Map<String, Value>,
    /// 1 at first; one more with every change.
    pub version: u32,
    /// The request that made it, if that may be repeated.
    pub asked: Option<AskedOnce>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When one of its keys was last used, to the second.
    pub last_used_at: Option<Timestamp>,
}

/// Scopes that come into force later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// What the agent may use then.
    pub scopes: AgentScopes,
    /// When.
    pub applies_at: Timestamp,
}

/// A request with an idempotency key: repeating it makes nothing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedOnce {
    /// Digest of app and idempotency key.
    pub key: [u8; 32],
    /// Digest of what was asked for.
    pub request: [u8; 32],
}

impl Agent {
    /// A new agent that may use whatever is granted to it.
    pub fn new(app: AppId, name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id: AgentId::random(),
            app,
            name: name.into(),
            display_name: None,
            kind: AgentKind::Agent,
            status: AgentStatus::Active,
            scopes: AgentScopes::all(),
            staged: None,
            policy: Map::new(),
            metadata: Map::new(),
            version: 1,
            asked: None,
            created_at: now,
            updated_at: now,
            last_used_at: None,
        }
    }

    /// The scopes in force.
    pub fn scopes_at(&self, now: Timestamp) -> &AgentScopes {
        match &self.staged {
            Some(staged) if staged.applies_at <= now => &staged.scopes,
            _ => &self.scopes,
        }
    }

    /// The narrowing that is announced and not in force yet.
    pub fn staged_at(&self, now: Timestamp) -> Option<&Staged> {
        self.staged.as_ref().filter(|staged| staged.applies_at > now)
    }
}
