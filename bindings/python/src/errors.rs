//! The core's errors to Python's exceptions: one function, for every class.

use alter_core::error::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The exception that an error of the core is in Python. Its class is the one that the error's kind names.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    static BUILD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let built = BUILD
        .import(py, "alter_sdk._errors", "build")
        .and_then(|build| build.call1((error.kind().name(), error.message(), json(error.details()), json(&error.attributes()))));
    match built {
        Ok(exception) => PyErr::from_value(exception),
        Err(problem) => problem,
    }
}

fn json(map: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(map).expect("a map of JSON values can always be written as JSON")
}
