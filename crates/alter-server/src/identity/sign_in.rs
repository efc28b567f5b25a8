//! Signing a person in with an app's identity provider: the authorization code flow with PKCE, `state` and `nonce` (OpenID Connect Core §3.1).
//!
//! What comes back is a proof of identity only because the ID token is verified against the issuer's keys, is for this client, and answers this very
//! request. Whoever calls keeps `state` bound to one browser, and uses what [`RelyingParty::depart`] gives once.

use std::time::Duration;

use alter_core::secret::Secret;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode, Uri};
use serde_json::Value;

use super::claims::{Trust, Verified};
use super::fault::{ProviderTrouble, TokenFault, TokenRefused, VerifyError};
use super::issuers::Issuers;
use super::json;
use super::metadata::{self, Metadata};
use crate::egress::Limits;
use crate::oauth::code_flow::{basic, challenge, unguessable};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), answer_bytes: 128 * 1024 };
/// The token endpoint's name in messages.
const TOKEN_ENDPOINT: &str = "token endpoint";
/// The errors of RFC 6749 §5.2. Other words of a provider are not repeated.
const KNOWN_ERRORS: [&str; 6] =
    ["invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"];

/// The vault as a client of an app's identity provider.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    /// The issuer.
    pub issuer: String,
    /// The client's name at the issuer; the only audience that its ID tokens may have.
    pub client_id: String,
    /// Its secret; `None` for a public client.
    pub client_secret: Option<Secret>,
    /// Where the issuer sends the browser back.
    pub redirect_uri: String,
    /// What is asked for; `openid` is always among it.
    pub scopes: Vec<String>,
    /// See [`Trust::groups_claim`].
    pub groups_claim: Option<String>,
}

/// Where the browser goes, and what has to be kept until it is back.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The URL to redirect to.
    pub url: String,
    /// What proves at the exchange that the code was asked for here.
    pub verifier: Secret,
    /// What the ID token has to name.
    pub nonce: String,
}

/// What the browser brought back, and what was kept.
#[derive(Clone, Debug)]
pub struct Return<'a> {
    /// The code.
    pub code: &'a Secret,
    /// The verifier of the departure.
    pub verifier: &'a Secret,
    /// The nonce of the departure.
    pub nonce: &'a str,
}

/// A person who has signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who they are.
    pub person: Verified,
    /// The token that says so; it is what an application gets as `user_token`.
    pub id_token: Secret,
}

/// Why nobody is signed in. The text is for operators and names no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The issuer cannot be used.
    #[error(transparent)]
    Provider(#[from] ProviderTrouble),
    /// It did not exchange the code.
    #[error("the identity provider did not exchange the code: {0}")]
    Exchange(String),
    /// Its ID token is not acceptable.
    #[error(transparent)]
    Token(#[from] TokenRefused),
    /// There were no random numbers.
    #[error("no random numbers from the operating system")]
    Random,
}

impl SignInError {
    /// The code that the audit trail keeps.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Provider(trouble) => trouble.code(),
            Self::Exchange(_) => "idp_exchange_failed",
            Self::Token(refused) => refused.fault.as_str(),
            Self::Random => "no_randomness",
        }
    }
}

impl From<VerifyError> for SignInError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused(refused) => refused.into(),
            VerifyError::Unavailable(trouble) => trouble.into(),
        }
    }
}

impl RelyingParty {
    /// Where to send the browser with this `state`, and what to keep until it is back.
    ///
    /// # Errors
    /// [`SignInError::Provider`] if the issuer cannot be asked or has no code flow.
    pub async fn depart(&self, issuers: &Issuers, state: &str) -> Result<Departure, SignInError> {
        let metadata = issuers.metadata(&self.issuer).await?;
        let endpoint = metadata.authorization_endpoint.as_ref().ok_or_else(no_code_flow)?;
        let random = || unguessable().map_err(|_| SignInError::Random);
        let (verifier, nonce) = (Secret::new(random()?), random()?);
        let openid = (!self.scopes.iter().any(|scope| scope == "openid")).then_some("openid");
        let scopes: Vec<&str> = openid.into_iter().chain(self.scopes.iter().map(String::as_str)).collect();
        let query = Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge(&verifier))
            .append_pair("code_challenge_method", "S256")
            .finish();
        let joint = if endpoint.query().is_some() { '&' } else { '?' };
        Ok(Departure { url: format!("{endpoint}{joint}{query}"), verifier, nonce })
    }

    /// Exchanges the code that the browser brought back, and verifies who it is.
    ///
    /// # Errors
    /// [`SignInError`]. The code is spent; the person has to sign in again.
    pub async fn arrive(&self, issuers: &Issuers, back: &Return<'_>) -> Result<SignedIn, SignInError> {
        let metadata = issuers.metadata(&self.issuer).await?;
        let endpoint = metadata.token_endpoint.clone().ok_or_else(no_code_flow)?;
        let request = self.exchange(&metadata, endpoint, back)?;
        let unreachable = |cause| ProviderTrouble::Unreachable { what: TOKEN_ENDPOINT, cause };
        let answer = issuers.egress().send(request, LIMITS).await.map_err(unreachable)?;
        let id_token = id_token(answer.status(), answer.body())?;
        let trust = Trust { issuer: self.issuer.clone(), audiences: vec![self.client_id.clone()], groups_claim: self.groups_claim.clone() };
        let person = issuers.verify(&trust, id_token.expose()).await?;
        if person.nonce.as_deref() != Some(back.nonce) {
            return Err(TokenRefused::new(TokenFault::WrongNonce, "the ID token answers another sign-in").into());
        }
        Ok(SignedIn { person, id_token })
    }

    fn exchange(&self, metadata: &Metadata, endpoint: Uri, back: &Return<'_>) -> Result<Request<Bytes>, SignInError> {
        let unmakeable = |_| SignInError::Exchange("the request for it cannot be made".to_owned());
        let mut request = Request::post(endpoint).header(ACCEPT, "application/json");
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", back.code.expose())
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", back.verifier.expose());
        let offers = |method: &str| metadata.token_endpoint_auth_methods.iter().any(|offered| offered == method);
        match &self.client_secret {
            None => drop(form.append_pair("client_id", &self.client_id)),
            Some(secret) if !offers("client_secret_basic") && offers("client_secret_post") => {
                form.append_pair("client_id", &self.client_id).append_pair("client_secret", secret.expose());
            }
            Some(secret) => {
                let mut basic = HeaderValue::from_str(&basic(&self.client_id, secret)).map_err(http::Error::from).map_err(unmakeable)?;
                basic.set_sensitive(true);
                request = request.header(AUTHORIZATION, basic);
            }
        }
        request.body(form.finish().into()).map_err(unmakeable)
    }
}

fn no_code_flow() -> ProviderTrouble {
    metadata::invalid("it has no authorization_endpoint or no token_endpoint, so nobody can sign in there")
}

fn id_token(status: StatusCode, body: &[u8]) -> Result<Secret, SignInError> {
    let members = json::object(body);
    let text = |name: &str| members.as_ref().ok().and_then(|members| members.get(name)).and_then(Value::as_str);
    if status != StatusCode::OK {
        let error = text("error").filter(|error| KNOWN_ERRORS.contains(error)).unwrap_or("no error code of the standard");
        return Err(SignInError::Exchange(format!("status {}, {error}", status.as_u16())));
    }
    match text("id_token") {
        Some(token) => Ok(Secret::new(token)),
        None => Err(SignInError::Exchange("its answer has no id_token".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_the_standard_are_repeated() {
        let failed = |status: u16, body: &str| id_token(StatusCode::from_u16(status).expect("a status"), body.as_bytes()).map(drop);
        let exchange = |reason: &str| Err(SignInError::Exchange(reason.to_owned()));
        assert_eq!(failed(400, r#"{"error":"invalid_grant","error_description":"secret"}"#), exchange("status 400, invalid_grant"));
        assert_eq!(failed(401, r#"{"error":"<script>"}"#), exchange("status 401, no error code of the standard"));
        assert_eq!(failed(302, ""), exchange("status 302, no error code of the standard"));
        assert_eq!(failed(200, r#"{"access_token":"a"}"#), exchange("its answer has no id_token"));
        assert_eq!(failed(200, r#"{"id_token":"a","id_token":"b"}"#), exchange("its answer has no id_token"));
        assert_eq!(failed(200, r#"{"id_token":"a"}"#), Ok(()));
    }
}
