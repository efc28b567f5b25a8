//! A vault in this process on a free port, a clock that is moved by hand, and a client that signs as the protocol says.

use std::sync::Arc;
use std::time::Duration;

use alter_core::signing::{SigningKey, StringToSign, canonical_path_and_query, content_sha256, headers};
use alter_server::clock::{Clock, ManualClock, Timestamp};
use alter_server::config::{Config, Flags};
use alter_server::serve::{ServeLimits, Server, listen};
use alter_server::setup;
use alter_server::store::sqlite::{Access, SqliteOptions};
use alter_server::store::{Faults, Store};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[path = "documented.rs"]
pub mod documented;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    /// The body as JSON; null if there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// Status and stable code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A vault that is stopped when the test ends.
pub struct TestVault {
    pub url: String,
    pub clock: Arc<ManualClock>,
    pub operator_key: String,
    pub folder: tempfile::TempDir,
    /// For what no endpoint does yet.
    pub store: Arc<dyn Store>,
    http: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl TestVault {
    /// Starts on an empty folder.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Starts with a disk that does what the faults say.
    pub async fn start_with_faults(faults: Arc<dyn Faults>) -> Self {
        Self::start_with(|options| options.faults = faults).await
    }

    /// Starts with changed options.
    pub async fn start_with(change: impl FnOnce(&mut SqliteOptions)) -> Self {
        Self::start_limited(change, ServeLimits::default()).await
    }

    /// Starts with changed options and bounds of the listener.
    pub async fn start_limited(change: impl FnOnce(&mut SqliteOptions), limits: ServeLimits) -> Self {
        Self::start_whole(change, limits, &[], async |_| ()).await
    }

    /// Starts with settings from the environment.
    pub async fn start_in(env: &[(&str, &str)]) -> Self {
        Self::start_whole(|_| (), ServeLimits::default(), env, async |_| ()).await
    }

    /// Starts with what `seed` puts into the store, for what no endpoint makes.
    pub async fn start_seeded(seed: impl AsyncFnOnce(&setup::Opened)) -> Self {
        Self::start_whole(|_| (), ServeLimits::default(), &[], seed).await
    }

    async fn start_whole(
        change: impl FnOnce(&mut SqliteOptions),
        limits: ServeLimits,
        env: &[(&str, &str)],
        seed: impl AsyncFnOnce(&setup::Opened),
    ) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_767_225_600_000)));
        let mut options = SqliteOptions::new(folder.path().join("data"), Access::Create);
        options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        change(&mut options);
        let flags = Flags { data: Some(options.folder.clone()), address: Some("127.0.0.1:0".into()), ..Flags::default() };
        let config = Config::load(&flags, |name| env.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
            .expect("valid settings");
        let listener = listen(&config).await.expect("a free port");
        let mut opened = setup::create_with(options).await.expect("a new vault");
        let operator_key = opened.new_operator_key.take().expect("a first operator").expose().to_owned();
        let store = Arc::clone(&opened.store);
        seed(&opened).await;
        let server = Server::new(listener, None, opened, &config).expect("an address").limits(limits);
        let url = format!("http://{}", server.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            // A dropped sender stops the server, too.
            server.run(async { drop(stopped.await) }).await.expect("a clean stop");
        });
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { url, clock, operator_key, folder, store, http, stop: Some(stop), served: Some(served) }
    }

    /// Stops the vault and waits for it.
    pub async fn stop(mut self) -> tempfile::TempDir {
        drop(self.stop.take());
        self.served.take().expect("running").await.expect("no panic");
        self.folder
    }

    /// Sends any request. The answer has to be as the OpenAPI document says.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.http.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let answer = Answer { status: parts.status, headers: parts.headers, bytes };
        documented::check(&method, &path, &answer);
        answer
    }

    /// Asks the admin plane as the first operator.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Answer {
        self.admin_as(&self.operator_key, method, path, body).await
    }

    /// Asks the admin plane with any key.
    pub async fn admin_as(&self, key: &str, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/admin/v1{path}", self.url))
            .header("authorization", format!("Bearer {key}"))
            .body(Full::from(body.to_string()))
            .expect("a request");
        self.send(request).await
    }

    /// Asks the admin plane and expects it to work.
    pub async fn made(&self, path: &str, body: Value) -> Value {
        let answer = self.admin(Method::POST, path, body).await;
        assert!(answer.status.is_success(), "{path}: {:?}", answer.json());
        answer.json()
    }

    /// Reads from the admin plane and expects it to work.
    pub async fn read(&self, path: &str) -> Value {
        let answer = self.admin(Method::GET, path, Value::Null).await;
        assert!(answer.status.is_success(), "{path}: {:?}", answer.json());
        answer.json()
    }

    /// The newest audit row.
    pub async fn last_row(&self) -> Value {
        self.read("/audit?app=demo&limit=1").await["items"][0].clone()
    }

    /// An app `demo` with a key, a bearer secret `mail` for api.example.com, and a grant of it.
    pub async fn furnished(&self) -> Furniture {
        self.made("/apps", json!({"name": "demo"})).await;
        let key = self.key(json!({})).await;
        let secret = json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": CREDENTIAL}});
        self.made("/apps/demo/secrets", secret).await;
        let grant = self.grant(json!({"secret": "mail"})).await;
        Furniture { key, grant }
    }

    /// A key of `demo`.
    pub async fn key(&self, wanted: Value) -> String {
        self.made("/apps/demo/keys", wanted).await["api_key"].as_str().expect("a key").to_owned()
    }

    /// A grant of `demo`.
    pub async fn grant(&self, wanted: Value) -> String {
        self.made("/apps/demo/grants", wanted).await["grant_id"].as_str().expect("a grant").to_owned()
    }

    /// Unix time of the vault's clock.
    pub fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    /// Moves the vault's clock.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// What [`TestVault::furnished`] made.
pub struct Furniture {
    pub key: String,
    pub grant: String,
}

/// The credential of the secret `mail`: no test may find it anywhere but in a released answer.
pub const CREDENTIAL: &str = "canary-4be1c0ffee";

/// A body for `POST /sdk/token`.
pub fn token_body(grant: &str) -> Value {
    json!({"grant_id": grant, "reason": null, "request": {"method": "GET", "url": "https://api.example.com/v1/me"}})
}

/// A signed request under construction.
#[derive(Clone)]
pub struct Signed {
    method: Method,
    path: String,
    key: String,
    body: Vec<u8>,
    timestamp: Option<i64>,
    nonce: String,
    extra: Vec<(&'static str, String)>,
    unsigned: Vec<(&'static str, String)>,
}

impl Signed {
    /// A token retrieval.
    pub fn token(key: &str, body: &Value) -> Self {
        Self::post("/sdk/token", key, body)
    }

    /// Any signed call.
    pub fn post(path: &str, key: &str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            key: key.to_owned(),
            body: body.to_string().into_bytes(),
            timestamp: None,
            nonce: uuid::Uuid::new_v4().simple().to_string(),
            extra: Vec::new(),
            unsigned: Vec::new(),
        }
    }

    /// A signed change.
    pub fn patch(path: &str, key: &str, body: &Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(path, key, body) }
    }

    /// A signed question.
    pub fn get(path: &str, key: &str) -> Self {
        Self { method: Method::GET, body: Vec::new(), ..Self::post(path, key, &Value::Null) }
    }

    /// A signed call without a body.
    pub fn delete(path: &str, key: &str) -> Self {
        Self { method: Method::DELETE, body: Vec::new(), ..Self::post(path, key, &Value::Null) }
    }

    /// Replaces the body by raw bytes.
    pub fn body(mut self, bytes: &[u8]) -> Self {
        self.body = bytes.to_vec();
        self
    }

    /// Adds a header that is signed.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.extra.push((name, value.to_owned()));
        self
    }

    /// Adds a header that is not signed.
    pub fn beside(mut self, name: &'static str, value: &str) -> Self {
        self.unsigned.push((name, value.to_owned()));
        self
    }

    /// Takes the nonce of another request.
    pub fn clone_nonce(&mut self, other: &Self) {
        self.nonce.clone_from(&other.nonce);
    }

    /// Signs for another time than the vault's.
    pub fn at(mut self, unix_seconds: i64) -> Self {
        self.timestamp = Some(unix_seconds);
        self
    }

    /// The request, signed.
    pub fn request(&self, vault: &TestVault) -> Request<Full<Bytes>> {
        self.request_to(&vault.url, vault.now())
    }

    /// The request to a vault at this URL, signed at this time.
    pub fn request_to(&self, url: &str, now: i64) -> Request<Full<Bytes>> {
        let value = |name| self.extra.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v.as_str());
        let timestamp = self.timestamp.unwrap_or(now).to_string();
        let (hash, target) = (content_sha256(&self.body), canonical_path_and_query(&self.path));
        let text = StringToSign {
            method: self.method.as_str(),
            path_and_query: &target,
            timestamp: &timestamp,
            nonce: &self.nonce,
            content_sha256: &hash,
            scope_constraints: value(headers::SCOPE_CONSTRAINTS),
            request_rule: value(headers::REQUEST_RULE),
            caller: value(headers::CALLER),
            caller_type: value(headers::CALLER_TYPE),
            actor_id: value(headers::ACTOR_ID),
            context: value(headers::CONTEXT),
        };
        let signing = SigningKey::derive(&self.key);
        let v2 = text.v2().map(|text| signing.sign(&text));
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("{url}{}", self.path))
            .header(headers::API_KEY, &self.key)
            .header(headers::TIMESTAMP, &timestamp)
            .header(headers::NONCE, &self.nonce)
            .header(headers::CONTENT_SHA256, &hash)
            .header(headers::SIGNATURE, v2.clone().unwrap_or_else(|| signing.sign(&text.v1())));
        if let Some(digest) = v2 {
            request = request.header(headers::SIGNATURE_V2, digest);
        }
        for (name, value) in self.extra.iter().chain(&self.unsigned) {
            request = request.header(*name, value);
        }
        request.body(Full::from(self.body.clone())).expect("a request")
    }

    /// Signs and sends.
    pub async fn send(&self, vault: &TestVault) -> Answer {
        vault.send(self.request(vault)).await
    }
}
