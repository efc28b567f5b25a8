//! Grants: the permission to use one credential, handed to an app (and later to users and agents).

use super::{AppId, GrantId, SecretId, words};
use crate::clock::Timestamp;

words! {
    /// Whether a grant is in force. Expiry is not a status: it follows from `expires_at` and the clock.
    pub enum GrantStatus {
        /// In force until it expires.
        Active = "active",
        /// Taken back for ever.
        Revoked = "revoked",
    }
}

/// Whose grant it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// The app itself: what `provider=` finds when no user is named.
    System,
    /// One of the app's users, by the app's own id for them.
    User(String),
}

/// What a client reported with `report-scope-mismatch`: the provider wants more scopes than the credential has.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScopeMismatch {
    /// When it was last reported.
    pub reported_at: Timestamp,
    /// The scopes that the provider named; `None` when it named none.
    pub missing_scopes: Option<Vec<String>>,
}

/// The permission to use one managed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id: what a client passes as `grant_id`.
    pub id: GrantId,
    /// The app it belongs to.
    pub app: AppId,
    /// The managed secret that it opens; of the same app.
    pub secret: SecretId,
    /// Whose it is.
    pub principal: Principal,
    /// A name that tells several grants of one provider apart.
    pub label: Option<String>,
    /// The grant that this one was minted or delegated from. Always `None` until delegation exists.
    pub parent: Option<GrantId>,
    /// Whether it is in force.
    pub status: GrantStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` for never. A grant has expired at this moment, not after it.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When a credential was last released through it, to the second.
    pub last_used_at: Option<Timestamp>,
    /// The last scope-mismatch report, if there was one.
    pub scope_mismatch: Option<ScopeMismatch>,
}

impl Grant {
    /// Whether its time is over at `now`. Says nothing about revocation.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Which grants of an app to list; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// Only grants of this secret.
    pub secret: Option<SecretId>,
    /// Only grants of this principal.
    pub principal: Option<Principal>,
    /// Only grants with this status.
    pub status: Option<GrantStatus>,
}
