//! Reading: a few connections on threads of their own, fed from one bounded queue.
//!
//! Threads of our own rather than the runtime's blocking pool: a disk that hangs then takes these few and nothing else, and the queue's bound
//! turns the rest away in time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::columns::store_error;
use crate::store::Faults;
use crate::store::{StoreError, StoreFuture};

type Job = Box<dyn FnOnce(&Connection) + Send>;

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    bound: usize,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A job that panicked has not touched the queue: it runs without the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        connections: Vec<Connection>,
        bound: usize,
        timeout: Duration,
        faults: Arc<dyn Faults>,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { jobs: VecDeque::with_capacity(bound), closed: false }),
            wake: Condvar::new(),
            bound,
        });
        let threads = connections
            .into_iter()
            .map(|connection| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new().name("alter-store-read".to_owned()).spawn(move || serve(&shared, &connection))
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok((Self { shared, faults, timeout }, threads))
    }

    /// Runs a query on one of the connections.
    pub(super) fn run<T, F>(&self, query: F) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let faults = Arc::clone(&self.faults);
        let queued = self.queue(Box::new(move |connection| {
            if answer.is_closed() {
                return;
            }
            let result = faults.before_read().and_then(|()| query(connection).map_err(|error| store_error(&error)));
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
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Refuses new queries; those that are queued are still answered.
    pub(super) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

fn serve(shared: &Shared, connection: &Connection) {
    loop {
        let mut state = shared.lock();
        let job = loop {
            if let Some(job) = state.jobs.pop_front() {
                break job;
            }
            if state.closed {
                return;
            }
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        job(connection);
    }
}
