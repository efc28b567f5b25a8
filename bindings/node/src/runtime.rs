//! The one engine runtime of a process, shared by its main thread and its workers.
//!
//! Each environment (the main thread's, a worker's) holds a [`Lease`]. When the last one ends, which is while Node still stands, the
//! runtime's threads are joined: no thread of ours is left to race the end of the process.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::host;

/// Worker threads: the work per call is small, and one JavaScript thread has little to give.
const MAX_WORKERS: usize = 2;

/// How long the end of the process waits for audit reports that are still on their way.
const LAST_REPORTS: Duration = Duration::from_secs(5);

/// How long the threads may take to end. Only a thread inside the system's name resolution can need it.
const JOIN_LIMIT: Duration = Duration::from_secs(2);

#[derive(Default)]
struct State {
    runtime: Option<Runtime>,
    leases: usize,
}

static STATE: Mutex<State> = Mutex::new(State { runtime: None, leases: 0 });

fn state() -> MutexGuard<'static, State> {
    // A panic while the lock is held leaves a state that is whole, so it stays usable.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An environment's share in the runtime.
pub struct Lease(());

impl Lease {
    /// Takes a share.
    pub fn take() -> Self {
        state().leases += 1;
        Self(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let last = {
            let mut state = state();
            state.leases -= 1;
            if state.leases > 0 { None } else { state.runtime.take() }
        };
        if let Some(runtime) = last {
            // Given up after a while: an unreachable vault must not keep a program from ending.
            let _in_time = runtime.block_on(async { tokio::time::timeout(LAST_REPORTS, host::reports_sent()).await });
            runtime.shutdown_timeout(JOIN_LIMIT);
        }
    }
}

/// The runtime's handle, building the runtime if there is none.
///
/// # Errors
/// When the operating system gives no threads or no event queue.
pub fn handle() -> io::Result<Handle> {
    let mut state = state();
    if state.runtime.is_none() {
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        state.runtime = Some(Builder::new_multi_thread().worker_threads(workers).thread_name("alter-engine").enable_all().build()?);
    }
    let runtime = state.runtime.as_ref().map(|runtime| runtime.handle().clone());
    runtime.ok_or_else(|| io::Error::other("the engine's runtime is gone"))
}

/// The handle if a runtime is running; never builds one.
pub fn running() -> Option<Handle> {
    state().runtime.as_ref().map(|runtime| runtime.handle().clone())
}
