//! `fork()` with calls under way.
//!
//! A child inherits the memory of all threads but only the one that forked: a lock that an engine thread held would stay locked for
//! ever, and Python (since 3.12) warns of a fork in a process with several threads. So before a fork the engine's threads end, and
//! after it the parent has a new one, which goes on with the calls. The child forgets the runtime and builds its own when it needs one.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pyo3::Python;

use super::runtime::{self, THREAD_NAME};

/// A thread that does not end in this time (it waits for the answer of a name server) no longer delays the fork.
const END_LIMIT: Duration = Duration::from_secs(1);

/// How long to leave the system before looking again.
const LOOK_AGAIN: Duration = Duration::from_micros(50);

/// In the parent, just before the fork.
pub fn before(py: Python<'_>) {
    runtime::pause(py);
    py.detach(wait_for_threads);
}

/// In the parent, just after the fork. Unless the engine goes on now, [`runtime::drive`] must be called when it may.
pub fn after_in_parent(goes_on: bool) {
    runtime::resume();
    if goes_on {
        runtime::drive();
    }
}

/// In the child, before any other code of ours.
pub fn after_in_child() {
    runtime::abandon();
    crate::host::forget_reports();
}

/// Waits until the system has no thread of the engine any more: one that was joined is counted for a moment longer, and one that
/// resolves a name cannot be joined. It takes no lock, since another thread may fork meanwhile.
fn wait_for_threads() {
    let deadline = Instant::now() + END_LIMIT;
    while is_any_left() && Instant::now() < deadline {
        thread::sleep(LOOK_AGAIN);
    }
}

fn is_any_left() -> bool {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return false };
    // One that ends while it is looked at has no name any more.
    threads.flatten().any(|thread| name(&thread.path()).is_some_and(|name| name.trim_end() == THREAD_NAME))
}

fn name(thread: &Path) -> Option<String> {
    fs::read_to_string(thread.join("comm")).ok()
}
