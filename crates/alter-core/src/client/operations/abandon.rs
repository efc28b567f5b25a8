//! Telling the vault that nobody waits for a session any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::plan::Body;
use crate::client::Client;
use crate::host::Host;

const PATH: &str = "/sdk/oauth/connect/session/cancel";

/// The header of a session's answer by which a vault says that it takes cancellations. A vault that does not say so is sent none: other
/// vaults of this protocol have no such route.
pub const CANCEL_MARKER: &str = "x-alter-session-cancel";

/// A session that is given up when this is dropped.
pub(super) trait SessionGuard: Send + Sync {
    /// The session has ended by itself.
    fn disarm(&self);

    /// Something that gives the session up at once, from any thread; later times do nothing.
    fn handle(&self) -> Abandon;
}

/// Gives a session up.
#[derive(Clone)]
pub struct Abandon(Arc<dyn Fn() + Send + Sync>);

impl Abandon {
    /// Tells the vault, in the background. Only the first call does anything.
    pub fn now(&self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Abandon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Abandon")
    }
}

/// The guard of a session of one client.
pub(super) struct Guard {
    armed: Arc<AtomicBool>,
    abandon: Abandon,
}

impl Guard {
    pub(super) fn new<H: Host>(client: Client<H>, session_token: String) -> Self {
        let armed = Arc::new(AtomicBool::new(true));
        let still_armed = Arc::clone(&armed);
        let abandon = Abandon(Arc::new(move || {
            if still_armed.swap(false, Ordering::AcqRel) {
                client.deliver_quietly(PATH, Body::default().text("session_token", &session_token).bytes());
            }
        }));
        Self { armed, abandon }
    }
}

impl SessionGuard for Guard {
    fn disarm(&self) {
        self.armed.store(false, Ordering::Release);
    }

    fn handle(&self) -> Abandon {
        self.abandon.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.abandon.now();
    }
}
