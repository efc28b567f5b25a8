//! Building the provider request: where the credential goes in, and what may be shown of it afterwards.
//!
//! A client does this with the token answer that the vault gave it; the vault does the same for the calls that it makes itself.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use time::OffsetDateTime;

use crate::client::{JsonText, SentRequest};
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;
use crate::sigv4;
use crate::token::{AWS_SIGV4_FORMAT, InjectionRule, InjectionTarget, TokenAnswer, ValueSource};
use crate::url::ProviderUrl;
use crate::url::query::{self, QueryParams};

/// Headers of a proxied call that are the credential's or the vault's, never the caller's, in lower case.
const RESERVED_HEADERS: &[&str] = &[
    "authentication",
    "authorization",
    "cookie",
    "host",
    "proxy-authorization",
    "set-cookie",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-goog-authorization",
    "x-goog-iam-authorization-token",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-shopify-access-token",
    "x-stripe-account",
];

/// Whether a proxied call may not set a header. The name is compared as it is meant: without blanks around it, in any case.
///
/// ```
/// assert!(alter_core::injection::is_reserved_header(" Authorization"));
/// assert!(!alter_core::injection::is_reserved_header("accept"));
/// ```
pub fn is_reserved_header(name: &str) -> bool {
    RESERVED_HEADERS.binary_search(&name.trim().to_ascii_lowercase().as_str()).is_ok()
}

/// A provider request without its credential. Names and values of the headers were checked before.
pub struct PlainRequest {
    /// The method.
    pub method: http::Method,
    /// The URL.
    pub url: ProviderUrl,
    /// Parameters that take the place of the URL's own.
    pub query_params: Option<QueryParams>,
    /// The caller's headers, in their order and spelling.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: Payload,
}

/// The body of a provider request.
pub enum Payload {
    /// None.
    None,
    /// Compact text in UTF-8.
    Json(JsonText),
    /// Bytes as they are, without a content type of the engine's.
    Raw(Bytes),
    /// A form, encoded.
    Form(String),
}

/// The request to send, and its harmless double.
pub struct Injected {
    /// Holds the credential.
    pub request: http::Request<Bytes>,
    /// What the caller may look at.
    pub sent: SentRequest,
    /// The headers for the audit report: the caller's own and the user agent, less every injected name.
    pub recorded_headers: Vec<(String, String)>,
    /// Headers of the caller's that gave way to the credential, as the caller wrote them.
    pub overwritten: Vec<String>,
}

/// Puts the credential of a token answer into a request. `now` is for signatures that hold the time.
///
/// # Errors
/// `BackendError` if the credential cannot be sent as the vault asks; `AlterValueError` if the URL grew too long.
pub fn inject(call: &PlainRequest, token: &TokenAnswer, user_agent: &str, now: OffsetDateTime) -> Result<Injected> {
    let builder = Builder::new(call, user_agent);
    match &token.additional_credentials {
        Some(_) if token.injection_format.starts_with(AWS_SIGV4_FORMAT) => builder.sign_for_aws(call, token, now),
        _ => builder.fill_in(call, token),
    }
}

struct Builder {
    /// The caller's headers, to which the credential is added.
    headers: HeaderMap,
    /// Headers without any credential, in the caller's order and spelling.
    shown: Vec<(String, String)>,
    user_agent: HeaderValue,
    injected: Vec<HeaderName>,
}

impl Builder {
    fn new(call: &PlainRequest, user_agent: &str) -> Self {
        let mut headers = HeaderMap::with_capacity(call.headers.len() + 8);
        for (name, value) in &call.headers {
            // Both were checked when the call was prepared.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        let user_agent = HeaderValue::from_str(user_agent).unwrap_or(HeaderValue::from_static("alter-sdk"));
        Self { headers, shown: call.headers.clone(), user_agent, injected: Vec::new() }
    }

    /// Header by format, then the additional rules in their order.
    fn fill_in(mut self, call: &PlainRequest, token: &TokenAnswer) -> Result<Injected> {
        let body = match &call.payload {
            Payload::None => Bytes::new(),
            Payload::Json(text) => self.typed_body("application/json", text),
            Payload::Form(text) => self.typed_body("application/x-www-form-urlencoded", text),
            Payload::Raw(bytes) => bytes.clone(),
        };
        let value = Secret::new(token.injection_format.replacen("{token}", token.access_token.expose(), 1));
        self.set_secret(&token.injection_header, &value)?;
        let mut in_query = Vec::new();
        for rule in &token.additional_injections {
            // A part that the vault does not have is skipped: the rule says where it would go.
            let Some(value) = part(token, rule) else { continue };
            match rule.target {
                InjectionTarget::Header => self.set_secret(&rule.key, value)?,
                InjectionTarget::QueryParam => {
                    in_query.retain(|(name, _)| *name != rule.key);
                    in_query.push((rule.key.clone(), value.expose().to_owned()));
                }
            }
        }
        let plain_url = call.url.with_parameters(call.query_params.as_ref());
        if in_query.is_empty() {
            return self.finish(call, &plain_url, &plain_url, body);
        }
        let url = plain_url.with_query(query::merge(plain_url.query(), &in_query));
        self.finish(call, &plain_url, &url, body)
    }

    /// Signature Version 4: the vault's injection header and rules do not apply.
    fn sign_for_aws(mut self, call: &PlainRequest, token: &TokenAnswer, now: OffsetDateTime) -> Result<Injected> {
        let body = match &call.payload {
            Payload::None => Bytes::new(),
            // The public package signs JSON in this spelling; stored request hashes depend on it.
            Payload::Json(text) => self.typed_body("application/json", &crate::json::spaced_ascii(text)),
            Payload::Form(text) => self.typed_body("application/x-www-form-urlencoded", text),
            Payload::Raw(bytes) => bytes.clone(),
        };
        let url = call.url.with_query(sigv4::encode_query(&merged_for_aws(&call.url, call.query_params.as_ref())));
        let secret_key = token.credential("secret_key").ok_or_else(|| unusable("is an AWS credential without its secret key"))?;
        let endpoint = aws_endpoint(&url, token)?;
        let host = self.headers.get(HOST).and_then(|h| h.to_str().ok()).map_or_else(|| url.authority(), str::to_owned);
        let signed = sigv4::sign(
            &sigv4::Request { method: call.method.as_str(), url: &url, host: &host, body: &body },
            &sigv4::Credentials {
                access_key_id: token.access_token.expose(),
                secret_key,
                session_token: token.credential("session_token"),
                endpoint: &endpoint,
            },
            now,
        );
        self.set_secret(AUTHORIZATION.as_str(), &signed.authorization)?;
        self.set_secret("x-amz-date", &Secret::new(signed.date))?;
        self.set_secret("x-amz-content-sha256", &Secret::new(signed.content_sha256))?;
        if let Some(session_token) = &signed.security_token {
            self.set_secret("x-amz-security-token", session_token)?;
        }
        self.finish(call, &url, &url, body)
    }

    /// A body of the engine's making, with its type unless the caller gave one.
    fn typed_body(&mut self, content_type: &'static str, text: &str) -> Bytes {
        if !self.headers.contains_key(CONTENT_TYPE) {
            self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Bytes::copy_from_slice(text.as_bytes())
    }

    /// Sets a header, in place of any of that name whatever its case. The value is marked, so that nothing prints it.
    fn set_secret(&mut self, name: &str, value: &Secret) -> Result<()> {
        let unsendable = || unusable("cannot stand in an HTTP header");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        let text = value.expose();
        if !text.is_ascii() || text.trim_matches([' ', '\t']) != text {
            return Err(unsendable());
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| unsendable())?;
        value.set_sensitive(true);
        self.headers.insert(name.clone(), value);
        self.injected.push(name);
        Ok(())
    }

    fn finish(mut self, call: &PlainRequest, shown_url: &ProviderUrl, url: &ProviderUrl, body: Bytes) -> Result<Injected> {
        url.check_length()?;
        let uri = url.to_uri()?;
        let injected = std::mem::take(&mut self.injected);
        let is_injected = |name: &str| injected.iter().any(|other| name.eq_ignore_ascii_case(other.as_str()));
        let overwritten = self.shown.extract_if(.., |(name, _)| is_injected(name)).map(|(name, _)| name).collect();
        if !self.headers.contains_key(USER_AGENT) {
            let text = self.user_agent.to_str().unwrap_or_default().to_owned();
            self.shown.push(("User-Agent".to_owned(), text));
            self.headers.insert(USER_AGENT, self.user_agent.clone());
        }
        let recorded_headers = self.shown.clone();
        let mut shown = self.shown;
        let has_type = shown.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(content_type) = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).filter(|_| !has_type) {
            shown.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        let sent = SentRequest { method: call.method.as_str().to_owned(), url: shown_url.to_text(), headers: shown, body: body.clone() };
        let mut request = http::Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        Ok(Injected { request, sent, recorded_headers, overwritten })
    }
}

/// The pairs of an AWS-signed request: `query_params` join the URL's own, by name.
pub(crate) fn merged_for_aws(url: &ProviderUrl, parameters: Option<&QueryParams>) -> Vec<(String, String)> {
    let extra = parameters.map(query::pairs).unwrap_or_default();
    let mut pairs = sigv4::split_query(url.query().unwrap_or_default());
    pairs.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
    pairs.extend(extra);
    pairs
}

fn part<'a>(token: &'a TokenAnswer, rule: &InjectionRule) -> Option<&'a Secret> {
    match &rule.source {
        ValueSource::Token => Some(&token.access_token),
        ValueSource::Additional(name) => token.credential(name),
    }
}

/// What the host says wins over the credential: a credential for S3 signs a request to STS as one to STS.
fn aws_endpoint(url: &ProviderUrl, token: &TokenAnswer) -> Result<sigv4::Endpoint> {
    if let Some(endpoint) = sigv4::endpoint_of(url.host()) {
        return Ok(endpoint);
    }
    let named = |name: &str| token.credential(name).map(|value| value.expose().to_owned());
    match (named("region"), named("service")) {
        (Some(region), Some(service)) => Ok(sigv4::Endpoint { service, region }),
        _ => Err(unusable("is an AWS credential without region and service, and the URL's host does not name them")),
    }
}

fn unusable(what: &str) -> Error {
    let text = format!("The credential that the vault gave {what}, so nothing was sent to the provider. Mend the secret in the vault.");
    Error::new(Kind::Backend, text).with_code("unusable_credential")
}
