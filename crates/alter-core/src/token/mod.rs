//! The answer of `POST /sdk/token`: read strictly, because what follows sends a credential to where it says.
//!
//! The checks of single fields are public: the vault refuses, when a secret is stored, what a client would refuse later.

mod checks;

use serde_json::{Map, Value};

pub use crate::model::{RetryErrorInfo, RetryInfo};
pub use checks::{
    AWS_SIGV4_FORMAT, FORBIDDEN_HEADERS, InjectionRule, InjectionTarget, ValueSource, check_access_token, check_additional_credentials,
    check_injection_format, check_injection_header, is_canonical_uuid, is_forbidden_header,
};

use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// What a call needs from the vault: the credential and where it goes.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    /// The token, API key, or AWS access key id.
    pub access_token: Secret,
    /// The grant that was used; it may differ from the one asked for.
    pub grant_id: String,
    /// The provider's id or the secret's slug; may be empty.
    pub provider_id: String,
    /// Whether the vault knows that the grant's scopes are out of date.
    pub scope_mismatch: bool,
    /// Which generation of the login this is; handed back in the audit report.
    pub token_generation: Option<String>,
    /// The header that carries the credential.
    pub injection_header: String,
    /// The header's value, with `{token}` in it.
    pub injection_format: String,
    /// Named parts of the credential besides the token.
    pub additional_credentials: Option<Vec<(String, Secret)>>,
    /// Where those parts go.
    pub additional_injections: Vec<InjectionRule>,
    /// What the vault went through to get the token.
    pub retry_info: Option<RetryInfo>,
}

impl TokenAnswer {
    /// Reads an answer with a status below 400. `asked_grant_id` is the `grant_id` of the request, for the error's details.
    ///
    /// # Errors
    /// `BackendError` for anything that is not exactly as the contract says; no request to a provider may follow.
    pub fn parse(body: &[u8], asked_grant_id: &Value) -> Result<Self> {
        let Ok(answer) = serde_json::from_slice::<Value>(body) else {
            return Err(malformed("is not JSON"));
        };
        let Value::Object(mut answer) = answer else {
            return Err(malformed("is not a JSON object").with_detail("grant_id", asked_grant_id.clone()));
        };
        require(&answer)?;
        let parsed = Self {
            access_token: Secret::new(take_text(&mut answer, "access_token", check_access_token)?),
            grant_id: {
                checks::token_metadata(&answer).map_err(|reason| malformed(&reason))?;
                take_text(&mut answer, "grant_id", checks::canonical_uuid)?
            },
            provider_id: take_text_or(&mut answer, "provider_id", "", checks::provider_id)?,
            scope_mismatch: match answer.get("scope_mismatch") {
                None => false,
                Some(Value::Bool(flag)) => *flag,
                Some(_) => return Err(malformed("has a scope_mismatch that is not a boolean")),
            },
            injection_header: take_text_or(&mut answer, "injection_header", "Authorization", check_injection_header)?,
            injection_format: take_text_or(&mut answer, "injection_format", "Bearer {token}", check_injection_format)?,
            additional_credentials: take_credentials(&mut answer)?,
            additional_injections: take_injections(&answer)?,
            token_generation: None,
            retry_info: answer.get("retry_info").and_then(RetryInfo::from_json),
        };
        parsed.second_pass(&answer, asked_grant_id)
    }

    /// The checks that the public package makes last; their errors name the grant.
    fn second_pass(mut self, answer: &Map<String, Value>, asked_grant_id: &Value) -> Result<Self> {
        let refuse = |what: &str| Err(malformed(what).with_detail("grant_id", asked_grant_id.clone()));
        self.token_generation = match answer.get("token_generation") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if is_canonical_uuid(text) => Some(text.clone()),
            Some(_) => return refuse("has a token_generation that is not a lower-case UUID"),
        };
        if !self.additional_injections.iter().all(|rule| rule.unknown_members.is_empty()) {
            return refuse("has an injection rule with an unknown member");
        }
        Ok(self)
    }

    /// One named part of the credential.
    pub fn credential(&self, name: &str) -> Option<&Secret> {
        self.additional_credentials.as_ref()?.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

fn malformed(what: &str) -> Error {
    let text = format!(
        "The vault's token answer {what}, so nothing was sent to the provider. Check that ALTER_BASE_URL is a vault of this protocol."
    );
    Error::new(Kind::Backend, text).with_code("malformed_answer")
}

fn require(answer: &Map<String, Value>) -> Result<()> {
    let missing: Vec<&str> = ["access_token", "grant_id"].into_iter().filter(|name| !answer.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(malformed(&format!("lacks {}", missing.join(" and "))).with_detail("missing_fields", missing))
}

/// Takes a required text out of the answer, without a copy, and checks it.
fn take_text(answer: &mut Map<String, Value>, name: &str, check: impl Fn(&str) -> Result<(), String>) -> Result<String> {
    let Some(Value::String(text)) = answer.get_mut(name) else {
        return Err(malformed(&format!("has a {name} that is not text")));
    };
    check(text).map_err(|reason| malformed(&format!("has a {name} that {reason}")))?;
    Ok(std::mem::take(text))
}

fn take_text_or(answer: &mut Map<String, Value>, name: &str, default: &str, check: impl Fn(&str) -> Result<(), String>) -> Result<String> {
    if answer.contains_key(name) { take_text(answer, name, check) } else { Ok(default.to_owned()) }
}

fn take_credentials(answer: &mut Map<String, Value>) -> Result<Option<Vec<(String, Secret)>>> {
    let entries = match answer.get_mut("additional_credentials") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(entries)) => std::mem::take(entries),
        Some(_) => return Err(malformed("has additional_credentials that are not an object")),
    };
    let text = |(name, value): (String, Value)| match value {
        Value::String(value) => Ok((name, Secret::new(value))),
        _ => Err(malformed("has an additional credential that is not text")),
    };
    let credentials: Vec<(String, Secret)> = entries.into_iter().map(text).collect::<Result<_>>()?;
    check_additional_credentials(&credentials).map_err(|reason| malformed(&format!("has additional_credentials that {reason}")))?;
    Ok(Some(credentials))
}

fn take_injections(answer: &Map<String, Value>) -> Result<Vec<InjectionRule>> {
    let list = match answer.get("additional_injections") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(malformed("has additional_injections that are not a list")),
    };
    if list.len() > checks::MOST_INJECTIONS {
        return Err(malformed("has more than 10 additional_injections"));
    }
    list.iter()
        .map(|rule| InjectionRule::from_json(rule).map_err(|reason| malformed(&format!("has an injection rule that {reason}"))))
        .collect()
}
