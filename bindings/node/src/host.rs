//! The SDK's host on tokio, with its background reports counted for the whole process.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use alter_core::host::{Answer, Clock, Leg, Spawner, Task, Transport, TransportError};
use alter_sdk::{TokioHost, TransportOptions};
use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::runtime;

/// Reports under way in this process, over all clients: also those whose client nobody holds any more.
static REPORTS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Waits until no report is under way.
pub async fn reports_sent() {
    let mut reports = REPORTS.subscribe();
    // The sender is a static, so the channel cannot be closed.
    let _never_closed = reports.wait_for(|pending| *pending == 0).await;
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
pub struct NodeHost(TokioHost);

impl NodeHost {
    /// Opens nothing yet.
    pub fn new(options: TransportOptions) -> Self {
        Self(TokioHost::new(options))
    }
}

impl Transport for NodeHost {
    async fn send(&self, leg: Leg, request: http::Request<Bytes>) -> Result<Answer, TransportError> {
        self.0.send(leg, request).await
    }

    fn close(&self) {
        self.0.close();
    }
}

/// The moment from which uptimes count.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for NodeHost {
    fn now(&self) -> OffsetDateTime {
        self.0.now()
    }

    fn uptime(&self) -> Duration {
        START.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

impl Spawner for NodeHost {
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
