//! `fork()` with engine threads alive.
//!
//! A child inherits the memory of all threads but only the one that forked: a lock that an engine thread held would stay
//! locked for ever. So before a fork the workers are brought to a place where they hold none (inside a task of ours that
//! only waits), and let go again in the parent. The child forgets the runtime and builds its own when it needs one.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::runtime;

/// A worker that does not come to rest in this time (it is inside one very long computation) no longer delays the fork.
const REST_LIMIT: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    resting: usize,
    open: bool,
}

impl Gate {
    /// Called on a worker thread: announces itself and waits until the gate opens.
    fn rest(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.resting += 1;
        self.changed.notify_all();
        while !state.open {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_for(&self, workers: usize) {
        let deadline = Instant::now() + REST_LIMIT;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.resting < workers {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn open(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open = true;
        self.changed.notify_all();
    }
}

thread_local! {
    /// The gate of the fork that this thread is making: two threads may fork at the same time, each with its own.
    static GATE: Cell<Option<Arc<Gate>>> = const { Cell::new(None) };
}

/// In the parent, just before the fork: brings every worker to rest.
pub fn before() {
    let Some(handle) = runtime::running() else { return };
    let gate = Arc::new(Gate::default());
    for _ in 0..runtime::workers() {
        let gate = Arc::clone(&gate);
        handle.spawn(async move { gate.rest() });
    }
    gate.wait_for(runtime::workers());
    GATE.set(Some(gate));
}

/// In the parent, just after the fork.
pub fn after_in_parent() {
    if let Some(gate) = GATE.take() {
        gate.open();
    }
}

/// In the child, before any other code of ours.
pub fn after_in_child() {
    // The workers that wait at this gate exist in the parent only; the copy is left as it is.
    std::mem::forget(GATE.take());
    runtime::abandon();
    crate::host::forget_reports();
}
