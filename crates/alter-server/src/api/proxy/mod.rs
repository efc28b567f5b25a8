//! `POST /sdk/proxy`: the vault makes the call itself, and the client never holds the credential.
//!
//! One file for each step:
//!
//! * [`request`]: what the client asks for, and what of it is refused whatever the grant says.
//! * [`usage`]: whether the grant and the client's own rule are for this call.
//! * [`once`]: the idempotency key. A call under one runs at most once, whatever crashes.
//! * [`redaction`]: taking fields out of a body without touching the rest of it.
//! * [`departure`]: the call, and what the client is told of it.
//!
//! The row with the intent is on disk before the call leaves; a second one says how it ended. The call goes on when the client is gone.

mod departure;
mod once;
mod redaction;
mod request;
mod usage;

use std::sync::Arc;

use alter_core::injection::{Payload, PlainRequest, inject};
use alter_core::token::TokenAnswer;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use serde_json::Value;
use time::OffsetDateTime;

use super::Vault;
use super::body;
use super::opening::open;
use super::pipeline::{self, Admitted, Answer, Call, Verdict, note};
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::egress::AGENT;

pub use departure::Departure;
use once::Once;
use request::ProxyRequest;
use usage::ProxiedUse;

/// Largest body of a request, in bytes.
const MOST_BYTES: usize = 10 * 1024 * 1024;

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new().route("/sdk/proxy", post(proxy))
}

async fn proxy(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body::read_up_to(body, MOST_BYTES).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let mut settled = pipeline::settle(&vault, RunProxied, &parts, &body).await;
    settled.outcome = match settled.outcome {
        Ok(Answer::Later(departure)) => departure.go(vault).await,
        other => other,
    };
    settled.into_response()
}

/// The endpoint.
struct RunProxied;

impl Call for RunProxied {
    const ACTION: &'static str = "proxy.call";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let mut asked = ProxyRequest::parse(request.body)?;
        note(row, |row| row.call(asked.method.as_str(), &asked.url.to_text()));
        if let Some(reason) = &asked.reason {
            note(row, |row| row.reason(reason));
        }
        request.reach.require("proxy:execute")?;
        let access = asked.wanted.find(vault, request, asked.user_token.as_deref(), row).await?;
        let once = Once::of(vault, request, &asked, access.grant.id)?;
        if let Some(once) = &once
            && let Some(before) = once.before(vault).await?
        {
            // Nothing is released: the provider's answer is told once more.
            note(row, |row| AuditEntry { outcome: Outcome::Done, ..row });
            return Ok(Verdict { effects: Vec::new(), answer: Answer::Json(before) });
        }
        let proxied = ProxiedUse::new(vault, request, &asked).await?;
        let opened = open(vault, access, &asked.url.to_text(), &proxied, row).await?;
        if let Some(fields) = proxied.redaction() {
            asked.redact(fields)?;
        }
        let departure = Departure { request: ready(vault, asked, &opened.answer)?, row: row.clone(), once: once.clone() };
        let effects = once.map(|once| once.begin()).into_iter().chain([opened.effect()]).collect();
        Ok(Verdict { effects, answer: Answer::Later(Box::new(departure)) })
    }
}

/// The request as it goes out, with the credential in it.
fn ready(vault: &Vault, asked: ProxyRequest, answer: &Value) -> Result<http::Request<bytes::Bytes>, Refusal> {
    let broken = |error: alter_core::error::Error| {
        let message = "The stored credential cannot be put into this request. An operator has to check the secret.";
        Refusal::new(StatusCode::BAD_GATEWAY, "unusable_credential", message).because(error.message())
    };
    let token = TokenAnswer::parse(answer.to_string().as_bytes(), &Value::Null).map_err(broken)?;
    let plain = PlainRequest {
        method: asked.method,
        url: asked.url,
        query_params: None,
        headers: asked.headers,
        payload: asked.body.map_or(Payload::None, Payload::Raw),
    };
    let now = OffsetDateTime::from_unix_timestamp(vault.clock.now().as_secs()).map_err(|_| Refusal::internal())?;
    let injected = inject(&plain, &token, AGENT.to_str().unwrap_or_default(), now).map_err(|error| match error.code() {
        "unusable_credential" => broken(error),
        _ => Refusal::unprocessable("query_too_long", "The URL is too long with its query and the credential's parameters."),
    })?;
    Ok(injected.request)
}
