//! TLS: whom we trust, HTTP/2 by ALPN, and proxies from the environment.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alter_sdk::{App, CaCertificates, Kind, Request};
use common::tls::TlsProvider;
use common::{GRANT, KEY, Server, read_request};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

async fn app(certificates: CaCertificates) -> App {
    App::builder(KEY).base_url(Server::vault().await.url()).ca_certificates(certificates).build().unwrap()
}

#[tokio::test]
async fn http_2_is_spoken_with_a_trusted_provider() {
    let provider = TlsProvider::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &provider.certificate).unwrap();
    for certificates in [CaCertificates::Pem(provider.certificate.clone().into_bytes()), CaCertificates::File(file.path().to_owned())] {
        let response = app(certificates).await.request(Request::get(provider.url()).grant_id(GRANT)).await.unwrap();
        assert_eq!(response.text(), "HTTP/2.0 \"Bearer SECRET\"");
        assert_eq!(response.version, http::Version::HTTP_2);
    }
}

#[tokio::test]
async fn a_provider_nobody_vouches_for_gets_no_credential() {
    let provider = TlsProvider::start().await;
    let error = app(CaCertificates::System).await.request(Request::get(provider.url()).grant_id(GRANT)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Network);
    assert!(error.message().contains("certificate"), "{error}");
    for (certificates, word) in
        [(CaCertificates::Pem(b"no pem".to_vec()), "no certificate"), (CaCertificates::File("/nowhere.pem".into()), "/nowhere.pem")]
    {
        let error = app(certificates).await.request(Request::get(provider.url()).grant_id(GRANT)).await.unwrap_err();
        assert!(error.message().contains(word), "{error}");
    }
}

const CHILD: &str = "ALTER_TEST_IN_CHILD";

/// The environment is read when a client is made and cannot be set safely in a running program, so the test runs itself as a child.
fn in_child(test: &str, environment: &[(&str, String)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env(CHILD, "1")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_environment_names_the_certificates() {
    if std::env::var_os(CHILD).is_some() {
        let url = std::env::var("PROVIDER_URL").unwrap();
        let response = app(CaCertificates::System).await.request(Request::get(url).grant_id(GRANT)).await.unwrap();
        assert_eq!(response.status, 200);
        return;
    }
    let provider = TlsProvider::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &provider.certificate).unwrap();
    let environment = [("SSL_CERT_FILE", file.path().display().to_string()), ("PROVIDER_URL", provider.url())];
    tokio::task::spawn_blocking(move || in_child("the_environment_names_the_certificates", &environment)).await.unwrap();
}

#[tokio::test]
async fn a_proxy_from_the_environment_carries_tls_and_never_cleartext() {
    if std::env::var_os(CHILD).is_some() {
        let certificate = std::env::var("PROVIDER_CERTIFICATE").unwrap().into_bytes();
        let app = app(CaCertificates::Pem(certificate)).await;
        // Only the proxy knows this name; the vault on loopback is reached without it.
        let response = app.request(Request::get("https://provider.test/").grant_id(GRANT)).await.unwrap();
        assert_eq!(response.text(), "HTTP/2.0 \"Bearer SECRET\"");
        app.close().await;
        return;
    }
    let provider = TlsProvider::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://user:pw@{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = tunnels.clone();
    let target = provider.address;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read_request(&mut stream, &mut Vec::new()).await.unwrap();
            assert!(request.head.starts_with("CONNECT provider.test:443 "), "{}", request.head);
            assert_eq!(request.header("proxy-authorization"), Some("Basic dXNlcjpwdw=="));
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(target).await.unwrap();
                // Either side may end the tunnel in any way.
                drop(copy_bidirectional(&mut stream, &mut upstream).await);
            });
        }
    });
    let environment = [("ALL_PROXY", proxy.clone()), ("HTTPS_PROXY", proxy), ("PROVIDER_CERTIFICATE", provider.certificate)];
    tokio::task::spawn_blocking(move || in_child("a_proxy_from_the_environment_carries_tls_and_never_cleartext", &environment))
        .await
        .unwrap();
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
}
