//! What stands in front of the rules: names, sizes, paths, health, and a store that cannot do its part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alter_server::serve::ServeLimits;
use alter_server::store::{Faults, StoreError};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{CREDENTIAL, Signed, TestVault, token_body};

#[tokio::test]
async fn an_unknown_host_is_refused_everywhere() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example"] {
        let mut call = Signed::token(&f.key, &token_body(&f.grant)).request(&vault);
        call.headers_mut().insert("host", host.parse().expect("a value"));
        assert_eq!(vault.send(call).await.refusal(), (421, "unknown_host".into()), "{host}");
    }
    let health = Request::get(format!("{}/healthz", vault.url)).header("host", "evil.example").body(Full::default()).expect("a request");
    assert_eq!(vault.send(health).await.refusal(), (421, "unknown_host".into()));
}

#[tokio::test]
async fn bodies_are_bounded() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let padded = |bytes: usize| Signed::token(&f.key, &json!({})).body(&vec![b' '; bytes]);
    assert_eq!(padded(1024 * 1024 + 1).send(&vault).await.refusal(), (413, "body_too_large".into()));
    assert_eq!(padded(1024 * 1024).send(&vault).await.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn health_and_unknown_paths() {
    let vault = TestVault::start().await;
    let get = |path: &str| Request::get(format!("{}{path}", vault.url)).body(Full::default()).expect("a request");
    assert_eq!(vault.send(get("/healthz")).await.json()["status"], "ok");
    assert_eq!(vault.send(get("/readyz")).await.json()["status"], "ready");
    let unknown = vault.send(get("/sdk/nothing")).await;
    assert_eq!(unknown.refusal(), (404, "not_found".into()));
    assert!(unknown.header("x-request-id").is_some());
    assert_eq!(vault.send(get("/sdk/token")).await.refusal(), (405, "method_not_allowed".into()));
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_and_makes_room() {
    let limits = ServeLimits { head_patience: Duration::from_millis(200), connections: 1, ..ServeLimits::default() };
    let vault = TestVault::start_limited(|_| (), limits).await;
    let address = vault.url.trim_start_matches("http://").to_owned();
    let mut silent = TcpStream::connect(&address).await.expect("connects");
    let mut waiting = TcpStream::connect(&address).await.expect("connects");
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    waiting.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).await.expect("answered once the silent one is gone");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(silent.read(&mut [0; 1]).await.expect("closed"), 0);
}

/// A disk that fails when it is told to.
#[derive(Default)]
struct Failing {
    commits: AtomicBool,
    reads: AtomicBool,
}

impl Faults for Failing {
    fn before_commit(&self) -> Result<(), StoreError> {
        if self.commits.load(Ordering::SeqCst) { Err(StoreError::Full) } else { Ok(()) }
    }

    fn before_read(&self) -> Result<(), StoreError> {
        if self.reads.load(Ordering::SeqCst) { Err(StoreError::Failed("disk trouble".into())) } else { Ok(()) }
    }
}

#[tokio::test]
async fn nothing_is_released_that_cannot_be_recorded() {
    let faults = Arc::new(Failing::default());
    let vault = TestVault::start_with_faults(Arc::clone(&faults) as Arc<dyn Faults>).await;
    let f = vault.furnished().await;
    let call = async || Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await;
    faults.commits.store(true, Ordering::SeqCst);
    let refused = call().await;
    assert_eq!(refused.refusal(), (503, "audit_unavailable".into()));
    assert!(refused.header("retry-after").is_some());
    assert!(!String::from_utf8_lossy(&refused.bytes).contains(CREDENTIAL));
    let ready = Request::get(format!("{}/readyz", vault.url)).body(Full::default()).expect("a request");
    assert_eq!(vault.send(ready).await.refusal(), (503, "not_ready".into()));
    assert_eq!(vault.admin(Method::POST, "/apps", json!({"name": "x"})).await.refusal(), (503, "audit_unavailable".into()));
    faults.commits.store(false, Ordering::SeqCst);
    faults.reads.store(true, Ordering::SeqCst);
    let unread = call().await;
    assert_eq!(unread.refusal(), (503, "audit_unavailable".into()));
    assert!(!String::from_utf8_lossy(&unread.bytes).contains("disk trouble"), "the store's words are for the log");
    faults.reads.store(false, Ordering::SeqCst);
    assert_eq!(call().await.status, 200);
    assert_eq!(vault.admin(Method::POST, "/audit/verify", json!({})).await.json()["items"][1]["intact"], Value::Bool(true));
}

/// Each question to the store is a flush of the disk, which strangers must not be able to ask for at will.
#[tokio::test]
async fn asking_often_whether_it_is_ready_asks_the_disk_once() {
    #[derive(Default)]
    struct Counting(AtomicUsize);
    impl Faults for Counting {
        fn before_commit(&self) -> Result<(), StoreError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }
    let counting = Arc::new(Counting::default());
    let vault = TestVault::start_with_faults(Arc::clone(&counting) as Arc<dyn Faults>).await;
    let (before, begun) = (counting.0.load(Ordering::SeqCst), Instant::now());
    for _ in 0..50 {
        let ready = Request::get(format!("{}/readyz", vault.url)).body(Full::default()).expect("a request");
        assert_eq!(vault.send(ready).await.json()["status"], "ready");
    }
    let asked = counting.0.load(Ordering::SeqCst) - before;
    assert!(asked >= 1 && asked <= 1 + begun.elapsed().as_secs() as usize, "{asked} times");
}

#[tokio::test]
async fn a_stopping_vault_leaves_a_folder_that_starts_again() {
    let vault = TestVault::start().await;
    vault.furnished().await;
    let folder = vault.stop().await;
    let opened = alter_server::setup::open(&folder.path().join("data"), alter_server::store::sqlite::Access::Write).expect("opens");
    assert!(!opened.created);
    opened.store.close().await.expect("closes");
}
