//! Why a token is refused, and why it cannot be judged.

use std::fmt;

use crate::egress::EgressError;
use crate::model::words;

words! {
    /// Why a token was refused. The word goes to the audit trail; the client is told no more than that the token is not valid.
    pub enum TokenFault {
        /// It is not a compact JWS over a JSON object, or a member has the wrong type.
        Malformed = "token_malformed",
        /// It is longer than any token has to be.
        TooLong = "token_too_long",
        /// It is signed with `none`, with a shared secret, or with an algorithm that nobody here has reviewed.
        AlgorithmRefused = "token_algorithm_refused",
        /// Its `typ` says that it was made for something else, such as logging somebody out.
        TypeRefused = "token_type_refused",
        /// No key of the issuer has its `kid`, or it has none and several keys fit.
        KeyUnknown = "token_key_unknown",
        /// The key with its `kid` is of another kind than its algorithm needs, or is not meant for signatures.
        KeyUnfit = "token_key_unfit",
        /// The signature is not the issuer's.
        SignatureBad = "token_signature_bad",
        /// It is another issuer's.
        WrongIssuer = "token_issuer_wrong",
        /// It was made for somebody else.
        WrongAudience = "token_audience_wrong",
        /// Its time is over.
        Expired = "token_expired",
        /// Its time has not begun, or it was issued in the future.
        NotYetValid = "token_not_yet_valid",
        /// It answers another sign-in than the one that asked for it.
        WrongNonce = "token_nonce_wrong",
    }
}

/// A refused token: the fault, and for the operator what was found. The text quotes at most names of issuers, audiences, algorithms and keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct TokenRefused {
    /// Which rule it broke.
    pub fault: TokenFault,
    /// What was found.
    pub detail: String,
}

impl TokenRefused {
    pub(super) fn new(fault: TokenFault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }

    pub(super) fn malformed(detail: impl fmt::Display) -> Self {
        Self::new(TokenFault::Malformed, format!("the token is malformed: {detail}"))
    }
}

/// Why the vault cannot use an identity provider. Its text is for operators: host names, not URLs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderTrouble {
    /// Discovery, keys or token endpoint did not answer.
    #[error("the identity provider's {what} cannot be read: {cause}")]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// Why there was no answer.
        cause: EgressError,
    },
    /// It answered with an error status.
    #[error("the identity provider's {what} answered with status {status}")]
    Status {
        /// What was asked for.
        what: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// It answered something else than what the standards say.
    #[error("the identity provider's {what} cannot be used: {reason}")]
    Invalid {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The discovery document is another issuer's.
    #[error("the discovery document is for the issuer {found}, not for {expected}")]
    IssuerMismatch {
        /// The issuer that was set.
        expected: String,
        /// The one in the document.
        found: String,
    },
}

impl ProviderTrouble {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "idp_unreachable",
            Self::Status { .. } => "idp_error_status",
            Self::Invalid { .. } => "idp_answer_invalid",
            Self::IssuerMismatch { .. } => "idp_issuer_mismatch",
        }
    }
}

/// Why a token was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It was judged and refused.
    #[error(transparent)]
    Refused(#[from] TokenRefused),
    /// It could not be judged: the issuer's keys are not to be had.
    #[error(transparent)]
    Unavailable(#[from] ProviderTrouble),
}

impl VerifyError {
    /// The code that the audit trail keeps.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refused) => refused.fault.as_str(),
            Self::Unavailable(trouble) => trouble.code(),
        }
    }
}

/// A stranger's text for a message: quoted, escaped and short.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 100;
    let short: String = text.chars().take(MOST).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{more}")
}
