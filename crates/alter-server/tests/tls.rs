//! TLS: both protocols, renewed and unusable certificates, clients that say nothing, and what stands in the way at the start.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_server::config::{Config, Flags};
use alter_server::serve::{ServeLimits, Server, listen};
use alter_server::setup;
use alter_server::tls::{Tls, TlsFiles};
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate for loopback with its key, both PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn write(folder: &Path, (certificate, key): &(String, String)) -> TlsFiles {
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    fs::write(&files.certificate, certificate).unwrap();
    fs::write(&files.key, key).unwrap();
    files
}

struct Vault {
    folder: TempDir,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Vault {
    async fn start(first: &(String, String), limits: ServeLimits) -> Self {
        let folder = TempDir::new().unwrap();
        let files = write(folder.path(), first);
        let flags = Flags {
            data: Some(folder.path().join("data")),
            address: Some("127.0.0.1:0".into()),
            tls_cert: Some(files.certificate),
            tls_key: Some(files.key),
            ..Flags::default()
        };
        let config = Config::load(&flags, |_| None).unwrap();
        let tls = Tls::load(config.tls().unwrap().unwrap()).unwrap();
        let listener = listen(&config).await.unwrap();
        let opened = setup::open_or_create(&config.data.value).await.unwrap();
        let server = Server::new(listener, Some(tls), opened, &config).unwrap().limits(limits);
        let (stop, stopped) = oneshot::channel();
        let address = server.address();
        let served = tokio::spawn(async move { server.run(async { drop(stopped.await) }).await.unwrap() });
        Self { folder, address, stop, served }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }

    /// A connection that trusts this certificate only.
    async fn connect(&self, trusted: &(String, String), protocol: Option<&[u8]>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls_pki_types::pem::PemObject::from_pem_slice(trusted.0.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocol.map(<[u8]>::to_vec).into_iter().collect();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(self.address).await?).await
    }

    fn health(&self) -> Request<Empty<Bytes>> {
        let uri = format!("https://{}/healthz", self.address);
        Request::get(uri).header("host", self.address.to_string()).body(Empty::new()).unwrap()
    }

    /// Waits until new connections get this certificate.
    async fn uses(&self, certificate: &(String, String)) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.connect(certificate, None).await.is_err() {
            assert!(Instant::now() < end, "the certificate was never used");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn both_protocols_are_spoken_by_agreement() {
    let certificate = certificate();
    let vault = Vault::start(&certificate, ServeLimits::default()).await;
    let stream = vault.connect(&certificate, Some(b"h2")).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(vault.health()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    for protocol in [Some(&b"http/1.1"[..]), None] {
        let stream = vault.connect(&certificate, protocol).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = sender.send_request(vault.health()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_11));
    }
    vault.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_open_connections_go_on() {
    let (first, second) = (certificate(), certificate());
    let vault = Vault::start(&first, ServeLimits::default()).await;
    let stream = vault.connect(&first, None).await.unwrap();
    let (mut open, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(open.send_request(vault.health()).await.unwrap().status(), 200);
    write(vault.folder.path(), &second);
    vault.uses(&second).await;
    assert!(vault.connect(&first, None).await.is_err(), "the earlier certificate is gone");
    open.ready().await.unwrap();
    assert_eq!(open.send_request(vault.health()).await.unwrap().status(), 200, "the open connection lives on");
    vault.stop().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_leaves_the_one_before() {
    let (first, other, third) = (certificate(), certificate(), certificate());
    let vault = Vault::start(&first, ServeLimits::default()).await;
    // A key that is not the certificate's, then no certificate at all, then none to be found.
    let unusable: [&dyn Fn(); 3] = [
        &|| drop(write(vault.folder.path(), &(first.0.clone(), other.1.clone()))),
        &|| fs::write(vault.folder.path().join("cert.pem"), "not a certificate").unwrap(),
        &|| fs::remove_file(vault.folder.path().join("cert.pem")).unwrap(),
    ];
    for spoil in unusable {
        spoil();
        // Longer than the time between two looks: the files have been found and refused.
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end {
            vault.connect(&first, None).await.expect("the certificate before stays in force");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    write(vault.folder.path(), &third);
    vault.uses(&third).await;
    vault.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_agree_on_tls_is_let_go() {
    let certificate = certificate();
    let limits = ServeLimits { handshake_patience: Duration::from_millis(200), connections: 1, ..ServeLimits::default() };
    let vault = Vault::start(&certificate, limits).await;
    let mut silent = TcpStream::connect(vault.address).await.unwrap();
    let stream = vault.connect(&certificate, None).await.expect("there is room once the silent one is gone");
    drop(stream);
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
    // Clear text is answered with an alert, never with HTTP.
    let mut clear = TcpStream::connect(vault.address).await.unwrap();
    clear.write_all(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(clear.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    vault.stop().await;
}

#[test]
fn what_stands_in_the_way_is_told() {
    let folder = TempDir::new().unwrap();
    let (made, other) = (certificate(), certificate());
    let told = |certificate: &str, key: &str| {
        let files = write(folder.path(), &(certificate.to_owned(), key.to_owned()));
        let error = Tls::load(files).unwrap_err();
        assert_eq!(error.kind().code(), "tls_unusable");
        assert!(error.remedy().is_some());
        let told = error.to_string();
        assert!(!told.contains("secret-canary"), "{told}");
        told
    };
    assert!(told(&made.0, &other.1).contains("is not the key of the certificate"));
    assert!(told(&made.0, "secret-canary").contains("holds no private key"));
    assert!(told("", &made.1).contains("holds no CERTIFICATE"));
    assert!(told(&made.1, &made.1).contains("holds no CERTIFICATE"), "a key in place of the certificate");
    assert!(told("-----BEGIN CERTIFICATE-----\nsecret-canary?\n-----END CERTIFICATE-----\n", &made.1).contains("PEM"));
    let missing = TlsFiles { certificate: folder.path().join("none.pem"), key: folder.path().join("key.pem") };
    assert!(Tls::load(missing).unwrap_err().to_string().contains("none.pem"));
}

/// With a certificate the vault may listen beyond loopback.
#[tokio::test]
async fn a_certificate_opens_other_addresses() {
    let folder = TempDir::new().unwrap();
    let files = write(folder.path(), &certificate());
    let mut flags = Flags { data: Some(folder.path().into()), address: Some("0.0.0.0:0".into()), ..Flags::default() };
    let refused = listen(&Config::load(&flags, |_| None).unwrap()).await.unwrap_err();
    assert_eq!(refused.kind().code(), "bind_refused");
    assert!(refused.remedy().is_some_and(|help| help.contains("--tls-cert")));
    (flags.tls_cert, flags.tls_key) = (Some(files.certificate), Some(files.key));
    listen(&Config::load(&flags, |_| None).unwrap()).await.unwrap();
}
