//! The one engine runtime of a process, and the one thread that drives it.
//!
//! The Python side of a process has one thread's worth of work to give, so one engine thread keeps up with it. It can be ended and
//! begun anew while calls are under way: they stay where they are in between. That is what a fork needs.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle as ThreadHandle};
use std::time::Duration;

use pyo3::Python;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What all threads of the engine are called. The system cuts names after 15 bytes.
pub const THREAD_NAME: &str = "alter-engine";

/// How long the threads may take to end at shutdown. Only a thread inside the system's name resolution can need it.
const JOIN_LIMIT: Duration = Duration::from_secs(2);

/// The thread inside the runtime.
struct Driver {
    stop: oneshot::Sender<()>,
    thread: ThreadHandle<()>,
}

impl Driver {
    fn start(runtime: &Arc<Runtime>) -> io::Result<Self> {
        let runtime = Arc::clone(runtime);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            // A sender that is gone says the same as one that has sent.
            let _end = runtime.block_on(stopped);
        })?;
        Ok(Self { stop, thread })
    }

    /// Returns when the thread has ended. It never waits for the interpreter's lock, so the caller may hold it.
    fn end(self) {
        drop(self.stop);
        // The thread runs nothing but the runtime, which catches the panics of its tasks.
        let _never_panics = self.thread.join();
    }
}

struct Engine {
    runtime: Arc<Runtime>,
    /// `None` while forks are being made, and afterwards until [`drive`].
    driver: Option<Driver>,
}

impl Engine {
    fn build() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name(THREAD_NAME)
            // The threads that resolve names end with their work, so that none is there at a fork.
            .thread_keep_alive(Duration::ZERO)
            .build()?;
        Ok(Self { runtime: Arc::new(runtime), driver: None })
    }

    fn drive(&mut self) -> io::Result<()> {
        if self.driver.is_none() {
            self.driver = Some(Driver::start(&self.runtime)?);
        }
        Ok(())
    }

    fn end(mut self) {
        if let Some(driver) = self.driver.take() {
            driver.end();
        }
        // Nobody else has it now that the thread is gone.
        if let Some(runtime) = Arc::into_inner(self.runtime) {
            runtime.shutdown_timeout(JOIN_LIMIT);
        }
    }
}

struct State {
    /// `None` if none was needed yet, after a fork in the child, and at the end of the interpreter.
    engine: Option<Engine>,
    /// Forks that are being made, on as many threads. While there are any, no thread of the engine may run.
    forks: usize,
}

/// Held by Python threads only with the interpreter's lock, and thereby by none while another one forks.
static STATE: Mutex<State> = Mutex::new(State { engine: None, forks: 0 });

/// Whether the interpreter is ending; nothing may start any more.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Goes up by one with every fork on the way to this process.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The runtime cannot be had.
#[derive(Debug)]
pub enum Unavailable {
    /// The interpreter is ending.
    Stopped,
    /// The operating system refused threads or an event queue.
    Refused(io::Error),
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
    // A panic while the lock is held leaves a state that is whole, so it stays usable.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime's handle, building the runtime if this process has none yet.
///
/// # Errors
///
/// [`Unavailable`] once the interpreter is ending, or if the system gives no threads.
pub fn handle() -> Result<Handle, Unavailable> {
    if is_stopped() {
        return Err(Unavailable::Stopped);
    }
    let mut state = state();
    let forking = state.forks > 0;
    let mut engine = match state.engine.take() {
        Some(engine) => engine,
        None => Engine::build().map_err(Unavailable::Refused)?,
    };
    // During a fork the work waits for its end.
    let driven = if forking { Ok(()) } else { engine.drive() };
    let handle = engine.runtime.handle().clone();
    state.engine = Some(engine);
    driven.map_err(Unavailable::Refused).map(|()| handle)
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

/// The handle if this process has a runtime; never builds one.
pub fn running() -> Option<Handle> {
    state().engine.as_ref().map(|engine| engine.runtime.handle().clone())
}

/// Whether a thread drives the runtime, or will when the forks that are being made are over.
pub fn is_driven() -> bool {
    let state = state();
    state.forks > 0 || state.engine.as_ref().is_some_and(|engine| engine.driver.is_some())
}

/// Whether the engine has ended for good.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::Acquire)
}

/// Differs between a process and its forked children: what belongs to another generation's runtime is dead here.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Ends the runtime for good: unfinished work is dropped, the threads are joined. Safe to repeat.
pub fn stop(py: Python<'_>) {
    STOPPED.store(true, Ordering::Release);
    let engine = state().engine.take();
    if let Some(engine) = engine {
        py.detach(|| engine.end());
    }
}

/// Ends the engine's thread until [`resume`] and [`drive`]. Calls under way stay where they are.
///
/// The interpreter's lock is kept meanwhile, so that no other thread can fork before this one has ended the engine's.
pub fn pause(_py: Python<'_>) {
    let driver = {
        let mut state = state();
        state.forks += 1;
        state.engine.as_mut().and_then(|engine| engine.driver.take())
    };
    // After the lock is released: a task that is just running may need it.
    if let Some(driver) = driver {
        driver.end();
    }
}

/// Ends what [`pause`] began; [`drive`] begins the engine's thread anew.
pub fn resume() {
    let mut state = state();
    state.forks = state.forks.saturating_sub(1);
}

/// Begins the engine's thread anew if it was ended for a fork and no fork is being made any more.
pub fn drive() {
    let mut state = state();
    if state.forks == 0
        && let Some(engine) = state.engine.as_mut()
    {
        // Nobody can be told here. The next call tries again, and says so if it fails.
        let _refused = engine.drive();
    }
}

/// Forgets the runtime in a forked child: its connections and timers are the parent's, so nothing of it may be undone here.
pub fn abandon() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let mut state = state();
    state.forks = 0;
    std::mem::forget(state.engine.take());
}
