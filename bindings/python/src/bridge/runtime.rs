//! The one engine runtime of a process.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// How long the threads may take to end at shutdown. Only a thread inside the system's name resolution can need it.
const JOIN_LIMIT: Duration = Duration::from_secs(2);

/// Worker threads: the work per call is small, and the Python side of a process has one thread's worth of it to give.
const MAX_WORKERS: usize = 2;

enum State {
    /// Not built yet, or left behind by a fork.
    Idle,
    Running(Runtime),
    /// The interpreter is ending; nothing may start any more.
    Stopped,
}

static STATE: Mutex<State> = Mutex::new(State::Idle);

/// Goes up by one with every fork on the way to this process.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The runtime cannot be had.
#[derive(Debug)]
pub enum Unavailable {
    /// The interpreter is ending.
    Stopped,
    /// The operating system refused threads or an event queue.
    Refused(std::io::Error),
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => f.write_str("the Python interpreter is shutting down, so no call can be started"),
            Self::Refused(cause) => write!(f, "the engine's threads could not be started: {cause}"),
        }
    }
}

fn state() -> MutexGuard<'static, State> {
    // A panic while the lock is held leaves a state that is still one of the three, so it stays usable.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Number of worker threads of a runtime built in this process.
pub fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS)
}

/// The runtime's handle, building the runtime if this process has none yet.
///
/// # Errors
///
/// [`Unavailable`] once the interpreter is ending, or if the system gives no threads.
pub fn handle() -> Result<Handle, Unavailable> {
    let mut state = state();
    match &*state {
        State::Running(runtime) => Ok(runtime.handle().clone()),
        State::Stopped => Err(Unavailable::Stopped),
        State::Idle => {
            let runtime = Builder::new_multi_thread()
                .worker_threads(workers())
                .thread_name("alter-engine")
                .enable_all()
                .build()
                .map_err(Unavailable::Refused)?;
            let handle = runtime.handle().clone();
            *state = State::Running(runtime);
            Ok(handle)
        }
    }
}

/// Starts `work` on the engine's threads.
///
/// # Errors
///
/// As [`handle`].
pub fn spawn<F>(work: F) -> Result<JoinHandle<F::Output>, Unavailable>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(handle()?.spawn(work))
}

/// The handle if a runtime is running; never builds one.
pub fn running() -> Option<Handle> {
    match &*state() {
        State::Running(runtime) => Some(runtime.handle().clone()),
        State::Idle | State::Stopped => None,
    }
}

/// Whether the engine has ended for good.
pub fn is_stopped() -> bool {
    matches!(*state(), State::Stopped)
}

/// Differs between a process and its forked children: what belongs to another generation's runtime is dead here.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Ends the runtime for good: unfinished work is dropped, the threads are joined. Safe to repeat.
pub fn stop() {
    let before = std::mem::replace(&mut *state(), State::Stopped);
    if let State::Running(runtime) = before {
        runtime.shutdown_timeout(JOIN_LIMIT);
    }
}

/// Forgets the runtime in a forked child: its threads do not exist there, so joining them would wait for ever.
pub fn abandon() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let mut state = state();
    if let State::Running(runtime) = std::mem::replace(&mut *state, State::Idle) {
        std::mem::forget(runtime);
    }
}
