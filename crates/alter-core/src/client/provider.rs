//! `request()`, second step: get the credential, make the call, judge the answer.

use std::time::Duration;

use serde_json::Value;

use super::exchange::Exchange;
use super::prepare::{Address, Call, PreparedRequest};
use super::report::{AuditReport, Outcome, recorded_bytes};
use super::response::Response;
use super::{Client, ClientKind, lock};
use crate::challenge;
use crate::error::{BackendAnswer, Error, Kind, Result, from_backend};
use crate::host::{Answer, Host, Leg, Level, TransportError};
use crate::injection::{Injected, inject};
use crate::json;
use crate::token::TokenAnswer;

/// Who decides whether a provider's status is an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Ours,
    Theirs,
}

impl<H: Host> PreparedRequest<H> {
    /// Gets the credential from the vault, injects it, and makes the call. One token call and at most one provider call: nothing is
    /// retried and no redirect is followed. Dropping the future closes the socket in use.
    ///
    /// # Errors
    /// What the vault refuses, what keeps either party from answering, and every provider status from 400 on.
    pub async fn send(self) -> Result<Response> {
        self.carry_out(Judgement::Ours).await
    }

    /// Like [`send`](Self::send), but a provider's answer is given back whatever its status: for libraries of the host language, such as
    /// an AWS client, that judge answers themselves.
    ///
    /// # Errors
    /// What the vault refuses, and what keeps either party from answering.
    pub async fn send_unjudged(self) -> Result<Response> {
        self.carry_out(Judgement::Theirs).await
    }

    async fn carry_out(self, judgement: Judgement) -> Result<Response> {
        let Self { client, call } = self;
        let token = client.fetch_token(&call).await?;
        lock(&client.view.retry_info).clone_from(&token.retry_info);
        let injected = inject(&call.request, &token, &client.shared.options.user_agent, client.shared.host.now())?;
        client.warn_of_overwritten(&injected.overwritten);
        client.call_provider(call, token, injected, judgement).await
    }
}

impl<H: Host> Client<H> {
    /// A header that the caller gave has not been sent, and neither answer nor error would tell.
    fn warn_of_overwritten(&self, names: &[String]) {
        for name in names {
            self.log(Level::Warning, format!("The header {name} of a call was replaced by the credential's own. Leave it out."));
        }
    }

    async fn fetch_token(&self, call: &Call) -> Result<TokenAnswer> {
        let answer = self
            .exchange(Exchange {
                method: http::Method::POST,
                path: "/sdk/token",
                body: token_body(call).into(),
                caller: call.caller.as_deref(),
                context: call.context_header.as_deref(),
                actor_id: true,
                idempotency_key: None,
                traceparent: call.traceparent.as_deref(),
                patience: None,
            })
            .await?;
        if answer.status >= 400 {
            return Err(self.token_refused(call, &answer));
        }
        TokenAnswer::parse(&answer.body, &call.address.grant_id())
    }

    fn token_refused(&self, call: &Call, answer: &Answer) -> Error {
        let error = from_backend(&BackendAnswer {
            status: answer.status,
            body: &answer.body,
            retry_after: answer.header("retry-after"),
            request_id: answer.header("x-request-id"),
        });
        match error.kind() {
            // On this path the public package reports a configuration fault as a plain backend error.
            Kind::ConnectConfig => {
                let code = error.code().to_owned();
                Error::new(Kind::Backend, format!("The vault cannot serve this grant: {}", error.message()))
                    .with_code(code)
                    .with_detail("grant_id", call.address.grant_id())
                    .with_detail("error", error.message())
            }
            Kind::GrantNotFound if self.shared.options.kind != ClientKind::App => error
                .with_kind(Kind::AgentDelegationMissing)
                .with_message("No such grant is delegated to this agent. Ask its owner to delegate one, or check the grant_id."),
            _ => error,
        }
    }

    async fn call_provider(&self, call: Call, token: TokenAnswer, injected: Injected, judgement: Judgement) -> Result<Response> {
        let Injected { request, sent, recorded_headers, .. } = injected;
        let started = self.shared.host.now();
        let outcome = self.shared.host.send(Leg::Provider, request).await;
        let elapsed = (self.shared.host.now() - started).try_into().unwrap_or(Duration::ZERO);
        let recorded = match &outcome {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(error),
        };
        self.report_call(&call, AuditReport { token: &token, request_headers: &recorded_headers, outcome: recorded, elapsed });
        let answer = outcome.map_err(|error| provider_unreachable(&call, &error))?;
        if judgement == Judgement::Ours {
            self.judge(&call, &token, &answer)?;
        }
        Ok(Response {
            status: answer.status,
            reason_phrase: answer.reason_phrase,
            version: answer.version,
            headers: answer.headers,
            body: answer.body,
            bytes_on_wire: answer.bytes_on_wire,
            elapsed,
            retry_info: token.retry_info,
            request: sent,
        })
    }

    /// Turns a provider's refusal into an error. Everything below 400, redirects included, is an answer.
    fn judge(&self, call: &Call, token: &TokenAnswer, answer: &Answer) -> Result<()> {
        if answer.status < 400 {
            return Ok(());
        }
        let header = answer.joined_header("www-authenticate");
        let parameters = header.as_deref().map(challenge::bearer_parameters).unwrap_or_default();
        let wants_scope = challenge::value(&parameters, "error") == Some("insufficient_scope");
        match answer.status {
            403 if wants_scope => {
                let missing = missing_scopes(&parameters);
                self.report_scope_mismatch(call, token, missing.as_deref(), header.as_deref());
                Err(ProviderError { call, token, answer }
                    .of_grant(Kind::ScopeReauthRequired, "provider_insufficient_scope")
                    .with_detail("www_authenticate", header)
                    .with_detail("missing_scopes", missing.clone())
                    .with_attribute("missing_scopes", missing))
            }
            403 if token.scope_mismatch => Err(ProviderError { call, token, answer }.of_grant(Kind::ScopeReauthRequired, "backend_flag")),
            401 if !wants_scope => Err(ProviderError { call, token, answer }.of_grant(Kind::ProviderUnauthorized, "provider_unauthorized")),
            _ => Err(ProviderError { call, token, answer }.plain()),
        }
    }
}

/// The words of `scope`, or `None` if the challenge names none.
fn missing_scopes(parameters: &[(String, String)]) -> Option<Vec<String>> {
    let words: Vec<String> = challenge::value(parameters, "scope")?.split_whitespace().map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

/// An error status of the provider, on its way to becoming an error.
struct ProviderError<'a> {
    call: &'a Call,
    token: &'a TokenAnswer,
    answer: &'a Answer,
}

impl ProviderError<'_> {
    /// A refusal that says something about the grant.
    fn of_grant(&self, kind: Kind, source: &str) -> Error {
        self.base(kind)
            .with_detail("grant_id", self.token.grant_id.as_str())
            .with_detail("provider_id", self.token.provider_id.as_str())
            .with_detail("source", source)
            .with_attribute("grant_id", self.token.grant_id.as_str())
            .with_attribute("provider_id", self.token.provider_id.as_str())
    }

    /// Any other refusal: about the request.
    fn plain(&self) -> Error {
        self.base(Kind::ProviderApi).with_detail("grant_id", self.call.address.grant_id())
    }

    fn base(&self, kind: Kind) -> Error {
        let what = match kind {
            Kind::ProviderUnauthorized => "The provider refused the credential (401). Authorize again, or replace the secret".to_owned(),
            Kind::ScopeReauthRequired => "The grant's scopes are not enough for this call. Authorize again with more".to_owned(),
            _ => format!("The provider answered with status {}. See response_body", self.answer.status),
        };
        Error::new(kind, format!("{what}: {} {}.", self.call.request.method, crate::url::for_log(&self.call.reported_url)))
            .with_detail("method", self.call.request.method.as_str())
            .with_detail("url", self.call.reported_url.as_str())
            .with_attribute("status_code", self.answer.status)
            .with_attribute("response_body", recorded_bytes(&self.answer.body, "response"))
    }
}

fn provider_unreachable(call: &Call, error: &TransportError) -> Error {
    let target = crate::url::for_log(&call.reported_url);
    let error = match error {
        TransportError::Timeout => Error::new(Kind::Timeout, format!("{target} did not answer in time ({}).", call.request.method)),
        TransportError::Failed(why) => Error::new(Kind::Network, format!("{target} cannot be reached: {why} ({}).", call.request.method)),
    };
    error
        .with_detail("grant_id", call.address.grant_id())
        .with_detail("method", call.request.method.as_str())
        .with_detail("url", call.reported_url.as_str())
}

/// The body of `POST /sdk/token`, its members in the contract's order.
fn token_body(call: &Call) -> String {
    let mut members = Members::default();
    match &call.address {
        Address::Grant(grant_id) => members.json("grant_id", grant_id),
        Address::Provider { provider, .. } => members.json("provider_id", provider),
    }
    members.json("reason", call.reason.as_deref().unwrap_or("null"));
    let mut request = Members::default();
    request.text("method", call.request.method.as_str());
    request.text("url", &call.reported_url);
    members.json("request", &request.finish());
    if let Some(user_token) = &call.user_token {
        members.text("user_token", user_token);
    }
    if let Address::Provider { app_user_id, account, label, .. } = &call.address {
        if let Some(app_user_id) = app_user_id {
            members.text("app_user_id", app_user_id);
        }
        if let Some(account) = account {
            members.json("account", account);
        }
        if let Some(label) = label {
            members.text("label", label);
        }
    }
    json::ascii(members.finish())
}

/// Writes a JSON object member by member, so that texts which are JSON already go in untouched.
#[derive(Default)]
pub(super) struct Members(String);

impl Members {
    /// An object whose text will have about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn json(&mut self, name: &str, text: &str) {
        self.name(name);
        self.0.push_str(text);
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        json::push_string(&mut self.0, text);
    }

    pub(super) fn optional_text(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.json(name, "null"),
        }
    }

    pub(super) fn value(&mut self, name: &str, value: &Value) {
        self.json(name, &value.to_string());
    }

    /// An object of texts. Of a name that is there twice, the last value counts.
    pub(super) fn map<'a>(&mut self, name: &str, pairs: impl IntoIterator<Item = &'a (String, String)>) {
        let mut texts: Vec<(&str, &str)> = Vec::new();
        for (name, value) in pairs {
            match texts.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = value,
                None => texts.push((name, value)),
            }
        }
        let mut object = Self::default();
        texts.into_iter().for_each(|(name, value)| object.text(name, value));
        self.json(name, &object.finish());
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        json::push_string(&mut self.0, name);
        self.0.push(':');
    }

    pub(super) fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}
