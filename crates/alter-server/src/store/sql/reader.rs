//! Reading: a few connections on threads of their own, fed from one bounded queue.
//!
//! Threads of our own rather than the runtime's blocking pool: a disk that hangs then takes these few and nothing else, and the queue's bound
//! turns the rest away in time.
//!
//! Whatever waits for SQLite is read in one transaction. A group of commits is answered at once, so its callers come back together; with the log
//! growing all the time, every transaction of its own would read its pages anew. The transaction begins after its queries were queued, so
//! each of them sees everything that was committed before it was asked.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::database::{Database, SqlError, SqlResult};
use crate::store::{Faults, StoreError, StoreFuture};

/// Queries that share a transaction at most: a slow one holds up no more than these.
const MOST_IN_A_BATCH: usize = 16;

type Job = Box<dyn FnOnce(&dyn Database) + Send>;

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    bound: usize,
}

struct State {
    jobs: VecDeque<Job>,
    /// Threads that wait for a job.
    sleeping: usize,
    /// Whether one of them was woken and has not come for the jobs yet. It will take all that come meanwhile, so nobody else need be woken.
    waking: bool,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A job that panicked has not touched the queue: it runs without the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for jobs and moves some of them into `batch`. `false` once there are none and none will come.
    fn take(&self, batch: &mut Vec<Job>, most: usize) -> bool {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return false;
            }
            state.sleeping += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
            state.waking = false;
        }
        let count = state.jobs.len().min(most);
        batch.extend(state.jobs.drain(..count));
        true
    }
}

pub(super) struct Readers {
    shared: Arc<Shared>,
    faults: Arc<dyn Faults>,
    timeout: Duration,
}

impl Readers {
    /// Starts a thread for each connection.
    pub(super) fn start(
        connections: Vec<Box<dyn Database + Send>>,
        bound: usize,
        timeout: Duration,
        faults: Arc<dyn Faults>,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { jobs: VecDeque::with_capacity(bound), sleeping: 0, waking: false, closed: false }),
            wake: Condvar::new(),
            bound,
        });
        let threads = connections
            .into_iter()
            .map(|connection| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new().name("alter-store-read".to_owned()).spawn(move || serve(&shared, &*connection))
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok((Self { shared, faults, timeout }, threads))
    }

    /// Runs a query on one of the connections.
    pub(super) fn run<T, F>(&self, query: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: Fn(&dyn Database) -> SqlResult<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let faults = Arc::clone(&self.faults);
        let queued = self.queue(Box::new(move |db| {
            if answer.is_closed() {
                return;
            }
            let result = faults.before_read().and_then(|()| ask(db, &query).map_err(|error| error.store_error()));
            // Nobody waits any more when the caller's time ran out: it has its error already.
            drop(answer.send(result));
        }));
        Box::pin(async move {
            queued?;
            match tokio::time::timeout(self.timeout, answered).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(StoreError::Closed),
                Err(_) => Err(StoreError::Late { waited: self.timeout }),
            }
        })
    }

    fn queue(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.jobs.len() >= self.shared.bound {
            return Err(StoreError::Busy { queued: state.jobs.len() });
        }
        state.jobs.push_back(job);
        let wake = state.sleeping > 0 && !state.waking;
        state.waking |= wake;
        drop(state);
        if wake {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Refuses new queries; those that are queued are still answered.
    pub(super) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

/// Asks once more if the connection was lost, as one is that was idle while the database restarted.
fn ask<T>(db: &dyn Database, query: &impl Fn(&dyn Database) -> SqlResult<T>) -> SqlResult<T> {
    let answer = query(db);
    if answer.as_ref().is_err_and(SqlError::is_passing) { query(db) } else { answer }
}

fn serve(shared: &Shared, db: &dyn Database) {
    let mut batch = Vec::with_capacity(MOST_IN_A_BATCH);
    // A transaction of its own saves reading pages anew in SQLite; from elsewhere it would be two more trips.
    let most = if db.dialect().shared { 1 } else { MOST_IN_A_BATCH };
    while shared.take(&mut batch, most) {
        if batch.len() > 1 {
            let together = db.in_snapshot(&mut || {
                batch.drain(..).for_each(|job| job(db));
                Ok(())
            });
            if let Err(error) = together {
                tracing::warn!(error = %error.text, "several reads could not share a transaction");
            }
        }
        // Those that could not begin together: each by itself tells its caller what is wrong.
        batch.drain(..).for_each(|job| job(db));
    }
}
