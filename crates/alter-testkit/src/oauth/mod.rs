//! An OAuth 2 server on loopback that misbehaves on request: it rotates refresh tokens and notices when one is used again, loses answers, is slow or out of
//! order, forgets lifetimes and takes scopes away. It counts every exchange.
//!
//! It consents by itself: `GET /authorize` sends the browser straight back with a code. PKCE is required, client authentication is Basic.

mod answers;
mod tokens;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use tokens::Rotation;

use crate::http::Request;
use crate::server::{Reply, Server};
use tokens::Ledger;

/// The client that the server knows.
pub const CLIENT_ID: &str = "alter-test-client";
/// That client's secret.
pub const CLIENT_SECRET: &str = "canary-client-secret";
/// The scopes that the server grants.
pub const SCOPES: &str = "read write";

/// What the server does with one request for tokens or for revoking one, besides what it always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing else.
    Answer,
    /// It acts, and closes the connection without an answer.
    CloseAfter,
    /// It closes the connection, and has not acted.
    CloseBefore,
    /// It acts, and answers this much later.
    Slow(Duration),
    /// It does not act, and answers with this status and no body.
    Status(u16),
    /// It does not act, and answers with this status and an HTML page.
    Page(u16),
    /// It does not act, and answers 200 with an error of this code.
    ErrorWithStatus200(&'static str),
    /// It acts, and does not say how long the token lives.
    WithoutExpiry,
    /// It acts, and grants only these scopes from then on.
    Scopes(&'static str),
}

/// A running server. It stops when dropped.
pub struct OAuthServer {
    server: Server,
    ledger: Arc<Mutex<Ledger>>,
}

/// The tokens of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The access token, which `GET /api/…` and `/userinfo` accept.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
}

impl OAuthServer {
    /// Starts a server whose access tokens live for an hour.
    ///
    /// # Errors
    /// When no loopback port can be opened.
    pub fn start(rotation: Rotation) -> io::Result<Self> {
        let ledger = Arc::new(Mutex::new(Ledger::new(rotation)));
        let shared = Arc::clone(&ledger);
        let answer = move |request: Request| answers::answer(&shared, &request).map_or(Reply::Close, Reply::Send);
        let server = Server::start(Arc::new(answer))?;
        lock(&ledger).url = format!("http://{}", server.address());
        Ok(Self { server, ledger })
    }

    /// `http://127.0.0.1:PORT`, which is also the issuer.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// `127.0.0.1:PORT`, as an allowed host.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// Says what to do with the next token requests, in order. After the last of them the server behaves.
    pub fn script(&self, acts: &[Act]) {
        lock(&self.ledger).script = acts.iter().copied().collect();
    }

    /// Says what to do with the next requests to `/revoke`, in order; what an [`Act`] says about tokens means nothing there.
    pub fn script_revocations(&self, acts: &[Act]) {
        lock(&self.ledger).revocation_script = acts.iter().copied().collect();
    }

    /// Says whose account browsers are signed in to from now on: `ada@example.com` at first.
    pub fn sign_in(&self, email: &str) {
        email.clone_into(&mut lock(&self.ledger).email);
    }

    /// Logs somebody in without a browser.
    #[must_use]
    pub fn login(&self) -> Login {
        lock(&self.ledger).login()
    }

    /// Takes a login away, as a person does in the provider's settings.
    pub fn revoke(&self, login: &Login) {
        lock(&self.ledger).end_family_of(&login.refresh_token);
    }

    /// Takes every login away.
    pub fn revoke_all(&self) {
        lock(&self.ledger).end_all();
    }

    /// How many token requests with a refresh token have arrived.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        lock(&self.ledger).exchanged.len()
    }

    /// The refresh tokens of those requests, in order.
    #[must_use]
    pub fn exchanged(&self) -> Vec<String> {
        lock(&self.ledger).exchanged.clone()
    }

    /// How many requests to `/revoke` have arrived.
    #[must_use]
    pub fn revocations(&self) -> usize {
        lock(&self.ledger).revocations
    }

    /// The tokens that were revoked through `/revoke`, in order.
    #[must_use]
    pub fn revoked(&self) -> Vec<String> {
        lock(&self.ledger).revoked.clone()
    }
}

/// A panicking holder cannot leave this state half-changed, so a poisoned lock is still good.
fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
