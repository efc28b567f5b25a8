//! Providers that the catalogue does not know: their own metadata (OpenID Connect Discovery, RFC 8414) and registering at them (RFC 7591).

use alter_core::secret::Secret;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalogue::{
    AccountLookup, Api, Authorization, Call, ClientAuthentication, Delimiter, Format, Pkce, Provider, Refresh, Revocation, TokenEndpoint,
    Wrong, check,
};
use super::client::ClientCredentials;
use super::driver::{Driver, LIMITS};
use super::failure::shortened;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a provider's metadata, or a registration, cannot be used. The text may be shown to the operator who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The issuer is not a URL that can be asked.
    #[error("the issuer {0}")]
    Issuer(String),
    /// There is no metadata in either of the places where it can be.
    #[error("no metadata was found: {0}")]
    NotFound(String),
    /// There is metadata, and it is not this issuer's, or says too little.
    #[error("the metadata {0}")]
    Unusable(String),
    /// The provider does not register clients by itself, or not this one.
    #[error("the provider did not register a client: {0}")]
    NotRegistered(String),
}

impl From<Wrong> for DiscoveryError {
    fn from(wrong: Wrong) -> Self {
        Self::Unusable(format!("makes an entry in which {wrong}"))
    }
}

/// The members of server metadata that matter here. Others are ignored, as both standards ask.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    grant_types_supported: Vec<String>,
}

/// What an issuer tells about itself.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// An entry for it.
    pub provider: Provider,
    /// Where clients register themselves; `None` if they cannot.
    pub registration_endpoint: Option<String>,
}

/// What the operator says about a provider that is to be discovered.
#[derive(Clone, Debug)]
pub struct Newcomer<'a> {
    /// What programs shall call it.
    pub id: &'a str,
    /// What people shall call it.
    pub name: &'a str,
    /// Its issuer, without a well-known path.
    pub issuer: &'a str,
    /// Where its tokens may be sent. Empty: the issuer's own host.
    pub hosts: &'a [String],
}

impl Driver {
    /// Asks an issuer for its metadata and makes an entry of it.
    ///
    /// # Errors
    /// [`DiscoveryError`], with what was tried.
    pub async fn discover(&self, newcomer: &Newcomer<'_>) -> Result<Discovered, DiscoveryError> {
        let issuer = newcomer.issuer.trim_end_matches('/');
        let mut tried = Vec::new();
        for url in well_known(issuer)? {
            match self.metadata(&url).await {
                Ok(metadata) => return entry(newcomer, metadata),
                Err(reason) => tried.push(format!("{url} {reason}")),
            }
        }
        Err(DiscoveryError::NotFound(tried.join("; ")))
    }

    async fn metadata(&self, url: &str) -> Result<Metadata, String> {
        let request = Request::builder().uri(url).header(ACCEPT, JSON).body(Bytes::new()).map_err(|_| "is not a valid URL".to_owned())?;
        let answer = self.http.send(request, LIMITS).await.map_err(|error| format!("gave no answer ({error})"))?;
        if !answer.status().is_success() {
            return Err(format!("answered {}", answer.status().as_u16()));
        }
        serde_json::from_slice(answer.body()).map_err(|error| format!("is not server metadata ({})", shortened(&error.to_string())))
    }

    /// Registers the vault as a client (RFC 7591), with the one redirect URI that it uses.
    ///
    /// # Errors
    /// [`DiscoveryError::NotRegistered`], with the provider's error code.
    pub async fn register(&self, endpoint: &str, redirect_uri: &str, client_name: &str) -> Result<ClientCredentials, DiscoveryError> {
        let refused = |reason: String| DiscoveryError::NotRegistered(reason);
        let body = json!({
            "client_name": client_name,
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
        });
        let request = Request::builder().method(Method::POST).uri(endpoint).header(ACCEPT, JSON).header(CONTENT_TYPE, JSON);
        let request = request.body(body.to_string().into()).map_err(|_| refused("its registration endpoint is not a valid URL".into()))?;
        let answer = self.http.send(request, LIMITS).await.map_err(|error| refused(error.to_string()))?;
        let document: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if !answer.status().is_success() {
            let code = text("error").map_or_else(String::new, |code| format!(" with error {:?}", shortened(code)));
            return Err(refused(format!("it answered {}{code}", answer.status().as_u16())));
        }
        if document.get("client_secret_expires_at").and_then(Value::as_i64).is_some_and(|end| end != 0) {
            return Err(refused("its client secrets expire, which the vault cannot renew; register a client by hand".into()));
        }
        let id = text("client_id").ok_or_else(|| refused("its answer has no client_id".into()))?;
        Ok(ClientCredentials { id: id.to_owned(), secret: text("client_secret").map(Secret::new) })
    }
}

/// Where metadata can be: OpenID Connect appends to the issuer's path, RFC 8414 puts itself before it.
fn well_known(issuer: &str) -> Result<[String; 3], DiscoveryError> {
    let wrong = |reason: &str| DiscoveryError::Issuer(reason.to_owned());
    let (scheme, rest) = issuer.split_once("://").ok_or_else(|| wrong("must be a URL such as https://id.example.com"))?;
    if rest.is_empty() || rest.contains(['?', '#', '@']) {
        return Err(wrong("must be a URL without user, query and fragment"));
    }
    if rest.contains("/.well-known/") {
        return Err(wrong("must be the issuer itself, without /.well-known/ and what follows"));
    }
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    Ok([
        format!("{issuer}/.well-known/openid-configuration"),
        format!("{scheme}://{host}/.well-known/oauth-authorization-server{path}"),
        format!("{scheme}://{host}/.well-known/openid-configuration{path}"),
    ])
}

fn entry(newcomer: &Newcomer<'_>, metadata: Metadata) -> Result<Discovered, DiscoveryError> {
    let unusable = |reason: String| DiscoveryError::Unusable(reason);
    // Otherwise one server could pass itself off as another (RFC 8414, 3.3). A slash at the end is what people leave out.
    if metadata.issuer.trim_end_matches('/') != newcomer.issuer.trim_end_matches('/') {
        return Err(unusable(format!("is for another issuer, {:?}", shortened(&metadata.issuer))));
    }
    let required = |url: Option<String>, name: &str| url.ok_or_else(|| unusable(format!("has no {name}, so there is no code flow")));
    let authorization_url = required(metadata.authorization_endpoint, "authorization_endpoint")?;
    let token_url = required(metadata.token_endpoint, "token_endpoint")?;
    let (authorization_url, parameters) = split_query(&authorization_url);
    let host = |url: &str| url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default().to_owned());
    let hosts = if newcomer.hosts.is_empty() { host(newcomer.issuer).into_iter().collect() } else { newcomer.hosts.to_vec() };
    let pkce = &metadata.code_challenge_methods_supported;
    let refreshes = metadata.grant_types_supported.iter().any(|grant| grant == "refresh_token");
    let provider = Provider {
        id: newcomer.id.to_owned(),
        name: newcomer.name.to_owned(),
        documentation_url: None,
        confidence: None,
        checked: None,
        from_memory: Vec::new(),
        settings: Vec::new(),
        issuer: Some(metadata.issuer),
        authorization: Authorization {
            url: authorization_url,
            pkce: pkce.iter().any(|method| method == "S256").then_some(Pkce::Supported),
            sends_scope: true,
            scope_delimiter: Delimiter::Space,
            client_id_parameter: None,
            redirect_uri: None,
            parameters_in_fragment: false,
            parameters,
        },
        token: TokenEndpoint {
            url: token_url,
            client_authentication: methods(&metadata.token_endpoint_auth_methods_supported)?,
            client_id_parameter: None,
            format: Format::Form,
            lifetime_s: None,
            parameters: Default::default(),
            error_codes: Default::default(),
            answer: Default::default(),
        },
        refresh: Refresh { supported: refreshes.then_some(true), ..Refresh::default() },
        revocation: metadata.revocation_endpoint.map(|url| Revocation { token: None, call: plain_call(url) }),
        account: metadata.userinfo_endpoint.map(|url| AccountLookup {
            requires_scope: Some("openid".to_owned()),
            identifier: Vec::new(),
            identifier_in_token: Vec::new(),
            call: plain_call(url),
        }),
        api: Api { hosts, base_url: None, base_url_from: None },
        keep: Vec::new(),
        scopes: Default::default(),
        notes: None,
        sources: Vec::new(),
    };
    check(&provider)?;
    Ok(Discovered { provider, registration_endpoint: metadata.registration_endpoint })
}

/// RFC 6749 lets an authorization endpoint have a query; in an entry it is parameters.
fn split_query(url: &str) -> (String, std::collections::BTreeMap<String, String>) {
    let Some((url, query)) = url.split_once('?') else { return (url.to_owned(), Default::default()) };
    (url.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

/// What is in the metadata and what we speak, in our order. Nothing in it means Basic, as both standards say.
fn methods(supported: &[String]) -> Result<Vec<ClientAuthentication>, DiscoveryError> {
    let known = [
        ("client_secret_basic", ClientAuthentication::Basic),
        ("client_secret_post", ClientAuthentication::Body),
        ("none", ClientAuthentication::None),
    ];
    let methods: Vec<_> = known.into_iter().filter(|(name, _)| supported.iter().any(|s| s == name)).map(|(_, method)| method).collect();
    if methods.is_empty() && !supported.is_empty() {
        return Err(DiscoveryError::Unusable("offers no way for a client to authenticate that the vault has: Basic, body or none".into()));
    }
    Ok(methods)
}

fn plain_call(url: String) -> Call {
    Call { url, method: None, client_authentication: None, authorization_header: None, format: Format::Form, parameters: None }
}

#[cfg(test)]
mod tests;
