//! A provider over TLS on loopback that speaks HTTP/2 by ALPN.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Tells the protocol and the `Authorization` header of each request.
pub struct TlsProvider {
    pub address: SocketAddr,
    /// PEM of its own certificate.
    pub certificate: String,
}

impl TlsProvider {
    pub async fn start() -> Self {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned(), "provider.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust us ends the handshake: nothing to serve.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                        let told = format!("{:?} {:?}", request.version(), request.headers().get("authorization").unwrap());
                        Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from(told))))
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // A connection that the client drops ends in an error, which is the client's right.
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, certificate: issued.cert.pem() }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }
}
