//! The one writer of a process: takes commits from a bounded queue and makes them durable in groups.
//!
//! While the database works on one group the next one gathers, so the cost of a flush is shared by whoever is waiting, and nobody waits for a
//! timer. The thread may block as long as the database does: callers wait on their own deadline and not on this thread.
//!
//! A transaction takes the audit chains of its apps first, and holds them to its end. On a database that several vaults share this is what makes
//! what they do to one app come one after the other, so that a judgement still holds when it is acted on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::database::{Database, Session, SqlError, SqlErrorKind, SqlResult};
use super::effects::{self, Stop};
use super::known_keys::KnownKeys;
use super::nonces::NonceTable;
use super::rates::Rates;
use super::trail::{OpenChains, Trail};
use super::uses::UseCache;
use crate::audit::{AuditEntry, AuditKey, ChainId, Head, Outcome};
use crate::clock::{Clock, Timestamp};
use crate::store::{Commit, CommitError, Declined, Effect, Faults, Limits, Measures, Receipt, StoreError};

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
    db: Box<dyn Session>,
    trail: Trail,
    nonces: NonceTable,
    known_keys: Option<Arc<KnownKeys>>,
    /// Whether somebody has begun to close the store.
    closing: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    faults: Arc<dyn Faults>,
    group: usize,
    measures: Measures,
    /// Intents that nobody was told of in time, to be taken back by a row of their own.
    overdue: Vec<Overdue>,
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

/// Why a transaction was not heard to be durable.
enum Attempt {
    /// Nothing of it is in the database.
    Undone(SqlError),
    /// Nothing of it is, by a fault that a test made.
    Faulty(StoreError),
    /// The connection was lost in between: these heads were written, or nothing.
    Unknown { heads: Vec<Head>, judged: Vec<Judged>, error: SqlError },
}

/// How often a transaction is tried that only another one, or a lost connection, has stood in the way of.
const ATTEMPTS: u32 = 5;
/// How long to wait before asking a database again that could not be asked.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long rows that could not be written wait for the next attempt.
const RETRY: Duration = Duration::from_secs(1);

impl Writer {
    pub(super) fn new(
        db: Box<dyn Session>,
        key: AuditKey,
        known_keys: Option<Arc<KnownKeys>>,
        closing: Arc<AtomicBool>,
        limits: &Limits,
        (clock, faults): (Arc<dyn Clock>, Arc<dyn Faults>),
    ) -> Self {
        Self {
            db,
            trail: Trail::new(key),
            nonces: NonceTable::new(limits.nonces),
            known_keys,
            closing,
            clock,
            faults,
            group: limits.commit_group.max(1),
            measures: Measures::default(),
            overdue: Vec::new(),
        }
    }

    /// Counts together with these.
    #[must_use]
    pub(super) fn measured(self, measures: Measures) -> Self {
        Self { measures, ..self }
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
            jobs.iter().for_each(|_| self.measures.taken());
            self.commit_group(jobs);
        }
        // What was queued behind the close message is refused by its answer being dropped.
        if !self.overdue.is_empty() {
            self.transaction(&[])?;
        }
        self.db.finish();
        Ok(())
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
        let result = self.transaction(&jobs);
        self.measures.grouped(jobs.len(), now.elapsed());
        match result {
            Ok(judged) => {
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
                self.measures.took_back();
                tracing::warn!(chain = %row.chain, sequence = receipt.sequence, "a commit came after its deadline and is taken back");
                self.overdue.push(Overdue { chain: row.chain, sequence: receipt.sequence, request_id: row.request_id.clone() });
            }
        }
    }

    /// Writes the rows that take overdue intents back at once; if that fails they are kept for the next transaction.
    fn take_back_overdue(&mut self) {
        if !self.overdue.is_empty() {
            // Once they are written there are none left.
            if let Err(error) = self.transaction(&[]) {
                tracing::error!(code = error.code(), %error, "late commits could not be taken back yet");
            }
        }
    }

    /// What is overdue, then each job by itself, in one transaction. All of it is durable afterwards, or nothing is.
    fn transaction(&mut self, jobs: &[Job]) -> Result<Vec<Judged>, StoreError> {
        let judged = self.insist(jobs);
        // Whatever became of it: a commit that failed may be on disk all the same.
        if let Some(known_keys) = &self.known_keys
            && jobs.iter().any(Job::may_change_keys)
        {
            known_keys.forget();
        }
        judged
    }

    /// Tries until it is done, or until trying again is of no use.
    fn insist(&mut self, jobs: &[Job]) -> Result<Vec<Judged>, StoreError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(jobs) {
                Ok(judged) => {
                    self.overdue.clear();
                    return Ok(judged);
                }
                Err(Attempt::Faulty(error)) => return Err(error),
                Err(Attempt::Unknown { heads, judged, error }) => {
                    tracing::warn!(error = %error.text, "the connection was lost while a group of commits was made durable");
                    if self.was_written(&heads, &error)? {
                        self.overdue.clear();
                        return Ok(judged);
                    }
                    if attempts >= ATTEMPTS {
                        return Err(error.store_error());
                    }
                }
                Err(Attempt::Undone(error)) if error.is_passing() && attempts < ATTEMPTS => {
                    tracing::debug!(error = %error.text, "a group of commits is tried again");
                }
                // One of them breaks a rule of the database, and has spoiled the transaction for all: each by itself.
                Err(Attempt::Undone(error)) if error.is_local() && jobs.len() > 1 => return Ok(self.each_alone(jobs)),
                Err(Attempt::Undone(error)) => return Err(error.store_error()),
            }
        }
    }

    fn each_alone(&mut self, jobs: &[Job]) -> Vec<Judged> {
        jobs.iter().map(|job| self.insist(std::slice::from_ref(job)).map_or_else(Judged::Failed, |mut one| one.remove(0))).collect()
    }

    fn attempt(&mut self, jobs: &[Job]) -> Result<Vec<Judged>, Attempt> {
        let tried = self.write(jobs);
        if tried.is_err() {
            // Else the connection stays inside the transaction, and the next one cannot begin.
            self.db.roll_back();
        }
        tried
    }

    fn write(&mut self, jobs: &[Job]) -> Result<Vec<Judged>, Attempt> {
        self.db.begin().map_err(Attempt::Undone)?;
        let (judged, heads) = self.write_inside(jobs).map_err(Attempt::Undone)?;
        self.faults.before_commit().map_err(Attempt::Faulty)?;
        match self.db.commit() {
            Ok(()) => Ok(judged),
            Err(error) if error.kind == SqlErrorKind::Lost => Err(Attempt::Unknown { heads, judged, error }),
            Err(error) => Err(Attempt::Undone(error)),
        }
    }

    /// Finds out whether a transaction whose end was not heard of is in the database. Asks until the database answers: the callers have deadlines of
    /// their own, and whatever they were not told is taken back.
    fn was_written(&mut self, heads: &[Head], lost: &SqlError) -> Result<bool, StoreError> {
        loop {
            let asked = self.db.begin().and_then(|()| self.trail.is_written(&*self.db, heads));
            self.db.roll_back();
            match asked {
                Ok(written) => return Ok(written.unwrap_or(false)),
                Err(error) if self.closing.load(Ordering::Relaxed) => {
                    tracing::error!(error = %error.text, "closed without knowing whether the last commits were stored");
                    return Err(lost.store_error());
                }
                Err(error) => {
                    tracing::warn!(error = %error.text, "it is not known yet whether a group of commits was stored");
                    std::thread::sleep(ASK_AGAIN);
                }
            }
        }
    }

    fn write_inside(&mut self, jobs: &[Job]) -> SqlResult<(Vec<Judged>, Vec<Head>)> {
        let now = self.clock.now();
        let mut chains = self.trail.open(&*self.db, chains_of(&self.overdue, jobs, self.db.dialect().shared))?;
        let mut uses = UseCache::default();
        for overdue in &self.overdue {
            self.trail.append(&*self.db, &mut chains, now, &overdue.row())?;
        }
        self.nonces.begin(&*self.db, now)?;
        let mut rates = Rates::begin(&*self.db, now, jobs.iter().filter_map(|job| job.commit.as_ref()))?;
        let mut judged = Vec::with_capacity(jobs.len());
        for job in jobs {
            judged.push(match &job.commit {
                Some(commit) => self.write_commit(&mut chains, &mut uses, &mut rates, now, commit)?,
                None => self.write_probe()?,
            });
        }
        self.nonces.end(&*self.db)?;
        self.trail.write_heads(&*self.db, &chains)?;
        Ok((judged, chains.written()))
    }

    fn write_commit(
        &mut self,
        chains: &mut OpenChains,
        uses: &mut UseCache,
        rates: &mut Rates,
        now: Timestamp,
        commit: &Commit,
    ) -> SqlResult<Judged> {
        let rate = rates.take(commit.counted());
        if let Some(nonce) = commit.spent_nonce()
            && let Err(declined) = self.nonces.spend(&*self.db, now, nonce)?
        {
            return self.write_refusal(chains, now, commit, declined, true);
        }
        let rate = match rate {
            Ok(rate) => rate,
            Err(declined) => return self.write_refusal(chains, now, commit, declined, true),
        };
        match self.apply_effects(uses, now, commit) {
            Ok(()) => {}
            Err(Stop::Declined(declined)) => return self.write_refusal(chains, now, commit, declined, false),
            Err(Stop::Failed(error)) if error.is_local() && !self.is_spoiled(commit, &error) => {
                return Ok(Judged::Failed(error.store_error()));
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
        let mut first = None;
        for row in commit.rows() {
            let sequence = self.trail.append(&*self.db, chains, now, row)?;
            first.get_or_insert(sequence);
        }
        Ok(Judged::Accepted(Receipt { sequence: first.expect("a commit has at least one row"), rate }))
    }

    /// Writes something that matters to nobody, so that the disk is really asked.
    fn write_probe(&self) -> SqlResult<Judged> {
        let probe = "INSERT INTO counters (name, value) VALUES ('probes', 1) ON CONFLICT (name) DO UPDATE SET value = counters.value + 1";
        self.db.execute(probe, &[])?;
        Ok(Judged::Accepted(Receipt { sequence: 0, rate: None }))
    }

    /// Applies all effects, or leaves the database as it was before the first.
    fn apply_effects(&self, uses: &mut UseCache, now: Timestamp, commit: &Commit) -> effects::Applied {
        let db: &dyn Database = &*self.db;
        uses.judge(db, now, commit.effects())?;
        if only_uses(commit) {
            return commit.effects().iter().try_for_each(|effect| effects::apply(db, uses, now, effect));
        }
        db.execute("SAVEPOINT effects", &[])?;
        let applied = commit.effects().iter().try_for_each(|effect| effects::apply(db, uses, now, effect));
        match &applied {
            // Such errors end the transaction, and the savepoint with it.
            Err(Stop::Failed(error)) if !error.is_local() => return applied,
            Err(_) => {
                uses.clear();
                db.execute("ROLLBACK TO SAVEPOINT effects", &[])?;
            }
            Ok(()) => {}
        }
        db.execute("RELEASE SAVEPOINT effects", &[])?;
        applied
    }

    /// Whether a statement that failed has spoiled the whole transaction: on a shared database it does where there is no savepoint to go back to.
    fn is_spoiled(&self, commit: &Commit, error: &SqlError) -> bool {
        self.db.dialect().shared && only_uses(commit) && error.kind != SqlErrorKind::Unreadable
    }

    fn write_refusal(
        &mut self,
        chains: &mut OpenChains,
        now: Timestamp,
        commit: &Commit,
        declined: Declined,
        counts_for_nothing: bool,
    ) -> SqlResult<Judged> {
        let drafted = &commit.rows()[0];
        // A row that was drafted as a refusal has the better reason, unless the whole request counts for nothing.
        if drafted.outcome == Outcome::Refused && !counts_for_nothing {
            self.trail.append(&*self.db, chains, now, drafted)?;
        } else {
            let refused = drafted.clone().refused(declined.code(), Some(&declined.to_string()));
            self.trail.append(&*self.db, chains, now, &refused)?;
        }
        Ok(Judged::Declined(declined))
    }
}

/// The chains that a transaction has to take: those that it appends to, marked with `true`; and on a shared database those of the apps that it changes
/// things of, too, so that what it judges stays so until it has ended.
fn chains_of(overdue: &[Overdue], jobs: &[Job], shared: bool) -> impl Iterator<Item = (ChainId, bool)> {
    let commits = jobs.iter().filter_map(|job| job.commit.as_ref());
    let rows = commits.clone().flat_map(Commit::rows).map(|row| (row.chain, true));
    let changed = commits.filter(move |_| shared).flat_map(Commit::effects).filter_map(Effect::app).map(|app| (ChainId::App(app), false));
    overdue.iter().map(|overdue| (overdue.chain, true)).chain(rows).chain(changed)
}

fn only_uses(commit: &Commit) -> bool {
    commit.effects().iter().all(effects::is_use)
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
