//! Counting requests: how many each key has made in the current minute.

use std::collections::BTreeMap;

use super::database::{Database, SqlResult};
use super::value::values;
use crate::clock::Timestamp;
use crate::model::{KeyId, RateCount};
use crate::store::{Commit, Declined, RateState};

/// The counts that one transaction adds to. They are in the database, so vaults that share it share them.
pub(super) struct Rates {
    minute: i64,
    /// Requests of this minute that came before the next one of this transaction.
    used: BTreeMap<KeyId, u64>,
}

impl Rates {
    /// Adds what all commits of a transaction count, with one statement for each count.
    pub(super) fn begin<'c>(db: &dyn Database, now: Timestamp, commits: impl Iterator<Item = &'c Commit>) -> SqlResult<Self> {
        let minute = now.as_secs().div_euclid(60);
        let mut added = BTreeMap::<KeyId, u64>::new();
        for count in commits.flat_map(Commit::counted) {
            *added.entry(count.key).or_default() += 1;
        }
        // In one order, so that two transactions never wait for each other.
        let used = added.into_iter().map(|(key, added)| Ok((key, add(db, key, minute, added)?.saturating_sub(added))));
        Ok(Self { minute, used: used.collect::<SqlResult<_>>()? })
    }

    /// Takes one request's place in its counts; gives the state of the one that has the fewest left, or declines if one of them is full.
    pub(super) fn take(&mut self, counts: &[RateCount]) -> Result<Option<RateState>, Declined> {
        let resets_at = (self.minute + 1).saturating_mul(60);
        let mut tightest: Option<RateState> = None;
        let mut full = None;
        for count in counts {
            let used = self.used.entry(count.key).or_default();
            *used += 1;
            let left = u64::from(count.limit).checked_sub(*used);
            let state = RateState { limit: count.limit, remaining: left.and_then(|left| u32::try_from(left).ok()).unwrap_or(0), resets_at };
            if left.is_none() {
                full.get_or_insert(state);
            }
            if tightest.is_none_or(|known| state.remaining < known.remaining) {
                tightest = Some(state);
            }
        }
        full.map_or(Ok(tightest), |state| Err(Declined::RateLimited(state)))
    }
}

/// Adds requests to a count; gives how many it has now. A vault whose clock is a little behind counts into the minute that has begun already.
fn add(db: &dyn Database, key: KeyId, minute: i64, added: u64) -> SqlResult<u64> {
    let counted = db.all(
        "INSERT INTO rate_counts (key, minute, used) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET
             used = CASE WHEN rate_counts.minute >= excluded.minute THEN rate_counts.used + excluded.used ELSE excluded.used END,
             minute = CASE WHEN rate_counts.minute >= excluded.minute THEN rate_counts.minute ELSE excluded.minute END
         RETURNING used",
        values![key.0.into_bytes(), minute, added],
        |columns| columns.get(),
    )?;
    Ok(counted.first().copied().unwrap_or(added))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(used: &[(KeyId, u64)]) -> Rates {
        Rates { minute: 10, used: used.iter().copied().collect() }
    }

    #[test]
    fn the_fullest_count_decides_and_both_are_used() {
        let (shared, own) = (KeyId::random(), KeyId::random());
        let counts = [RateCount { key: shared, limit: 600 }, RateCount { key: own, limit: 2 }];
        let mut rates = rates(&[(shared, 100), (own, 0)]);
        let state = |limit, remaining| RateState { limit, remaining, resets_at: 660 };
        assert_eq!(rates.take(&counts), Ok(Some(state(2, 1))));
        assert_eq!(rates.take(&counts), Ok(Some(state(2, 0))));
        assert_eq!(rates.take(&counts), Err(Declined::RateLimited(state(2, 0))));
        assert_eq!(rates.take(&counts[..1]), Ok(Some(state(600, 496))));
        assert_eq!(rates.take(&[]), Ok(None));
    }
}
