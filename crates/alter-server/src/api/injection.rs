//! How a managed secret is described, stored and turned into a token answer.
//!
//! An operator describes a secret by kind (bearer, header, basic, query, AWS keys, custom). What is stored is the injection, which names
//! fields, and the fields, which are sealed. Whatever a client would refuse to inject is refused here, by the same function that clients run:
//! the answer is built once and read back with [`TokenAnswer::parse`].

use std::collections::BTreeMap;
use std::fmt;

use alter_core::secret::Secret;
use alter_core::token::{AWS_SIGV4_FORMAT, TokenAnswer, check_access_token};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::model::{GrantId, InjectionRule, InjectionTarget, SecretInjection, SecretKind};

/// The sealed field that becomes the answer's `access_token`.
pub const TOKEN_FIELD: &str = "token";
/// The sealed field of a query secret. Its `token` is no secret: a token answer must inject some header, and this one says nothing.
const QUERY_FIELD: &str = "value";
const QUERY_HEADER: &str = "X-Credential-In";
const QUERY_TOKEN: &str = "query";

/// Why a description or its values cannot be stored: the field and what is wrong with it. Never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The member of the request that is at fault.
    pub field: String,
    /// What is wrong with it, as a clause.
    pub reason: String,
}

impl Unusable {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.reason)
    }
}

/// Secret values by field name, as they arrive from an operator.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, Secret>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self(texts.into_iter().map(|(name, text)| (name, Secret::new(text))).collect()))
    }
}

impl FromIterator<(String, Secret)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, Secret)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Values {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, text)| (name.to_owned(), Secret::new(text))).collect())
    }
}

/// How an operator describes a secret's injection. Members that do not belong to the kind are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// `header` and `custom`: the header's name.
    pub header: Option<String>,
    /// `header` and `custom`: the header's value with `{token}` in it; `{token}` alone by default.
    pub format: Option<String>,
    /// `query`: the parameter's name.
    pub query: Option<String>,
    /// `custom`: more injections.
    pub additional_injections: Vec<InjectionRule>,
    /// `aws`: the region, where the host does not tell it.
    pub region: Option<String>,
    /// `aws`: the service, where the host does not tell it.
    pub service: Option<String>,
}

/// A checked secret, ready to be sealed and stored.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// How it is injected.
    pub injection: SecretInjection,
    /// What is not secret and goes out as additional credentials.
    pub parameters: BTreeMap<String, String>,
    /// What is sealed.
    pub fields: BTreeMap<String, Secret>,
}

impl Prepared {
    /// Checks a new secret's description and values.
    ///
    /// # Errors
    /// The member at fault: missing, not of this kind, or something that a client would refuse to inject.
    pub fn new(kind: SecretKind, description: Description, values: Values) -> Result<Self, Unusable> {
        let (injection, parameters) = injection(kind, description)?;
        Self::with_values(kind, injection, parameters, values)
    }

    /// Checks new values for a secret that is described already.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn with_values(
        kind: SecretKind,
        injection: SecretInjection,
        parameters: BTreeMap<String, String>,
        values: Values,
    ) -> Result<Self, Unusable> {
        let prepared = Self { fields: fields(kind, &injection, values)?, injection, parameters };
        prepared.check()?;
        Ok(prepared)
    }

    /// Reads the answer that this secret would give as a client reads it.
    fn check(&self) -> Result<(), Unusable> {
        for rule in &self.injection.additional {
            let name = rule.value_source.strip_prefix("additional_credentials.");
            if let Some(missing) = name.filter(|name| !self.fields.contains_key(*name) && !self.parameters.contains_key(*name)) {
                return Err(Unusable::new(format!("values.{missing}"), "is missing: an additional injection takes its value from there"));
            }
            // A client checks a header's value when it injects it, which would be too late to tell the operator.
            if let (InjectionTarget::Header, Some(value)) = (rule.target, name.and_then(|name| self.fields.get(name))) {
                check_access_token(value.expose())
                    .map_err(|reason| Unusable::new(format!("values.{}", name.unwrap_or_default()), reason))?;
            }
        }
        if let Some(token) = self.fields.get(TOKEN_FIELD) {
            check_access_token(token.expose()).map_err(|reason| Unusable::new("values", format!("has a token that {reason}")))?;
        }
        let sample = answer(&Sample { grant: GrantId::random(), injection: &self.injection, parameters: &self.parameters }, &self.fields);
        TokenAnswer::parse(sample.to_string().as_bytes(), &Value::Null).map_err(|error| Unusable::new("secret", error.message()))?;
        Ok(())
    }
}

/// What an answer needs besides the fields.
pub struct Sample<'a> {
    /// The grant that is used.
    pub grant: GrantId,
    /// How the secret is injected.
    pub injection: &'a SecretInjection,
    /// What is not secret.
    pub parameters: &'a BTreeMap<String, String>,
}

/// The part of a token answer that carries the credential. The caller adds what it knows about the grant.
pub fn answer(sample: &Sample<'_>, fields: &BTreeMap<String, Secret>) -> Value {
    let mut additional: Map<String, Value> = sample.parameters.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
    let extra = fields.iter().filter(|(name, _)| *name != TOKEN_FIELD);
    additional.extend(extra.map(|(name, value)| (name.clone(), value.expose().into())));
    json!({
        "access_token": fields.get(TOKEN_FIELD).map(Secret::expose),
        "token_type": "Bearer",
        "grant_id": sample.grant,
        "injection_header": sample.injection.header,
        "injection_format": sample.injection.format,
        "additional_credentials": (!additional.is_empty()).then_some(additional),
        "additional_injections": (!sample.injection.additional.is_empty()).then_some(&sample.injection.additional),
    })
}

/// The injection of a kind, and what of the description is sent along without being secret.
fn injection(kind: SecretKind, description: Description) -> Result<(SecretInjection, BTreeMap<String, String>), Unusable> {
    refuse_foreign_members(kind, &description)?;
    let plain = |header: &str, format: &str| SecretInjection { header: header.into(), format: format.into(), additional: Vec::new() };
    let required =
        |member: Option<String>, name: &str| member.ok_or_else(|| Unusable::new(name, format!("is missing: a {kind} secret needs it")));
    let injection = match kind {
        SecretKind::Bearer => plain("Authorization", "Bearer {token}"),
        SecretKind::Basic => plain("Authorization", "Basic {token}"),
        SecretKind::Aws => plain("Authorization", AWS_SIGV4_FORMAT),
        SecretKind::Header => plain(&required(description.header, "header")?, description.format.as_deref().unwrap_or("{token}")),
        SecretKind::Query => SecretInjection {
            additional: vec![InjectionRule {
                target: InjectionTarget::QueryParam,
                key: required(description.query, "query")?,
                value_source: format!("additional_credentials.{QUERY_FIELD}"),
            }],
            ..plain(QUERY_HEADER, "{token}")
        },
        SecretKind::Custom => SecretInjection {
            header: description.header.unwrap_or_else(|| "Authorization".into()),
            format: required(description.format, "format")?,
            additional: description.additional_injections,
        },
    };
    check_injection(&injection)?;
    let settings = [("region", description.region), ("service", description.service)];
    let parameters = settings.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect();
    Ok((injection, parameters))
}

/// Names the member at fault; [`Prepared::check`] alone could only say that the whole is wrong.
fn check_injection(injection: &SecretInjection) -> Result<(), Unusable> {
    use alter_core::token::{InjectionRule as CoreRule, check_injection_format, check_injection_header};
    check_injection_header(&injection.header).map_err(|reason| Unusable::new("header", reason))?;
    check_injection_format(&injection.format).map_err(|reason| Unusable::new("format", reason))?;
    for (index, rule) in injection.additional.iter().enumerate() {
        CoreRule::new(rule.target.as_str(), &rule.key, &rule.value_source)
            .map_err(|reason| Unusable::new(format!("additional_injections[{index}]"), reason))?;
    }
    Ok(())
}

fn refuse_foreign_members(kind: SecretKind, description: &Description) -> Result<(), Unusable> {
    let named = matches!(kind, SecretKind::Header | SecretKind::Custom);
    let aws = kind == SecretKind::Aws;
    let members = [
        ("header", description.header.is_some(), named),
        ("format", description.format.is_some(), named),
        ("query", description.query.is_some(), kind == SecretKind::Query),
        ("additional_injections", !description.additional_injections.is_empty(), kind == SecretKind::Custom),
        ("region", description.region.is_some(), aws),
        ("service", description.service.is_some(), aws),
    ];
    match members.into_iter().find(|(_, given, belongs)| *given && !*belongs) {
        Some((name, ..)) => Err(Unusable::new(name, format!("does not belong to a {kind} secret"))),
        None => Ok(()),
    }
}

/// The fields to seal, from the values as an operator gives them.
fn fields(kind: SecretKind, injection: &SecretInjection, Values(mut values): Values) -> Result<BTreeMap<String, Secret>, Unusable> {
    let mut take = |name: &str| {
        let value = values.remove(name).filter(|value| !value.expose().is_empty());
        value.ok_or_else(|| Unusable::new(format!("values.{name}"), format!("is missing or empty: a {kind} secret needs it")))
    };
    let taken: Vec<(&str, Secret)> = match kind {
        SecretKind::Bearer | SecretKind::Header => vec![(TOKEN_FIELD, take("token")?)],
        SecretKind::Basic => vec![(TOKEN_FIELD, basic(&take("username")?, &take("password")?)?)],
        SecretKind::Query => vec![(TOKEN_FIELD, Secret::new(QUERY_TOKEN)), (QUERY_FIELD, take("token")?)],
        SecretKind::Aws => vec![(TOKEN_FIELD, take("access_key_id")?), ("secret_key", take("secret_access_key")?)],
        SecretKind::Custom => vec![(TOKEN_FIELD, take("token")?)],
    };
    let mut fields: BTreeMap<String, Secret> = taken.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let optional = |name: &str| match kind {
        SecretKind::Aws => name == "session_token",
        SecretKind::Custom => injection.additional.iter().any(|rule| rule.value_source == format!("additional_credentials.{name}")),
        _ => false,
    };
    for (name, value) in values {
        if !optional(&name) {
            let name: String = name.chars().filter(|c| !c.is_control()).take(50).collect();
            return Err(Unusable::new(format!("values.{name}"), format!("does not belong to this {kind} secret")));
        }
        fields.insert(name, value);
    }
    Ok(fields)
}

/// RFC 7617: user and password joined by a colon, so the user may not hold one.
fn basic(username: &Secret, password: &Secret) -> Result<Secret, Unusable> {
    use base64::Engine as _;
    if username.expose().contains(':') {
        return Err(Unusable::new("values.username", "contains a colon, which HTTP Basic authentication cannot carry"));
    }
    let joined = zeroize::Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
    Ok(Secret::new(base64::engine::general_purpose::STANDARD.encode(joined.as_bytes())))
}

#[cfg(test)]
mod tests;
