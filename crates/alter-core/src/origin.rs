//! The bare `https` origin: where an account of a provider lives, as the vault names it.

/// Longest origin, in characters.
pub const LONGEST: usize = 270;
const LONGEST_LABEL: usize = 63;

/// Whether a text is `https://` and labels of lower-case letters, digits and hyphens joined by dots, and nothing more: no port, no path,
/// no user.
///
/// ```
/// use alter_core::origin::is_bare_https;
/// assert!(is_bare_https("https://eu1.api.example.com"));
/// assert!(!is_bare_https("https://api.example.com/"));
/// ```
pub fn is_bare_https(text: &str) -> bool {
    let well_formed = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST && text.strip_prefix("https://").is_some_and(|host| host.split('.').all(well_formed))
}
