//! A certificate of one's own, and what speaks TLS with it.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Accepts TLS for these hosts, and the certificate as PEM.
pub fn acceptor(hosts: &[&str]) -> (TlsAcceptor, String) {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate");
    let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = config.with_no_client_auth().with_single_cert(chain, key).expect("a pair");
    (TlsAcceptor::from(Arc::new(config)), pem)
}
