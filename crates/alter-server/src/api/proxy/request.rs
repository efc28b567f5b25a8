//! What a client asks the vault to call. Everything that no grant could make right is refused here.

use alter_core::injection::is_reserved_header;
use alter_core::url::ProviderUrl;
use alter_core::url::query::{self, QueryParams, QueryValue};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::redaction;
use crate::api::addressing::{Wanted, invalid, text};
use crate::api::pipeline::note;
use crate::api::refusal::Refusal;
use crate::audit::AuditEntry;

const LONGEST_IDEMPOTENCY_KEY: usize = 255;
/// Headers that frame a message or speak of one connection: HTTP's own, and not the client's to set.
const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// The body of `POST /sdk/proxy`, checked.
pub struct ProxyRequest {
    /// The grant.
    pub wanted: Wanted,
    /// The method.
    pub method: Method,
    /// The URL with all its parameters but the credential's.
    pub url: ProviderUrl,
    /// The headers, in the client's order and spelling.
    pub headers: Vec<(String, String)>,
    /// The body as it will be sent.
    pub body: Option<Bytes>,
    /// Why, in the client's words.
    pub reason: Option<String>,
    /// The user's token.
    pub user_token: Option<String>,
    /// Under which the call runs at most once.
    pub idempotency_key: Option<String>,
    /// What was asked for, without who asks and why: what a repetition has to repeat.
    pub repeated: Map<String, Value>,
}

/// The member whose text is kept: no number of a body is ever printed anew.
#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

impl ProxyRequest {
    /// Reads and checks the body of the request.
    ///
    /// # Errors
    /// 400 `invalid_request` for a member of the wrong type or that nobody knows; 422 `blocked_destination` for a URL that cannot be called, and
    /// `query_too_long`.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let no_object = |_| invalid("The body is not a JSON object.");
        let mut members: Map<String, Value> = serde_json::from_slice(body).map_err(no_object)?;
        let kept: Kept<'_> = serde_json::from_slice(body).map_err(no_object)?;
        let user_token = text(&mut members, "user_token")?;
        let reason = text(&mut members, "reason")?;
        let idempotency_key = idempotency_key(&mut members)?;
        let repeated = members.clone();
        members.remove("body");
        let method = method(&mut members)?;
        let url = text(&mut members, "url")?.ok_or_else(|| invalid("url is missing."))?;
        let url = url_with(&url, query_params(&mut members)?)?;
        let mut headers = headers(&mut members)?;
        let wanted = Wanted::take(&mut members)?;
        if !members.is_empty() {
            return Err(invalid("The body has a member that this vault does not know, and it ignores none."));
        }
        let body = kept.body.filter(|body| body.get() != "null").map(|body| Bytes::copy_from_slice(body.get().as_bytes()));
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        Ok(Self { wanted, method, url, headers, body, reason, user_token, idempotency_key, repeated })
    }

    /// Puts into the row what the client said.
    pub fn describe(&self, row: &mut AuditEntry) {
        note(row, |row| row.call(self.method.as_str(), &self.url.to_text()));
        if let Some(reason) = &self.reason {
            note(row, |row| row.reason(reason));
        }
        self.wanted.describe(row);
    }

    /// Takes fields out of the body.
    ///
    /// # Errors
    /// 403 `redact_discharge_failed` if there is a body that is no JSON of ours.
    pub fn redact(&mut self, fields: &[String]) -> Result<(), Refusal> {
        let Some(body) = self.body.as_ref().filter(|_| !fields.is_empty()) else { return Ok(()) };
        let redacted = redaction::redact(body, fields).map_err(|_| {
            let message = "A rule asks to take fields out of the body, and the body cannot be read as JSON.";
            Refusal::forbidden("redact_discharge_failed", message)
        })?;
        self.body = Some(redacted);
        Ok(())
    }
}

fn idempotency_key(members: &mut Map<String, Value>) -> Result<Option<String>, Refusal> {
    let key = text(members, "idempotency_key")?;
    let fits = |key: &String| (1..=LONGEST_IDEMPOTENCY_KEY).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if key.as_ref().is_some_and(|key| !fits(key)) {
        return Err(invalid(format!("idempotency_key must have 1 to {LONGEST_IDEMPOTENCY_KEY} printable ASCII characters.")));
    }
    Ok(key)
}

fn method(members: &mut Map<String, Value>) -> Result<Method, Refusal> {
    let given = text(members, "method")?.ok_or_else(|| invalid("method is missing."))?;
    let method = Method::from_bytes(given.to_ascii_uppercase().as_bytes())
        .map_err(|_| invalid("method is not an HTTP method. Use for example GET."))?;
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(invalid("method is CONNECT or TRACE, which would open a tunnel or show the credential. Use another one."));
    }
    Ok(method)
}

/// The URL with `query_params` beside its own.
fn url_with(text: &str, parameters: QueryParams) -> Result<ProviderUrl, Refusal> {
    let url = ProviderUrl::parse(text).map_err(|error| Refusal::blocked_destination(error.message()))?;
    if parameters.is_empty() {
        return Ok(url);
    }
    let own = url.query().map(str::to_owned).into_iter();
    let merged = own.chain([alter_core::encoding::form_join(&query::pairs(&parameters))]).filter(|part| !part.is_empty());
    let url = url.with_query(Some(merged.collect::<Vec<_>>().join("&")));
    url.check_length().map_err(|error| Refusal::unprocessable("query_too_long", error.message()))?;
    Ok(url)
}

fn query_params(members: &mut Map<String, Value>) -> Result<QueryParams, Refusal> {
    let given = match members.remove("query_params") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(invalid("query_params must be an object.")),
    };
    given.into_iter().map(|(name, value)| query_value(value, true).map(|value| (name, value))).collect()
}

fn query_value(value: Value, may_be_list: bool) -> Result<QueryValue, Refusal> {
    match value {
        Value::Null => Ok(QueryValue::Null),
        Value::Bool(value) => Ok(QueryValue::Bool(value)),
        Value::Number(number) => Ok(QueryValue::Text(number.to_string())),
        Value::String(text) => Ok(QueryValue::Text(text)),
        Value::Array(values) if may_be_list => {
            values.into_iter().map(|value| query_value(value, false)).collect::<Result<_, _>>().map(QueryValue::List)
        }
        Value::Array(_) | Value::Object(_) => Err(invalid("query_params must hold texts, numbers, true, false, null, and lists of these.")),
    }
}

fn headers(members: &mut Map<String, Value>) -> Result<Vec<(String, String)>, Refusal> {
    let given = match members.remove("headers") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(invalid("headers must be an object.")),
    };
    let mut headers: Vec<(String, String)> = Vec::with_capacity(given.len());
    for (name, value) in given {
        let Value::String(value) = value else { return Err(invalid("headers must hold texts.")) };
        judge_header(&name, &value)?;
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            return Err(invalid("headers names a header twice, in two spellings."));
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// The value is not quoted: it may be a secret.
fn judge_header(name: &str, value: &str) -> Result<(), Refusal> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(invalid("headers has a name that is no header name."));
    }
    let lower = name.to_ascii_lowercase();
    if is_reserved_header(&lower) || OF_THE_CONNECTION.contains(&lower.as_str()) || lower.starts_with("x-alter-") {
        return Err(invalid(format!("headers sets {lower}, which belongs to the vault or to the connection. Leave it out.")));
    }
    if !value.is_ascii() || HeaderValue::from_str(value).is_err() || value.trim_matches([' ', '\t']) != value {
        return Err(invalid(format!(
            "headers[{lower}] has a line break, a control character, one outside ASCII, or a blank at its edge; a header cannot hold it."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GRANT: &str = "00000000-0000-4000-8000-000000000001";

    fn parse(more: Value) -> Result<ProxyRequest, Refusal> {
        let mut body = json!({"method": "post", "url": "https://api.example.com/v1/x", "grant_id": GRANT});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        ProxyRequest::parse(body.to_string().as_bytes())
    }

    fn code(more: Value) -> Option<&'static str> {
        parse(more).err().map(|refusal| refusal.code())
    }

    #[test]
    fn parameters_stand_beside_those_of_the_url() {
        let url = |more| parse(more).map(|asked| asked.url.to_text());
        let query = json!({"url": "https://h.example/p?a=1", "query_params": {"a": [2, null, true], "b c": "ü&", "n": 1.50, "e": []}});
        assert_eq!(url(query).as_deref(), Ok("https://h.example/p?a=1&a=2&a=&a=true&b+c=%C3%BC%26&n=1.5"));
        assert_eq!(url(json!({"query_params": {}})).as_deref(), Ok("https://api.example.com/v1/x"));
        assert_eq!(url(json!({"query_params": {"q": "x"}})).as_deref(), Ok("https://api.example.com/v1/x?q=x"));
        assert_eq!(code(json!({"query_params": {"q": "x".repeat(70_000)}})), Some("query_too_long"));
        for wrong in [json!({"q": {}}), json!({"q": [[1]]}), json!([])] {
            assert_eq!(code(json!({"query_params": wrong})), Some("invalid_request"));
        }
    }

    #[test]
    fn a_body_goes_out_as_it_was_written() {
        let text = r#"{"method":"PUT","url":"https://h.example/","grant_id":"x","body": {"n": 1.50, "big": 123456789012345678901234567890, "e": 1e2} }"#;
        let asked = ProxyRequest::parse(text.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(asked.body.as_deref(), Some(br#"{"n": 1.50, "big": 123456789012345678901234567890, "e": 1e2}"#.as_slice()));
        assert_eq!(asked.headers, [("Content-Type".to_owned(), "application/json".to_owned())]);
        assert_eq!(parse(json!({"body": null})).map(|asked| (asked.body, asked.headers)), Ok((None, Vec::new())));
        let typed = parse(json!({"body": "x", "headers": {"content-type": "application/vnd.x+json"}}));
        assert_eq!(typed.map(|asked| asked.headers.len()), Ok(1));
        let twice = format!(r#"{{"method":"GET","url":"https://h.example/","grant_id":"{GRANT}","body":1,"body":2}}"#);
        assert!(ProxyRequest::parse(twice.as_bytes()).is_err());
    }

    #[test]
    fn headers_that_are_not_the_clients_are_refused() {
        for name in [
            "Host",
            "authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-Api-Key",
            "X-Amz-Date",
            "X-HTTP-Method-Override",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Upgrade",
            "Expect",
            "X-Alter-Caller",
            "x-alter-anything",
        ] {
            let refusal = parse(json!({"headers": {name: "v"}})).err().unwrap_or_else(|| panic!("{name} passed"));
            assert!(refusal.message().contains(&name.to_ascii_lowercase()), "{refusal:?}");
        }
        for (name, value) in [("a b", "v"), ("", "v"), ("x-a", "canary\r\nX-B: c"), ("x-a", "canaryü"), ("x-a", " canary")] {
            let refusal = parse(json!({"headers": {name: value}})).err().unwrap_or_else(|| panic!("{name} passed"));
            assert!(!refusal.message().contains("canary"), "{refusal:?}");
        }
        assert_eq!(code(json!({"headers": {"x-a": "1", "X-A": "2"}})), Some("invalid_request"));
        assert_eq!(code(json!({"headers": {"x-a": 1}})), Some("invalid_request"));
        assert_eq!(code(json!({"headers": {"User-Agent": "mine", "X-A": "", "Accept": "a/b"}})), None);
    }

    #[test]
    fn what_no_grant_could_make_right_is_refused() {
        for (more, expected) in [
            (json!({"method": "PROP FIND"}), "invalid_request"),
            (json!({"method": "connect"}), "invalid_request"),
            (json!({"method": "TRACE"}), "invalid_request"),
            (json!({"method": null}), "invalid_request"),
            (json!({"url": "http://api.example.com/"}), "blocked_destination"),
            (json!({"url": "https://u:p@api.example.com/"}), "blocked_destination"),
            (json!({"url": "/relative"}), "blocked_destination"),
            (json!({"url": "https://api.example.com/\n"}), "blocked_destination"),
            (json!({"url": 1}), "invalid_request"),
            (json!({"provider_id": "github"}), "invalid_request"),
            (json!({"reason": 5}), "invalid_request"),
            (json!({"idempotency_key": ""}), "invalid_request"),
            (json!({"idempotency_key": "ü"}), "invalid_request"),
            (json!({"idempotency_key": "k".repeat(256)}), "invalid_request"),
            (json!({"follow_redirects": true}), "invalid_request"),
        ] {
            assert_eq!(code(more.clone()), Some(expected), "{more}");
        }
        assert_eq!(code(json!({"idempotency_key": "order 17"})), None);
    }
}
