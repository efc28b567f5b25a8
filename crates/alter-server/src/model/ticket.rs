//! Tickets: something short-lived that whoever holds its token may go on with.

use super::{AppId, KeyDigest, TicketId, words};
use crate::clock::Timestamp;

words! {
    /// What a ticket is for.
    pub enum TicketKind {
        /// A Connect session: a person gives an app access.
        Connect = "connect",
        /// A sign-in that an application waits for.
        SignIn = "sign_in",
        /// A trip of one browser to a provider and back; its token is the `state` parameter.
        Trip = "trip",
        /// A person signed in with one browser; its token is in a cookie.
        Browser = "browser",
        /// A call of the proxy under an idempotency key, which is its token.
        ProxiedCall = "proxied_call",
    }
}

words! {
    /// Where a ticket is in its life. Expiry is not a state: it follows from `expires_at` and the clock.
    pub enum TicketState {
        /// It waits for somebody to go on.
        Open = "open",
        /// It reached its end. The answer stays readable until the ticket is forgotten.
        Completed = "completed",
        /// It ended without what it was made for.
        Failed = "failed",
    }
}

/// A ticket. What it is about is JSON of its kind's own, written and read where the kind is handled; secrets of it are sealed apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id: what the audit names. Not secret.
    pub id: TicketId,
    /// What it is for.
    pub kind: TicketKind,
    /// The app it belongs to.
    pub app: AppId,
    /// Keyed digest of its token ([`VaultKeys::digest`](crate::crypto::VaultKeys::digest)); the token itself is with its holder only.
    pub digest: KeyDigest,
    /// The ticket in whose course this one was made (a trip's session).
    pub parent: Option<TicketId>,
    /// Where it is in its life.
    pub state: TicketState,
    /// What it is about: JSON text without secrets.
    pub body: String,
    /// 1 when made, one more with every change: two holders that act at once are told apart.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Ticket {
    /// How long an ended ticket is kept, so that a lost answer can be asked for again.
    pub const MEMORY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

    /// A ticket that nobody has gone on with yet, for a token with this digest.
    pub fn open(app: AppId, kind: TicketKind, digest: KeyDigest, body: String, now: Timestamp, lasts: std::time::Duration) -> Self {
        Self {
            id: TicketId::random(),
            kind,
            app,
            digest,
            parent: None,
            state: TicketState::Open,
            body,
            version: 1,
            created_at: now,
            expires_at: now.plus(lasts),
        }
    }

    /// Whether its time is over at `now`.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}
