//! TLS to PostgreSQL, as `sslmode` says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// `sslmode`, with the meaning that libpq gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    pub(super) const NAMES: &'static str = "disable, allow, prefer, require, verify-ca or verify-full";

    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }

    /// With TLS or without, in the order in which to try.
    pub(super) const fn tries(self) -> &'static [SslMode] {
        match self {
            Self::Disable => &[SslMode::Disable],
            Self::Allow => &[SslMode::Disable, SslMode::Require],
            Self::Prefer => &[SslMode::Prefer],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[SslMode::Require],
        }
    }
}

/// `sslmode` and `sslrootcert` of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) mode: Mode,
    /// The authorities; `None` for the default.
    pub(super) roots: Option<Roots>,
}

/// Where the authorities come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    System,
    File(PathBuf),
}

impl Tls {
    /// What connects with TLS. `home` is the user's folder, which may hold authorities.
    ///
    /// # Errors
    /// What is wrong with the authorities.
    pub(super) fn connector(&self, home: Option<&Path>) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // As in libpq: whoever names authorities wants them asked, unless by `require` alone nobody is named.
        let checks = match (self.mode, &self.roots) {
            (Mode::VerifyFull, _) => Checks::Name,
            (Mode::VerifyCa, _) | (Mode::Require, Some(_)) => Checks::Chain,
            _ => Checks::Nothing,
        };
        let verifier = match checks {
            Checks::Nothing => None,
            Checks::Chain | Checks::Name => {
                let roots = Arc::new(self.authorities(home)?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                Some(verifier.map_err(|error| format!("the authorities cannot be used: {error}"))?)
            }
        };
        let verifier = Arc::new(Verifier { checks, verifier, provider: Arc::clone(&provider) });
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            config.map_err(|error| error.to_string())?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    fn authorities(&self, home: Option<&Path>) -> Result<RootCertStore, String> {
        let default = home.map(|home| home.join(".postgresql/root.crt")).filter(|path| path.exists());
        let mut store = RootCertStore::empty();
        let file = match &self.roots {
            Some(Roots::System) => None,
            Some(Roots::File(path)) => Some(path),
            None => default.as_ref(),
        };
        let Some(path) = file else {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let none = || "the system has no authorities; name a file with sslrootcert".to_owned();
            return if store.is_empty() { Err(none()) } else { Ok(store) };
        };
        let unusable = |what: String| format!("sslrootcert {} {what}", path.display());
        let pem = std::fs::read(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| unusable(format!("is not PEM: {error}")))?;
            store.add(certificate).map_err(|error| unusable(format!("holds an unusable certificate: {error}")))?;
        }
        if store.is_empty() {
            return Err(unusable("holds no certificate".to_owned()));
        }
        Ok(store)
    }
}

/// How much of a server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    /// None of it: TLS keeps listeners out, not impostors.
    Nothing,
    /// That an authority has signed it.
    Chain,
    /// That, and that it names the host.
    Name,
}

/// Asks as much as `sslmode` says.
#[derive(Debug)]
struct Verifier {
    checks: Checks,
    /// `None` when nothing is checked.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.verifier else { return Ok(ServerCertVerified::assertion()) };
        match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: the chain was fine.
            Err(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }))
                if self.checks == Checks::Chain =>
            {
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
