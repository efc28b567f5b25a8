//! A server that answers as a vault and as a provider and does nothing else. Its processor time is nobody's.

use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Failure;

/// What a provider of people's accounts answers, in size and shape.
const PROVIDER_ANSWER: &str = r#"{"id":"usr_01J9Z3K8Q5","object":"user","name":"Ada Lovelace","email":"ada@example.com","created":1731888000,"plan":{"name":"team","seats":12},"roles":["admin","billing"],"links":{"self":"/v1/me","avatar":"/v1/me/avatar"}}"#;
/// The grant that every call uses.
const TOKEN_ANSWER: &str = r#"{"access_token":"sk_bench_4f9d2c7a1e8b4c5d9f0a","token_type":"Bearer","grant_id":"8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f","provider_id":"bench","scopes":[],"scope_mismatch":false,"injection_header":"Authorization","injection_format":"Bearer {token}"}"#;
const AUDIT_ANSWER: &str = r#"{"status":"recorded"}"#;

/// Requests since somebody asked.
#[derive(Default)]
struct Seen {
    token: AtomicU64,
    provider: AtomicU64,
    audit: AtomicU64,
    http2: AtomicU64,
}

/// The same, told and forgotten.
#[derive(Serialize)]
struct Told {
    token: u64,
    provider: u64,
    audit: u64,
    http2: u64,
}

impl Seen {
    fn tell(&self) -> Told {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Told { token: take(&self.token), provider: take(&self.provider), audit: take(&self.audit), http2: take(&self.http2) }
    }
}

/// Listens in clear text and with TLS, writes the authority's certificate into `folder`, says where it listens, and serves until standard
/// input ends.
pub fn run(folder: &Path) -> Result<(), Failure> {
    let tls = certified(folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let seen = Arc::new(Seen::default());
        let (clear, encrypted) = (listener().await?, listener().await?);
        let addresses = (clear.local_addr()?, encrypted.local_addr()?);
        writeln!(stdout().lock(), r#"{{"http":"http://{}","https":"https://{}"}}"#, addresses.0, addresses.1)?;
        tokio::spawn(accept(clear, None, Arc::clone(&seen)));
        tokio::spawn(accept(encrypted, Some(tls), seen));
        // Whoever started us holds the other end; when it goes, so do we.
        tokio::task::spawn_blocking(|| io::copy(&mut stdin().lock(), &mut io::sink())).await??;
        Ok(())
    })
}

async fn listener() -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", 0)).await
}

/// A certificate of an authority of our own, made for this run.
fn certified(folder: &Path) -> Result<TlsAcceptor, Failure> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "alter bench");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    fs::write(folder.join("ca.pem"), authority.pem())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, seen: Arc<Seen>) {
    // A connection that breaks is the client's to notice: it fails, and its measurement with it.
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, seen) = (tls.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            if stream.set_nodelay(true).is_ok() {
                greet(stream, tls, seen).await;
            }
        });
    }
}

async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>, seen: Arc<Seen>) {
    match tls {
        None => serve(stream, seen).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, seen).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, seen: Arc<Seen>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
    // See `accept`: a broken connection is seen at its other end.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, Failure> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let count = |counter: &AtomicU64| {
        counter.fetch_add(1, Ordering::Relaxed);
        if head.version == Version::HTTP_2 {
            seen.http2.fetch_add(1, Ordering::Relaxed);
        }
    };
    let text = match (&head.method, head.uri.path()) {
        (&Method::POST, "/sdk/token") => {
            count(&seen.token);
            TOKEN_ANSWER.to_owned()
        }
        (&Method::POST, "/sdk/oauth/audit/api-call") => {
            count(&seen.audit);
            AUDIT_ANSWER.to_owned()
        }
        (&Method::GET, "/v1/me") => {
            count(&seen.provider);
            PROVIDER_ANSWER.to_owned()
        }
        (&Method::GET, "/bench/seen") => serde_json::to_string(&seen.tell())?,
        _ => return Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Full::default())?),
    };
    let answer = Response::builder().header("content-type", "application/json").header("x-request-id", "req_01J9Z3K8Q5");
    Ok(answer.body(Full::new(Bytes::from(text)))?)
}
