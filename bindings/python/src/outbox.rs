//! What a client's engine has to say to the program: log lines and warnings.
//!
//! Engine threads put events here and nudge the event loop that the client was last used on; Python takes them on one of its own
//! threads. A notice (the program's author should change something) waits for the next call, so that the warning that Python
//! makes of it names the caller's line.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use alter_core::host::{Event, Level, Log};
use pyo3::prelude::*;

use crate::bridge::queue::{self, Inbox};

/// Events that may wait. A program that never looks must not lose memory to them.
const MOST_WAITING: usize = 1000;

/// The events of one client.
pub struct Outbox {
    /// Under which Python knows the client.
    number: u64,
    state: Mutex<State>,
    /// Asked twice in each call, so it must cost nothing.
    has_notices: AtomicBool,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Event>,
    notices: Vec<(bool, String)>,
    dropped: usize,
    loop_inbox: Weak<Inbox>,
}

impl Outbox {
    /// An empty outbox of the client that Python knows as `number`.
    pub fn new(number: u64) -> Arc<Self> {
        Arc::new(Self { number, state: Mutex::default(), has_notices: AtomicBool::new(false) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the event loop whose thread shall write the lines.
    pub fn attend(&self, inbox: &Arc<Inbox>) {
        let mut state = self.state();
        if !std::ptr::eq(state.loop_inbox.as_ptr(), Arc::as_ptr(inbox)) {
            state.loop_inbox = Arc::downgrade(inbox);
        }
    }

    /// Takes the log lines: level name and text.
    pub fn take_lines(&self) -> Vec<(&'static str, String)> {
        let mut state = self.state();
        let mut lines: Vec<_> = state.lines.drain(..).map(|event| (level_name(event.level), event.message)).collect();
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            lines.push(("warning", format!("{dropped} more log lines were dropped: nothing took them in time.")));
        }
        lines
    }

    /// Whether there are notices.
    pub fn has_notices(&self) -> bool {
        self.has_notices.load(Ordering::Acquire)
    }

    /// Takes the notices, each with whether it is about something that will go.
    pub fn take_notices(&self) -> Vec<(bool, String)> {
        self.has_notices.store(false, Ordering::Release);
        std::mem::take(&mut self.state().notices)
    }

    fn put(&self, event: Event) -> Option<Arc<Inbox>> {
        let mut state = self.state();
        if matches!(event.level, Level::Notice | Level::Deprecation) {
            state.notices.push((event.level == Level::Deprecation, event.message));
            self.has_notices.store(true, Ordering::Release);
            return None;
        }
        if state.lines.len() >= MOST_WAITING {
            state.dropped += 1;
            return None;
        }
        state.lines.push_back(event);
        if state.lines.len() == 1 { state.loop_inbox.upgrade() } else { None }
    }

    fn write(&self, py: Python<'_>) -> PyResult<()> {
        let lines = self.take_lines();
        py.import("alter_sdk._logging")?.call_method1("write", (self.number, lines))?;
        Ok(())
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Warning | Level::Notice | Level::Deprecation => "warning",
    }
}

/// The engine's end of an outbox.
pub struct Sink(pub Arc<Outbox>);

impl Log for Sink {
    fn log(&self, event: Event) {
        if let Some(inbox) = self.0.put(event) {
            let outbox = Arc::clone(&self.0);
            inbox.push(queue::Event::Notice(Box::new(move |py| outbox.write(py))));
        }
    }
}
