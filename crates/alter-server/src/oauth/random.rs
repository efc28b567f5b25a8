//! Values that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 256 random bits in 43 characters of the base64url alphabet, which are also what RFC 7636 allows in a verifier.
///
/// # Errors
/// When the system gives no random bytes.
pub fn unguessable() -> Result<String, getrandom::Error> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}
