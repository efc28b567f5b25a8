//! The exchange itself, in a task of its own that callers of this process share.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::keeper::{Keeper, Kept};
use super::state::{Ending, Policy, Step, ending, step};
use super::{CAUSE_LOST, Shared};
use crate::store::StoreError;

/// How long to wait before keeping new tokens is tried again.
const KEEP_AGAIN: Duration = Duration::from_millis(250);
/// How long keeping new tokens is tried: as long as a lease may last.
const KEEP_FOR: Duration = super::state::LEASE;

/// How a flight ended, for those who waited for it.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// Something changed, or somebody else is at it: look at the store again.
    LookAgain,
    /// The waiting took too long.
    InProgress,
    /// The store cannot be used.
    Store(StoreError),
}

/// The flights of this process, by login.
#[derive(Debug)]
pub(super) struct Flights<I>(Mutex<HashMap<I, watch::Receiver<Option<Landing>>>>);

impl<I> Default for Flights<I> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<I: Eq + Hash> Flights<I> {
    fn lock(&self) -> MutexGuard<'_, HashMap<I, watch::Receiver<Option<Landing>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list when its task ends, however it ends.
struct Listed<K: Keeper> {
    shared: Arc<Shared<K>>,
    id: K::Id,
}

impl<K: Keeper> Drop for Listed<K> {
    fn drop(&mut self) {
        self.shared.flights.lock().remove(&self.id);
    }
}

impl<K: Keeper> Shared<K> {
    /// Joins the flight for a login, or starts it, and waits for its end.
    pub(super) async fn fly(self: &Arc<Self>, id: K::Id, policy: Policy, deadline: Instant) -> Landing {
        let mut landing = self.join(id, policy);
        match tokio::time::timeout_at(deadline, landing.wait_for(Option::is_some)).await {
            Ok(Ok(landing)) => landing.clone().unwrap_or(Landing::LookAgain),
            // Its task is gone without a word: it panicked. The store knows how far it came.
            Ok(Err(_)) => Landing::LookAgain,
            Err(_) => Landing::InProgress,
        }
    }

    fn join(self: &Arc<Self>, id: K::Id, policy: Policy) -> watch::Receiver<Option<Landing>> {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&id) {
            return flight.clone();
        }
        let (tell, landing) = watch::channel(None);
        flights.insert(id, landing.clone());
        drop(flights);
        let listed = Listed { shared: Arc::clone(self), id };
        tokio::spawn(async move {
            let landing = listed.shared.refresh(id, policy).await;
            // Off the list first: whoever looks again after this and finds work to do starts a new flight.
            drop(listed);
            // All who waited may have gone.
            let _ = tell.send(Some(landing));
        });
        landing
    }

    async fn refresh(&self, id: K::Id, policy: Policy) -> Landing {
        self.exchange_until_answered(id, policy).await.map_or_else(Landing::Store, |()| Landing::LookAgain)
    }

    /// One exchange; a second one at once if the first one's answer was lost.
    async fn exchange_until_answered(&self, id: K::Id, policy: Policy) -> Result<(), StoreError> {
        loop {
            let Some(login) = self.keeper.read(id).await? else { return Ok(()) };
            let (fence, until) = match step(&login, &policy, self.clock.now()) {
                Step::Exchange { fence, until } => (fence, until),
                Step::GiveUp { fence } => {
                    let detail = "no answer came to any exchange, the last one of which was not finished".to_owned();
                    self.keeper.end(id, fence, Ending::Dead { cause: CAUSE_LOST, detail }).await?;
                    return Ok(());
                }
                Step::Use | Step::Dead(_) | Step::Wait => return Ok(()),
            };
            if self.keeper.lease(id, login.generation, fence, until).await? == Kept::No {
                return Ok(());
            }
            let failure = match self.keeper.exchange(id, login.generation).await {
                Ok(tokens) => return self.keep(id, login.generation, fence, tokens).await,
                Err(failure) => failure,
            };
            let ending = ending(&failure, login.unanswered, &policy);
            let again = matches!(ending, Ending::Lost { .. });
            if matches!(ending, Ending::Answered { .. }) {
                self.pauses.add(id, login.generation, failure);
            }
            // If this cannot be recorded, the exchange stays on record as unanswered, which is the careful reading.
            if self.keeper.end(id, fence, ending).await? == Kept::No || !again {
                return Ok(());
            }
        }
    }

    /// Keeps new tokens. They are the only ones there are: if the store is out of order for a moment, it is asked again.
    async fn keep(&self, id: K::Id, generation: u32, fence: u32, tokens: K::Tokens) -> Result<(), StoreError> {
        let give_up = Instant::now() + KEEP_FOR;
        let mut fence = Some(fence);
        loop {
            match self.keeper.renew(id, generation, fence, tokens.clone()).await {
                Ok(Kept::Yes) => {
                    self.pauses.forget(id);
                    return Ok(());
                }
                // The lease is another's by now. As long as the generation is the same, these tokens are newer than any that are kept, and good.
                Ok(Kept::No) if fence.is_some() => fence = None,
                // Somebody else's tokens are kept already, or it was kept by the attempt before after all; or the login has ended.
                Ok(Kept::No) => return self.keeper.discard(id, tokens).await,
                Err(error) if Instant::now() >= give_up => return Err(error),
                Err(error) => {
                    tracing::warn!(code = error.code(), "new tokens cannot be kept yet; trying again");
                    tokio::time::sleep(KEEP_AGAIN).await;
                }
            }
        }
    }
}
