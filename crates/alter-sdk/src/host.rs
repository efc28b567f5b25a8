//! The engine's host on tokio.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use alter_core::host::{Answer, Clock, Leg, Spawner, Task, Transport, TransportError};
use bytes::Bytes;
use time::OffsetDateTime;

use crate::transport::{HttpTransport, SharedTransport, TransportOptions};

/// Sends with hyper and spawns on the tokio runtime that the call runs in. A connection lives on the runtime that opened it and is opened
/// anew when that runtime is gone.
#[derive(Clone)]
pub struct TokioHost(SharedTransport);

impl TokioHost {
    /// Opens nothing yet.
    pub fn new(options: TransportOptions) -> Self {
        Self(Arc::new(HttpTransport::new(options)))
    }
}

impl Transport for TokioHost {
    async fn send(&self, leg: Leg, request: http::Request<Bytes>) -> Result<Answer, TransportError> {
        self.0.send(leg, request).await
    }

    fn close(&self) {
        self.0.close();
    }
}

/// The moment from which uptimes count.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for TokioHost {
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

impl Spawner for TokioHost {
    fn spawn(&self, task: Task) -> Result<(), Task> {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(task);
                Ok(())
            }
            Err(_) => Err(task),
        }
    }
}
