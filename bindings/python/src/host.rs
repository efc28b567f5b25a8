//! The SDK's host on tokio, made to survive a fork, with its background reports counted for the whole process.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alter_core::host::{Answer, Clock, Leg, Spawner, Task, Transport, TransportError};
use alter_sdk::{TokioHost, TransportOptions};
use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::bridge::runtime;

/// Reports under way in this process, over all clients: also those whose client nobody holds any more.
static REPORTS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Waits until no report is under way.
pub async fn reports_sent() {
    let mut reports = REPORTS.subscribe();
    // The sender is a static, so the channel cannot be closed.
    let _never_closed = reports.wait_for(|pending| *pending == 0).await;
}

/// In a forked child: the parent's reports are the parent's.
pub fn forget_reports() {
    REPORTS.send_replace(0);
}

/// Counts a report as done however it ends.
struct Report;

impl Report {
    fn begin() -> Self {
        REPORTS.send_modify(|pending| *pending += 1);
        Self
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        REPORTS.send_modify(|pending| *pending = pending.saturating_sub(1));
    }
}

/// The host of one client.
pub struct PythonHost {
    options: TransportOptions,
    /// The transport, and the generation of the runtime that its connections belong to.
    transport: Mutex<(u64, TokioHost)>,
}

impl PythonHost {
    /// Opens nothing yet.
    pub fn new(options: TransportOptions) -> Self {
        let transport = Mutex::new((runtime::generation(), TokioHost::new(options.clone())));
        Self { options, transport }
    }

    /// The transport of this process: after a fork a fresh one, whose connections are not shared with the parent.
    fn transport(&self) -> TokioHost {
        let mut transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = runtime::generation();
        if transport.0 != generation {
            let inherited = std::mem::replace(&mut *transport, (generation, TokioHost::new(self.options.clone())));
            // Dropping it would wake tasks of a runtime that does not exist here.
            std::mem::forget(inherited);
        }
        transport.1.clone()
    }
}

impl Transport for PythonHost {
    async fn send(&self, leg: Leg, request: http::Request<Bytes>) -> Result<Answer, TransportError> {
        self.transport().send(leg, request).await
    }

    fn close(&self) {
        self.transport().close();
    }
}

/// The moment from which uptimes count.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for PythonHost {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn uptime(&self) -> Duration {
        START.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Spawner for PythonHost {
    fn spawn(&self, task: Task) -> Result<(), Task> {
        let Some(handle) = runtime::running() else { return Err(task) };
        let report = Report::begin();
        handle.spawn(async move {
            task.await;
            drop(report);
        });
        Ok(())
    }
}
