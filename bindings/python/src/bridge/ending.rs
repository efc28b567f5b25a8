//! Calls of daemon threads at the end of the interpreter.
//!
//! Python waits for no daemon thread. It ends the engine (by `atexit`) and then stops such a thread wherever it next takes the
//! interpreter's lock. In between the thread may begin calls, or wait for one that the end has dropped. It gets no error: nobody would
//! act on it, and Python would print it. It waits, and is stopped there.

use std::thread;

use pyo3::prelude::*;

/// Whether this is a daemon thread. All others have ended when the engine does, but for the main one, which runs `atexit` handlers.
///
/// # Errors
///
/// What Python raises if it cannot tell.
pub fn is_daemon(py: Python<'_>) -> PyResult<bool> {
    py.import("threading")?.call_method0("current_thread")?.getattr("daemon")?.extract()
}

/// Waits without the interpreter's lock until the process has ended.
pub fn wait_for_it(py: Python<'_>) -> ! {
    py.detach(|| {
        loop {
            thread::park();
        }
    })
}
