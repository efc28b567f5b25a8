//! Requests to a provider, made from the entry.

use std::collections::BTreeMap;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::catalogue::{Call, ClientAuthentication, Format, Method as CallMethod};
use super::client::Client;
use super::code_flow::basic;
use super::template::fill;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Why a call cannot even be made: what it needs is not there, or does not fit into an HTTP request. The text names no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call cannot be made: {0}")]
pub struct Unmakeable(pub(super) &'static str);

/// What a request carries, before it is written. The values may be secret.
pub(super) struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    pub(super) fn new(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    pub(super) fn add(&mut self, name: &'a str, value: &'a str) {
        self.0.push((name, value));
    }

    pub(super) fn extend(&mut self, more: &'a BTreeMap<String, String>) {
        self.0.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }

    fn query(&self) -> String {
        self.0
            .iter()
            .fold(Serializer::new(String::new()), |mut query, (name, value)| {
                query.append_pair(name, value);
                query
            })
            .finish()
    }

    fn json(&self) -> String {
        let members: Map<String, Value> = self.0.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        Value::Object(members).to_string()
    }
}

impl Client {
    /// A POST to the token endpoint or to one of its kind.
    pub(super) fn token_request<'a>(&'a self, url: &str, mut parameters: Parameters<'a>) -> Result<Request<Bytes>, Unmakeable> {
        let endpoint = &self.provider.token;
        let authorization = self.authenticate(self.authentication(), &mut parameters)?;
        write(Method::POST, url, endpoint.format, &parameters, authorization)
    }

    /// A call that the entry describes. `tokens` and `kept` are what its texts may name besides the client's own.
    ///
    /// Without parameters in the entry, `usual` is sent; without a word on who calls, the client or the token says it as `bearer` tells.
    pub(super) fn call<'a>(
        &'a self,
        call: &'a Call,
        values: &BTreeMap<&'a str, &'a str>,
        usual: &[(&'a str, &'a str)],
        bearer: bool,
    ) -> Result<Request<Bytes>, Unmakeable> {
        let missing = Unmakeable("a value that it needs is not known");
        let mut known = self.plain(values);
        // Neither a secret nor anything that could change the URL's structure gets into it.
        let fits = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        let in_url: BTreeMap<&str, &str> =
            known.iter().filter(|(name, value)| !is_secret(name) && fits(value)).map(|(name, value)| (*name, *value)).collect();
        let url = fill(&call.url, &in_url).ok_or_else(|| missing.clone())?;
        if let Some(secret) = &self.credentials.secret {
            known.insert("client_secret", secret.expose());
        }
        let filled: Option<Vec<(&str, Zeroizing<String>)>> = call.parameters.as_ref().map_or_else(
            || Some(usual.iter().map(|(name, value)| (*name, Zeroizing::new((*value).to_owned()))).collect()),
            |parameters| parameters.iter().map(|(name, text)| Some((name.as_str(), Zeroizing::new(fill(text, &known)?)))).collect(),
        );
        let filled = filled.ok_or_else(|| missing.clone())?;
        let mut parameters = Parameters::new(filled.iter().map(|(name, value)| (*name, value.as_str())));
        let authorization = match (&call.authorization_header, call.client_authentication) {
            (Some(text), _) => Some(header(&Zeroizing::new(fill(text, &known).ok_or(missing)?))?),
            (None, Some(method)) => self.authenticate_call(method, &mut parameters)?,
            (None, None) if bearer => {
                let token = known.get("access_token").ok_or(missing)?;
                Some(header(&Zeroizing::new(format!("Bearer {token}")))?)
            }
            (None, None) => self.authenticate(self.authentication(), &mut parameters)?,
        };
        let usual_method = if bearer { CallMethod::Get } else { CallMethod::Post };
        let method = match call.method.unwrap_or(usual_method) {
            CallMethod::Get => Method::GET,
            CallMethod::Post => Method::POST,
            CallMethod::Delete => Method::DELETE,
        };
        write(method, &url, call.format, &parameters, authorization)
    }

    /// What texts may name without being secret, and the tokens.
    fn plain<'a>(&'a self, values: &BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, &'a str> {
        let mut known: BTreeMap<&str, &str> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        known.insert("client_id", &self.credentials.id);
        known.extend(values.iter().map(|(name, value)| (*name, *value)));
        known
    }

    /// A call that says itself how it is authorized leaves out even the client's name if it says `none`.
    fn authenticate_call<'a>(
        &'a self,
        method: ClientAuthentication,
        parameters: &mut Parameters<'a>,
    ) -> Result<Option<HeaderValue>, Unmakeable> {
        if method == ClientAuthentication::None { Ok(None) } else { self.authenticate(method, parameters) }
    }

    fn authenticate<'a>(
        &'a self,
        method: ClientAuthentication,
        parameters: &mut Parameters<'a>,
    ) -> Result<Option<HeaderValue>, Unmakeable> {
        let name = self.provider.token.client_id_parameter.as_deref().unwrap_or("client_id");
        let id = self.credentials.id.as_str();
        match (method, &self.credentials.secret) {
            (ClientAuthentication::Basic, Some(secret)) => return header(&basic(id, secret)).map(Some),
            (ClientAuthentication::Body, Some(secret)) => {
                parameters.add(name, id);
                parameters.add("client_secret", secret.expose());
            }
            _ => parameters.add(name, id),
        }
        Ok(None)
    }
}

/// Whether a name that texts may use stands for a secret.
pub(super) fn is_secret(name: &str) -> bool {
    matches!(name, "client_secret" | "token" | "access_token" | "refresh_token")
}

fn header(text: &str) -> Result<HeaderValue, Unmakeable> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Unmakeable("a secret has characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn write(
    method: Method,
    url: &str,
    format: Format,
    parameters: &Parameters<'_>,
    authorization: Option<HeaderValue>,
) -> Result<Request<Bytes>, Unmakeable> {
    let mut request = Request::builder().method(&method).header(ACCEPT, JSON);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let empty = parameters.0.is_empty();
    let (url, body) = match format {
        _ if empty => (url.to_owned(), Bytes::new()),
        _ if method == Method::GET => (format!("{url}?{}", parameters.query()), Bytes::new()),
        Format::Form => {
            request = request.header(CONTENT_TYPE, FORM);
            (url.to_owned(), parameters.query().into())
        }
        Format::Json => {
            request = request.header(CONTENT_TYPE, JSON);
            (url.to_owned(), parameters.json().into())
        }
    };
    request.uri(url).body(body).map_err(|_| Unmakeable("its URL is not valid"))
}
