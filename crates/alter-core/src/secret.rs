//! Text that must not be shown: API keys, access tokens, credential fields.

use std::fmt;

use zeroize::Zeroizing;

/// A secret string. It is wiped from memory on drop, `Debug` prints `[redacted]`, and there is neither `Display` nor `Serialize`:
/// the only way to its text is [`Secret::expose`], which is easy to find in a review.
///
/// ```
/// let secret = alter_core::secret::Secret::new("hunter2");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the text, so that no second copy stays behind.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Every use of it is a place where the secret may leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
