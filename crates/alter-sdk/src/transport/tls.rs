//! TLS: whom to trust.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Whose certificates are trusted.
#[derive(Clone, Debug, Default)]
pub enum CaCertificates {
    /// What the system trusts, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    #[default]
    System,
    /// The certificates of a PEM file, and no others.
    File(PathBuf),
    /// The certificates of a PEM text, and no others.
    Pem(Vec<u8>),
}

/// A TLS configuration that is made when the first connection needs it: reading the system's certificates takes tens of milliseconds,
/// which a program that only talks to a vault on loopback should not pay.
#[derive(Debug)]
pub(super) struct LazyTls {
    certificates: CaCertificates,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl LazyTls {
    pub(super) fn new(certificates: CaCertificates) -> Self {
        Self { certificates, config: OnceLock::new() }
    }

    /// # Errors
    /// When there is no certificate to trust, or the given ones cannot be read.
    pub(super) fn config(&self) -> io::Result<Arc<ClientConfig>> {
        self.config.get_or_init(|| client_config(&self.certificates)).clone().map_err(io::Error::other)
    }
}

fn client_config(certificates: &CaCertificates) -> Result<Arc<ClientConfig>, String> {
    let roots = match certificates {
        CaCertificates::System => system_roots()?,
        CaCertificates::File(path) => {
            let unreadable = |cause: String| format!("the CA file {} cannot be read: {cause}", path.display());
            let pem = std::fs::read(path).map_err(|cause| unreadable(cause.to_string()))?;
            pem_roots(&pem).map_err(unreadable)?
        }
        CaCertificates::Pem(pem) => pem_roots(pem).map_err(|cause| format!("the CA certificates cannot be read: {cause}"))?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| format!("TLS cannot be set up: {cause}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let cause = found.errors.first().map(|cause| format!(" ({cause})")).unwrap_or_default();
        return Err(format!("the system has no CA certificates{cause}; install ca-certificates, or set SSL_CERT_FILE"));
    }
    Ok(roots)
}

fn pem_roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|cause| cause.to_string())?;
        roots.add(certificate).map_err(|cause| cause.to_string())?;
    }
    if roots.is_empty() { Err("it has no certificate in PEM form".to_owned()) } else { Ok(roots) }
}
