//! `alter_sdk._engine`: the Rust engine as the Python package sees it.
//!
//! Types in, types out; no rule of the protocol lives here.

use pyo3::prelude::*;

pub mod bridge;
pub mod toy;

/// Ends the engine: called once, by `atexit`, before the interpreter goes away.
#[pyfunction]
fn shutdown(py: Python<'_>) {
    py.detach(bridge::runtime::stop);
}

/// Before `os.fork()`.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    py.detach(bridge::fork::before);
}

/// After `os.fork()`, in the parent.
#[pyfunction]
fn after_fork_in_parent() {
    bridge::fork::after_in_parent();
}

/// After `os.fork()`, in the child.
#[pyfunction]
fn after_fork_in_child() {
    bridge::fork::after_in_child();
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<bridge::queue::Queue>()?;
    module.add_class::<bridge::operation::Operation>()?;
    module.add_function(wrap_pyfunction!(shutdown, module)?)?;
    module.add_function(wrap_pyfunction!(before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_parent, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_child, module)?)?;
    module.add_function(wrap_pyfunction!(toy::toy_sleep, module)?)?;
    Ok(())
}
