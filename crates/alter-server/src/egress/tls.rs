//! Whom the vault trusts when it calls others.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::{StartError, StartErrorKind};

/// A TLS configuration that is made when the first call needs it: reading the system's authorities takes tens of milliseconds.
#[derive(Debug)]
pub(super) struct LazyTls {
    extra: Vec<CertificateDer<'static>>,
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl LazyTls {
    /// Trusts what the system trusts and the authorities in `ca_file`, which is read now.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, StartError> {
        let extra = ca_file.map_or(Ok(Vec::new()), authorities)?;
        Ok(Self { extra, config: OnceLock::new() })
    }

    /// The configuration. Blocks while it is made.
    ///
    /// # Errors
    /// When there is no authority to trust.
    pub(super) fn config(&self) -> io::Result<Arc<ClientConfig>> {
        self.config.get_or_init(|| self.make()).clone().map_err(io::Error::other)
    }

    /// The configuration, if it was made before.
    pub(super) fn ready(&self) -> Option<Arc<ClientConfig>> {
        self.config.get().and_then(|made| made.clone().ok())
    }

    fn make(&self) -> Result<Arc<ClientConfig>, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots.add_parsable_certificates(self.extra.iter().cloned());
        if roots.is_empty() {
            let cause = found.errors.first().map(|cause| format!(" ({cause})")).unwrap_or_default();
            return Err(format!("the system has no CA certificates{cause}; install ca-certificates, or set egress.ca_file"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|cause| format!("TLS cannot be set up: {cause}"))?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let unusable = |cause: String| {
        StartError::new(StartErrorKind::ConfigInvalid, format!("the authorities in {} cannot be used", path.display()))
            .caused_by(cause)
            .help("name a PEM file with CA certificates in egress.ca_file")
    };
    let pem = std::fs::read(path).map_err(|cause| unusable(cause.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| unusable("it is not well-formed PEM".to_owned()))?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|cause| unusable(cause.to_string()))?;
    }
    if roots.is_empty() { Err(unusable("it holds no CERTIFICATE block".to_owned())) } else { Ok(found) }
}
