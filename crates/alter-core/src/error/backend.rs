//! From a refusal of the vault to an error: the one table that every call but the agents' namespace uses.

use serde_json::{Map, Value, json};

use super::{Error, Kind};
use crate::retry_after::{self, QUOTA_CEILING_SECONDS, RATE_LIMIT_CEILING_SECONDS};

/// The parts of a vault's answer that decide which error it is.
#[derive(Clone, Copy, Debug)]
pub struct BackendAnswer<'a> {
    /// HTTP status, 400 or above.
    pub status: u16,
    /// The whole body.
    pub body: &'a [u8],
    /// Value of `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// Value of `X-Request-ID`.
    pub request_id: Option<&'a str>,
}

/// The error that an answer of status 400 or above means.
pub fn from_backend(answer: &BackendAnswer<'_>) -> Error {
    let (body, is_json) = read_body(answer);
    let code = text(&body, "error");
    let kind = classify(answer.status, code, is_json);
    let error = Error::new(kind, message(kind, &body, answer.status));
    let error = match code {
        Some(code) => error.with_code(code.to_owned()),
        None => error,
    };
    fill(error, body, answer, is_json)
}

/// The body as an object: what stands under `detail` if that is an object, else the body itself, with the status added. A body that is not
/// a JSON object is not kept: it may be a proxy's page with anything in it.
pub(super) fn read_body(answer: &BackendAnswer<'_>) -> (Map<String, Value>, bool) {
    let parsed = serde_json::from_slice::<Value>(answer.body);
    let is_json = parsed.is_ok();
    let mut body = match parsed {
        Ok(Value::Object(mut body)) => match body.get_mut("detail") {
            Some(Value::Object(detail)) => std::mem::take(detail),
            _ => body,
        },
        Ok(_) => summary(format!("The vault's answer with status {} is JSON, but not an object.", answer.status)),
        Err(_) => summary(format!("The vault's answer with status {} is not JSON.", answer.status)),
    };
    body.insert("status_code".into(), answer.status.into());
    (body, is_json)
}

fn summary(message: String) -> Map<String, Value> {
    Map::from_iter([("message".to_owned(), Value::String(message))])
}

/// Status and code to kind. The order of the rows is the order of the contract.
fn classify(status: u16, code: Option<&str>, is_json: bool) -> Kind {
    let code = code.unwrap_or_default();
    match (status, code) {
        (403, "insufficient_scope") => Kind::InsufficientScope,
        (403, "grant_expired") => Kind::GrantExpired,
        (400 | 403 | 502, "grant_revoked") => Kind::GrantRevoked,
        (400 | 403 | 502, "credential_revoked") => Kind::CredentialRevoked,
        (400 | 403 | 502, "restricted_grant_requires_proxy") => Kind::RestrictedGrantRequiresProxy,
        (403, "grant_not_delegable") => Kind::GrantNotDelegable,
        (403, "scope_mismatch") => Kind::ScopeReauthRequired,
        (403, "step_up_required") => Kind::StepUpRequired,
        (403, "redact_discharge_failed") => Kind::RedactDischargeFailed,
        (403, _) => Kind::PolicyViolation,
        (
            409,
            "managed_oauth_scope_approval_required"
            | "idp_signin_not_configured"
            | "no_eligible_grants"
            | "binding_hosts_required"
            | "provider_contract_repair_required",
        ) => Kind::ConnectConfig,
        (409, "token_refresh_in_progress") => Kind::TokenRefreshInProgress,
        (409, "ambiguous_grant") => Kind::AmbiguousGrant,
        (409, "sibling_label_conflict") => Kind::SiblingLabelConflict,
        (409, "credential_id_required") => Kind::CredentialIdRequired,
        (409, "end_user_credential_not_assignable") => Kind::EndUserCredentialNotAssignable,
        (404 | 409, "no_delegated_grant") => Kind::NoDelegatedGrant,
        (410, _) => Kind::GrantDeleted,
        (404, "caller_agent_unresolved" | "agent_not_found") => Kind::AgentNotFound,
        (404, "secret_not_found") => Kind::ConnectConfig,
        (404, _) => Kind::GrantNotFound,
        (400 | 502, "caller_agent_mismatch") => Kind::CallerAgentMismatch,
        (400 | 502, "delegated_grant_requires_proxy" | "hitl_grant_requires_proxy" | "user_limits_require_proxy") => {
            Kind::RestrictedGrantRequiresProxy
        }
        (401, "jwt_validation_error") => Kind::ReAuthRequired,
        (401, "invalid_key") => Kind::InvalidKey,
        (401, "key_revoked") => Kind::KeyRevoked,
        (401, "key_expired") => Kind::KeyExpired,
        (401, "key_rotated_grace_expired") => Kind::KeyRotationExpired,
        (401, "key_not_active") => Kind::KeyInactive,
        (401, "agent_inactive") => Kind::AgentInactive,
        (401, "agent_revoked") => Kind::AgentRevoked,
        (429, _) if !is_json => Kind::RateLimit,
        (429, "quota_exceeded") => Kind::QuotaExceeded,
        (429, "rate_limit_exceeded") => Kind::RateLimit,
        (500 | 503, "caller_agent_resolution_error") => Kind::CallerAgentResolution,
        (500 | 503, "app_not_found_for_key") => Kind::KeyAppNotFound,
        (_, "secret_template_mismatch") if has_no_row(status) => Kind::ConnectConfig,
        (_, "blocked_destination") if has_no_row(status) => Kind::BlockedDestination,
        _ => Kind::Backend,
    }
}

/// Whether the status has no rows of its own, so that the code alone decides.
fn has_no_row(status: u16) -> bool {
    !matches!(status, 400 | 401 | 403 | 404 | 409 | 410 | 500 | 502 | 503)
}

/// What the vault said, else a text of ours. A blocked destination always gets ours, which says what to do.
pub(super) fn message(kind: Kind, body: &Map<String, Value>, status: u16) -> String {
    match (kind, text(body, "message")) {
        (Kind::BlockedDestination, _) => {
            "The vault does not send this credential to the URL's host; details say why. Check the URL, or have an operator add the host to the \
             secret's allowed hosts, or for calls that the vault makes its address to egress.allow."
                .into()
        }
        (_, Some(message)) if !message.is_empty() => bounded(message),
        _ => format!("{} The vault answered with status {status}.", kind.summary()),
    }
}

/// Text of a server as it may stand in a message of ours: bounded, without control characters.
pub(crate) fn bounded(text: &str) -> String {
    const LONGEST: usize = 2000;
    cut(text, LONGEST)
}

/// At most `longest` characters of a text, each control character a space, with an ellipsis where something is left out.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut out: String = text.chars().take(longest).map(clean).collect();
    if text.chars().nth(longest).is_some() {
        out.push('…');
    }
    out
}

/// Sets details and the attributes that the kind takes from the body.
pub(super) fn fill(error: Error, mut body: Map<String, Value>, answer: &BackendAnswer<'_>, is_json: bool) -> Error {
    // A vault that fails half-way may have written the token answer already. What a caller can look at never holds it.
    for name in ["access_token", "additional_credentials"] {
        body.remove(name);
    }
    let kind = error.kind();
    let string = |name: &str| text(&body, name).map_or(Value::Null, Value::from);
    let flag = |name: &str| Value::Bool(body.get(name) == Some(&Value::Bool(true)));
    let whole = |name: &str| body.get(name).filter(|v| v.is_i64() || v.is_u64()).cloned().unwrap_or_default();
    let error = match kind {
        Kind::InsufficientScope => error
            .with_attribute("required", texts(&body, "required"))
            .with_attribute("granted", texts(&body, "granted"))
            .with_attribute("missing", texts(&body, "missing"))
            .with_attribute("scope_version", whole("scope_version"))
            .with_attribute("current_scope_version", whole("current_scope_version"))
            .with_attribute("scope_version_mismatch", flag("scope_version_mismatch"))
            .with_attribute("documentation_url", string("documentation_url"))
            .with_attribute("required_any_of", flag("required_any_of")),
        Kind::GrantExpired | Kind::GrantNotFound | Kind::NoDelegatedGrant => error
            .with_attribute("provider_id", string("provider_id"))
            .with_attribute("agent_id", string("agent_id"))
            .with_attribute("app_user_id", string("app_user_id")),
        Kind::GrantRevoked | Kind::TokenRefreshInProgress => {
            error.with_attribute("grant_id", body.get("grant_id").cloned().unwrap_or_default())
        }
        Kind::CredentialRevoked => error
            .with_attribute("grant_id", body.get("grant_id").cloned().unwrap_or_default())
            .with_attribute("provider_id", string("provider_id"))
            .with_attribute("app_user_id", string("app_user_id")),
        Kind::GrantNotDelegable => error.with_attribute("detail_reason", string("detail_reason")),
        Kind::StepUpRequired => error
            .with_attribute("policy_error", "step_up_required")
            .with_attribute("max_session_age_seconds", whole("max_session_age_seconds")),
        Kind::RedactDischargeFailed => error.with_attribute("policy_error", "redact_discharge_failed"),
        Kind::PolicyViolation => error.with_attribute("policy_error", string("error")),
        Kind::AmbiguousGrant => error
            .with_attribute("provider_id", string("provider_id"))
            .with_attribute("account_identifiers", texts(&body, "account_identifiers"))
            .with_attribute("account_was_provided", flag("account_was_provided"))
            .with_attribute("app_user_ids", texts(&body, "app_user_ids"))
            .with_attribute("grant_ids", texts(&body, "grant_ids"))
            .with_attribute("candidates", candidates(&body))
            .with_attribute("candidates_truncated", flag("candidates_truncated")),
        Kind::SiblingLabelConflict => error.with_attribute("label", string("label")),
        Kind::CredentialIdRequired => error.with_attribute("credentials", credential_choices(&body)),
        Kind::QuotaExceeded => {
            error.with_attribute("retry_after", retry_after::seconds(answer.retry_after, body.get("retry_after"), QUOTA_CEILING_SECONDS))
        }
        Kind::RateLimit => error
            .with_attribute("retry_after", retry_after::seconds(answer.retry_after, body.get("retry_after"), RATE_LIMIT_CEILING_SECONDS))
            .with_attribute("scope", string("scope"))
            .with_attribute("limit", whole("limit"))
            .with_attribute("window_seconds", whole("window_seconds")),
        kind if kind.is(Kind::Agent) => error.with_attribute("hint", string("hint")),
        _ => error,
    };
    set_details(error, body, answer, is_json)
}

fn set_details(error: Error, mut body: Map<String, Value>, answer: &BackendAnswer<'_>, is_json: bool) -> Error {
    let kind = error.kind();
    match kind {
        Kind::ScopeReauthRequired => {
            let mut details = nested_details(&body);
            let (grant_id, provider_id) = (string_of(&details, "grant_id"), string_of(&details, "provider_id"));
            details.insert("source".into(), "backend_flag".into());
            return error
                .with_details(details)
                .with_attribute("status_code", answer.status)
                .with_attribute("grant_id", grant_id)
                .with_attribute("provider_id", provider_id);
        }
        Kind::GrantExpired | Kind::PolicyViolation => {
            let mut details = nested_details(&body);
            details.extend(body);
            body = details;
        }
        Kind::RateLimit if !is_json => body.retain(|name, _| name == "status_code"),
        Kind::BlockedDestination => {
            if let Some(id) = answer.request_id {
                body.insert("request_id".into(), bounded(id).into());
            }
        }
        _ => {}
    }
    if matches!(answer.status, 500 | 503)
        && let Some(seconds) = retry_after::seconds(answer.retry_after, None, RATE_LIMIT_CEILING_SECONDS)
    {
        body.insert("retry_after_seconds".into(), seconds.into());
    }
    let error = error.with_details(body);
    if kind.is(Kind::Backend) { error.with_attribute("status_code", answer.status) } else { error }
}

fn nested_details(body: &Map<String, Value>) -> Map<String, Value> {
    body.get("details").and_then(Value::as_object).cloned().unwrap_or_default()
}

pub(super) fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

fn string_of(body: &Map<String, Value>, name: &str) -> Value {
    text(body, name).map_or(Value::Null, Value::from)
}

/// The strings of a list; anything else in it is dropped.
fn texts(body: &Map<String, Value>, name: &str) -> Value {
    let strings = |list: &Vec<Value>| list.iter().filter(|v| v.is_string()).cloned().collect();
    Value::Array(body.get(name).and_then(Value::as_array).map(strings).unwrap_or_default())
}

fn candidates(body: &Map<String, Value>) -> Value {
    let one = |entry: &Value| {
        let entry = entry.as_object()?;
        Some(json!({
            "grant_id": text(entry, "grant_id")?,
            "label": string_of(entry, "label"),
            "account_identifier": string_of(entry, "account_identifier"),
            "account_display_name": string_of(entry, "account_display_name"),
        }))
    };
    Value::Array(body.get("candidates").and_then(Value::as_array).map(|l| l.iter().filter_map(one).collect()).unwrap_or_default())
}

fn credential_choices(body: &Map<String, Value>) -> Value {
    let one = |entry: &Value| {
        let entry = entry.as_object()?;
        Some(json!({ "credential_id": text(entry, "id")?, "label": string_of(entry, "label") }))
    };
    let list = body.get("details").and_then(|d| d.get("credentials")).and_then(Value::as_array);
    Value::Array(list.map(|l| l.iter().filter_map(one).collect()).unwrap_or_default())
}
