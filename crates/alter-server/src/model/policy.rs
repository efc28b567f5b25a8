//! Policies, as operators write them.

use super::{AppId, OperatorId, PolicyId};
use crate::clock::Timestamp;

/// A policy of an app. What it says is compiled from its text: see [`policy`](crate::policy).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// The app that it is for.
    pub app: AppId,
    /// Its name, unique in the app.
    pub name: String,
    /// Its text: Cedar.
    pub source: String,
    /// 1 at first; one more with every change.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: OperatorId,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: OperatorId,
}
