//! The completion queue of one environment: the main thread's, or a worker's.
//!
//! Engine threads push plain Rust data. The first event of a batch wakes the environment's event loop, which takes the whole batch at
//! once: many completions for one wake-up, and no JavaScript value on an engine thread. While an operation is under way the queue
//! keeps the event loop alive, as a `fetch` would; an idle client does not.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alter_core::client::Abandon;
use alter_core::host::{Event as LogEvent, Level, Log};
use napi::bindgen_prelude::{Buffer, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use tokio::task::AbortHandle;

use crate::runtime::{self, Lease};

/// Log lines that may wait. A program whose event loop is blocked must not lose memory to them.
const MOST_LINES: usize = 1000;

/// Wakes the event loop: no argument, no result, no error argument, and on its own it keeps no loop alive.
type Waker = ThreadsafeFunction<(), (), (), Status, false, true>;

/// What an operation ended with, as Rust data.
pub struct Completion {
    /// Whether the text is an error's.
    pub failed: bool,
    /// JSON text.
    pub text: String,
    /// The body of an answer, empty if it has none.
    pub body: Vec<u8>,
}

impl Completion {
    /// A completion that says only that it succeeded.
    pub fn done() -> Self {
        Self { failed: false, text: String::new(), body: Vec::new() }
    }

    /// A completion with an error of the core.
    pub fn failed(error: &alter_core::error::Error) -> Self {
        Self { failed: true, text: crate::failure::text(error), body: Vec::new() }
    }
}

/// What an operation ended with, as JavaScript sees it.
#[napi(object)]
pub struct Outcome {
    /// The operation's number.
    pub number: i64,
    /// Whether `text` is an error's.
    pub failed: bool,
    /// JSON text.
    pub text: String,
    /// The body of an answer.
    pub body: Option<Buffer>,
}

/// Something that a client has to say.
#[napi(object)]
pub struct Line {
    /// The client's number.
    pub client: u32,
    /// `debug`, `warn`, or `deprecation` for what the program's author should change.
    pub level: String,
    /// Text for people, without any secret.
    pub message: String,
}

/// Something that happened while an operation goes on.
#[napi(object)]
pub struct Notice {
    /// The operation's number.
    pub number: i64,
    /// JSON text.
    pub text: String,
}

/// Everything that happened since the last wake-up.
#[napi(object)]
pub struct Batch {
    /// What happened while operations went on; before the end of any of them.
    pub notices: Vec<Notice>,
    /// Operations that ended.
    pub outcomes: Vec<Outcome>,
    /// What clients have to say.
    pub lines: Vec<Line>,
    /// How many lines were dropped because too many waited.
    pub dropped: u32,
}

#[derive(Default)]
struct Events {
    notices: Vec<Notice>,
    completions: Vec<(i64, Completion)>,
    lines: Vec<Line>,
    dropped: u32,
    /// Whether the event loop was woken and has not come yet.
    woken: bool,
}

/// The part of a queue that engine threads see.
pub struct Inbox {
    events: Mutex<Events>,
    waker: Mutex<Waker>,
}

impl Inbox {
    fn put(&self, add: impl FnOnce(&mut Events)) {
        let wake = {
            let mut events = lock(&self.events);
            add(&mut events);
            !std::mem::replace(&mut events.woken, true)
        };
        if wake {
            // An environment that has ended takes no calls, and nobody waits in it any more.
            let _closing = lock(&self.waker).call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Tells what happened while an operation goes on, as JSON text.
    pub fn tell(&self, number: i64, text: String) {
        self.put(|events| events.notices.push(Notice { number, text }));
    }

    fn take(&self) -> Events {
        std::mem::take(&mut *lock(&self.events))
    }
}

/// Where one client's log lines go.
pub struct Sink {
    /// The environment's inbox.
    pub inbox: Arc<Inbox>,
    /// Under which JavaScript knows the client.
    pub client: u32,
}

impl Log for Sink {
    fn log(&self, event: LogEvent) {
        let level = match event.level {
            Level::Debug => "debug",
            Level::Warning | Level::Notice => "warn",
            Level::Deprecation => "deprecation",
        };
        self.inbox.put(|events| {
            if events.lines.len() < MOST_LINES {
                events.lines.push(Line { client: self.client, level: level.to_owned(), message: event.message });
            } else {
                events.dropped += 1;
            }
        });
    }
}

/// Completes an operation however it ends: also when it panics or its runtime is stopped under it.
struct Report {
    inbox: Arc<Inbox>,
    number: i64,
    completion: Option<Completion>,
}

impl Report {
    fn done(mut self, completion: Completion) {
        self.completion = Some(completion);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let completion = self.completion.take().unwrap_or_else(lost);
        self.inbox.put(|events| events.completions.push((self.number, completion)));
    }
}

fn lost() -> Completion {
    let text = "The engine ended this call without an answer. Please report this.";
    Completion::failed(&alter_core::error::Error::new(alter_core::error::Kind::AlterSdk, text))
}

/// An operation under way.
struct Running {
    task: AbortHandle,
    abandon: Option<Abandon>,
}

impl Running {
    /// Drops the operation's future, which closes its socket. What must be told to the vault is under way before that.
    fn give_up(self) {
        if let Some(abandon) = self.abandon {
            abandon.now();
        }
        self.task.abort();
    }
}

/// The operations under way, by number.
#[derive(Default)]
struct Operations {
    running: HashMap<i64, Running>,
    next: i64,
}

/// The completion queue of one environment. Its methods are called on that environment's thread only.
#[napi]
pub struct Queue {
    inbox: Arc<Inbox>,
    operations: Arc<Mutex<Operations>>,
}

#[napi]
impl Queue {
    /// The queue of the environment that calls this; `wake` is called there whenever `drain` has something to give.
    ///
    /// # Errors
    /// When Node gives no thread-safe function.
    #[napi(factory)]
    pub fn open(env: Env, wake: Function<'_, (), ()>) -> Result<Self> {
        let waker: Waker = wake.build_threadsafe_function().weak::<true>().build()?;
        let operations = Arc::new(Mutex::new(Operations::default()));
        let at_end = (Arc::clone(&operations), Lease::take());
        env.add_env_cleanup_hook(at_end, |(operations, lease)| {
            for (_, running) in lock(&operations).running.drain() {
                running.give_up();
            }
            drop(lease);
        })?;
        Ok(Self { inbox: Arc::new(Inbox { events: Mutex::default(), waker: Mutex::new(waker) }), operations })
    }

    /// Takes everything that happened since the last call.
    ///
    /// # Errors
    /// Node's, if the environment is ending.
    #[napi]
    pub fn drain(&self, env: Env) -> Result<Batch> {
        let events = self.inbox.take();
        let mut outcomes = Vec::with_capacity(events.completions.len());
        for (number, completion) in events.completions {
            // One that was cancelled is no longer known, and nobody waits for it.
            if lock(&self.operations).running.remove(&number).is_some() {
                let body = (!completion.body.is_empty()).then(|| Buffer::from(completion.body));
                outcomes.push(Outcome { number, failed: completion.failed, text: completion.text, body });
            }
        }
        self.keep_loop_alive(env)?;
        Ok(Batch { notices: events.notices, outcomes, lines: events.lines, dropped: events.dropped })
    }

    /// Gives an operation up, which closes its socket. Nothing happens if it has ended.
    ///
    /// # Errors
    /// Node's, if the environment is ending.
    #[napi]
    pub fn cancel(&self, env: Env, number: i64) -> Result<()> {
        let running = lock(&self.operations).running.remove(&number);
        if let Some(running) = running {
            running.give_up();
        }
        self.keep_loop_alive(env)
    }
}

impl Queue {
    /// What engine threads may hold of this queue.
    pub fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Starts `work` on the engine's threads and gives its number, under which its completion will come.
    ///
    /// # Errors
    /// When the operating system gives the engine no threads, and Node's if the environment is ending.
    pub fn submit<F>(&self, env: Env, work: F) -> Result<i64>
    where
        F: Future<Output = Completion> + Send + 'static,
    {
        self.submit_numbered(env, None, |_| work)
    }

    /// The same for work that must know its own number, and that something else has to happen for when it is given up.
    ///
    /// # Errors
    /// As [`Queue::submit`].
    pub fn submit_numbered<F>(&self, env: Env, abandon: Option<Abandon>, work: impl FnOnce(i64) -> F) -> Result<i64>
    where
        F: Future<Output = Completion> + Send + 'static,
    {
        let runtime = runtime::handle().map_err(|cause| {
            Error::from_reason(format!("The engine's threads could not be started ({cause}). Free some memory or threads and try again."))
        })?;
        let number = {
            let mut operations = lock(&self.operations);
            let number = operations.next;
            operations.next += 1;
            let report = Report { inbox: self.inbox(), number, completion: None };
            let work = work(number);
            let task = runtime.spawn(async move { report.done(work.await) });
            operations.running.insert(number, Running { task: task.abort_handle(), abandon });
            number
        };
        self.keep_loop_alive(env)?;
        Ok(number)
    }

    /// Holds the event loop while anything is under way, and lets go of it when nothing is.
    #[expect(deprecated, reason = "cloning, which napi advises instead, cannot let go of the loop without closing the function")]
    fn keep_loop_alive(&self, env: Env) -> Result<()> {
        let mut waker = lock(&self.inbox.waker);
        if lock(&self.operations).running.is_empty() { waker.unref(&env) } else { waker.refer(&env) }
    }
}

/// Locks data that is whole between any two statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
