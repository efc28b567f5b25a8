//! Outgoing calls: where they may go, what bounds them, whom they trust, and what their errors say.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod certified;
mod names;
mod through_proxy;

use std::time::Duration;

use alter_server::egress::{Egress, EgressError, EgressOptions, HttpHosts, Limits};
use alter_server::error::StartErrorKind;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What no error may say.
const CANARY: &str = "canary-5ec7e7";
const PATIENT: Limits = Limits { timeout: Duration::from_secs(30), answer_bytes: 1024 };

/// A server that reads one request on each connection and then writes `answer`, and nothing more.
struct Scripted {
    address: String,
    serving: JoinHandle<()>,
}

impl Scripted {
    async fn start(answer: impl Into<String>) -> Self {
        Self::serve(answer.into(), None).await
    }

    async fn serve(answer: String, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                match &tls {
                    None => one(stream, &answer).await,
                    // A client that does not trust the certificate leaves here.
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => one(stream, &answer).await,
                        Err(_) => continue,
                    },
                }
            }
        });
        Self { address, serving }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/path-{CANARY}?key={CANARY}", self.address)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers one request and closes.
async fn one(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
    // A client that leaves early is what some tests are about.
    let Ok(head) = read_head(&mut stream).await else { return };
    let _ = stream.write_all(answer.replace("ECHO", &head).as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

async fn call(egress: &Egress, url: &str, limits: Limits) -> Result<Response<Bytes>, EgressError> {
    let answer = egress.send(Request::get(url).body(Bytes::new()).unwrap(), limits).await;
    if let Err(error) = &answer {
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
    answer
}

fn usual() -> Egress {
    Egress::new(EgressOptions::default()).unwrap()
}

#[tokio::test]
async fn an_answer_is_read_whole_and_the_caller_is_named() {
    let server = Scripted::start("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nECHO").await;
    let answer = call(&usual(), &server.url("http"), PATIENT).await.unwrap();
    let seen = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(seen.starts_with(&format!("GET /path-{CANARY}?key={CANARY} HTTP/1.1\r\n")), "{seen}");
    assert!(seen.contains("user-agent: alter/") && seen.contains("accept-encoding: identity"), "{seen}");
}

#[tokio::test]
async fn a_redirect_is_the_answer() {
    let target = Scripted::start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let server = Scripted::start(format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", target.url("http"))).await;
    let answer = call(&usual(), &server.url("http"), PATIENT).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn clear_text_stays_on_loopback_unless_the_operator_says_otherwise() {
    let refused = |error: EgressError| (error.code(), error.may_have_arrived());
    for url in ["http://id.example.com/x", "http://127.0.0.1.nip.io/x", "http://10.0.0.1/x", "http://[::2]/x", "ftp://127.0.0.1/x", "/x"] {
        assert_eq!(call(&usual(), url, PATIENT).await.map_err(refused).unwrap_err(), ("egress_refused", false), "{url}");
    }
    let with_user = format!("https://user:{CANARY}@127.0.0.1/x");
    assert_eq!(call(&usual(), &with_user, PATIENT).await.map_err(refused).unwrap_err(), ("egress_refused", false));

    // Listed, so it is called; that its name does not exist is found later.
    let http_hosts = HttpHosts::parse(["listed.invalid"]).unwrap();
    let listing = Egress::new(EgressOptions { http_hosts, ..EgressOptions::default() }).unwrap();
    let error = call(&listing, "http://listed.invalid/x", PATIENT).await.unwrap_err();
    assert_eq!((error.code(), error.may_have_arrived()), ("egress_unreachable", false), "{error}");
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_with_and_without_a_length() {
    let limits = Limits { answer_bytes: 8, ..PATIENT };
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(9)),
    ] {
        let server = Scripted::start(answer).await;
        let error = call(&usual(), &server.url("http"), limits).await.unwrap_err();
        assert_eq!(error, EgressError::TooLarge { host: server.address.clone(), limit: 8 });
    }
    let server = Scripted::start("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678").await;
    assert_eq!(call(&usual(), &server.url("http"), limits).await.unwrap().body().len(), 8);
}

#[tokio::test]
async fn silence_ends_after_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Accepted by the system, answered by nobody; and one that stops in the middle of its body.
    let silent = call(&usual(), &format!("http://{address}/x"), Limits { timeout: Duration::from_millis(50), ..PATIENT }).await;
    let error = silent.unwrap_err();
    assert_eq!((error.code(), error.may_have_arrived()), ("egress_timeout", true));

    let stalling = tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        read_head(&mut second).await.unwrap();
        second.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1").await.unwrap();
        (first, second)
    });
    let limits = Limits { timeout: Duration::from_secs(2), ..PATIENT };
    let error = call(&usual(), &format!("http://{address}/x"), limits).await.unwrap_err();
    assert_eq!((error.code(), error.may_have_arrived()), ("egress_timeout", true));
    stalling.await.unwrap();
}

#[tokio::test]
async fn whether_the_request_may_have_arrived_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let error = call(&usual(), &format!("http://{closed}/x"), PATIENT).await.unwrap_err();
    assert_eq!((error.code(), error.may_have_arrived()), ("egress_unreachable", false), "{error}");

    for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123"] {
        let server = Scripted::start(answer).await;
        let error = call(&usual(), &server.url("http"), PATIENT).await.unwrap_err();
        assert_eq!((error.code(), error.may_have_arrived()), ("egress_broken", true), "{answer:?}: {error}");
    }
}

/// A server over TLS with a certificate of its own for these hosts, and that certificate as PEM.
async fn with_tls(hosts: &[&str]) -> (Scripted, String) {
    let (tls, pem) = certified::acceptor(hosts);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned();
    (Scripted::serve(answer, Some(tls)).await, pem)
}

#[tokio::test]
async fn tls_needs_a_trusted_certificate() {
    let (server, pem) = with_tls(&["127.0.0.1"]).await;
    let error = call(&usual(), &server.url("https"), PATIENT).await.unwrap_err();
    assert_eq!((error.code(), error.may_have_arrived()), ("egress_unreachable", false), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, pem).unwrap();
    let trusting = Egress::new(EgressOptions { ca_file: Some(path), ..EgressOptions::default() }).unwrap();
    assert_eq!(call(&trusting, &server.url("https"), PATIENT).await.unwrap().body(), "ok");

    // Clear text spoken to a server that wants TLS.
    assert!(call(&usual(), &server.url("http"), PATIENT).await.is_err());
}

#[test]
fn authorities_that_cannot_be_used_are_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let start = || Egress::new(EgressOptions { ca_file: Some(path.clone()), ..EgressOptions::default() }).unwrap_err();
    let missing = start();
    assert_eq!(missing.kind(), StartErrorKind::ConfigInvalid);
    for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(start().to_string().contains("ca.pem"), "{text}");
    }
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let calling = tokio::spawn(async move { call(&usual(), &url, PATIENT).await });
    let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
    // The head has arrived: the call is under way.
    assert_eq!(stream.read_u8().await.unwrap(), b'G');
    calling.abort();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection stayed open");
}
