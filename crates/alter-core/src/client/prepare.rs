//! `request()`, first step: every check that needs no network, in the order that decides which of several mistakes is told.

use http::header::{HeaderName, HeaderValue};

use super::args::{Arg, Body, JsonText, RequestArgs};
use super::options::check_caller;
use super::{Client, ClientKind, lock};
use crate::encoding::form_join;
use crate::error::{Error, Kind, Result};
use crate::host::{Host, Level};
use crate::injection::{Payload, PlainRequest, merged_for_aws};
use crate::url::query::{self, QueryParams};
use crate::url::{ProviderUrl, quoted, template};
use crate::{context, json, sigv4};

/// A call that passed every local check and waits to be sent.
pub struct PreparedRequest<H: Host> {
    pub(super) client: Client<H>,
    pub(super) call: Call,
}

/// The checked arguments.
pub(super) struct Call {
    pub(super) request: PlainRequest,
    /// The URL as the vault, errors and the audit row name it: filled in, not normalized, without `query_params`.
    pub(super) reported_url: String,
    pub(super) address: Address,
    pub(super) reason: Option<JsonText>,
    /// `None` if neither the call nor its surroundings brought one; an empty one is recorded as such.
    pub(super) context: Option<Vec<(String, String)>>,
    pub(super) context_header: Option<String>,
    pub(super) caller: Option<String>,
    pub(super) user_token: Option<String>,
    pub(super) traceparent: Option<String>,
}

/// Which grant is meant. JSON texts go out as the caller wrote them.
pub(super) enum Address {
    Grant(JsonText),
    Provider { provider: JsonText, app_user_id: Option<String>, account: Option<JsonText>, label: Option<String> },
}

impl Address {
    /// The `grant_id` argument as JSON, null when the grant is found by provider.
    pub(super) fn grant_id(&self) -> serde_json::Value {
        match self {
            Self::Grant(id) => serde_json::from_str(id).unwrap_or_default(),
            Self::Provider { .. } => serde_json::Value::Null,
        }
    }
}

impl<H: Host> Client<H> {
    /// Checks the arguments of `request()`.
    ///
    /// # Errors
    /// `AlterValueError` for an argument that is refused, `AlterSDKError` for missing or contradicting addressing and for a closed client.
    pub fn prepare(&self, args: RequestArgs) -> Result<PreparedRequest<H>> {
        if args.grant_id.is_given() && !args.provider.is_given() {
            self.warn_of_impersonation();
        }
        let user_token = non_empty("user_token", args.user_token)?;
        let app_user_id = non_empty("app_user_id", args.app_user_id)?;
        if app_user_id.is_some() && !args.provider.is_given() {
            return Err(Error::invalid("app_user_id needs provider: a grant_id names one grant already."));
        }
        let label = label(args.label, args.provider.is_given())?;
        let address = address(args.grant_id, args.provider, args.account, label, app_user_id)?;
        let payload = payload(args.json, args.body)?;
        self.check_open()?;
        *lock(&self.view.retry_info) = None;

        let method = method(args.method)?;
        let template = required_text("url", args.url)?;
        let parameters = args.path_params.get("path_params", "a map of text to text")?.unwrap_or_default();
        let reported_url = template::fill(&template, &parameters)?;
        let url = ProviderUrl::parse(&reported_url)?;
        let query_params = args.query_params.get("query_params", "a map")?;
        check_sendable(&url, query_params.as_ref())?;
        let caller = override_caller(args.caller)?;
        let context = args
            .context
            .get("context", "a map of text to text")?
            .or_else(|| Some(args.ambient_context).filter(|ambient| !ambient.is_empty()));
        let context_header = context::header(context.as_deref().unwrap_or_default())?;
        let headers = headers(args.extra_headers, args.headers, &payload)?;
        let reason = args.reason.get("reason", "text")?;
        let call = Call {
            request: PlainRequest { method, url, query_params, headers, payload },
            reported_url,
            address,
            reason,
            context,
            context_header,
            caller,
            user_token,
            traceparent: args.traceparent,
        };
        Ok(PreparedRequest { client: self.clone(), call })
    }

    fn warn_of_impersonation(&self) {
        let first = || !self.shared.warned_impersonation.swap(true, std::sync::atomic::Ordering::AcqRel);
        if self.shared.options.kind == ClientKind::Impersonation && first() {
            self.log(
                Level::Notice,
                "This agent uses the application's key: it can reach grants that were never delegated to it. \
                 Give the agent its own key (Agent) to limit it.",
            );
        }
    }
}

impl<H: Host> PreparedRequest<H> {
    /// Whether the program should be asked for the end user's token: it should, unless the call brought one.
    pub fn wants_user_token(&self) -> bool {
        self.call.user_token.is_none()
    }

    /// Checks what the program's token getter gave.
    ///
    /// # Errors
    /// `AlterSDKError` unless it is text that is not empty. What the getter raised or returned is never repeated.
    pub fn set_user_token(&mut self, token: Arg<String>) -> Result<()> {
        match token {
            Arg::Value(token) if !token.is_empty() => {
                self.call.user_token = Some(token);
                Ok(())
            }
            _ => Err(user_token_getter_failed("gave no token")),
        }
    }
}

/// The error for a token getter that failed. `how` says in words of ours what it did; its own exception may hold anything.
pub fn user_token_getter_failed(how: &str) -> Error {
    let text = format!("user_token_getter {how}. It must return the signed-in user's JWT; answer 401 if nobody is signed in.");
    Error::new(Kind::AlterSdk, text).with_code("user_token_unavailable")
}

fn non_empty(field: &str, arg: Arg<String>) -> Result<Option<String>> {
    match arg.get(field, "text")? {
        Some(text) if text.is_empty() => Err(Error::invalid(format!("{field} is empty. Leave it out, or give a value."))),
        other => Ok(other),
    }
}

fn required_text(field: &str, arg: Arg<String>) -> Result<String> {
    arg.get(field, "text")?.ok_or_else(|| Error::invalid(format!("{field} is missing.")))
}

fn label(arg: Arg<String>, has_provider: bool) -> Result<Option<String>> {
    let label = non_empty("label", arg)?;
    if label.is_some() && !has_provider {
        return Err(Error::invalid("label needs provider: a grant_id names one grant already."));
    }
    Ok(label)
}

fn address(
    grant_id: Arg<JsonText>,
    provider: Arg<JsonText>,
    account: Arg<JsonText>,
    label: Option<String>,
    app_user_id: Option<String>,
) -> Result<Address> {
    let refuse = |text: &str| Err(Error::new(Kind::AlterSdk, text).with_code("invalid_argument"));
    match (grant_id.is_given(), provider.is_given()) {
        (false, false) => return refuse("request() needs grant_id or provider, to know whose credential to use."),
        (true, true) => return refuse("request() takes grant_id or provider, not both."),
        _ => {}
    }
    if let Some(grant_id) = grant_id.get("grant_id", "text")? {
        return Ok(Address::Grant(grant_id));
    }
    let provider = provider.get("provider", "text")?.ok_or_else(|| Error::invalid("provider is missing."))?;
    // An empty account is none: programs hand on an optional value without looking.
    let account = account.get("account", "text")?.filter(|text| !is_falsy(text));
    Ok(Address::Provider { provider, app_user_id, account, label })
}

/// Whether a JSON text is null, false, zero or empty.
fn is_falsy(text: &str) -> bool {
    matches!(text, "null" | "false" | "\"\"" | "[]" | "{}") || text.parse::<f64>().is_ok_and(|number| number == 0.0)
}

fn payload(json: Arg<JsonText>, body: Arg<Body>) -> Result<Payload> {
    if json.is_given() && body.is_given() {
        return Err(Error::new(Kind::AlterSdk, "request() takes json or body, not both.").with_code("invalid_argument"));
    }
    if let Some(text) = json.get("json", "a value that JSON can hold")? {
        json::check("json", &text)?;
        return Ok(Payload::Json(text));
    }
    Ok(match body.get("body", "bytes, text, or a map that is sent as a form")? {
        None => Payload::None,
        Some(Body::Raw(bytes)) => Payload::Raw(bytes),
        Some(Body::Form(pairs)) => Payload::Form(form_join(&query::pairs(&pairs))),
    })
}

fn method(arg: Arg<String>) -> Result<http::Method> {
    let method = required_text("method", arg)?;
    http::Method::from_bytes(method.to_uppercase().as_bytes())
        .map_err(|_| Error::invalid(format!("method is not an HTTP method: {}. Use for example \"GET\".", quoted(&method))))
}

/// Refuses a URL that is too long in both forms in which it could be sent; which one it will be is known only after the token answer.
fn check_sendable(url: &ProviderUrl, parameters: Option<&QueryParams>) -> Result<()> {
    let plain = url.with_parameters(parameters);
    plain.to_uri()?;
    let plain = plain.check_length();
    let signed = || url.with_query(sigv4::encode_query(&merged_for_aws(url, parameters))).check_length();
    plain.or_else(|too_long| signed().map_err(|_| too_long))
}

fn override_caller(arg: Arg<String>) -> Result<Option<String>> {
    let Some(caller) = arg.get("caller", "text")? else { return Ok(None) };
    check_caller(&caller)?;
    if caller.trim() != caller {
        return Err(Error::invalid("caller begins or ends with a space, which HTTP drops. Remove it."));
    }
    Ok(Some(caller))
}

fn headers(
    extra_headers: Arg<Vec<(String, String)>>,
    headers: Arg<Vec<(String, String)>>,
    payload: &Payload,
) -> Result<Vec<(String, String)>> {
    if extra_headers.is_given() && headers.is_given() {
        return Err(Error::invalid("extra_headers and headers are two names of one argument; give one."));
    }
    let (field, arg) = if headers.is_given() { ("headers", headers) } else { ("extra_headers", extra_headers) };
    let given = arg.get(field, "a map of text to text")?.unwrap_or_default();
    for (name, value) in &given {
        check_header(field, name, value)?;
    }
    frame(field, given, payload)
}

/// Checks before anything is sent what would fail in the middle of the call otherwise.
fn check_header(field: &str, name: &str, value: &str) -> Result<()> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(Error::invalid(format!("{field} has a name that is no header name: {}.", quoted(name))));
    }
    // The value is not quoted: it may be a secret.
    let name = quoted(name);
    if !value.is_ascii() || HeaderValue::from_str(value).is_err() {
        return Err(Error::invalid(format!(
            "{field}[{name}] has a line break, a control character or one outside ASCII; a header cannot hold it."
        )));
    }
    if value.trim_matches([' ', '\t']) != value {
        return Err(Error::invalid(format!("{field}[{name}] begins or ends with a space, which HTTP drops. Remove it.")));
    }
    Ok(())
}

/// The engine knows the whole body and frames it itself: the caller's framing headers are dropped if they are right and refused if not.
fn frame(field: &str, given: Vec<(String, String)>, payload: &Payload) -> Result<Vec<(String, String)>> {
    let mut kept = Vec::with_capacity(given.len());
    for (name, value) in given {
        if name.eq_ignore_ascii_case("content-length") {
            let length = payload_length(payload);
            if value.parse() != Ok(length) {
                return Err(Error::invalid(format!(
                    "{field}['Content-Length'] is {} and the body has {length} bytes. Leave it out.",
                    quoted(&value)
                )));
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(Error::invalid(format!("{field}['Transfer-Encoding'] cannot be set. Leave it out.")));
            }
        } else {
            kept.push((name, value));
        }
    }
    Ok(kept)
}

fn payload_length(payload: &Payload) -> usize {
    match payload {
        Payload::None => 0,
        Payload::Json(text) | Payload::Form(text) => text.len(),
        Payload::Raw(bytes) => bytes.len(),
    }
}
