//! What every client of an authorization code flow needs, be it for a login at a provider or for signing a person in.

use alter_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::byte_serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// 256 random bits in 43 characters of the base64url alphabet, which are also what RFC 7636 allows in a verifier.
///
/// # Errors
/// When the system gives no random bytes.
pub fn unguessable() -> Result<String, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}

/// RFC 7636: the verifier's hash.
pub fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

/// The value of an `Authorization` header. RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
pub fn basic(id: &str, secret: &Secret) -> Zeroizing<String> {
    let encoded = |text: &str| Zeroizing::new(byte_serialize(text.as_bytes()).collect::<String>());
    let joined = Zeroizing::new(format!("{}:{}", *encoded(id), *encoded(secret.expose())));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(joined.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_one_of_the_rfc() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn credentials_are_encoded_before_they_are_joined() {
        // `a:b` and `c d` as `a%3Ab:c+d`.
        assert_eq!(*basic("a:b", &Secret::new("c d")), "Basic YSUzQWI6Yytk");
    }

    #[test]
    fn no_two_texts_are_the_same() {
        let (one, two) = (unguessable().expect("random"), unguessable().expect("random"));
        assert!(one != two && one.len() == 43);
    }
}
