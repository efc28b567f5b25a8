//! Not asking a provider again too soon. Kept in the process only: it paces what may be asked anyway, and decides nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::NotFresh;
use crate::oauth::failure::{Failure, FailureKind};

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(300);
/// A provider that does not accept the client will not a second later either; soon after an operator has put it right, it should.
const MISCONFIGURED: Duration = Duration::from_secs(10);
/// Above this many entries, those that are over are dropped.
const CLEAN_ABOVE: usize = 1024;

/// Why and until when a login is left alone.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub until: Instant,
    generation: u32,
    failures: u32,
    failure: Failure,
}

impl Pause {
    /// Whether a caller may be held until it is over.
    pub(super) fn worth_waiting_for(&self, deadline: Instant) -> bool {
        self.failure.kind != FailureKind::Misconfigured && self.until < deadline
    }

    pub(super) fn into_error(self) -> NotFresh {
        let wait = self.until.saturating_duration_since(Instant::now());
        let detail = self.failure.detail;
        match self.failure.kind {
            FailureKind::Misconfigured => NotFresh::Misconfigured(detail),
            _ => NotFresh::Unavailable { detail, retry_after: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) },
        }
    }
}

#[derive(Debug)]
pub(super) struct Pauses<I>(Mutex<HashMap<I, Pause>>);

impl<I> Default for Pauses<I> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<I: Copy + Eq + Hash> Pauses<I> {
    /// The pause of a login that is not over, if its tokens are still those that failed.
    pub(super) fn get(&self, id: I, generation: u32) -> Option<Pause> {
        self.lock().get(&id).filter(|pause| pause.generation == generation && pause.until > Instant::now()).cloned()
    }

    /// A failure: leave the login alone for a while, longer each time, or as long as the provider asks.
    pub(super) fn add(&self, id: I, generation: u32, failure: Failure) {
        let now = Instant::now();
        let mut pauses = self.lock();
        if pauses.len() > CLEAN_ABOVE {
            pauses.retain(|_, pause| pause.until > now);
        }
        let failures = pauses.get(&id).filter(|pause| pause.generation == generation).map_or(0, |pause| pause.failures);
        let own = match failure.kind {
            FailureKind::Misconfigured => MISCONFIGURED,
            _ => FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST),
        };
        let asked = failure.retry_after.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.into()));
        pauses.insert(id, Pause { until: now + own.max(asked), generation, failures: failures + 1, failure });
    }

    /// The login is well again.
    pub(super) fn forget(&self, id: I) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<I, Pause>> {
        // A panic cannot leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind, retry_after: Option<u32>) -> Failure {
        Failure { retry_after, ..Failure::new(kind, "d") }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end() {
        let pauses = Pauses::default();
        let add = |kind, after| {
            pauses.add(1, 1, failure(kind, after));
            pauses.get(1, 1).expect("a pause").until - Instant::now()
        };
        let transient = FailureKind::Transient;
        assert_eq!([add(transient, None), add(transient, None), add(transient, None)].map(|d| d.as_millis()), [500, 1000, 2000]);
        assert_eq!(add(transient, Some(60)), Duration::from_secs(60));
        for _ in 0..20 {
            add(transient, None);
        }
        assert_eq!(add(transient, None), LONGEST);
        assert!(pauses.get(1, 2).is_none(), "other tokens, other luck");
        tokio::time::advance(LONGEST).await;
        assert!(pauses.get(1, 1).is_none());
        pauses.forget(1);
        assert_eq!(add(FailureKind::Misconfigured, None), MISCONFIGURED);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_waited_for() {
        let pauses = Pauses::default();
        pauses.add(1, 1, failure(FailureKind::Transient, None));
        pauses.add(2, 1, failure(FailureKind::Misconfigured, None));
        let deadline = Instant::now() + Duration::from_secs(20);
        let (short, wrong) = (pauses.get(1, 1).expect("a pause"), pauses.get(2, 1).expect("a pause"));
        assert!(short.worth_waiting_for(deadline) && !wrong.worth_waiting_for(deadline));
        assert!(!short.worth_waiting_for(Instant::now()));
        assert!(matches!(short.into_error(), NotFresh::Unavailable { retry_after: 1, .. }));
        assert!(matches!(wrong.into_error(), NotFresh::Misconfigured(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_does_not_pile_up() {
        let pauses = Pauses::default();
        for id in 0..=CLEAN_ABOVE {
            pauses.add(id, 1, failure(FailureKind::Transient, None));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        pauses.add(usize::MAX, 1, failure(FailureKind::Transient, None));
        assert_eq!(pauses.lock().len(), 1);
    }
}
