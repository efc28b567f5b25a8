//! API keys as the vault keeps them: never the key, only a keyed digest of it.

use std::fmt;

use alter_core::key::KeyKind;
use serde_json::{Map, Value};

use super::{AgentId, AppId, KeyId, Networks, words};
use crate::clock::Timestamp;

/// HMAC-SHA256 of a whole key under the vault's pepper ([`crate::crypto::VaultKeys::digest`]). Without the pepper a stolen database
/// cannot even be used to test guesses. `Debug` prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest([redacted])")
    }
}

words! {
    /// Where a key is in its life.
    pub enum KeyStatus {
        /// In use.
        Active = "active",
        /// Works, but its holder is told to change to another.
        Deprecated = "deprecated",
        /// Refused for ever.
        Revoked = "revoked",
    }
}

/// An API key of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id: what the audit names. Not secret.
    pub id: KeyId,
    /// The app it opens.
    pub app: AppId,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The agent whose key it is; `None` for a key of the app's.
    pub agent: Option<AgentId>,
    /// A name for people; may be empty.
    pub name: String,
    /// Keyed digest of the whole key; unique in the vault.
    pub digest: KeyDigest,
    /// The first characters of the key ([`display_prefix`]).
    pub prefix: String,
    /// Scopes such as `tokens:retrieve`, in the order given.
    pub scopes: Vec<String>,
    /// Where it is in its life.
    pub status: KeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the second.
    pub last_used_at: Option<Timestamp>,
    /// The key that it was derived from; `None` for any other.
    pub parent: Option<KeyId>,
    /// Where its requests may come from; `None` for anywhere.
    pub networks: Option<Networks>,
    /// How often it may be used.
    pub rate: KeyRate,
    /// What the program that derived it noted about it.
    pub metadata: Map<String, Value>,
    /// When its holder was first told to change to another; `None` while it is not deprecated.
    pub deprecated_at: Option<Timestamp>,
    /// When a key that has a successor stops working.
    pub works_until: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// A new key of an app without a name, scopes and bounds.
    ///
    /// ```
    /// use alter_core::key::KeyKind;
    /// use alter_server::clock::Timestamp;
    /// use alter_server::model::{ApiKey, AppId, KeyDigest};
    ///
    /// let key = ApiKey::new(AppId::random(), KeyKind::Runtime, KeyDigest([0; 32]), Timestamp::from_millis(0));
    /// assert!(key.scopes.is_empty() && key.expires_at.is_none());
    /// ```
    pub fn new(app: AppId, kind: KeyKind, digest: KeyDigest, now: Timestamp) -> Self {
        Self {
            id: KeyId::random(),
            app,
            kind,
            agent: None,
            name: String::new(),
            digest,
            prefix: String::new(),
            scopes: Vec::new(),
            status: KeyStatus::Active,
            created_at: now,
            expires_at: None,
            last_used_at: None,
            parent: None,
            networks: None,
            rate: KeyRate::default(),
            metadata: Map::new(),
            deprecated_at: None,
            works_until: None,
            revoked_at: None,
        }
    }
}

/// How often a key may be used, in requests a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRate {
    /// The key's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u32>,
    /// The key whose requests are counted together with this one's: that it was derived from, or that it follows. `None` for its own count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedRate>,
}

/// A count that several keys share.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedRate {
    /// The key that it is counted under.
    pub key: KeyId,
    /// Its limit; `None` for the vault's usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl KeyRate {
    /// What a request of the key counts against: the shared count, then the key's own.
    pub fn counts(&self, key: KeyId, usual: u32) -> Vec<RateCount> {
        let shared = self.shared.as_ref().map(|shared| RateCount { key: shared.key, limit: shared.limit.unwrap_or(usual) });
        let own = match (&shared, self.own) {
            (Some(_), None) => None,
            (_, own) => Some(RateCount { key, limit: own.unwrap_or(usual) }),
        };
        shared.into_iter().chain(own).collect()
    }

    /// The limit in force.
    pub fn limit(&self, usual: u32) -> u32 {
        let shared = self.shared.as_ref().map(|shared| shared.limit.unwrap_or(usual));
        match (shared, self.own) {
            (Some(shared), own) => own.map_or(shared, |own| own.min(shared)),
            (None, own) => own.unwrap_or(usual),
        }
    }

    /// Whether the limit in force is the vault's usual one.
    pub fn is_usual(&self) -> bool {
        self.own.is_none() && self.shared.as_ref().is_none_or(|shared| shared.limit.is_none())
    }

    /// The count that another key joins which must not add to this one's: one derived from it, or its successor.
    pub fn joined(&self, key: KeyId) -> SharedRate {
        self.shared.clone().unwrap_or(SharedRate { key, limit: self.own })
    }
}

/// A count of requests, and how many of them one minute may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateCount {
    /// The key that it is counted under.
    pub key: KeyId,
    /// Requests a minute.
    pub limit: u32,
}

/// The part of a key that may be shown in lists: its type and the first four characters after it.
///
/// ```
/// assert_eq!(alter_server::model::display_prefix("alter_rk_abcdefghijklmnopqrstuv_iwpykn"), "alter_rk_abcd");
/// ```
pub fn display_prefix(key: &str) -> String {
    let type_end = key.match_indices('_').nth(1).map_or(0, |(at, _)| at + 1);
    key.chars().take(type_end + 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_key_counts_with_its_parent_and_by_itself() {
        let (parent, child) = (KeyId::random(), KeyId::random());
        let usual = KeyRate::default();
        assert_eq!(usual.counts(parent, 600), [RateCount { key: parent, limit: 600 }]);
        assert_eq!((usual.limit(600), usual.is_usual()), (600, true));
        let derived = KeyRate { own: Some(10), shared: Some(usual.joined(parent)) };
        assert_eq!(derived.counts(child, 600), [RateCount { key: parent, limit: 600 }, RateCount { key: child, limit: 10 }]);
        assert_eq!((derived.limit(600), derived.is_usual()), (10, false));
        // Joined by way of another: still one count.
        assert_eq!(derived.joined(child), SharedRate { key: parent, limit: None });
        let limited = KeyRate { own: Some(20), shared: None };
        let follower = KeyRate { own: None, shared: Some(limited.joined(parent)) };
        assert_eq!(follower.counts(child, 600), [RateCount { key: parent, limit: 20 }]);
        assert_eq!((follower.limit(600), follower.is_usual()), (20, false));
    }
}
