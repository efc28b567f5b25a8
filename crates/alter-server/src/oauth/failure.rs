//! Why a provider gave no tokens, and what that means for the login.

use std::fmt;

use http::{Response, StatusCode};
use serde_json::Value;

use super::call::Unmakeable;
use super::catalogue::{StandardError, TokenEndpoint};
use crate::egress::EgressError;

/// Longest text of a provider that is repeated, in characters.
const LONGEST: usize = 100;
/// What a provider may ask to wait at most, in seconds.
const LONGEST_WAIT: u32 = 3600;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The provider did not act, and may later: not reached, busy, or out of order.
    Transient,
    /// The code or the refresh token is no good, for good.
    Dead,
    /// The client or the entry is not what the provider expects. The login may be fine; an operator has to act.
    Misconfigured,
    /// An answer came that says neither yes nor no.
    Unclear,
    /// The request may have arrived, and no answer came: the provider may have spent the code or refresh token.
    Lost,
}

impl FailureKind {
    /// The word for audit rows and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "provider_unavailable",
            Self::Dead => "invalid_grant",
            Self::Misconfigured => "client_misconfigured",
            Self::Unclear => "answer_unclear",
            Self::Lost => "answer_lost",
        }
    }
}

/// A failure. The text holds the provider's error code at most, shortened and without control characters: never a token, and no description, which could
/// repeat what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// What it means.
    pub kind: FailureKind,
    /// What happened, for the audit and the log.
    pub detail: String,
    /// How many seconds the provider asks to wait.
    pub retry_after: Option<u32>,
}

impl Failure {
    /// The provider did not act, and may later.
    pub fn transient(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Transient, detail)
    }

    /// An operator has to act.
    pub fn misconfigured(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Misconfigured, detail)
    }

    /// The answer says neither yes nor no.
    pub fn unclear(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Unclear, detail)
    }

    pub(super) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }

    /// What an answer without tokens means. A provider may put an error into an answer of any status, 200 too.
    pub(super) fn read<B>(answer: &Response<B>, body: Option<&Value>, endpoint: &TokenEndpoint) -> Self {
        let status = answer.status();
        let code = body.and_then(error_code);
        let known = code.as_deref().and_then(|code| kind_of_code(code, endpoint));
        let kind = match (status, known) {
            // What stands before or behind a provider that is out of order makes up its own bodies.
            (status, _) if status.is_server_error() => FailureKind::Transient,
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => FailureKind::Transient,
            (_, Some(kind)) => kind,
            (StatusCode::UNAUTHORIZED, None) => FailureKind::Misconfigured,
            _ => FailureKind::Unclear,
        };
        let told = code.map_or_else(|| "no error code".to_owned(), |code| format!("error {code:?}"));
        Self { kind, detail: format!("the provider answered {} with {told}", status.as_u16()), retry_after: retry_after(answer) }
    }
}

impl From<EgressError> for Failure {
    fn from(error: EgressError) -> Self {
        let kind = match &error {
            EgressError::Refused { .. } => FailureKind::Misconfigured,
            // An answer did come.
            EgressError::TooLarge { .. } => FailureKind::Unclear,
            error if error.may_have_arrived() => FailureKind::Lost,
            _ => FailureKind::Transient,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Unmakeable> for Failure {
    fn from(error: Unmakeable) -> Self {
        Self::new(FailureKind::Misconfigured, error.to_string())
    }
}

/// The error code in the places where providers put it: `error` as a text, an object's `code`, `type` or `status`, or a `status` of its own.
fn error_code(body: &Value) -> Option<String> {
    let error = body.get("error");
    let inside = |name: &str| error.and_then(|error| error.get(name));
    let found = [error, inside("code"), inside("type"), inside("status"), body.get("error_code"), body.get("status")];
    let text = found.into_iter().flatten().find_map(Value::as_str)?;
    Some(shortened(text)).filter(|text| !text.is_empty())
}

fn kind_of_code(code: &str, endpoint: &TokenEndpoint) -> Option<FailureKind> {
    if let Some(standard) = endpoint.error_codes.get(code) {
        return Some(match standard {
            StandardError::InvalidGrant => FailureKind::Dead,
            StandardError::InvalidClient => FailureKind::Misconfigured,
            StandardError::TemporarilyUnavailable => FailureKind::Transient,
        });
    }
    match code {
        "invalid_grant" => Some(FailureKind::Dead),
        "invalid_client" | "unauthorized_client" | "unsupported_grant_type" | "invalid_request" | "invalid_scope" | "invalid_target" => {
            Some(FailureKind::Misconfigured)
        }
        "temporarily_unavailable" | "server_error" | "slow_down" => Some(FailureKind::Transient),
        _ => None,
    }
}

fn retry_after<B>(answer: &Response<B>) -> Option<u32> {
    let seconds: u32 = answer.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.min(LONGEST_WAIT))
}

/// A provider's text, fit for a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::tests::client_of;

    fn kind(id: &str, status: u16, body: Option<Value>) -> FailureKind {
        let answer = Response::builder().status(status).body(()).expect("a response");
        Failure::read(&answer, body.as_ref(), &client_of(id).provider().token).kind
    }

    #[test]
    fn the_code_counts_whatever_the_status_but_not_behind_a_failing_server() {
        let error = |code: &str| Some(json!({ "error": code }));
        for (status, body, expected) in [
            (400, error("invalid_grant"), FailureKind::Dead),
            (200, error("invalid_grant"), FailureKind::Dead),
            (401, error("invalid_client"), FailureKind::Misconfigured),
            (400, error("unauthorized_client"), FailureKind::Misconfigured),
            (400, error("temporarily_unavailable"), FailureKind::Transient),
            (400, error("of_their_own"), FailureKind::Unclear),
            (400, None, FailureKind::Unclear),
            (401, None, FailureKind::Misconfigured),
            (200, None, FailureKind::Unclear),
            (302, None, FailureKind::Unclear),
            (429, error("invalid_grant"), FailureKind::Transient),
            (503, None, FailureKind::Transient),
            (500, error("invalid_grant"), FailureKind::Transient),
        ] {
            assert_eq!(kind("google", status, body.clone()), expected, "{status} {body:?}");
        }
    }

    #[test]
    fn an_entry_translates_its_providers_codes() {
        let body = || Some(json!({ "error": "bad_refresh_token" }));
        assert_eq!(kind("github", 200, body()), FailureKind::Dead);
        assert_eq!(kind("google", 200, body()), FailureKind::Unclear);
    }

    #[test]
    fn the_code_is_found_where_providers_put_it() {
        for body in [
            json!({ "error": "x" }),
            json!({ "error": { "code": "x", "message": "m" } }),
            json!({ "error": { "type": "x", "code": 190 } }),
            json!({ "ok": false, "error": "x" }),
            json!({ "status": "x" }),
        ] {
            assert_eq!(error_code(&body).as_deref(), Some("x"), "{body}");
        }
        assert_eq!(error_code(&json!({ "error": { "code": 190 } })), None);
        assert_eq!(error_code(&json!({ "error": format!("a\n\u{1b}[31m{}", "b".repeat(500)) })).expect("a code").chars().count(), LONGEST);
    }

    #[test]
    fn what_was_not_sent_is_not_lost() {
        let host = || "h".to_owned();
        let kind = |error: EgressError| Failure::from(error).kind;
        assert_eq!(kind(EgressError::Unreachable { host: host(), cause: String::new() }), FailureKind::Transient);
        assert_eq!(kind(EgressError::Broken { host: host(), cause: String::new() }), FailureKind::Lost);
        assert_eq!(kind(EgressError::Timeout { host: host(), limit: std::time::Duration::from_secs(10) }), FailureKind::Lost);
        assert_eq!(kind(EgressError::TooLarge { host: host(), limit: 1 }), FailureKind::Unclear);
        assert_eq!(kind(EgressError::Refused { host: host(), reason: "no" }), FailureKind::Misconfigured);
    }

    #[test]
    fn a_wait_that_the_provider_asks_for_is_kept_within_reason() {
        let read = |value: &str| {
            let answer = Response::builder().status(429).header("retry-after", value).body(()).expect("a response");
            Failure::read(&answer, None, &client_of("google").provider().token).retry_after
        };
        assert_eq!((read("7"), read("999999"), read("soon")), (Some(7), Some(LONGEST_WAIT), None));
    }
}
