//! The core's errors to Python's exceptions: one function, for every class.

use alter_core::error::Error;
use pyo3::prelude::*;

/// The exception that an error of the core is in Python. Its class is the one that the error's kind names.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let built = py.import("alter_sdk._errors").and_then(|table| {
        table.call_method1("build", (error.kind().name(), error.message(), json(error.details()), json(&error.attributes())))
    });
    match built {
        Ok(exception) => PyErr::from_value(exception),
        Err(problem) => problem,
    }
}

fn json(map: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(map).expect("a map of JSON values can always be written as JSON")
}
