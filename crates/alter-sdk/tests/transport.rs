//! The transport over real sockets: what goes out, what is decoded, and what happens when the other side does not play along.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use alter_sdk::{App, Kind, Request};
use common::{GRANT, KEY, Server, http, read_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn app(vault: &Server, timeout: Duration) -> App {
    App::builder(KEY).base_url(vault.url()).timeout(timeout).build().unwrap()
}

const PATIENT: Duration = Duration::from_secs(30);
const IMPATIENT: Duration = Duration::from_millis(200);

/// The reason for hyper: the same URLs through a WHATWG parser, as reqwest has it, would reach the provider changed.
#[tokio::test]
async fn a_target_goes_out_as_it_was_authorized() {
    let (vault, provider) = (Server::vault().await, Server::start(|_| Some(http(200, "", b""))).await);
    let app = app(&vault, PATIENT).await;
    let paths = ["/a/%2e%2e/b", "/it's", "/x?q='1'", "/a|b^c", "/%zz", "/a//b", "/p;v=1?a=b;c&d=[1]", "/e%2Fe?x=%2B+y"];
    for path in paths {
        app.request(Request::get(format!("{}{path}", provider.url())).grant_id(GRANT)).await.unwrap();
    }
    assert_eq!(provider.arrived().iter().map(|request| request.target().to_owned()).collect::<Vec<_>>(), paths);
    let parsed = |path: &str| url::Url::parse(&format!("{}{path}", provider.url())).unwrap()[url::Position::BeforePath..].to_owned();
    assert_eq!(parsed("/a/%2e%2e/b"), "/b", "a WHATWG parser left this alone: reqwest would do");
    assert_eq!(parsed("/x?q='1'"), "/x?q=%271%27", "a WHATWG parser left this alone: reqwest would do");
}

#[tokio::test]
async fn a_gzip_answer_is_decoded_and_keeps_its_headers() {
    let packed = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"plain text").unwrap();
        encoder.finish().unwrap()
    };
    let length = packed.len();
    let provider = Server::start(move |_| Some(http(200, "Content-Encoding: gzip\r\nSet-Cookie: a=1\r\n", &packed))).await;
    let app = app(&Server::vault().await, PATIENT).await;
    for _ in 0..2 {
        let response = app.request(Request::get(provider.url()).grant_id(GRANT)).await.unwrap();
        assert_eq!((response.text().as_str(), response.bytes_on_wire), ("plain text", length));
        assert_eq!(response.reason_phrase.as_deref(), Some("Words"));
    }
    let second = &provider.arrived()[1];
    assert_eq!(second.header("cookie"), None, "cookies would travel between grants");
    assert_eq!(second.header("accept-encoding"), Some("gzip, deflate"));
    assert_eq!(second.header("accept"), Some("*/*"));
}

#[tokio::test]
async fn silence_is_a_timeout_before_the_head_and_in_the_body() {
    let vault = Server::vault().await;
    let app = app(&vault, IMPATIENT).await;
    let silent = Server::start(|_| None).await;
    let half = Server::start(|_| Some(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    for provider in [silent, half] {
        let started = Instant::now();
        let error = app.request(Request::get(provider.url()).grant_id(GRANT)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        assert!(started.elapsed() >= IMPATIENT);
    }
}

#[tokio::test]
async fn a_slow_upload_that_moves_is_no_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/up", listener.local_addr().unwrap());
    let body = vec![b'x'; 24 * 1024 * 1024];
    let length = body.len();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = 0;
        let mut buffer = vec![0; 256 * 1024];
        while seen < length {
            // Slower than the timeout in all, faster than it at each step.
            seen += stream.read(&mut buffer).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stream.write_all(&http(200, "", b"")).await.unwrap();
        // Wait for the client to close, so that the answer is not lost to a reset.
        while stream.read(&mut buffer).await.unwrap() > 0 {}
    });
    let app = app(&Server::vault().await, IMPATIENT).await;
    let started = Instant::now();
    let response = app.request(Request::post(url).grant_id(GRANT).body(body)).await.unwrap();
    assert_eq!(response.status, 200);
    assert!(started.elapsed() > IMPATIENT, "the upload was too fast to prove anything");
    drop(app);
    server.await.unwrap();
}

#[tokio::test]
async fn dropping_a_call_closes_its_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = app(&Server::vault().await, PATIENT).await;
    let call = tokio::spawn(async move { app.request(Request::get(url).grant_id(GRANT)).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream, &mut Vec::new()).await.unwrap();
    call.abort();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "the provider saw the connection end");
}

#[tokio::test]
async fn a_refused_connection_is_told_without_the_url() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let app = app(&Server::vault().await, PATIENT).await;
    let error = app.request(Request::get(format!("http://127.0.0.1:{port}/private?q=1")).grant_id(GRANT)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    assert!(error.message().contains("refused") && !error.message().contains("private"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_network_error() {
    let app = app(&Server::vault().await, PATIENT).await;
    for bytes in [&b"nonsense\r\n\r\n"[..], b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"] {
        let provider = Server::start(move |_| Some(bytes.to_vec())).await;
        let error = app.request(Request::get(provider.url()).grant_id(GRANT)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Network, "{error}");
    }
}

#[tokio::test]
async fn a_token_getter_is_asked_for_each_call() {
    let (vault, provider) = (Server::vault().await, Server::start(|_| Some(http(200, "", b""))).await);
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = asked.clone();
    let app = App::builder(KEY)
        .base_url(vault.url())
        .user_token_getter(move || {
            let turn = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move { if turn < 2 { Ok(format!("jwt-{turn}")) } else { Err("private reason".into()) } }
        })
        .build()
        .unwrap();
    let request = || Request::get(provider.url()).grant_id(GRANT);
    app.request(request()).await.unwrap();
    app.request(request().user_token("own")).await.unwrap();
    app.request(request()).await.unwrap();
    let error = app.request(request()).await.unwrap_err();
    assert!(!error.message().contains("private reason"));
    let tokens: Vec<String> = vault
        .arrived()
        .iter()
        .filter(|request| request.target() == "/sdk/token")
        .map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).unwrap()["user_token"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["jwt-0", "own", "jwt-1"]);
}

#[tokio::test]
async fn a_hundred_parallel_calls_share_the_slots_and_all_end() {
    let (vault, provider) = (Server::vault().await, Server::start(|_| Some(http(200, "", b"ok"))).await);
    let app = app(&vault, PATIENT).await;
    let calls: Vec<_> = (0..250)
        .map(|_| {
            let (app, url) = (app.clone(), provider.url());
            tokio::spawn(async move { app.request(Request::get(url).grant_id(GRANT)).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().text(), "ok");
    }
    app.close().await;
    let reports = vault.arrived().iter().filter(|request| request.target() == "/sdk/oauth/audit/api-call").count();
    assert_eq!(reports, 250, "close() waits for every report");
    assert!(app.request(Request::get(provider.url()).grant_id(GRANT)).await.is_err());
}
