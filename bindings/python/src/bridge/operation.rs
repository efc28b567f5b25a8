//! A running operation as Python sees it: something that can be given up.

use alter_core::client::Abandon;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use super::queue::Queue;
use super::runtime;

/// One operation in the engine. Giving it up, or losing the last reference to it, drops its future, which closes its socket.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct Operation {
    queue: Py<Queue>,
    number: u64,
    /// `None` for one that was begun after the engine's end.
    task: Option<AbortHandle>,
    abandon: Option<Abandon>,
    /// The process that began it. A forked child inherits the object, but not what it stands for.
    generation: u64,
}

impl Operation {
    /// An operation that `queue` knows under `number`.
    pub fn new(queue: Py<Queue>, number: u64, task: Option<AbortHandle>) -> Self {
        Self { queue, number, task, abandon: None, generation: runtime::generation() }
    }

    /// The same, with what else has to happen when it is given up.
    pub fn abandoning(mut self, abandon: Option<Abandon>) -> Self {
        self.abandon = abandon;
        self
    }

    fn abort(&self) {
        if let Some(task) = self.task.as_ref().filter(|_| self.is_ours()) {
            task.abort();
        }
    }

    fn is_ours(&self) -> bool {
        self.generation == runtime::generation()
    }
}

#[pymethods]
impl Operation {
    /// Gives the operation up. Nothing happens if it has finished.
    fn cancel(&self) {
        self.queue.get().forget(self.number);
        // On this thread, before anything else can happen: the program may be about to close the client.
        if let Some(abandon) = self.abandon.as_ref().filter(|_| self.is_ours()) {
            abandon.now();
        }
        self.abort();
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // A coroutine that is destroyed while it waits (its loop was closed) never runs its `finally`.
        self.abort();
    }
}
