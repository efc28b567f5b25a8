//! Operations other than `request()`: one entry for all of them.

use std::sync::{Arc, Mutex, PoisonError};

use alter_core::client::{
    Client as CoreClient, Operation as CoreOperation, Outcome, PollEvent, PreparedOperation as CorePrepared, Step, Visit as CoreVisit,
    user_token_getter_failed,
};
use alter_core::error::{Error, Kind};
use alter_core::given::Args;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::Value;
use time::OffsetDateTime;

use crate::bridge::operation::Operation;
use crate::bridge::queue::{Completion, Event, Inbox, Queue};
use crate::client::raise;
use crate::host::PythonHost;
use crate::outbox::Outbox;
use crate::{arguments, errors};

/// An operation that passed every local check and waits to be sent, once.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct PreparedOperation {
    call: Mutex<Option<CorePrepared<PythonHost>>>,
    wants_user_token: bool,
    outbox: Arc<Outbox>,
    /// Under which Python knows the function that gets events.
    listener: Option<u64>,
}

impl PreparedOperation {
    /// Checks an operation's arguments.
    ///
    /// # Errors
    ///
    /// The core's, as Python's exceptions.
    pub fn prepare(
        py: Python<'_>,
        client: &CoreClient<PythonHost>,
        outbox: &Arc<Outbox>,
        name: &str,
        arguments: &Bound<'_, PyDict>,
        surroundings: (Option<String>, Vec<(String, String)>),
        listener: Option<u64>,
    ) -> PyResult<Self> {
        let operation = CoreOperation::named(name).ok_or_else(|| {
            errors::exception(py, &Error::new(Kind::AlterSdk, format!("The engine has no operation {name}. Please report this.")))
        })?;
        let (traceparent, context) = surroundings;
        let mut call = client.operation(operation, args(arguments)?, traceparent).map_err(raise(py))?;
        call.set_surrounding_context(&context).map_err(raise(py))?;
        Ok(Self::new(call, Arc::clone(outbox), listener))
    }

    fn new(call: CorePrepared<PythonHost>, outbox: Arc<Outbox>, listener: Option<u64>) -> Self {
        let wants_user_token = call.wants_user_token();
        Self { call: Mutex::new(Some(call)), wants_user_token, outbox, listener }
    }
}

#[pymethods]
impl PreparedOperation {
    /// Whether the program's token getter should be asked.
    #[getter]
    fn wants_user_token(&self) -> bool {
        self.wants_user_token
    }

    /// Hands over what the getter gave.
    fn set_user_token(&self, py: Python<'_>, token: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.call.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(call) => call.set_user_token(arguments::text(token)).map_err(raise(py)),
            None => Ok(()),
        }
    }

    /// The exception for a getter that raised.
    fn user_token_failed(&self, py: Python<'_>) -> PyErr {
        errors::exception(py, &user_token_getter_failed("raised an exception"))
    }

    /// Gives the operation up, and with it the session that it waits for.
    fn abandon(&self) {
        drop(self.call.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Sends the operation. `future` gets its result, a `Visit`, or another `PreparedOperation` to go on with.
    fn send(&self, py: Python<'_>, queue: &Bound<'_, Queue>, future: Py<PyAny>) -> PyResult<Operation> {
        let inbox = queue.get().inbox();
        self.outbox.attend(&inbox);
        let taken = self.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sent_before = || errors::exception(py, &Error::new(Kind::AlterSdk, "This prepared call was sent already."));
        let mut call = taken.ok_or_else(sent_before)?;
        if let Some(listener) = self.listener {
            call.on_event(move |event| tell(&inbox, listener, event));
        }
        let abandon = call.abandon();
        let (outbox, listener) = (Arc::clone(&self.outbox), self.listener);
        let operation = Queue::submit(queue, future, async move {
            match call.send().await {
                Ok(step) => Box::new(move |py: Python<'_>| next(py, step, outbox, listener)) as Completion,
                Err(error) => Box::new(move |py: Python<'_>| Err(errors::exception(py, &error))) as Completion,
            }
        })?;
        Ok(operation.abandoning(abandon))
    }
}

/// An address that a person has to visit while the operation goes on.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct Visit {
    #[pyo3(get)]
    url: String,
    #[pyo3(get)]
    open_browser: bool,
    #[pyo3(get)]
    then: Py<PreparedOperation>,
}

/// Has an event told on the loop's thread: engine threads hold nothing of Python's.
fn tell(inbox: &Inbox, listener: u64, event: PollEvent) {
    let text = Value::Object(event.0).to_string();
    inbox.push(Event::Notice(Box::new(move |py| {
        py.import("alter_sdk._operations")?.call_method1("tell", (listener, text))?;
        Ok(())
    })));
}

fn next(py: Python<'_>, step: Step<PythonHost>, outbox: Arc<Outbox>, listener: Option<u64>) -> PyResult<Py<PyAny>> {
    match step {
        Step::Done(outcome) => result(py, outcome),
        Step::Again(call) => Ok(Bound::new(py, PreparedOperation::new(call, outbox, listener))?.into_any().unbind()),
        Step::Visit(CoreVisit { url, open_browser, then }) => {
            let then = Py::new(py, PreparedOperation::new(then, outbox, listener))?;
            Ok(Bound::new(py, Visit { url, open_browser, then })?.into_any().unbind())
        }
    }
}

/// The Python object of a result. A model's class is the one of its name.
fn result(py: Python<'_>, outcome: Outcome) -> PyResult<Py<PyAny>> {
    let build = |function: &str, name: &str, fields: Value| {
        py.import("alter_sdk._operations")?.call_method1(function, (name, fields.to_string())).map(Bound::unbind)
    };
    match outcome {
        Outcome::Nothing | Outcome::Text(None) => Ok(py.None()),
        Outcome::Text(Some(text)) => Ok(PyString::new(py, &text).into_any().unbind()),
        Outcome::One(model, fields) => build("model", model.name, Value::Object(fields)),
        Outcome::Many(model, list) => build("models", model.name, list.into_iter().map(Value::Object).collect()),
    }
}

fn args(arguments: &Bound<'_, PyDict>) -> PyResult<Args> {
    arguments.iter().map(|(name, value)| Ok((name.extract::<String>()?, arguments::given(&value)?))).collect()
}

/// A call that sends nothing, by its name: JSON text of the result.
#[pyfunction]
pub fn local_call(py: Python<'_>, name: &str, arguments: &Bound<'_, PyDict>) -> PyResult<String> {
    alter_core::local::run(name, args(arguments)?).map_err(raise(py))
}

/// The identity that a signed assertion proves.
#[pyfunction]
pub fn verify_identity_assertion(py: Python<'_>, arguments: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
    let identity = alter_sdk::engine::verify_assertion(args(arguments)?, OffsetDateTime::now_utc()).map_err(raise(py))?;
    let fields = Value::Object(identity).to_string();
    py.import("alter_sdk._operations")?.call_method1("model", ("IdentityContext", fields)).map(Bound::unbind)
}
