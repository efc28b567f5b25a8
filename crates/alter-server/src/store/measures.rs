//! What a store counts and times: for whoever operates it, and for no decision.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{Commit, CommitError, Declined, Receipt};
use crate::audit::{AuditEntry, Outcome};

/// The counts of one process. Clones count together.
///
/// Labels are words of ours: actions, outcomes, codes. Nothing that a client sends and no id becomes one, so there are never many.
#[derive(Clone, Debug)]
pub struct Measures {
    rows: Family<RowLabels, Counter>,
    failures: Family<CodeLabels, Counter>,
    commit: Histogram,
    group: Histogram,
    group_size: Histogram,
    queued: Gauge,
    taken_back: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RowLabels {
    action: String,
    outcome: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

impl Default for Measures {
    fn default() -> Self {
        // From half a millisecond to sixteen seconds: a flush of a good disk, and what no caller waits for.
        let seconds = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        Self {
            rows: Family::default(),
            failures: Family::default(),
            commit: seconds(),
            group: seconds(),
            group_size: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            queued: Gauge::default(),
            taken_back: Counter::default(),
        }
    }
}

/// What rows of a commit are counted as, kept while the commit itself is on its way.
pub(super) struct Drafted(Vec<RowLabels>);

impl Measures {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let rows = "Calls and changes by action, outcome (released, done, refused) and the code of a refusal: one for each audit row";
        registry.register("audit_rows", rows, self.rows.clone());
        let failures = "Commits that the store did not make durable in time, by code: nothing was released or changed by them";
        registry.register("store_failures", failures, self.failures.clone());
        let commit = "How long callers wait for a commit";
        registry.register_with_unit("commit_duration", commit, Unit::Seconds, self.commit.clone());
        let group = "How long the database takes for a group of commits, which share one transaction";
        registry.register_with_unit("group_commit_duration", group, Unit::Seconds, self.group.clone());
        registry.register("group_commit_size", "Commits in a group", self.group_size.clone());
        registry.register("store_queue_length", "Commits that wait for the database", self.queued.clone());
        let taken_back = "Intents whose commit came after its deadline: nothing was released, and a further row says so";
        registry.register("intents_taken_back", taken_back, self.taken_back.clone());
    }

    pub(super) fn drafted(commit: &Commit) -> Drafted {
        Drafted(commit.rows().iter().map(labels).collect())
    }

    pub(super) fn ended(&self, drafted: Drafted, result: &Result<Receipt, CommitError>, waited: Duration) {
        self.commit.observe(waited.as_secs_f64());
        match result {
            Ok(_) => drafted.0.iter().for_each(|row| self.count(row)),
            Err(CommitError::Declined(declined)) => {
                // The first row alone is written, as a refusal.
                if let Some(first) = drafted.0.into_iter().next() {
                    let stays = first.outcome == REFUSED && !counts_for_nothing(*declined);
                    let row = if stays { first } else { RowLabels { outcome: REFUSED, code: declined.code().to_owned(), ..first } };
                    self.count(&row);
                }
            }
            Err(CommitError::Store(error)) => drop(self.failures.get_or_create(&CodeLabels { code: error.code() }).inc()),
        }
    }

    pub(super) fn waiting(&self) {
        self.queued.inc();
    }

    pub(super) fn taken(&self) {
        self.queued.dec();
    }

    pub(super) fn grouped(&self, commits: usize, took: Duration) {
        self.group.observe(took.as_secs_f64());
        self.group_size.observe(f64::from(u32::try_from(commits).unwrap_or(u32::MAX)));
    }

    pub(super) fn took_back(&self) {
        self.taken_back.inc();
    }

    fn count(&self, row: &RowLabels) {
        self.rows.get_or_create(row).inc();
    }
}

const REFUSED: &str = "refused";

fn labels(row: &AuditEntry) -> RowLabels {
    let outcome = match row.outcome {
        Outcome::Intent => "released",
        Outcome::Done => "done",
        Outcome::Refused => REFUSED,
    };
    RowLabels { action: row.action.clone().into_owned(), outcome, code: row.code.clone().unwrap_or_default() }
}

/// Whether a request that was declined so counts for nothing, whatever its row was drafted as.
const fn counts_for_nothing(declined: Declined) -> bool {
    matches!(declined, Declined::NonceReplayed | Declined::NoncesFull | Declined::RateLimited(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ChainId;
    use crate::store::StoreError;

    fn count(measures: &Measures, action: &str, outcome: &'static str, code: &str) -> u64 {
        let labels = RowLabels { action: action.to_owned(), outcome, code: code.to_owned() };
        measures.rows.get(&labels).map_or(0, |counter| counter.get())
    }

    #[test]
    fn rows_are_counted_as_they_are_written() {
        let measures = Measures::default();
        let end = |row: AuditEntry, result: Result<Receipt, CommitError>| {
            measures.ended(Measures::drafted(&Commit::new(row)), &result, Duration::from_millis(1));
        };
        let row = |outcome| AuditEntry::new(ChainId::Vault, "token.retrieve", outcome);
        let kept = || Ok(Receipt { sequence: 1, rate: None });
        end(row(Outcome::Intent), kept());
        end(row(Outcome::Done).refused("grant_expired", None), kept());
        end(row(Outcome::Intent), Err(Declined::KeyRevoked.into()));
        end(row(Outcome::Done).refused("grant_expired", None), Err(Declined::KeyRevoked.into()));
        end(row(Outcome::Done).refused("grant_expired", None), Err(Declined::NonceReplayed.into()));
        end(row(Outcome::Intent), Err(StoreError::Full.into()));
        assert_eq!(count(&measures, "token.retrieve", "released", ""), 1);
        assert_eq!(count(&measures, "token.retrieve", "refused", "grant_expired"), 2);
        assert_eq!(count(&measures, "token.retrieve", "refused", "key_revoked"), 1);
        assert_eq!(count(&measures, "token.retrieve", "refused", "nonce_replayed"), 1);
        assert_eq!(measures.failures.get_or_create(&CodeLabels { code: "store_full" }).get(), 1);
    }
}
