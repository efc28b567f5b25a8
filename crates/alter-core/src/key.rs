//! API keys: their two grammars, the checksum, and making new ones.
//!
//! | Format | Shape |
//! |---|---|
//! | legacy | `alter_key_` and 40 of `A–Z a–z 0–9 - _` |
//! | scoped | `alter_<type>_<22 random>_<6 checksum>`, type one of `rk ak dk pk` |
//!
//! The checksum finds typing errors before anything is sent; it proves nothing about the key.

use crate::secret::Secret;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const LEGACY_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LEGACY_PREFIX: &str = "alter_key_";
const LEGACY_LENGTH: usize = 40;
const RANDOM_LENGTH: usize = 22;
const CHECKSUM_LENGTH: usize = 6;

/// What a key's text says about itself. It is no proof of what the vault will let the key do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `alter_key_…`: application keys from before scopes, and the keys of managed agents.
    Legacy,
    /// `alter_rk_…`: runtime key of an application.
    Runtime,
    /// `alter_ak_…`: agent-typed key.
    Agent,
    /// `alter_dk_…`: short-lived narrowing of another key.
    Derived,
    /// `alter_pk_…`: publishable key.
    Publishable,
}

impl KeyKind {
    /// The kind of a well-formed key, or `None` if the text is not one.
    ///
    /// ```
    /// use alter_core::key::KeyKind;
    /// assert_eq!(KeyKind::of("alter_rk_abcdefghijklmnopqrstuv_iwpykn"), Some(KeyKind::Runtime));
    /// assert_eq!(KeyKind::of("alter_rk_abcdefghijklmnopqrstuv_iwpykm"), None);
    /// ```
    pub fn of(key: &str) -> Option<Self> {
        // Every text that starts like a legacy key is judged as one: a scoped type may never be called "key".
        if let Some(body) = key.strip_prefix(LEGACY_PREFIX) {
            let well_formed = body.len() == LEGACY_LENGTH && body.bytes().all(|b| LEGACY_ALPHABET.contains(&b));
            return well_formed.then_some(Self::Legacy);
        }
        let mut parts = key.split('_');
        let (brand, tag, random, check) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let kind = Self::from_tag(tag)?;
        let well_formed = brand == "alter"
            && parts.next().is_none()
            && random.len() == RANDOM_LENGTH
            && random.bytes().all(|b| ALPHABET.contains(&b))
            && check == checksum(tag, random);
        well_formed.then_some(kind)
    }

    /// Makes a fresh key from the operating system's random numbers (110 bits for scoped kinds, 240 for legacy ones).
    ///
    /// # Errors
    /// When the operating system has no random numbers to give.
    pub fn generate(self) -> Result<Secret, getrandom::Error> {
        let Some(tag) = self.tag() else {
            return Ok(Secret::new(format!("{LEGACY_PREFIX}{}", random_text::<LEGACY_LENGTH>(LEGACY_ALPHABET)?)));
        };
        let random = random_text::<RANDOM_LENGTH>(ALPHABET)?;
        Ok(Secret::new(format!("alter_{tag}_{random}_{}", checksum(tag, &random))))
    }

    fn tag(self) -> Option<&'static str> {
        match self {
            Self::Legacy => None,
            Self::Runtime => Some("rk"),
            Self::Agent => Some("ak"),
            Self::Derived => Some("dk"),
            Self::Publishable => Some("pk"),
        }
    }

    fn from_tag(tag: &str) -> Option<Self> {
        [Self::Runtime, Self::Agent, Self::Derived, Self::Publishable].into_iter().find(|kind| kind.tag() == Some(tag))
    }
}

/// Whether the text is a well-formed API key. Says nothing about whether a vault knows it.
pub fn is_valid_key(key: &str) -> bool {
    KeyKind::of(key).is_some()
}

/// Six letters for the low 30 bits of a CRC-32, five bits a letter, the lowest group first.
fn checksum(tag: &str, random: &str) -> String {
    let mut crc = crc32fast::Hasher::new();
    for piece in [tag, ":", random] {
        crc.update(piece.as_bytes());
    }
    let crc = crc.finalize();
    (0..CHECKSUM_LENGTH).map(|i| char::from(ALPHABET[(crc >> (5 * i)) as usize & 31])).collect()
}

/// `N` letters, each chosen evenly: both alphabets have a power of two of them, so masking a byte is unbiased.
fn random_text<const N: usize>(alphabet: &[u8]) -> Result<String, getrandom::Error> {
    let mut bytes = zeroize::Zeroizing::new([0u8; N]);
    getrandom::fill(&mut *bytes)?;
    Ok(bytes.iter().map(|b| char::from(alphabet[usize::from(*b) & (alphabet.len() - 1)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_keys_are_well_formed_and_differ() {
        for kind in [KeyKind::Legacy, KeyKind::Runtime, KeyKind::Agent, KeyKind::Derived, KeyKind::Publishable] {
            let (one, two) = (kind.generate().unwrap(), kind.generate().unwrap());
            assert_eq!(KeyKind::of(one.expose()), Some(kind));
            assert_ne!(one.expose(), two.expose());
        }
    }
}
