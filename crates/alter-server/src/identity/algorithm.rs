//! The signature algorithms that are accepted, and nothing else.
//!
//! The list is closed: `none` and the `HS…` family have no value here, so no code path can verify with them. Each algorithm fits exactly one kind
//! of key, so a public key can never be used as another kind's secret. The cryptography is aws-lc-rs, which TLS uses as well.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, RsaParameters, UnparsedPublicKey};

use crate::model::words;

words! {
    /// A signature algorithm of RFC 7518 or RFC 8037, by its name in `alg`.
    pub enum Algorithm {
        /// RSA PKCS #1 v1.5 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS #1 v1.5 with SHA-384.
        Rs384 = "RS384",
        /// RSA PKCS #1 v1.5 with SHA-512.
        Rs512 = "RS512",
        /// RSA PSS with SHA-256.
        Ps256 = "PS256",
        /// RSA PSS with SHA-384.
        Ps384 = "PS384",
        /// RSA PSS with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// A public key. RSA keys under 2048 or over 8192 bits verify nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA: modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// A point on P-256, uncompressed.
    P256(Vec<u8>),
    /// A point on P-384, uncompressed.
    P384(Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
}

/// What verifies an algorithm's signatures.
enum Verifier {
    Rsa(&'static RsaParameters),
    P256(&'static EcdsaVerificationAlgorithm),
    P384(&'static EcdsaVerificationAlgorithm),
    Ed25519,
}

impl Algorithm {
    const fn verifier(self) -> Verifier {
        match self {
            Self::Rs256 => Verifier::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Verifier::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Verifier::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Verifier::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Verifier::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Verifier::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Verifier::P256(&signature::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Verifier::P384(&signature::ECDSA_P384_SHA384_FIXED),
            Self::EdDsa => Verifier::Ed25519,
        }
    }

    /// Whether a key is of the kind that this algorithm needs.
    pub const fn fits(self, key: &PublicKey) -> bool {
        matches!(
            (self.verifier(), key),
            (Verifier::Rsa(_), PublicKey::Rsa { .. })
                | (Verifier::P256(_), PublicKey::P256(_))
                | (Verifier::P384(_), PublicKey::P384(_))
                | (Verifier::Ed25519, PublicKey::Ed25519(_))
        )
    }

    /// Whether `signature` is this key's over `message`. A key of another kind verifies nothing.
    pub fn verify(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        match (self.verifier(), key) {
            (Verifier::Rsa(parameters), PublicKey::Rsa { n, e }) => {
                PublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Verifier::P256(algorithm), PublicKey::P256(point)) | (Verifier::P384(algorithm), PublicKey::P384(point)) => {
                UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
            }
            (Verifier::Ed25519, PublicKey::Ed25519(key)) => {
                UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}
