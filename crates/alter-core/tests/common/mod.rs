//! A host without sockets: answers come from a script, requests are kept, time stands still.

#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use alter_core::client::{Arg, Client, ClientKind, ClientOptions, RequestArgs};
use alter_core::host::{Answer, Clock, Event, Leg, Log, Spawner, Task, Transport, TransportError};
use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;

pub const APP_KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
pub const GRANT: &str = "7a1e6f0e-2222-4333-8444-555566667777";
pub const BASE: &str = "http://127.0.0.1:7117";

/// Vectors are JSON files that all languages run.
pub fn vectors(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"))).unwrap()
}

#[derive(Clone, Default)]
pub struct Script(Arc<State>);

#[derive(Default)]
struct State {
    backend: Mutex<VecDeque<Result<Answer, TransportError>>>,
    provider: Mutex<VecDeque<Result<Answer, TransportError>>>,
    seen: Mutex<Vec<(Leg, http::Request<Bytes>)>>,
    closed: Mutex<usize>,
    events: Mutex<Vec<Event>>,
    hang_reports: Mutex<bool>,
    answer_time: Mutex<Duration>,
    started: OnceLock<tokio::time::Instant>,
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        map.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let body = body.into();
    Answer { status, reason_phrase: None, version: http::Version::HTTP_11, headers: map, bytes_on_wire: body.len(), body }
}

pub fn token() -> Value {
    json!({ "access_token": "SECRET", "grant_id": GRANT, "provider_id": "google" })
}

impl Script {
    /// The next answer of the vault to a token request.
    pub fn vault(&self, status: u16, headers: &[(&str, &str)], body: &Value) -> &Self {
        self.vault_raw(Ok(answer(status, headers, body.to_string())))
    }

    pub fn vault_raw(&self, answer: Result<Answer, TransportError>) -> &Self {
        self.0.backend.lock().unwrap().push_back(answer);
        self
    }

    pub fn provider(&self, answer: Result<Answer, TransportError>) -> &Self {
        self.0.provider.lock().unwrap().push_back(answer);
        self
    }

    /// From now on every answer takes so long.
    pub fn answers_after(&self, time: Duration) {
        *self.0.answer_time.lock().unwrap() = time;
    }

    /// From now on reports to the vault are never answered.
    pub fn hang_reports(&self) {
        *self.0.hang_reports.lock().unwrap() = true;
    }

    pub fn requests(&self, leg: Leg) -> Vec<http::Request<Bytes>> {
        self.0.seen.lock().unwrap().iter().filter(|(seen, _)| *seen == leg).map(|(_, request)| request.clone()).collect()
    }

    pub fn paths(&self) -> Vec<String> {
        self.requests(Leg::Backend).iter().map(|request| request.uri().path().to_owned()).collect()
    }

    /// Bodies of the requests to a path of the vault.
    pub fn bodies(&self, path: &str) -> Vec<Value> {
        let fits = |request: &http::Request<Bytes>| request.uri().path() == path;
        self.requests(Leg::Backend).into_iter().filter(fits).map(|r| serde_json::from_slice(r.body()).unwrap()).collect()
    }

    pub fn events(&self) -> Vec<Event> {
        self.0.events.lock().unwrap().clone()
    }

    pub fn times_closed(&self) -> usize {
        *self.0.closed.lock().unwrap()
    }

    pub fn client(&self, kind: ClientKind) -> Client<Self> {
        let options = ClientOptions::new(kind, APP_KEY).unwrap().base_url(BASE).unwrap().log(Arc::new(self.clone()));
        Client::new(options, self.clone()).unwrap()
    }
}

impl Transport for Script {
    async fn send(&self, leg: Leg, request: http::Request<Bytes>) -> Result<Answer, TransportError> {
        let is_report = leg == Leg::Backend && request.uri().path() != "/sdk/token";
        self.0.seen.lock().unwrap().push((leg, request));
        if is_report && *self.0.hang_reports.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        // A turn of the scheduler, so that concurrency is real.
        tokio::task::yield_now().await;
        let time = *self.0.answer_time.lock().unwrap();
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        let queue = if leg == Leg::Backend { &self.0.backend } else { &self.0.provider };
        if is_report && queue.lock().unwrap().is_empty() {
            return Ok(answer(204, &[], ""));
        }
        queue.lock().unwrap().pop_front().unwrap_or_else(|| panic!("no answer left for {leg:?}"))
    }

    fn close(&self) {
        *self.0.closed.lock().unwrap() += 1;
    }
}

impl Clock for Script {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_767_225_600).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.0.started.get_or_init(tokio::time::Instant::now).elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Spawner for Script {
    fn spawn(&self, task: Task) -> Result<(), Task> {
        tokio::spawn(task);
        Ok(())
    }
}

impl Log for Script {
    fn log(&self, event: Event) {
        self.0.events.lock().unwrap().push(event);
    }
}

/// A GET by grant id.
pub fn get(url: &str) -> RequestArgs {
    RequestArgs { grant_id: Arg::Value(format!("\"{GRANT}\"")), ..RequestArgs::new("GET", url) }
}
