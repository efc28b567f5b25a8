//! toy
use crate::bridge::operation::Operation;
use crate::bridge::queue::{Completion, Queue};
use pyo3::prelude::*;
use std::time::Duration;

/// toy
#[pyfunction]
pub fn toy_sleep(queue: &Bound<'_, Queue>, future: Py<PyAny>, seconds: f64, payload: String) -> PyResult<Operation> {
    Queue::submit(queue, future, async move {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        Box::new(move |py: Python<'_>| Ok(payload.into_pyobject(py)?.into_any().unbind())) as Completion
    })
}
