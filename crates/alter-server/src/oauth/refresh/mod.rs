//! Refreshing a login without losing it.
//!
//! A refresh token may work once. Two exchanges of one token, or an exchange whose answer is not kept, can end a login for good, so:
//!
//! 1. The right to exchange is a *lease* of the credential, kept in the store: one holder at a time across tasks, processes and hosts. Taking it is the record
//!    that an exchange is about to begin; it is on disk before anything is sent.
//! 2. Each lease has a *fencing number*. A holder that was away too long cannot end what a later one began.
//! 3. New tokens replace those of one *generation*. Whoever comes second reads the first one's tokens and deletes nothing.
//! 4. The exchange runs in a task of its own. A caller that goes away takes nobody with it.
//! 5. An answer that was lost may have spent the token. It is tried once more at once, while a provider with a grace period still takes it; a second loss, or a
//!    refusal, ends the login, with the cause on record. Where the provider is known not to rotate, a lost answer costs nothing and is just a failure.
//! 6. A dead login is one flag. Nothing is sent for it until a person consents again.
//!
//! An expired token is never handed out. While a token has not expired, a provider that cannot be reached does not matter.
//!
//! [`state`] decides, without doing anything; [`Refresher`] does it; a [`Keeper`] is what it needs of the store and the provider.

mod flight;
mod keeper;
mod pause;
pub mod state;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::store::StoreError;
use flight::{Flights, Landing};
pub use keeper::{Keeper, KeeperFuture, Kept};
use pause::Pauses;
use state::{CAUSE_LOST, Policy, Step, step};

/// How long a caller is held while somebody refreshes.
pub const LONGEST_HOLD: Duration = Duration::from_secs(20);
/// How often the store is asked whether another vault is done.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why a login cannot be used now.
#[derive(Debug, thiserror::Error)]
pub enum NotFresh {
    /// It is dead: a person has to consent again.
    #[error("the login is dead: {0}")]
    Dead(String),
    /// Somebody is refreshing it and takes longer than a caller is held.
    #[error("the login is being refreshed")]
    InProgress,
    /// The provider cannot be reached, or is out of order; the login may be fine.
    #[error("the provider gives no new token: {detail}")]
    Unavailable {
        /// What happened, for the audit and the log.
        detail: String,
        /// When it is worth trying again, in seconds.
        retry_after: u32,
    },
    /// The provider does not accept the client; an operator has to act.
    #[error("the provider does not accept the client: {0}")]
    Misconfigured(String),
    /// There is no such login.
    #[error("there is no such login")]
    Unknown,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps logins fresh. One per process; what must hold across processes is in the store.
#[derive(Debug)]
pub struct Refresher<K: Keeper> {
    shared: Arc<Shared<K>>,
}

/// What the tasks of one process share.
#[derive(Debug)]
struct Shared<K: Keeper> {
    keeper: K,
    clock: Arc<dyn Clock>,
    flights: Flights<K::Id>,
    pauses: Pauses<K::Id>,
}

impl<K: Keeper> Refresher<K> {
    /// A refresher on this keeper.
    pub fn new(keeper: K, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { keeper, clock, flights: Flights::default(), pauses: Pauses::default() }) }
    }

    /// Returns once the login in the store can be used: at once if it is fresh, else after a refresh, by this caller, another or another vault.
    ///
    /// Dropping the future leaves the refresh alone.
    ///
    /// # Errors
    /// [`NotFresh`], within [`LONGEST_HOLD`].
    pub async fn make_fresh(&self, id: K::Id, policy: Policy) -> Result<(), NotFresh> {
        let shared = &self.shared;
        let deadline = Instant::now() + LONGEST_HOLD;
        loop {
            let login = shared.keeper.read(id).await?.ok_or(NotFresh::Unknown)?;
            let now = shared.clock.now();
            let fallback = login.is_unexpired(now);
            match step(&login, &policy, now) {
                Step::Use => return Ok(()),
                Step::Dead(cause) => return Err(NotFresh::Dead(cause)),
                Step::Wait => {
                    if Instant::now() >= deadline {
                        return if fallback { Ok(()) } else { Err(NotFresh::InProgress) };
                    }
                    tokio::time::sleep_until((Instant::now() + LOOK_AGAIN).min(deadline)).await;
                }
                Step::Exchange { .. } | Step::GiveUp { .. } => {
                    if let Some(pause) = shared.pauses.get(id, login.generation) {
                        if fallback {
                            return Ok(());
                        }
                        if !pause.worth_waiting_for(deadline) {
                            return Err(pause.into_error());
                        }
                        tokio::time::sleep_until(pause.until).await;
                        continue;
                    }
                    match shared.fly(id, policy, deadline).await {
                        Landing::LookAgain => {}
                        Landing::InProgress if fallback => return Ok(()),
                        Landing::InProgress => return Err(NotFresh::InProgress),
                        Landing::Store(error) => return Err(error.into()),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
