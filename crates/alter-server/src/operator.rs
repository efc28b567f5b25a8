//! Operator keys: who may use the admin plane.

use alter_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::crypto::VaultKeys;
use crate::model::{Operator, OperatorId, OperatorRole, display_prefix};

/// What every operator key begins with. No API key does, so that one is never taken for the other.
pub const OPERATOR_KEY_PREFIX: &str = "alter_pat_";
const RANDOM_BYTES: usize = 32;

/// Makes a fresh operator key (256 random bits).
///
/// # Errors
/// When the operating system has no random numbers to give.
pub fn generate_key() -> Result<Secret, getrandom::Error> {
    let mut bytes = Zeroizing::new([0u8; RANDOM_BYTES]);
    getrandom::fill(&mut *bytes)?;
    Ok(Secret::new(format!("{OPERATOR_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
}

/// The record of an operator with this key.
pub fn record(keys: &VaultKeys, key: &Secret, name: &str, role: OperatorRole, now: Timestamp) -> Operator {
    Operator {
        id: OperatorId::random(),
        name: name.to_owned(),
        role,
        digest: keys.digest(key.expose()),
        prefix: display_prefix(key.expose()),
        created_at: now,
        revoked_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_key_is_no_api_key_and_never_the_same() {
        let (one, two) = (generate_key().expect("random"), generate_key().expect("random"));
        assert!(one.expose().starts_with(OPERATOR_KEY_PREFIX));
        assert!(!alter_core::key::is_valid_key(one.expose()));
        assert_ne!(one.expose(), two.expose());
    }
}
