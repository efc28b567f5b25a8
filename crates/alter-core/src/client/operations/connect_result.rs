//! The end of a Connect session, as a poll tells it.

use serde_json::{Map, Value, json};

use super::answer;
use super::outcome::Outcome;
use crate::error::{Error, Kind, Result};
use crate::model::{ConnectFailedGrant, ConnectResult};
use crate::token::is_canonical_uuid;

/// Reads the answer of a session that was completed.
///
/// # Errors
/// `BackendError` that names the malformed part; `ConnectFlowError` if no grant came of it.
pub(super) fn completed(body: &Map<String, Value>) -> Result<Outcome> {
    let failed = list(body, "failed_grants")?;
    let failed = failed.iter().map(|entry| ConnectFailedGrant::MODEL.read(entry).map(Value::Object));
    let failed: Vec<Value> = failed.collect::<Result<_, _>>().map_err(|_| malformed("failed_grants"))?;
    let grants = list(body, "grants")?.iter().map(|grant| one(grant, &failed)).collect::<Result<Vec<_>>>()?;
    if grants.is_empty() && !failed.is_empty() {
        return Err(nothing_kept(failed));
    }
    Ok(Outcome::Many(ConnectResult::MODEL, grants))
}

fn list<'a>(body: &'a Map<String, Value>, field: &str) -> Result<&'a [Value]> {
    match body.get(field) {
        None => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(malformed(field)),
    }
}

fn malformed(field: &str) -> Error {
    answer::unreadable(&format!("has a malformed {field}")).with_detail("field", field)
}

fn one(grant: &Value, failed: &[Value]) -> Result<Map<String, Value>> {
    let mut grant = grant.clone();
    if let Some(members) = grant.as_object_mut() {
        members.insert("failed_grants".to_owned(), failed.into());
        if members.get("operation").is_some_and(Value::is_null) {
            members.remove("operation");
        }
    }
    let read = ConnectResult::MODEL.read(&grant).map_err(|fault| match fault.field() {
        part @ ("scopes" | "operation" | "delegation") => malformed(part),
        _ => malformed("grants"),
    })?;
    let agent = read.get("delegation").and_then(|delegation| delegation.get("agent_id")).and_then(Value::as_str);
    match agent {
        Some(id) if !is_canonical_uuid(&id.to_ascii_lowercase()) => Err(malformed("delegation")),
        _ => Ok(read),
    }
}

fn nothing_kept(failed: Vec<Value>) -> Error {
    let not_activated = |entry: &Value| matches!(entry["reason"].as_str(), Some("activation_failed" | "not_selected"));
    let (code, text) = if failed.iter().all(not_activated) {
        ("grant_activation_failed", "The person finished, but no account could be connected. details[\"failed_grants\"] says why.")
    } else {
        ("grant_policy_application_failed", "The person finished, but the limits could not be applied, so no grant was kept.")
    };
    Error::new(Kind::ConnectFlow, text).with_detail("error_code", code).with_detail("failed_grants", failed)
}

/// The error of a session that failed.
pub(super) fn failed(body: &Map<String, Value>) -> Error {
    let Some(error) = body.get("error").and_then(Value::as_object) else { return malformed("error") };
    let text = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let Some(code) = text("error_code") else { return malformed("error.error_code") };
    let Some(message) = text("error_message") else { return malformed("error.error_message") };
    let told = |kind: Kind| {
        let error_of_kind = Error::new(kind, crate::error::bounded(message)).with_code(code.to_owned()).with_detail("error_code", code);
        match error.get("retry_after_seconds").and_then(whole) {
            Some(seconds) => error_of_kind.with_detail("retry_after_seconds", seconds),
            None => error_of_kind,
        }
    };
    match code {
        "connect_denied" => told(Kind::ConnectDenied),
        "connect_config_error"
        | "invalid_redirect_uri"
        | "invalid_client"
        | "unauthorized_client"
        | "provider_configuration_unavailable"
        | "shared_dev_credential_unavailable"
        | "managed_oauth_scope_approval_required" => told(Kind::ConnectConfig),
        _ => match identity_status(code) {
            Some(status) => told(Kind::Backend).with_attribute("status_code", status),
            None => told(Kind::ConnectFlow),
        },
    }
}

/// The status for a code that is about the vault's own state and not about the flow.
pub(super) fn identity_status(code: &str) -> Option<u16> {
    match code {
        "service_unavailable" => Some(503),
        "identity_provider_inactive" | "identity_group_name_ambiguous" => Some(409),
        _ => None,
    }
}

/// A non-negative whole number, also written `9.0`.
pub(super) fn whole(value: &Value) -> Option<Value> {
    let number = value.as_number()?;
    if let Some(number) = number.as_u64() {
        return Some(json!(number));
    }
    number.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0).map(|number| json!(number as u64))
}
