//! What the client tells the vault after a call: the audit report, and that a grant's scopes are not enough.
//!
//! Reports are best effort: signed, bounded, sent in the background, and never a reason for a call to fail or to wait.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::exchange::Exchange;
use super::prepare::Call;
use super::provider::Members;
use super::{Client, MOST_PENDING};
use crate::encoding::hex;
use crate::host::{Answer, Host, Level, TransportError};
use crate::injection::Payload;
use crate::json;
use crate::token::TokenAnswer;

/// Largest body that is recorded as text, in bytes.
pub const LARGEST_RECORDED_BODY: usize = 10_000;
/// Largest JSON request body that is recorded, in bytes: beyond it the vault would refuse the whole report.
pub const LARGEST_RECORDED_JSON: usize = 65_536;

/// Room for a report of usual size besides the answer's body, in bytes; only growing beyond it costs more.
const USUAL_REPORT: usize = 1024;

const AUDIT_DEADLINE: Duration = Duration::from_secs(30);
const MISMATCH_DEADLINE: Duration = Duration::from_secs(2);
const LARGEST_REFUSAL_READ: usize = 65_536;
const LONGEST_REFUSAL_SHOWN: usize = 300;

/// Headers that may hold a secret of anybody's. Lower case.
const SENSITIVE_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
];

/// How the provider call ended.
pub(super) enum Outcome<'a> {
    Answered(&'a Answer),
    Failed(&'a TransportError),
}

/// What a report is made of, besides the call itself.
pub(super) struct AuditReport<'a> {
    pub(super) token: &'a TokenAnswer,
    pub(super) request_headers: &'a [(String, String)],
    pub(super) outcome: Outcome<'a>,
    pub(super) elapsed: Duration,
}

impl<H: Host> Client<H> {
    /// Reports one provider call.
    pub(super) fn report_call(&self, call: &Call, report: AuditReport<'_>) {
        let told =
            Told { grant_id: report.token.grant_id.clone(), method: call.request.method.to_string(), url: call.reported_url.clone() };
        let delivery = Delivery {
            path: "/sdk/oauth/audit/api-call".to_owned(),
            body: audit_body(call, &report).into(),
            caller: call.caller.clone(),
            context: call.context_header.clone(),
            actor_id: true,
            traceparent: call.traceparent.clone(),
            deadline: AUDIT_DEADLINE,
        };
        self.deliver(delivery, move |client, result| {
            let why = match result {
                Some(Ok(answer)) if (200..300).contains(&answer.status) => return,
                Some(Ok(answer)) => refusal(&answer),
                Some(Err(error)) => error.message().to_owned(),
                None => format!("no answer within {} s", AUDIT_DEADLINE.as_secs()),
            };
            client.log(Level::Warning, format!("The audit report of a call was not recorded: {why} ({told})."));
        });
    }

    /// Tells the vault that the provider wants more scopes than the grant has.
    pub(super) fn report_scope_mismatch(&self, call: &Call, token: &TokenAnswer, missing: Option<&[String]>, header: Option<&str>) {
        let delivery = Delivery {
            path: format!("/sdk/grants/{}/report-scope-mismatch", token.grant_id),
            body: mismatch_body(call, missing, header).into(),
            caller: None,
            context: None,
            actor_id: false,
            traceparent: call.traceparent.clone(),
            deadline: MISMATCH_DEADLINE,
        };
        self.deliver(delivery, |client, result| {
            let why = match result {
                Some(Ok(answer)) if answer.status == 204 => return,
                Some(Ok(answer)) => {
                    let id = answer.header("x-correlation-id").map(crate::error::bounded).unwrap_or_else(|| "none".to_owned());
                    format!("status {}, correlation id {id}", answer.status)
                }
                Some(Err(error)) => error.message().to_owned(),
                None => format!("no answer within {} s", MISMATCH_DEADLINE.as_secs()),
            };
            client.log(Level::Warning, format!("The report of missing scopes was not recorded: {why}."));
        });
    }

    /// Sends something in the background whose answer changes nothing.
    pub(super) fn deliver_quietly(&self, path: &str, body: Bytes) {
        let delivery = Delivery {
            path: path.to_owned(),
            body,
            caller: None,
            context: None,
            actor_id: true,
            traceparent: None,
            deadline: MISMATCH_DEADLINE,
        };
        let path = path.to_owned();
        self.deliver(delivery, move |client, result| {
            let why = match result {
                Some(Ok(answer)) if answer.status < 300 => return,
                Some(Ok(answer)) => format!("status {}", answer.status),
                Some(Err(error)) => error.kind().name().to_owned(),
                None => "no answer in time".to_owned(),
            };
            client.log(Level::Debug, format!("{path} came to nothing: {why}."));
        });
    }

    /// Starts the exchange in the background; `done` gets its result, or `None` when the deadline passed.
    fn deliver(&self, delivery: Delivery, done: impl FnOnce(&Self, Option<crate::error::Result<Answer>>) + Send + 'static) {
        let Some(ticket) = self.shared.background.begin() else {
            self.log(Level::Warning, format!("A report to the vault was dropped: {MOST_PENDING} are under way already."));
            return;
        };
        let client = self.clone();
        let task = async move {
            let exchange = client.exchange(Exchange {
                method: http::Method::POST,
                path: &delivery.path,
                body: delivery.body,
                caller: delivery.caller.as_deref(),
                context: delivery.context.as_deref(),
                actor_id: delivery.actor_id,
                idempotency_key: None,
                traceparent: delivery.traceparent.as_deref(),
                patience: None,
            });
            let result = first(exchange, client.shared.host.sleep(delivery.deadline)).await;
            done(&client, result);
            drop(ticket);
        };
        if self.shared.host.spawn(Box::pin(task)).is_err() {
            self.log(Level::Warning, "A report to the vault was dropped: the program is ending.");
        }
    }
}

struct Delivery {
    path: String,
    body: Bytes,
    caller: Option<String>,
    context: Option<String>,
    actor_id: bool,
    traceparent: Option<String>,
    deadline: Duration,
}

/// The call, as a log may name it.
struct Told {
    grant_id: String,
    method: String,
    url: String,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "grant {}, {} {}", self.grant_id, self.method, crate::url::for_log(&self.url))
    }
}

/// The first future's result, unless the second ends before it.
async fn first<T>(work: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut limit) = (std::pin::pin!(work), std::pin::pin!(limit));
    std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(result) = work.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(result));
        }
        limit.as_mut().poll(context).map(|()| None)
    })
    .await
}

fn audit_body(call: &Call, report: &AuditReport<'_>) -> String {
    let answer = match report.outcome {
        Outcome::Answered(answer) if answer.body.len() <= LARGEST_RECORDED_BODY => answer.body.len(),
        _ => 0,
    };
    let mut members = Members::with_capacity(USUAL_REPORT + answer);
    members.text("grant_id", &report.token.grant_id);
    members.text("provider_id", &report.token.provider_id);
    members.optional_text("token_generation", report.token.token_generation.as_deref());
    members.text("method", call.request.method.as_str());
    members.text("url", &call.reported_url);
    let shown = report.request_headers.iter().filter(|(name, _)| !is_sensitive_header(name));
    members.map("request_headers", shown);
    members.json("request_body", &request_body(&call.request.payload));
    match report.outcome {
        Outcome::Answered(answer) => {
            members.json("response_status", &answer.status.to_string());
            members.map("response_headers", &response_headers(answer));
            members.text("response_body", &recorded_bytes(&answer.body, "response"));
        }
        Outcome::Failed(error) => {
            members.json("response_status", "0");
            members.json("response_headers", "null");
            let what = match error {
                TransportError::Timeout => format!("timeout after {}ms", report.elapsed.as_millis()),
                TransportError::Failed(_) => "network".to_owned(),
            };
            members.text("response_body", &format!("<transport error: {what}>"));
        }
    }
    members.json("latency_ms", &report.elapsed.as_millis().to_string());
    members.json("reason", call.reason.as_deref().unwrap_or("null"));
    match &call.context {
        None => members.json("context", "null"),
        Some(context) => members.map("context", context),
    }
    json::ascii(members.finish())
}

/// Whether a header may hold a secret of anybody's, so that it stands in no record. Case does not matter.
pub fn is_sensitive_header(name: &str) -> bool {
    SENSITIVE_HEADERS.iter().any(|sensitive| name.eq_ignore_ascii_case(sensitive))
}

fn response_headers(answer: &Answer) -> Vec<(String, String)> {
    let names = answer.headers.keys().map(http::HeaderName::as_str).filter(|name| !is_sensitive_header(name));
    names.filter_map(|name| Some((name.to_owned(), answer.joined_header(name)?))).collect()
}

/// The request body as JSON: JSON as it is, anything else as text.
fn request_body(payload: &Payload) -> String {
    match payload {
        Payload::None => "null".to_owned(),
        Payload::Json(text) if text.len() > LARGEST_RECORDED_JSON => json::string(&format!("<request too large: {} bytes>", text.len())),
        Payload::Json(text) => text.clone(),
        Payload::Form(text) => json::string(&recorded_bytes(text.as_bytes(), "request")),
        Payload::Raw(bytes) => json::string(&recorded_raw(bytes)),
    }
}

/// A raw body: its text, or a marker if it is no text or too much of it.
fn recorded_raw(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= LARGEST_RECORDED_BODY => text.to_owned(),
        _ => format!("<binary body: {} bytes>", bytes.len()),
    }
}

/// A body as it is recorded and as errors show it: text of at most [`LARGEST_RECORDED_BODY`] bytes, or a marker.
pub(super) fn recorded_bytes(bytes: &[u8], what: &str) -> String {
    if bytes.len() > LARGEST_RECORDED_BODY {
        return format!("<{what} too large: {} bytes>", bytes.len());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("<binary {what}: {} bytes>", bytes.len()),
    }
}

/// The vault's words for why it did not record a report.
fn refusal(answer: &Answer) -> String {
    let body = (answer.body.len() <= LARGEST_REFUSAL_READ).then(|| serde_json::from_slice::<Value>(&answer.body).ok()).flatten();
    let said = body.as_ref().and_then(|body| {
        let detail = body.get("detail");
        body.get("message").and_then(Value::as_str).or_else(|| detail?.as_str()).or_else(|| detail?.get("message")?.as_str())
    });
    match said {
        None => format!("status {}", answer.status),
        Some(said) => format!("status {}, {}", answer.status, crate::error::cut(said, LONGEST_REFUSAL_SHOWN)),
    }
}

fn mismatch_body(call: &Call, missing: Option<&[String]>, header: Option<&str>) -> String {
    const MOST_SCOPES: usize = 50;
    const LONGEST_SCOPE: usize = 256;
    const LONGEST_HEADER: usize = 4096;
    const LONGEST_URL: usize = 2048;
    let cut = |text: &str, longest: usize| text.chars().take(longest).collect::<String>();
    let missing: Option<Vec<String>> = missing.map(|list| list.iter().take(MOST_SCOPES).map(|scope| cut(scope, LONGEST_SCOPE)).collect());
    let mut members = Members::default();
    members.value("provider_status_code", &403.into());
    members.text("provider_error_code", "insufficient_scope");
    members.value("missing_scopes", &missing.into());
    members.value("raw_www_authenticate", &header.map(|text| cut(text, LONGEST_HEADER)).into());
    members.text("api_endpoint", &cut(&call.reported_url, LONGEST_URL));
    members.text("detection_source", "www_authenticate_rfc6750");
    members.text("sdk_correlation_id", &correlation_id());
    json::ascii(members.finish())
}

/// 22 base64url characters. Without random numbers it says so: it only helps to find two log lines that belong together.
fn correlation_id() -> String {
    use base64::Engine as _;
    let mut bytes = [0u8; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes),
        Err(_) => hex(&bytes[..11]),
    }
}
