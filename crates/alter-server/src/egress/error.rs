//! Why an outgoing call gave no answer. No text here holds more of the URL than its host.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use http::uri::Authority;

/// Longest text of a cause, in characters: parts of it (names in a certificate) are the other side's.
const LONGEST_CAUSE: usize = 200;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The vault does not call this URL.
    #[error("the vault does not call {host:?}: {reason}")]
    Refused {
        /// Host and port; empty if there is none.
        host: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No connection: name resolution, TCP or TLS. Nothing was sent.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system or the TLS library said.
        cause: String,
    },
    /// The whole answer was not there in time.
    #[error("{host} did not answer within {} ms", .limit.as_millis())]
    Timeout {
        /// Host and port.
        host: String,
        /// The time it had.
        limit: Duration,
    },
    /// The connection ended early, or what came over it is not HTTP.
    #[error("the connection to {host} broke: {cause}")]
    Broken {
        /// Host and port.
        host: String,
        /// What happened.
        cause: String,
    },
    /// The answer is longer than it may be.
    #[error("{host} answered with more than {limit} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl EgressError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "egress_refused",
            Self::Unreachable { .. } => "egress_unreachable",
            Self::Timeout { .. } => "egress_timeout",
            Self::Broken { .. } => "egress_broken",
            Self::TooLarge { .. } => "egress_answer_too_large",
        }
    }

    /// Whether the other side may have got the request and acted on it. If not, sending it again is harmless.
    pub const fn may_have_arrived(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Unreachable { .. })
    }
}

/// Host and port of a URL for a message: without user name, in lower case.
pub(super) fn shown(authority: &Authority) -> String {
    let host = authority.host().to_ascii_lowercase();
    authority.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

/// The two innermost causes, in words: the outer ones only say that something failed.
pub(super) fn explain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let text = current.to_string();
        // Layers repeat each other's words; one telling is enough.
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        cause = current.source();
    }
    bounded(&words.split_off(words.len().saturating_sub(2)).join(": "))
}

/// The first cause of this kind.
pub(super) fn cause_of<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        cause = current.source();
    }
    None
}

fn bounded(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars().take(LONGEST_CAUSE) {
        if character.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(short, "{}", character.escape_default());
        } else {
            short.push(character);
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_short_and_plain() {
        let error = std::io::Error::other(format!("bad\nname\u{1b}[31m {}", "x".repeat(1000)));
        let text = explain(&error);
        assert!(text.starts_with(r"bad\nname\u{1b}[31m x") && text.chars().count() < 250, "{text}");
    }

    #[test]
    fn a_host_is_shown_without_its_user() {
        let shown = |text: &str| shown(&text.parse().expect("an authority"));
        assert_eq!(shown("user:password@ID.example.com:8443"), "id.example.com:8443");
        assert_eq!(shown("[::1]:80"), "[::1]:80");
    }
}
