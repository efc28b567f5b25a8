//! The rules of single fields. A reason is a clause that follows "… that": it never repeats a value, which may be a secret.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::secret::Secret;

/// Headers that frame or route a request, or speak for a proxy: no credential may be injected as one of them. Lower case.
pub const FORBIDDEN_HEADERS: &[&str] = &[
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "cookie",
    "set-cookie",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-http-method-override",
    "x-method-override",
    "www-authenticate",
    "strict-transport-security",
    "content-security-policy",
];

/// Prefix of the format that asks for AWS Signature Version 4.
pub const AWS_SIGV4_FORMAT: &str = "AWS4-HMAC-SHA256";

pub(super) const MOST_INJECTIONS: usize = 10;
const MOST_CREDENTIALS: usize = 10;
const LONGEST_CREDENTIAL_NAME: usize = 50;
const LONGEST_CREDENTIAL: usize = 8192;
const LONGEST_HEADER_NAME: usize = 60;
const LONGEST_FORMAT: usize = 200;
const LONGEST_RULE_KEY: usize = 100;
const LONGEST_VALUE_SOURCE: usize = 100;
const LONGEST_METADATA: usize = 255;

type Check = Result<(), String>;

fn ensure(holds: bool, reason: &str) -> Check {
    if holds { Ok(()) } else { Err(reason.to_owned()) }
}

/// Whether no credential may be injected as this header, whatever its case.
pub fn is_forbidden_header(name: &str) -> bool {
    FORBIDDEN_HEADERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// A token must fit into a header: not empty, ASCII without control characters (a tab passes), no space at either end.
///
/// # Errors
/// The reason, as a clause.
pub fn check_access_token(token: &str) -> Check {
    ensure(!token.is_empty(), "is empty")?;
    check_header_text(token)?;
    ensure(token.trim_matches(' ') == token, "begins or ends with a space, which HTTP drops")
}

/// What an HTTP header may hold, less what was never meant to be in a credential.
fn check_header_text(value: &str) -> Check {
    ensure(!value.contains(['\r', '\n', '\0']), "contains a line break or NUL")?;
    ensure(value.is_ascii(), "contains characters outside ASCII")?;
    ensure(!value.chars().any(|c| c.is_ascii_control() && c != '\t'), "contains a control character")
}

/// # Errors
/// The reason, as a clause.
pub fn check_injection_header(name: &str) -> Check {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let well_formed = starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    ensure(well_formed, "is not a header name (letters, digits and hyphens, a letter first)")?;
    ensure(name.len() <= LONGEST_HEADER_NAME, "is longer than 60 characters")?;
    ensure(!is_forbidden_header(name), "names a header that no credential may be sent in")
}

/// # Errors
/// The reason, as a clause.
pub fn check_injection_format(format: &str) -> Check {
    ensure(format.chars().count() <= LONGEST_FORMAT, "is longer than 200 characters")?;
    check_header_text(format)?;
    ensure(format.contains("{token}") || format.starts_with(AWS_SIGV4_FORMAT), "has no {token} in it")
}

/// # Errors
/// The reason, as a clause.
pub fn check_additional_credentials(credentials: &[(String, Secret)]) -> Check {
    ensure(credentials.len() <= MOST_CREDENTIALS, "are more than 10")?;
    for (name, value) in credentials {
        let value = value.expose();
        ensure(name.chars().count() <= LONGEST_CREDENTIAL_NAME, "have a name longer than 50 characters")?;
        ensure(!value.trim().is_empty(), "have an empty value")?;
        ensure(value.chars().count() <= LONGEST_CREDENTIAL, "have a value longer than 8192 characters")?;
        ensure(!value.contains(['\r', '\n', '\0']), "have a value with a line break or NUL")?;
    }
    Ok(())
}

/// Where an additional part of the credential goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectionRule {
    /// Header or query parameter.
    pub target: InjectionTarget,
    /// Name of the header or parameter.
    pub key: String,
    /// Which part.
    pub source: ValueSource,
    /// Members that this version does not know. They refuse the whole answer.
    pub(super) unknown_members: Vec<String>,
}

/// The two places that a rule can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectionTarget {
    /// A request header.
    Header,
    /// A parameter of the URL's query.
    QueryParam,
}

/// The value that a rule puts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// `token`: the access token.
    Token,
    /// `additional_credentials.NAME`.
    Additional(String),
}

impl InjectionRule {
    /// Makes a rule from its three texts, for example `("header", "X-User", "additional_credentials.user")`.
    ///
    /// # Errors
    /// The reason, as a clause.
    pub fn new(target: &str, key: &str, value_source: &str) -> Result<Self, String> {
        let rule = serde_json::json!({ "target": target, "key": key, "value_source": value_source });
        Self::from_json(&rule)
    }

    pub(super) fn from_json(rule: &Value) -> Result<Self, String> {
        const KNOWN: [&str; 3] = ["target", "key", "value_source"];
        let rule = rule.as_object().ok_or("is not an object")?;
        let text = |name: &str| rule.get(name).and_then(Value::as_str).ok_or(format!("has no text as its {name}"));
        let target = match text("target")? {
            "header" => InjectionTarget::Header,
            "query_param" => InjectionTarget::QueryParam,
            _ => return Err("has a target other than header and query_param".into()),
        };
        let key = text("key")?;
        check_rule_key(target, key)?;
        let source = value_source(text("value_source")?)?;
        let unknown_members = rule.keys().filter(|name| !KNOWN.contains(&name.as_str())).cloned().collect();
        Ok(Self { target, key: key.to_owned(), source, unknown_members })
    }
}

fn check_rule_key(target: InjectionTarget, key: &str) -> Check {
    let starts_well = key.starts_with(|c: char| c.is_ascii_alphabetic());
    let well_formed = starts_well && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    ensure(well_formed, "has a key that is not letters, digits, hyphens and underscores with a letter first")?;
    ensure(key.len() <= LONGEST_RULE_KEY, "has a key longer than 100 characters")?;
    ensure(target == InjectionTarget::QueryParam || !is_forbidden_header(key), "names a header that no credential may be sent in")
}

fn value_source(text: &str) -> Result<ValueSource, String> {
    ensure(text.len() <= LONGEST_VALUE_SOURCE, "has a value_source longer than 100 characters")?;
    if text == "token" {
        return Ok(ValueSource::Token);
    }
    let name = text.strip_prefix("additional_credentials.").unwrap_or_default();
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let well_formed = starts_well && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    ensure(well_formed, "has a value_source other than token and additional_credentials.NAME")?;
    Ok(ValueSource::Additional(name.to_owned()))
}

/// A lower-case UUID with hyphens.
pub fn is_canonical_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

pub(super) fn canonical_uuid(text: &str) -> Check {
    ensure(is_canonical_uuid(text), "is not a lower-case UUID")
}

pub(super) fn provider_id(text: &str) -> Check {
    ensure(
        text.trim() == text && !has_control(text) && text.chars().count() <= LONGEST_METADATA,
        "is not trimmed text of at most 255 characters",
    )
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_control())
}

/// `token_type`, `expires_in`, `expires_at` and `scopes`: nothing uses them, but a server that gets them wrong is not to be trusted.
pub(super) fn token_metadata(answer: &Map<String, Value>) -> Check {
    let clean = |text: &str| !text.is_empty() && text.trim() == text && !has_control(text);
    if let Some(value) = answer.get("token_type") {
        let fits = |text: &str| clean(text) && text.chars().count() <= LONGEST_METADATA;
        ensure(value.as_str().is_some_and(fits), "has a token_type that is not trimmed text")?;
    }
    if let Some(value) = answer.get("expires_in").filter(|v| !v.is_null()) {
        ensure(value.is_u64(), "has an expires_in that is not a whole number of seconds")?;
    }
    if let Some(value) = answer.get("expires_at").filter(|v| !v.is_null()) {
        ensure(value.as_str().is_some_and(is_timestamp), "has an expires_at that is not an RFC 3339 time")?;
    }
    if let Some(value) = answer.get("scopes") {
        let fits = |list: &Vec<Value>| list.iter().all(|scope| scope.as_str().is_some_and(clean));
        ensure(value.as_array().is_some_and(fits), "has scopes that are not a list of trimmed texts")?;
    }
    Ok(())
}

/// `YYYY-MM-DDThh:mm:ss[.1–9 digits](Z or ±hh:mm)`, upper-case T and Z, a real date.
fn is_timestamp(text: &str) -> bool {
    let shape = text.is_ascii() && text.as_bytes().get(10) == Some(&b'T') && !text.contains(['t', 'z']);
    let fraction = text.split_once('.').map_or(0, |(_, tail)| tail.bytes().take_while(u8::is_ascii_digit).count());
    // A leap second parses in RFC 3339; the contract has none.
    let leap_second = text.get(17..19) == Some("60");
    shape && fraction <= 9 && !leap_second && OffsetDateTime::parse(text, &Rfc3339).is_ok()
}
