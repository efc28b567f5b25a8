//! `alter_sdk._engine`: the Rust engine as the Python package sees it.
//!
//! Types in, types out; no rule of the protocol lives here. The classes are private: `python/alter_sdk` makes the public ones of
//! them.

use std::time::{Duration, Instant};

use alter_core::client::Arg;
use alter_core::key;
use pyo3::prelude::*;

pub mod arguments;
pub mod bridge;
pub mod client;
pub mod errors;
pub mod host;
pub mod operations;
pub mod outbox;
pub mod response;

/// How long the end of the interpreter waits for audit reports that are still on their way.
const LAST_REPORTS: Duration = Duration::from_secs(5);

/// How often a wait looks whether the program was interrupted.
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

/// Whether a text is a well-formed API key.
#[pyfunction]
fn is_valid_key(key: &Bound<'_, PyAny>) -> bool {
    matches!(arguments::text(key), Arg::Value(text) if key::is_valid_key(&text))
}

/// Whether a header may hold a secret, so that it stands in no record.
#[pyfunction]
fn is_sensitive_header(name: &str) -> bool {
    alter_core::client::is_sensitive_header(name)
}

/// Whether a text is a bare `https` origin.
#[pyfunction]
fn is_bare_https_origin(text: &str) -> bool {
    alter_core::origin::is_bare_https(text)
}

/// Whether a text is base64.
#[pyfunction]
fn is_base64(text: &str) -> bool {
    alter_core::encoding::is_base64(text)
}

/// Whether a text is an ISO 8601 date or time.
#[pyfunction]
fn is_iso8601(text: &str) -> bool {
    alter_core::iso8601::is_valid(text)
}

/// Ends the engine: called once, by `atexit`, before the interpreter goes away. Reports under way are waited for, calls under way
/// are dropped, and the engine's threads are joined.
#[pyfunction]
fn shutdown(py: Python<'_>) -> PyResult<()> {
    let interrupted = wait_for_reports(py);
    bridge::runtime::stop(py);
    interrupted
}

fn wait_for_reports(py: Python<'_>) -> PyResult<()> {
    bridge::runtime::drive();
    // Without a thread not even the time limit below would pass.
    let Some(handle) = bridge::runtime::running().filter(|_| bridge::runtime::is_driven()) else { return Ok(()) };
    let deadline = Instant::now() + LAST_REPORTS;
    while Instant::now() < deadline {
        let sent = py.detach(|| handle.block_on(async { tokio::time::timeout(SIGNAL_CHECK, host::reports_sent()).await }));
        if sent.is_ok() {
            break;
        }
        py.check_signals()?;
    }
    Ok(())
}

/// Before `os.fork()`.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    bridge::fork::before(py);
}

/// After `os.fork()`, in the parent. Unless the engine goes on now, some queue's `go_on` must be called.
#[pyfunction]
#[pyo3(signature = (goes_on = true))]
fn after_fork_in_parent(goes_on: bool) {
    bridge::fork::after_in_parent(goes_on);
}

/// After `os.fork()`, in the child.
#[pyfunction]
fn after_fork_in_child() {
    bridge::fork::after_in_child();
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    arguments::prepare(module.py())?;
    module.add_class::<bridge::queue::Queue>()?;
    module.add_class::<bridge::operation::Operation>()?;
    module.add_class::<client::Client>()?;
    module.add_class::<client::PreparedRequest>()?;
    module.add_class::<operations::PreparedOperation>()?;
    module.add_class::<operations::Visit>()?;
    module.add_class::<response::RawResponse>()?;
    module.add_function(wrap_pyfunction!(is_valid_key, module)?)?;
    module.add_function(wrap_pyfunction!(is_sensitive_header, module)?)?;
    module.add_function(wrap_pyfunction!(is_bare_https_origin, module)?)?;
    module.add_function(wrap_pyfunction!(is_base64, module)?)?;
    module.add_function(wrap_pyfunction!(is_iso8601, module)?)?;
    module.add_function(wrap_pyfunction!(operations::local_call, module)?)?;
    module.add_function(wrap_pyfunction!(operations::verify_identity_assertion, module)?)?;
    module.add_function(wrap_pyfunction!(shutdown, module)?)?;
    module.add_function(wrap_pyfunction!(before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_parent, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_child, module)?)?;
    Ok(())
}
