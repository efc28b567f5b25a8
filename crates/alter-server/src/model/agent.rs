//! Agents: programs of an app that act under their own name and hold their own grants.

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

/// An agent of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// The app it belongs to.
    pub app: AppId,
    /// Its name, unique in the app among agents that are not deleted.
    pub name: String,
    /// Whether it may act.
    pub status: AgentStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
