//! Reading a token answer.

use alter_core::secret::Secret;
use alter_core::token::check_access_token;
use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use std::time::Duration;

use super::account::Told;
use super::catalogue::{AnswerShape, Delimiter, LargeLifetime, Provider, Source, ZeroLifetime};
use super::failure::{Failure, FailureKind};
use crate::clock::Timestamp;

/// The longest answer that is read, in bytes.
pub(super) const LONGEST_ANSWER: usize = 128 * 1024;
/// The longest token that clients inject, in bytes.
const LONGEST_TOKEN: usize = 8192;
/// No token lives longer than ten years; a larger number is not a lifetime.
const LONGEST_LIFETIME_S: u64 = 315_360_000;
/// Most scopes that are kept, and most characters of one.
const MOST_SCOPES: usize = 500;
const LONGEST_SCOPE: usize = 512;

/// What a provider gave. `Debug` shows no token.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token; `None` when the answer has none. After a refresh the old one then stays in use.
    pub refresh_token: Option<Secret>,
    /// The ID token.
    pub id_token: Option<Secret>,
    /// When the access token ends; `None` if nobody knows an end.
    pub access_expires_at: Option<Timestamp>,
    /// When the refresh token ends; `None` if nobody knows an end.
    pub refresh_expires_at: Option<Timestamp>,
    /// The scopes that were granted; `None` where the answer does not say, which means: as asked, or as before.
    pub scopes: Option<Vec<String>>,
    /// What else the entry looks up in the answer.
    pub told: Told,
}

impl Tokens {
    /// Reads the answer of a token endpoint. `now` is when the request was sent: a lifetime is counted from there, so that a slow answer does not make a
    /// token look younger than it is.
    ///
    /// # Errors
    /// What the answer means if it brings no usable access token.
    pub(super) fn read(answer: &Response<Bytes>, provider: &Provider, now: Timestamp) -> Result<Self, Failure> {
        let document = parse(answer);
        let endpoint = &provider.token;
        let refused = |document: Option<&Value>| Failure::read(answer, document, endpoint);
        let Some(document) = document else { return Err(refused(None)) };
        let shape = &endpoint.answer;
        let access_token = text(&document, shape.access_token.as_deref().unwrap_or("/access_token"));
        let (Some(access_token), true) = (access_token, answer.status().is_success() && !says_error(&document)) else {
            return Err(refused(Some(&document)));
        };
        let access_token = usable("access token", access_token)?;
        check_type(&document)?;
        let refresh_token = text(&document, shape.refresh_token.as_deref().unwrap_or("/refresh_token"));
        let refresh_token = refresh_token.filter(|token| !token.is_empty()).map(|token| usable("refresh token", token)).transpose()?;
        let default_s = refresh_token.as_ref().and(endpoint.lifetime_s);
        Ok(Self {
            access_token,
            id_token: text(&document, "/id_token").map(Secret::new),
            access_expires_at: access_end(&document, shape, default_s, now),
            refresh_expires_at: refresh_token.as_ref().and_then(|_| refresh_end(&document, shape, provider.refresh.lifetime_s, now)),
            refresh_token,
            scopes: scopes(&document, shape, provider.authorization.scope_delimiter),
            told: Told::look(&document, Source::Token, provider),
        })
    }
}

/// JSON or a form, by what it is: providers are not careful with `Content-Type`.
fn parse(answer: &Response<Bytes>) -> Option<Value> {
    let body = answer.body();
    if let Ok(value @ Value::Object(_)) = serde_json::from_slice(body) {
        return Some(value);
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = ["application/x-www-form-urlencoded", "text/plain", ""].iter().any(|form| kind.split(';').next() == Some(*form));
    if !form || !body.is_ascii() {
        return None;
    }
    let members: Map<String, Value> =
        form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    // Any text is a form of a kind; one without a member that means something is not an answer.
    (members.contains_key("access_token") || members.contains_key("error")).then_some(Value::Object(members))
}

/// An answer that names an error is one, even with a token in it.
fn says_error(document: &Value) -> bool {
    let error = document.get("error").is_some_and(|error| !matches!(error, Value::Null | Value::Bool(false)) && error != "");
    error || document.get("ok") == Some(&Value::Bool(false))
}

fn text<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    document.pointer(pointer).and_then(Value::as_str)
}

/// A token that no client could send is no token.
fn usable(what: &str, token: &str) -> Result<Secret, Failure> {
    let too_long = || (token.len() > LONGEST_TOKEN).then(|| format!("is longer than {LONGEST_TOKEN} bytes"));
    match check_access_token(token).err().or_else(too_long) {
        Some(reason) => Err(Failure::new(FailureKind::Unclear, format!("the provider's {what} {reason}"))),
        None => Ok(Secret::new(token)),
    }
}

/// Tokens that are bound to a key cannot be used like a bearer token; every other type is one in practice.
fn check_type(document: &Value) -> Result<(), Failure> {
    let bound = text(document, "/token_type").filter(|kind| ["dpop", "mac", "pop"].iter().any(|bound| kind.eq_ignore_ascii_case(bound)));
    match bound {
        Some(_) => Err(Failure::new(FailureKind::Misconfigured, "the provider issues tokens that are bound to a key, not bearer tokens")),
        None => Ok(()),
    }
}

fn access_end(document: &Value, shape: &AnswerShape, default_s: Option<u32>, now: Timestamp) -> Option<Timestamp> {
    if let Some(end) = shape.expires_at.as_deref().and_then(|pointer| text(document, pointer)).and_then(Timestamp::parse) {
        return Some(end);
    }
    let default = default_s.map(|seconds| now.plus(Duration::from_secs(seconds.into())));
    match document.get("expires_in").and_then(number) {
        Some(0) if shape.expires_in_zero == Some(ZeroLifetime::Never) => None,
        // A token that had ended when it was issued would be refreshed at every call.
        None | Some(0) => default,
        Some(moment) if moment > LONGEST_LIFETIME_S => match shape.expires_in_large {
            Some(LargeLifetime::UnixTime) => i64::try_from(moment).ok().map(|moment| Timestamp::from_millis(moment.saturating_mul(1000))),
            None => default,
        },
        Some(seconds) => Some(now.plus(Duration::from_secs(seconds))),
    }
}

fn refresh_end(document: &Value, shape: &AnswerShape, default_s: Option<u32>, now: Timestamp) -> Option<Timestamp> {
    let date = shape.refresh_token_expires_at.as_deref().and_then(|pointer| text(document, pointer)).and_then(Timestamp::parse);
    let told = shape.refresh_token_expires_in.as_deref().and_then(|pointer| document.pointer(pointer)).and_then(number);
    let seconds = told.filter(|seconds| (1..=LONGEST_LIFETIME_S).contains(seconds)).or(default_s.map(u64::from));
    date.or_else(|| seconds.map(|seconds| now.plus(Duration::from_secs(seconds))))
}

/// A whole number, also as a text or with a fraction, which is cut off. Anything else says nothing.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok().or_else(|| text.trim().parse().ok().and_then(whole)),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn whole(number: f64) -> Option<u64> {
    (0.0..1e15).contains(&number).then_some(number as u64)
}

/// A list, or a text with delimiters. Scopes that could not be asked for again are left out.
fn scopes(document: &Value, shape: &AnswerShape, usual: Delimiter) -> Option<Vec<String>> {
    let delimiter = shape.scope_delimiter.unwrap_or(usual);
    let apart = |c: char| c.is_ascii_whitespace() || c == delimiter.as_char();
    let found: Vec<&str> = match document.pointer(shape.scope.as_deref().unwrap_or("/scope"))? {
        Value::String(text) => text.split(apart).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let printable = |scope: &&str| !scope.is_empty() && scope.len() <= LONGEST_SCOPE && scope.bytes().all(|b| b.is_ascii_graphic());
    let mut scopes: Vec<String> = Vec::new();
    for scope in found.into_iter().filter(printable).take(MOST_SCOPES) {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Some(scopes)
}

#[cfg(test)]
mod tests;
