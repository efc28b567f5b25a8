//! Waiting for the engine on a Python thread that has nothing else to do.

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::ending;
use super::runtime::{self, Unavailable};

/// How often the wait looks whether the program was interrupted (Ctrl-C).
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

/// Runs `work` on the engine's threads and waits for it without the interpreter's lock. `None` if `limit` passed; the work is dropped
/// then, as it is when the program is interrupted.
///
/// # Errors
///
/// `RuntimeError` when the engine cannot start or has lost the work, and whatever a signal handler raises.
pub fn wait<F>(py: Python<'_>, limit: Duration, work: F) -> PyResult<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (done, mut outcome) = mpsc::sync_channel(1);
    let spawned = runtime::spawn(async move {
        // Nobody receives once the wait was given up, and then nobody wants the outcome.
        let _given_up = done.send(work.await);
    });
    let task = match spawned {
        Ok(task) => task,
        Err(Unavailable::Stopped) if ending::is_daemon(py)? => ending::wait_for_it(py),
        Err(cause) => return Err(PyRuntimeError::new_err(cause.to_string())),
    };
    let deadline = Instant::now().checked_add(limit);
    loop {
        let left = deadline.map_or(SIGNAL_CHECK, |deadline| deadline.saturating_duration_since(Instant::now()));
        let received;
        (outcome, received) = py.detach(move || {
            let received = outcome.recv_timeout(left.min(SIGNAL_CHECK));
            (outcome, received)
        });
        match received {
            Ok(outcome) => return Ok(Some(outcome)),
            Err(RecvTimeoutError::Disconnected) if runtime::is_stopped() && ending::is_daemon(py)? => ending::wait_for_it(py),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the engine ended this call without an answer; please report this"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        // Another thread may have forked, and the loop that was to let the engine go on may not run.
        runtime::drive();
        if let Err(interrupted) = py.check_signals() {
            task.abort();
            return Err(interrupted);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            task.abort();
            return Ok(None);
        }
    }
}
