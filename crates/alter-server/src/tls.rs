//! TLS with certificate files of one's own, read again when they change.
//!
//! A renewed certificate is used by the next connection, without a restart; connections that are open go on. Files that cannot be used leave the
//! certificate that is in force, and say so in the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::{StartError, StartErrorKind};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Where certificate and key are, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and what leads to a root that clients trust, in this order.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// What a client and the vault have agreed to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, also for clients that named nothing.
    Http1,
    /// HTTP/2.
    Http2,
}

/// TLS as the vault speaks it: 1.2 and 1.3, HTTP/2 and 1.1 by ALPN. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.certificate.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`StartErrorKind::TlsUnusable`], naming the file.
    pub fn load(files: TlsFiles) -> Result<Self, StartError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certificate = Arc::new(Certificate::load(files, Arc::clone(&provider))?);
        let unusable = |error| StartError::new(StartErrorKind::TlsUnusable, "TLS cannot be set up").caused_by(error);
        let resolver = Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// Agrees with a client.
    ///
    /// # Errors
    /// When they do not agree, or the connection ends.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<(TlsStream<S>, Protocol)> {
        let stream = self.acceptor.accept(stream).await?;
        let protocol = if stream.get_ref().1.alpn_protocol() == Some(HTTP2) { Protocol::Http2 } else { Protocol::Http1 };
        Ok((stream, protocol))
    }

    /// Looks at the files again and again until the answer is dropped.
    pub fn keep_current(&self) -> KeepCurrent {
        let certificate = Arc::clone(&self.certificate);
        KeepCurrent(tokio::spawn(async move {
            let mut seen = certificate.loaded.clone();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let (looking, before) = (Arc::clone(&certificate), seen.clone());
                // The disk may be slow, and a few files are no matter for the runtime's own threads.
                match tokio::task::spawn_blocking(move || looking.reload_if_changed(&before)).await {
                    Ok(now) => seen = now,
                    Err(error) => tracing::error!(%error, "looking at the certificate failed"),
                }
            }
        }))
    }
}

/// Ends the looking when it is dropped.
#[derive(Debug)]
pub struct KeepCurrent(JoinHandle<()>);

impl Drop for KeepCurrent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The certificate in force, and where it comes from.
struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    /// What the files looked like when they were first read.
    loaded: Stamp,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Certificate {
    fn load(files: TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, StartError> {
        // The stamp first: a change in between is then seen as one at the next look.
        let loaded = Stamp::of(&files);
        let current = RwLock::new(Arc::new(read(&files, &provider)?));
        Ok(Self { files, provider, current, loaded })
    }

    /// Takes the files if they do not look as they did `before`, and returns how they look now.
    fn reload_if_changed(&self, before: &Stamp) -> Stamp {
        let now = Stamp::of(&self.files);
        if now == *before {
            return now;
        }
        match read(&self.files, &self.provider) {
            Ok(fresh) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!(certificate = %self.files.certificate.display(), "the certificate was read again");
            }
            // Also the moment between the new certificate and its new key: the next look sees the second change.
            Err(error) => tracing::warn!(%error, "the certificate has changed and cannot be used; the one before stays in force"),
        }
        now
    }
}

/// What tells whether a file was changed or replaced: time of change, length and, where there are any, inode. `None` if it cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp([Option<(Option<SystemTime>, u64, u64)>; 2]);

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        Self([&files.certificate, &files.key].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.modified().ok(), file.len(), inode(&file)))
        }))
    }
}

#[cfg(unix)]
fn inode(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, StartError> {
    let chain = read_pem(&files.certificate, "certificate", |pem| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>())?;
    if chain.is_empty() {
        return Err(unusable(&files.certificate, "certificate").caused_by("it holds no CERTIFICATE block"));
    }
    let key = read_pem(&files.key, "private key", PrivateKeyDer::from_pem_slice)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let message =
                format!("the private key in {} is not the key of the certificate in {}", files.key.display(), files.certificate.display());
            StartError::new(StartErrorKind::TlsUnusable, message)
                .help("name the two files that were made together, the server's own certificate first in its file")
        }
        other => unusable(&files.key, "private key or its certificate").caused_by(other),
    })
}

fn read_pem<T>(path: &Path, what: &str, parse: impl FnOnce(&[u8]) -> Result<T, rustls_pki_types::pem::Error>) -> Result<T, StartError> {
    let text = zeroize::Zeroizing::new(fs::read(path).map_err(|error| unusable(path, what).caused_by(error))?);
    parse(&text).map_err(|error| {
        let cause = match error {
            rustls_pki_types::pem::Error::NoItemsFound => format!("it holds no {what} in PEM form"),
            // Not the error's own text: it may quote the file.
            _ => "it is not well-formed PEM".to_owned(),
        };
        unusable(path, what).caused_by(cause)
    })
}

fn unusable(path: &Path, what: &str) -> StartError {
    StartError::new(StartErrorKind::TlsUnusable, format!("the {what} in {} cannot be used", path.display()))
        .help("give a PEM file that the vault's user may read: tls_cert the certificate chain, tls_key its unencrypted private key")
}
