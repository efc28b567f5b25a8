//! The one writer: takes commits from a bounded queue and makes them durable in groups.
//!
//! While the disk works on one group the next one gathers, so the cost of a flush is shared by whoever is waiting, and nobody waits for a
//! timer. The thread may block as long as the disk does: callers wait on their own deadline and not on this thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::columns::{is_local, store_error};
use super::effects::{self, Stop};
use super::known_keys::KnownKeys;
use super::lock::FolderLock;
use super::nonces::NonceTable;
use super::options::SqliteOptions;
use super::trail::{OpenChains, Trail};
use super::uses::UseCache;
use crate::audit::{AuditEntry, AuditKey, ChainId, Outcome};
use crate::clock::{Clock, Timestamp};
use crate::store::{Commit, CommitError, Declined, Faults, Receipt, StoreError};

/// A commit that waits for the writer.
pub(super) struct Job {
    /// What to write; `None` only asks whether writing works.
    pub(super) commit: Option<Commit>,
    pub(super) deadline: Instant,
    pub(super) answer: Answer,
}

impl Job {
    /// Any effect but a use may: what later versions add need not be named here.
    fn may_change_keys(&self) -> bool {
        self.commit.as_ref().is_some_and(|commit| !commit.effects().iter().all(effects::is_use))
    }
}

pub(super) type Answer = oneshot::Sender<Result<Receipt, CommitError>>;

/// What the writer takes from its queue.
pub(super) enum Message {
    Job(Box<Job>),
    /// Finish and end.
    Close,
}

pub(super) struct Writer {
    connection: Connection,
    trail: Trail,
    nonces: NonceTable,
    known_keys: Arc<KnownKeys>,
    clock: Arc<dyn Clock>,
    faults: Arc<dyn Faults>,
    group: usize,
    /// Intents that nobody was told of in time, to be taken back by a row of their own.
    overdue: Vec<Overdue>,
    /// Given up after the connection, which is declared before it.
    _lock: Option<FolderLock>,
}

/// An intent that became durable after its caller had given up.
struct Overdue {
    chain: ChainId,
    sequence: u64,
    request_id: Option<String>,
}

/// What became of one job inside the transaction.
enum Judged {
    Accepted(Receipt),
    Declined(Declined),
    /// Its own rows are at fault; the rest of the group is not.
    Failed(StoreError),
}

/// How long rows that could not be written wait for the next attempt.
const RETRY: Duration = Duration::from_secs(1);

impl Writer {
    pub(super) fn new(
        connection: Connection,
        lock: Option<FolderLock>,
        key: AuditKey,
        known_keys: Arc<KnownKeys>,
        options: &SqliteOptions,
    ) -> Self {
        Self {
            connection,
            trail: Trail::new(key),
            nonces: NonceTable::new(options.limits.nonces),
            known_keys,
            clock: Arc::clone(&options.clock),
            faults: Arc::clone(&options.faults),
            group: options.limits.commit_group.max(1),
            overdue: Vec::new(),
            _lock: lock,
        }
    }

    /// Works until told to close, or until nobody can send any more. Returns what is left undone.
    pub(super) fn run(mut self, queue: &Receiver<Message>) -> Result<(), StoreError> {
        let mut closing = false;
        while !closing {
            // Empty: a group is rarely near its limit, and memory that is freed is overwritten first (`zeroizing-alloc`), all of it.
            let mut jobs = Vec::new();
            match self.next(queue) {
                Some(Message::Job(job)) => jobs.push(*job),
                Some(Message::Close) => closing = true,
                None => {}
            }
            while jobs.len() < self.group && !closing {
                match queue.try_recv() {
                    Ok(Message::Job(job)) => jobs.push(*job),
                    Ok(Message::Close) => closing = true,
                    Err(_) => break,
                }
            }
            self.commit_group(jobs);
        }
        // What was queued behind the close message is refused by its answer being dropped.
        if !self.overdue.is_empty() {
            self.transaction(&[])?;
        }
        self.empty_log();
        Ok(())
    }

    /// Moves the write-ahead log into the database and cuts it to nothing, so that a closed folder holds no remains of what was deleted.
    fn empty_log(&self) {
        // Somebody who is reading from outside keeps the log alive; their end of it does the same.
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log could not be emptied at closing");
        }
    }

    /// The next message; `None` when there are overdue rows to write and nothing else came in time.
    fn next(&self, queue: &Receiver<Message>) -> Option<Message> {
        if self.overdue.is_empty() {
            return Some(queue.recv().unwrap_or(Message::Close));
        }
        match queue.recv_timeout(RETRY) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Message::Close),
        }
    }

    fn commit_group(&mut self, mut jobs: Vec<Job>) {
        let now = Instant::now();
        // Whoever has given up already gets no row: nothing was tried for them.
        jobs.retain(|job| job.deadline > now && !job.answer.is_closed());
        if jobs.is_empty() && self.overdue.is_empty() {
            return;
        }
        match self.transaction(&jobs) {
            Ok(judged) => {
                self.overdue.clear();
                for (job, judged) in jobs.into_iter().zip(judged) {
                    self.tell(job, judged);
                }
                self.take_back_overdue();
            }
            Err(error) => {
                tracing::error!(code = error.code(), %error, commits = jobs.len(), "nothing of a group of commits was stored");
                for job in jobs {
                    // A caller that has given up needs no answer.
                    drop(job.answer.send(Err(error.clone().into())));
                }
            }
        }
    }

    fn tell(&mut self, job: Job, judged: Judged) {
        let Job { commit, answer, .. } = job;
        let (result, receipt) = match judged {
            Judged::Accepted(receipt) => (Ok(receipt), Some(receipt)),
            Judged::Declined(declined) => (Err(declined.into()), None),
            Judged::Failed(error) => (Err(error.into()), None),
        };
        // A failed send is the caller's decision to give up: the two cannot both happen, so the row and the answer never contradict each other.
        if answer.send(result).is_err()
            && let (Some(receipt), Some(commit)) = (receipt, commit)
        {
            let row = &commit.rows()[0];
            if row.outcome == Outcome::Intent {
                tracing::warn!(chain = %row.chain, sequence = receipt.sequence, "a commit came after its deadline and is taken back");
                self.overdue.push(Overdue { chain: row.chain, sequence: receipt.sequence, request_id: row.request_id.clone() });
            }
        }
    }

    /// Writes the rows that take overdue intents back at once; if that fails they are kept for the next transaction.
    fn take_back_overdue(&mut self) {
        if !self.overdue.is_empty() {
            match self.transaction(&[]) {
                Ok(_) => self.overdue.clear(),
                Err(error) => tracing::error!(code = error.code(), %error, "late commits could not be taken back yet"),
            }
        }
    }

    /// One transaction: what is overdue, then each job by itself. All of it is durable afterwards, or nothing is.
    fn transaction(&mut self, jobs: &[Job]) -> Result<Vec<Judged>, StoreError> {
        let judged = self.write(jobs);
        if judged.is_err() && !self.connection.is_autocommit() {
            // An error here leaves the connection inside the transaction, and the next BEGIN says so.
            if let Err(error) = self.connection.execute_batch("ROLLBACK") {
                tracing::error!(%error, "a failed transaction could not be rolled back");
            }
        }
        // Whatever became of it: a commit that failed may be on disk all the same.
        if jobs.iter().any(Job::may_change_keys) {
            self.known_keys.forget();
        }
        judged
    }

    fn write(&mut self, jobs: &[Job]) -> Result<Vec<Judged>, StoreError> {
        let failed = |error| store_error(&error);
        self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])).map_err(failed)?;
        let judged = self.write_inside(jobs).map_err(failed)?;
        self.faults.before_commit()?;
        self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).map_err(failed)?;
        Ok(judged)
    }

    fn write_inside(&mut self, jobs: &[Job]) -> rusqlite::Result<Vec<Judged>> {
        let now = self.clock.now();
        let mut chains = OpenChains::default();
        let mut uses = UseCache::default();
        for overdue in &self.overdue {
            self.trail.append(&self.connection, &mut chains, now, &overdue.row())?;
        }
        self.nonces.begin(&self.connection, now)?;
        let mut judged = Vec::with_capacity(jobs.len());
        for job in jobs {
            judged.push(match &job.commit {
                Some(commit) => self.write_commit(&mut chains, &mut uses, now, commit)?,
                None => self.write_probe()?,
            });
        }
        self.nonces.end(&self.connection)?;
        self.trail.write_heads(&self.connection, &chains)?;
        Ok(judged)
    }

    fn write_commit(&mut self, chains: &mut OpenChains, uses: &mut UseCache, now: Timestamp, commit: &Commit) -> rusqlite::Result<Judged> {
        if let Some(nonce) = commit.spent_nonce()
            && let Err(declined) = self.nonces.spend(&self.connection, now, nonce)?
        {
            return self.write_refusal(chains, now, commit, declined, true);
        }
        match self.apply_effects(uses, now, commit) {
            Ok(()) => {}
            Err(Stop::Declined(declined)) => return self.write_refusal(chains, now, commit, declined, false),
            Err(Stop::Failed(error)) if is_local(&error) => return Ok(Judged::Failed(store_error(&error))),
            Err(Stop::Failed(error)) => return Err(error),
        }
        let mut first = None;
        for row in commit.rows() {
            let sequence = self.trail.append(&self.connection, chains, now, row)?;
            first.get_or_insert(sequence);
        }
        Ok(Judged::Accepted(Receipt { sequence: first.expect("a commit has at least one row") }))
    }

    /// Writes something that matters to nobody, so that the disk is really asked.
    fn write_probe(&self) -> rusqlite::Result<Judged> {
        self.connection
            .prepare_cached("INSERT INTO counters (name, value) VALUES ('probes', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")?
            .execute([])?;
        Ok(Judged::Accepted(Receipt { sequence: 0 }))
    }

    /// Applies all effects, or leaves the database as it was before the first.
    fn apply_effects(&self, uses: &mut UseCache, now: Timestamp, commit: &Commit) -> effects::Applied {
        let connection = &self.connection;
        uses.judge(connection, now, commit.effects())?;
        if commit.effects().iter().all(effects::is_use) {
            return commit.effects().iter().try_for_each(|effect| effects::apply(connection, uses, now, effect));
        }
        connection.execute_batch("SAVEPOINT effects")?;
        let applied = commit.effects().iter().try_for_each(|effect| effects::apply(connection, uses, now, effect));
        match &applied {
            // The disk's errors end the transaction, and the savepoint with it.
            Err(Stop::Failed(error)) if !is_local(error) => return applied,
            Err(_) => {
                uses.clear();
                connection.execute_batch("ROLLBACK TO effects")?;
            }
            Ok(()) => {}
        }
        connection.execute_batch("RELEASE effects")?;
        applied
    }

    fn write_refusal(
        &mut self,
        chains: &mut OpenChains,
        now: Timestamp,
        commit: &Commit,
        declined: Declined,
        by_nonce: bool,
    ) -> rusqlite::Result<Judged> {
        let drafted = &commit.rows()[0];
        // A row that was drafted as a refusal has the better reason, unless the whole request counts for nothing.
        if drafted.outcome == Outcome::Refused && !by_nonce {
            self.trail.append(&self.connection, chains, now, drafted)?;
        } else {
            let refused = drafted.clone().refused(declined.code(), Some(&declined.to_string()));
            self.trail.append(&self.connection, chains, now, &refused)?;
        }
        Ok(Judged::Declined(declined))
    }
}

impl Overdue {
    fn row(&self) -> AuditEntry {
        let detail = "the commit was finished after its deadline: nothing was released";
        let mut row = AuditEntry::new(self.chain, "intent.void", Outcome::Refused).refused("audit_unavailable", Some(detail));
        row.refers_to = Some(self.sequence);
        row.request_id.clone_from(&self.request_id);
        row
    }
}
