//! Reading admin requests: bodies, pages, names, and the app in the path.

use std::num::NonZeroU32;

use axum::body::Body;
use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::refusal::Refusal;
use crate::api::{Vault, body};
use crate::clock::Timestamp;
use crate::model::{App, AppId};
use crate::store::Page;

const MOST_ENTRIES: u32 = 1000;
const USUAL_ENTRIES: u32 = 100;
/// Longest life of a key or grant that can be asked for: a century, so that no date overflows.
const MOST_SECONDS: u64 = 100 * 366 * 86_400;

/// Query parameters, refused in the vault's own words if they cannot be read.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(_) => Err(invalid("The query cannot be read: a parameter is not of its type, such as limit=20.")),
        }
    }
}

/// `?after=ID&limit=N`.
#[derive(Debug, Deserialize)]
pub struct PageQuery {
    after: Option<String>,
    limit: Option<u32>,
}

impl PageQuery {
    /// The page asked for.
    ///
    /// # Errors
    /// 400 naming the parameter.
    pub fn page<I>(&self, parse: impl Fn(&str) -> Option<I>) -> Result<Page<I>, Refusal> {
        let after = match &self.after {
            None => None,
            Some(text) => Some(parse(text).ok_or_else(|| invalid("after must be the last id of the page before."))?),
        };
        Ok(Page { after, limit: limit(self.limit)? })
    }
}

/// A `limit` parameter, 100 by default.
///
/// # Errors
/// 400 if it is not 1 to 1000.
pub fn limit(asked: Option<u32>) -> Result<NonZeroU32, Refusal> {
    let asked = asked.unwrap_or(USUAL_ENTRIES);
    NonZeroU32::new(asked).filter(|_| asked <= MOST_ENTRIES).ok_or_else(|| invalid(format!("limit must be 1 to {MOST_ENTRIES}.")))
}

/// A JSON body.
///
/// # Errors
/// 400 naming an unknown or missing member. Other faults are placed by line and column only: their text could quote a secret value.
pub async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = body::read(body).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let text = error.to_string();
        let names_only = ["unknown field `", "missing field `", "unknown variant `"].iter().any(|start| text.starts_with(start));
        let what = if names_only { text } else { format!("it is not as expected at line {}, column {}", error.line(), error.column()) };
        invalid(format!("The body cannot be read: {what}."))
    })
}

/// The app that the path names, by name or id.
///
/// # Errors
/// 404 `app_not_found`.
pub async fn app(vault: &Vault, named: &str) -> Result<App, Refusal> {
    let found = match AppId::parse(named) {
        Some(id) => vault.store.app(id).await,
        None => vault.store.app_by_name(named.to_owned()).await,
    };
    found?.ok_or_else(|| not_found("app", named, "alter app list"))
}

/// 404 for a thing that the operator named. Operators see everything, so the name may be repeated.
pub fn not_found(kind: &'static str, named: &str, list: &str) -> Refusal {
    let code = match kind {
        "app" => "app_not_found",
        "key" => "key_not_found",
        "secret" => "secret_not_found",
        "grant" => "grant_not_found",
        "agent" => "agent_not_found",
        "provider" => "provider_not_found",
        "spec" => "spec_not_found",
        "policy" => "policy_not_found",
        "approval" => "approval_not_found",
        _ => "operator_not_found",
    };
    let shown: String = named.chars().filter(|c| !c.is_control()).take(80).collect();
    Refusal::new(http::StatusCode::NOT_FOUND, code, format!("There is no {kind} {shown:?}."))
        .with("help", format!("`{list}` shows what there is"))
}

/// A name that goes into commands and URLs: 1 to 63 of `a–z 0–9 - _`, a letter or digit first.
///
/// # Errors
/// 400 naming the member.
pub fn check_name(member: &str, name: &str) -> Result<(), Refusal> {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    // A name that reads like an id would hide that id.
    if plain && starts_well && name.len() <= 63 && uuid::Uuid::parse_str(name).is_err() {
        return Ok(());
    }
    Err(invalid(format!("{member} must be 1 to 63 of a-z, 0-9, - and _, begin with a letter or digit, and not be a UUID.")))
}

/// A text for people.
///
/// # Errors
/// 400 naming the member.
pub fn check_label(member: &str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() <= 255 && !text.chars().any(char::is_control) && text.trim() == text {
        return Ok(());
    }
    Err(invalid(format!("{member} must be at most 255 characters, without control characters and outer spaces.")))
}

/// The end of a life of `expires_in` seconds from now.
///
/// # Errors
/// 400 if it is 0 or beyond a century.
pub fn expiry(expires_in: Option<u64>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    match expires_in {
        None => Ok(None),
        Some(seconds) if (1..=MOST_SECONDS).contains(&seconds) => Ok(Some(now.plus(std::time::Duration::from_secs(seconds)))),
        Some(_) => Err(invalid("expires_in must be a number of seconds between 1 and a century.")),
    }
}

/// 400 `invalid_request`.
pub fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}
