//! Spans: what programs say about their own steps. Labels, and no evidence.

use std::collections::BTreeMap;

use super::{AgentId, AppId, KeyId};
use crate::clock::Timestamp;

/// A step of a program. Its trace and span id together are unique in the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The app whose key brought it.
    pub app: AppId,
    /// The trace that it is part of, in the program's words.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// The span that it is part of.
    pub parent: Option<String>,
    /// What the step is.
    pub name: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` if it has not, or nobody said.
    pub ended_at: Option<Timestamp>,
    /// What else was noted.
    pub attributes: BTreeMap<String, String>,
    /// The key that brought it.
    pub key: KeyId,
    /// The agent whose key that is.
    pub agent: Option<AgentId>,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}
