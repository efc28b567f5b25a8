//! What clients report after a call: its outcome for the audit, and a provider's complaint about missing scopes.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Vault;
use super::pipeline::{Admitted, Answer, Call, Verdict, note};
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{AppId, GrantId, ScopeMismatch};
use crate::store::{Effect, Lookup};

/// Longest body that a report keeps, in characters; clients send at most that much of a provider's answer.
const MOST_BODY: usize = 10_000;
/// Names that never carry anything but credentials. Clients remove them; a client that does not must not fill the audit with them.
const CREDENTIAL_HEADERS: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-amz-security-token"];

/// `POST /sdk/oauth/audit/api-call`. Any key of the app may report; there is no scope for it.
pub struct ReportCall;

impl Call for ReportCall {
    const ACTION: &'static str = "call.report";
    const OUTCOME: Outcome = Outcome::Done;
    const WHILE_SUSPENDED: bool = true;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let mut report: Map<String, Value> = serde_json::from_slice(request.body).map_err(|_| invalid("The body is not a JSON object."))?;
        let method = required_text(&report, "method")?.to_owned();
        let url = required_text(&report, "url")?.to_owned();
        note(row, |row| row.call(&method, &url));
        if let Some(reason) = report.get("reason").and_then(Value::as_str) {
            note(row, |row| row.reason(reason));
        }
        let status = report.get("response_status").and_then(Value::as_u64).filter(|status| *status <= 999);
        status.ok_or_else(|| invalid("response_status must be a whole number from 0 to 999."))?;
        let grant = own_grant(vault, request.key.app, report.get("grant_id").and_then(Value::as_str)).await?;
        note(row, |row| row.grant(grant));
        if let Some(provider) = report.get("provider_id").and_then(Value::as_str) {
            note(row, |row| row.provider(provider));
        }
        if let Some(context) = report.get("context").filter(|context| context.is_object()) {
            note(row, |row| row.context(&context.to_string()));
        }
        // What has a column of its own is not kept twice; the URL's query, which may hold credentials, is not kept at all.
        for name in ["grant_id", "provider_id", "method", "url", "reason", "context"] {
            report.remove(name);
        }
        note(row, |row| row.report(&Value::Object(bounded(report)).to_string()));
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(json!({ "status": "recorded" })) })
    }
}

/// `POST /sdk/grants/{grant_id}/report-scope-mismatch`.
pub struct ReportScopeMismatch {
    /// The grant, as it stands in the path.
    pub grant: String,
}

#[derive(Deserialize)]
struct Mismatch {
    provider_status_code: u16,
    provider_error_code: String,
    #[serde(default)]
    missing_scopes: Option<Vec<String>>,
    #[serde(default)]
    raw_www_authenticate: Option<String>,
    #[serde(default)]
    api_endpoint: Option<String>,
    detection_source: String,
    #[serde(default)]
    sdk_correlation_id: Option<String>,
}

impl Call for ReportScopeMismatch {
    const ACTION: &'static str = "grant.report_scope_mismatch";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("tokens:retrieve")?;
        let mismatch = Mismatch::parse(request.body)?;
        let app = request.key.app;
        let grant = own_grant(vault, app, Some(&self.grant)).await?;
        note(row, |row| row.grant(grant).report(&mismatch.for_audit().to_string()));
        let mismatch = ScopeMismatch { reported_at: vault.clock.now(), missing_scopes: mismatch.missing_scopes };
        Ok(Verdict { effects: vec![Effect::FlagScopeMismatch { app, grant, mismatch }], answer: Answer::Empty })
    }
}

impl Mismatch {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let report: Self = serde_json::from_slice(body).map_err(|_| {
            let message = "The body is not a scope report: provider_status_code, provider_error_code and detection_source are required.";
            unprocessable(message)
        })?;
        let fits = |text: &Option<String>, longest: usize| text.as_ref().is_none_or(|text| text.chars().count() <= longest);
        let scopes = report.missing_scopes.as_deref().unwrap_or_default();
        let limits = [
            (report.provider_status_code == 403, "provider_status_code must be 403."),
            (report.provider_error_code == "insufficient_scope", "provider_error_code must be insufficient_scope."),
            (report.detection_source == "www_authenticate_rfc6750", "detection_source must be www_authenticate_rfc6750."),
            (scopes.len() <= 50, "missing_scopes has more than 50 entries."),
            (scopes.iter().all(|scope| scope.chars().count() <= 256), "missing_scopes has an entry over 256 characters."),
            (fits(&report.raw_www_authenticate, 4096), "raw_www_authenticate is longer than 4096 characters."),
            (fits(&report.api_endpoint, 2048), "api_endpoint is longer than 2048 characters."),
            (fits(&report.sdk_correlation_id, 64), "sdk_correlation_id is longer than 64 characters."),
        ];
        match limits.into_iter().find(|(holds, _)| !holds) {
            Some((_, message)) => Err(unprocessable(message)),
            None => Ok(report),
        }
    }

    fn for_audit(&self) -> Value {
        json!({
            "missing_scopes": self.missing_scopes,
            "www_authenticate": self.raw_www_authenticate,
            "api_endpoint": self.api_endpoint.as_deref().map(|url| crate::audit::AuditUrl::of(url).as_str().to_owned()),
            "sdk_correlation_id": self.sdk_correlation_id,
        })
    }
}

/// The grant, if it is the app's own. A report about anything else is refused like a call through it.
async fn own_grant(vault: &Vault, app: AppId, id: Option<&str>) -> Result<GrantId, Refusal> {
    let id = id.and_then(GrantId::parse).ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"))?;
    match vault.store.grant(app, id).await? {
        Lookup::Found(grant) => Ok(grant.id),
        Lookup::Foreign => Err(Refusal::grant_not_found("the grant belongs to another application")),
        Lookup::Unknown => Err(Refusal::grant_not_found("there is no such grant")),
    }
}

/// The report as the row keeps it: known members only, credentials removed, bodies cut with a note of their size.
fn bounded(mut report: Map<String, Value>) -> Map<String, Value> {
    const KNOWN: [&str; 8] = [
        "token_generation",
        "request_headers",
        "request_body",
        "response_status",
        "response_headers",
        "response_body",
        "latency_ms",
        "retry_info",
    ];
    report.retain(|name, value| KNOWN.contains(&name.as_str()) && !value.is_null());
    for (name, value) in &mut report {
        match value {
            Value::Object(headers) if name.ends_with("_headers") => {
                headers.retain(|header, _| !CREDENTIAL_HEADERS.contains(&header.to_ascii_lowercase().as_str()));
            }
            body if name.ends_with("_body") => cut(body),
            _ => {}
        }
    }
    report
}

fn cut(body: &mut Value) {
    let text = match &*body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    *body = match text.char_indices().nth(MOST_BODY) {
        None => text.into(),
        Some((end, _)) => json!({ "cut_at": MOST_BODY, "bytes": text.len(), "text": &text[..end] }),
    };
}

fn required_text<'a>(report: &'a Map<String, Value>, name: &str) -> Result<&'a str, Refusal> {
    report
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| invalid(&format!("{name} must be non-empty text.")))
}

fn invalid(message: &str) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}

fn unprocessable(message: &str) -> Refusal {
    Refusal::unprocessable("invalid_request", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_no_credentials_and_no_long_bodies() {
        let report = json!({
            "request_headers": {"Authorization": "Bearer t", "X-Api-Key": "k", "Accept": "*/*"},
            "response_body": "x".repeat(MOST_BODY + 1),
            "request_body": {"a": 1},
            "response_status": 200,
            "something_else": "y",
            "latency_ms": null,
        });
        let Value::Object(report) = report else { unreachable!("an object") };
        let kept = bounded(report);
        assert_eq!(kept["request_headers"], json!({"Accept": "*/*"}));
        assert_eq!(kept["response_body"]["bytes"], json!(MOST_BODY + 1));
        assert_eq!(kept["request_body"], json!(r#"{"a":1}"#));
        assert!(!kept.contains_key("something_else") && !kept.contains_key("latency_ms"));
    }

    #[test]
    fn a_scope_report_keeps_to_its_limits() {
        let good = json!({
            "provider_status_code": 403, "provider_error_code": "insufficient_scope", "missing_scopes": ["a"],
            "detection_source": "www_authenticate_rfc6750",
        });
        assert!(Mismatch::parse(good.to_string().as_bytes()).is_ok());
        for (name, value) in [
            ("provider_status_code", json!(401)),
            ("provider_error_code", json!("other")),
            ("detection_source", json!("guess")),
            ("missing_scopes", json!(vec!["s"; 51])),
            ("missing_scopes", json!(["s".repeat(257)])),
            ("raw_www_authenticate", json!("x".repeat(4097))),
            ("api_endpoint", json!("x".repeat(2049))),
            ("sdk_correlation_id", json!("x".repeat(65))),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            let refusal = Mismatch::parse(bad.to_string().as_bytes()).err().expect(name);
            assert_eq!(refusal.status(), http::StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}
