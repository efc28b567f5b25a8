//! The completion queue of one event loop.
//!
//! Engine threads push plain Rust data. The first event of a batch signals the loop, which drains the whole queue on its own
//! thread: many completions for one wake-up, and no interpreter lock on an engine thread.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;

use super::ending;
use super::operation::Operation;
use super::runtime::{self, Unavailable};
use super::wake::Waker;

/// What the engine has finished, still as Rust data: called on the loop's thread to make the Python object or exception.
pub type Completion = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// One thing that happened on an engine thread.
pub enum Event {
    /// The operation of this number has finished.
    Done(u64, Completion),
    /// The operation of this number ended without a result: it panicked, or the runtime was stopped under it.
    Lost(u64),
    /// Something to do on the loop's thread that belongs to no operation, such as writing a log line.
    Notice(Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>),
}

/// The part of a queue that engine threads see.
pub struct Inbox {
    events: Mutex<Vec<Event>>,
    waker: Waker,
}

impl Inbox {
    fn new() -> std::io::Result<Self> {
        Ok(Self { events: Mutex::default(), waker: Waker::new()? })
    }

    /// Adds an event and, if the queue was empty, signals the loop.
    pub fn push(&self, event: Event) {
        let first = {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push(event);
            events.len() == 1
        };
        if first {
            self.waker.wake();
        }
    }

    fn take(&self) -> Vec<Event> {
        // The signal goes first: an event that arrives in between finds either a queue that is about to be emptied, or an
        // empty one, which it signals again. The other order could lose its signal.
        self.waker.clear();
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the queue that an operation is gone if its future is dropped before it reported.
struct Report {
    inbox: Arc<Inbox>,
    number: u64,
    sent: bool,
}

impl Report {
    fn done(mut self, completion: Completion) {
        self.sent = true;
        self.inbox.push(Event::Done(self.number, completion));
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // At the end of the interpreter nobody is left to be told; a thread that still waits must not be given an exception to print.
        if !self.sent && !runtime::is_stopped() {
            self.inbox.push(Event::Lost(self.number));
        }
    }
}

/// The completion queue of one event loop. Its methods are called on that loop's thread only, but for `wait`, `go_on` and `close`.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct Queue {
    inbox: Arc<Inbox>,
    /// The futures that wait for an operation. Touched by Python threads alone.
    waiting: Mutex<HashMap<u64, Py<PyAny>>>,
    next: AtomicU64,
}

impl Queue {
    /// What engine threads may hold of this queue.
    pub fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Starts `work` on the engine's threads; its completion resolves `future` on the loop's thread.
    ///
    /// # Errors
    ///
    /// `RuntimeError` when the engine cannot start any work.
    pub fn submit<F>(queue: &Bound<'_, Self>, future: Py<PyAny>, work: F) -> PyResult<Operation>
    where
        F: Future<Output = Completion> + Send + 'static,
    {
        let this = queue.get();
        let number = this.next.fetch_add(1, Ordering::Relaxed);
        let report = Report { inbox: this.inbox(), number, sent: false };
        this.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, future);
        match runtime::spawn(async move { report.done(work.await) }) {
            Ok(task) => Ok(Operation::new(queue.clone().unbind(), number, Some(task.abort_handle()))),
            // Its future stays unresolved: what would be raised in such a thread now would only be printed.
            Err(Unavailable::Stopped) if ending::is_daemon(queue.py())? => Ok(Operation::new(queue.clone().unbind(), number, None)),
            Err(cause) => {
                this.forget(number);
                Err(PyRuntimeError::new_err(cause.to_string()))
            }
        }
    }

    /// Drops the future of an operation nobody waits for any more.
    pub fn forget(&self, number: u64) -> Option<Py<PyAny>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }

    fn resolve(&self, py: Python<'_>, number: u64, outcome: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>>) {
        let Some(future) = self.forget(number) else { return };
        let future = future.bind(py);
        let settled = future.call_method0(pyo3::intern!(py, "done")).and_then(|done| done.is_truthy()).and_then(|done| {
            if done {
                return Ok(());
            }
            match outcome(py) {
                Ok(value) => future.call_method1(pyo3::intern!(py, "set_result"), (value,)),
                Err(error) => future.call_method1(pyo3::intern!(py, "set_exception"), (error.into_value(py),)),
            }
            .map(drop)
        });
        if let Err(error) = settled {
            // The other completions of the batch must not suffer from this one.
            error.write_unraisable(py, Some(future));
        }
    }
}

#[pymethods]
impl Queue {
    #[new]
    fn new() -> PyResult<Self> {
        let inbox = Inbox::new().map_err(|e| PyOSError::new_err(format!("no completion queue could be made: {e}")))?;
        Ok(Self { inbox: Arc::new(inbox), waiting: Mutex::default(), next: AtomicU64::new(0) })
    }

    /// The descriptor that is readable while completions wait, or `None` where the platform has none.
    fn fileno(&self) -> Option<i32> {
        self.inbox.waker.descriptor()
    }

    /// Resolves everything that has finished since the last call.
    fn drain(&self, py: Python<'_>) {
        for event in self.inbox.take() {
            match event {
                Event::Done(number, completion) => self.resolve(py, number, completion),
                Event::Lost(number) => self.resolve(py, number, |_| {
                    Err(PyRuntimeError::new_err("the engine ended this call without an answer; please report this"))
                }),
                Event::Notice(notice) => {
                    if let Err(error) = notice(py) {
                        error.write_unraisable(py, None);
                    }
                }
            }
        }
    }

    /// Waits until completions are there, without the interpreter's lock; `False` once the queue is closed.
    fn wait(&self, py: Python<'_>) -> bool {
        py.detach(|| self.inbox.waker.wait())
    }

    /// Lets the engine go on after a fork, from the loop's thread when its turn comes.
    fn go_on(&self) {
        self.inbox.push(Event::Notice(Box::new(|_| {
            runtime::drive();
            Ok(())
        })));
    }

    /// Ends `wait` for good.
    fn close(&self) {
        self.inbox.waker.close();
    }
}
