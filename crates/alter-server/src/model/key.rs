//! API keys as the vault keeps them: never the key, only a keyed digest of it.

use std::fmt;

use alter_core::key::KeyKind;

use super::{AgentId, AppId, KeyId, words};
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
