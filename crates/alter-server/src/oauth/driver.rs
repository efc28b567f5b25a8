//! Talking to a provider. One driver for all: what differs stands in the entry.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alter_core::secret::Secret;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::account::{Expected, Told, read_id_token};
use super::answer::{LONGEST_ANSWER, Tokens};
use super::call::Parameters;
use super::catalogue::{Source, TokenKind};
use super::client::Client;
use super::failure::{Failure, FailureKind};
use crate::clock::Clock;
use crate::egress::{Egress, EgressError, Limits};

/// How long a provider may take for one exchange.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) const LIMITS: Limits = Limits { timeout: EXCHANGE_TIMEOUT, answer_bytes: LONGEST_ANSWER };

/// What [`Http::send`] returns.
pub type Sent<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, EgressError>> + Send + 'a>>;

/// How the driver reaches providers: the vault's [`Egress`], and in unit tests a script.
pub trait Http: Send + Sync + fmt::Debug + 'static {
    /// Sends one request, once, and reads the whole answer.
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Sent<'_>;
}

impl Http for Egress {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Sent<'_> {
        Box::pin(Self::send(self, request, limits))
    }
}

/// The driver. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Driver {
    pub(super) http: Arc<dyn Http>,
    pub(super) clock: Arc<dyn Clock>,
}

/// What a person came back with.
#[derive(Clone, Debug)]
pub struct Return<'a> {
    /// The code.
    pub code: &'a Secret,
    /// The verifier of the departure.
    pub verifier: Option<&'a Secret>,
    /// The nonce of the departure.
    pub nonce: Option<&'a str>,
}

/// A login's tokens.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    /// The access token.
    pub access_token: &'a Secret,
    /// The refresh token.
    pub refresh_token: Option<&'a Secret>,
    /// What was kept of the provider's answers.
    pub kept: &'a BTreeMap<String, String>,
}

impl Driver {
    /// A driver that reaches providers through `http`.
    pub fn new(http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock }
    }

    /// Exchanges the code of an authorization for tokens. An ID token that comes with them must answer the same authorization.
    ///
    /// # Errors
    /// Why there are no tokens. A code works once: after any failure the person has to be sent again.
    pub async fn exchange_code(&self, client: &Client, back: &Return<'_>) -> Result<Tokens, Failure> {
        let mut parameters = Parameters::new([
            ("grant_type", "authorization_code"),
            ("code", back.code.expose()),
            ("redirect_uri", client.redirect_uri.as_str()),
        ]);
        if let Some(verifier) = back.verifier {
            parameters.add("code_verifier", verifier.expose());
        }
        parameters.extend(&client.provider.token.parameters);
        let mut tokens = self.tokens(client, &client.provider.token.url, parameters).await?;
        let expected = Expected { client_id: &client.credentials.id, nonce: back.nonce, now: self.clock.now() };
        if let Some(token) = &tokens.id_token {
            match read_id_token(token.expose(), &client.provider, &expected) {
                Ok(told) => tokens.told = tokens.told.and(told),
                // One that nobody asked for names the account or does not; one that was asked for must be ours.
                Err(_) if back.nonce.is_none() => {}
                Err(reason) => return Err(Failure::new(FailureKind::Unclear, format!("the provider's ID token {reason}"))),
            }
        }
        Ok(tokens)
    }

    /// Exchanges a refresh token, once. This may spend it: see [`super::refresh`] for who may call this and when.
    ///
    /// # Errors
    /// Why there are no new tokens. After [`FailureKind::Lost`] the refresh token may be spent.
    pub async fn refresh(&self, client: &Client, refresh_token: &Secret) -> Result<Tokens, Failure> {
        let refresh = &client.provider.refresh;
        let mut parameters = Parameters::new([("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())]);
        if refresh.repeats_redirect_uri {
            parameters.add("redirect_uri", &client.redirect_uri);
        }
        parameters.extend(&refresh.parameters);
        self.tokens(client, refresh.url.as_ref().unwrap_or(&client.provider.token.url), parameters).await
    }

    async fn tokens(&self, client: &Client, url: &str, parameters: Parameters<'_>) -> Result<Tokens, Failure> {
        let request = client.token_request(url, parameters)?;
        let asked_at = self.clock.now();
        let answer = self.http.send(request, LIMITS).await?;
        Tokens::read(&answer, &client.provider, asked_at)
    }

    /// Asks whose login it is, where the entry knows a way, the granted scopes allow it, and the tokens' answer has not told yet.
    ///
    /// # Errors
    /// Why the provider did not tell. The login is usable all the same.
    pub async fn account(&self, client: &Client, tokens: &Tokens, scopes: &[String]) -> Result<Told, Failure> {
        let told = tokens.told.clone();
        let Some(lookup) = &client.provider.account else { return Ok(told) };
        let place_known = client.provider.api.base_url_from.as_ref().is_none_or(|place| place.source != Source::Account);
        let allowed = lookup.requires_scope.as_ref().is_none_or(|scope| scopes.contains(scope));
        if !allowed || (told.account.is_some() && place_known) {
            return Ok(told);
        }
        let values = BTreeMap::from([("access_token", tokens.access_token.expose()), ("token", tokens.access_token.expose())]);
        let answer = self.http.send(client.call(&lookup.call, &values, &[], true)?, LIMITS).await?;
        if !answer.status().is_success() {
            return Err(Failure::read(&answer, None, &client.provider.token));
        }
        let document: Value = serde_json::from_slice(answer.body())
            .map_err(|_| Failure::new(FailureKind::Unclear, "the provider's answer about the account is not JSON"))?;
        Ok(told.and(Told::look(&document, Source::Account, &client.provider)))
    }

    /// Ends a login at the provider: RFC 7009, or what the entry says instead. `false` if the provider knows no way.
    ///
    /// # Errors
    /// Why it is not known to have ended. RFC 7009 answers 200 for a token that is dead already.
    pub async fn revoke(&self, client: &Client, held: &Held<'_>) -> Result<bool, Failure> {
        let Some(revocation) = &client.provider.revocation else { return Ok(false) };
        let kind = match (revocation.token, held.refresh_token) {
            (Some(TokenKind::AccessToken), _) | (_, None) => TokenKind::AccessToken,
            _ => TokenKind::RefreshToken,
        };
        let token = held.refresh_token.filter(|_| kind == TokenKind::RefreshToken).unwrap_or(held.access_token);
        let mut values: BTreeMap<&str, &str> = held.kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        values.extend([("access_token", held.access_token.expose()), ("token", token.expose()), ("token_type", kind.as_str())]);
        values.extend(held.refresh_token.map(|token| ("refresh_token", token.expose())));
        let usual = [("token", token.expose()), ("token_type_hint", kind.as_str())];
        let answer = self.http.send(client.call(&revocation.call, &values, &usual, false)?, LIMITS).await?;
        if answer.status().is_success() {
            return Ok(true);
        }
        let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
        Err(Failure::read(&answer, body.as_ref(), &client.provider.token))
    }
}

#[cfg(test)]
mod tests;
