//! What the engine needs from the program it runs in: something that sends HTTP requests, a clock, and a place for background work.
//!
//! The engine names no runtime and no HTTP library. With a scripted [`Transport`] every state machine of it is tested without a socket.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;

/// Sends single HTTP requests. It follows no redirect, keeps no cookies and retries nothing.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and reads the whole answer, decompressed. Dropping the future closes the connection it uses.
    fn send(&self, leg: Leg, request: http::Request<Bytes>) -> impl Future<Output = Result<Answer, TransportError>> + Send;

    /// Closes idle connections. Called once, when the client closes.
    fn close(&self);
}

/// Tells the time and waits.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// How long it is since some fixed moment, on a clock that nobody sets.
    fn uptime(&self) -> Duration;

    /// Ends after the duration.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Runs work that nobody waits for.
pub trait Spawner: Send + Sync + 'static {
    /// Starts the task; gives it back if that is not possible (the runtime is shutting down).
    ///
    /// # Errors
    /// The task itself.
    fn spawn(&self, task: Task) -> Result<(), Task>;
}

/// All three.
pub trait Host: Transport + Clock + Spawner {}

impl<T: Transport + Clock + Spawner> Host for T {}

/// Background work.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The two parties that requests go to. They share no connection and no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// The vault. Gets the API key.
    Backend,
    /// The provider. Gets the credential and never the API key.
    Provider,
}

/// An extension of a request that the receiver is asked to hold: how long each step of it may take, in place of the transport's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code, 100 to 999.
    pub status: u16,
    /// The status line's own words, where the protocol has them.
    pub reason_phrase: Option<String>,
    /// The version in use.
    pub version: http::Version,
    /// Headers as they came, in their order within each name.
    pub headers: http::HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
    /// How many bytes the body had on the wire.
    pub bytes_on_wire: usize,
}

impl Answer {
    /// A header's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header, joined by a comma as HTTP allows.
    pub fn joined_header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// Why there is no answer. The text names no URL and no header value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// Connecting, writing or reading took longer than the client's timeout.
    Timeout,
    /// Anything else, in words.
    Failed(String),
}

/// Receives what the engine has to say. Implementations must not block and must not fail.
pub trait Log: Send + Sync + 'static {
    /// Takes one event.
    fn log(&self, event: Event);
}

/// Something worth telling the program, not the caller of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How much it matters.
    pub level: Level,
    /// Text for people. It holds no secret, and of URLs only scheme and host.
    pub message: String,
}

/// How much an event matters, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever debugs the program.
    Debug,
    /// Something did not work that no caller will hear of otherwise.
    Warning,
    /// The program's author should change something; languages with a warning mechanism use it.
    Notice,
    /// The program uses something that will go; languages with a category for such warnings use it.
    Deprecation,
}

/// Drops every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl Log for NoLog {
    fn log(&self, _event: Event) {}
}
