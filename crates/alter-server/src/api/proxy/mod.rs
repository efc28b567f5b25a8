//! `POST /sdk/proxy`: the vault makes the call itself, and the client never holds the credential.
//!
//! One file for each step:
//!
//! * [`request`]: what the client asks for, and what of it is refused whatever the grant says.
//! * [`on_behalf`]: the person whom it is for, as their token proves it.
//! * [`usage`]: whether the grant and the client's own rule are for this call, and whether people have to agree to it.
//! * [`sight`]: what they see of it. What happens then is in [`approvals`].
//! * [`once`]: the idempotency key. A call under one runs at most once, whatever crashes.
//! * [`redaction`]: taking fields out of a body without touching the rest of it.
//! * [`scrub`]: taking the credential out of an answer that repeats it.
//! * [`departure`]: the call, and what the client is told of it.
//!
//! The row with the intent is on disk before the call leaves; a second one says how it ended. The call goes on when the client is gone.

mod departure;
mod on_behalf;
mod once;
mod redaction;
mod request;
mod scrub;
mod sight;
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
use super::approvals::{self, Held};
use super::body;
use super::opening::{self, Judged};
use super::pipeline::{self, Admitted, Answer, Call, Verdict, note};
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::egress::AGENT;
use crate::store::Effect;

pub use departure::{Departure, LONGEST_CALL};
pub use on_behalf::OnBehalf;
pub use once::Once;
pub use request::ProxyRequest;
pub use scrub::Scrub;
pub use sight::Sight;
pub use usage::{ProxiedUse, Terms};

/// The scope that guards proxied calls and their approvals.
pub const SCOPE: &str = "proxy:execute";
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
        let asked = ProxyRequest::parse(request.body)?;
        asked.describe(row);
        request.reach.require(SCOPE)?;
        let on_behalf = OnBehalf::of(vault, request.key.app, asked.user_token.as_deref()).await?;
        let access = asked.wanted.find(vault, request, on_behalf.as_ref().map(OnBehalf::membership), row).await?;
        let once = Once::of(vault, request, &asked, access.grant.id)?;
        if let Some(once) = &once
            && let Some(before) = once.before(vault).await?
        {
            // Nothing is released: what came of the call is told once more.
            note(row, |row| AuditEntry { outcome: Outcome::Done, ..row });
            return Ok(Verdict { effects: Vec::new(), answer: before });
        }
        let usage = ProxiedUse::new(request, &asked, on_behalf.as_ref().and_then(OnBehalf::session_age));
        let judged = opening::judge(vault, access, &asked.url.to_text(), &usage, row).await?;
        let gates = usage.gates(&judged.access, &judged.terms);
        if !gates.is_empty() {
            return approvals::hold(vault, request, Held { asked, judged, on_behalf, gates, once }, row).await;
        }
        let prepared = prepare(vault, asked, judged, &usage, None).await?;
        let departure =
            Departure { request: prepared.request, scrub: prepared.scrub, row: row.clone(), once: once.clone(), approval: None };
        let effects = once.map(|once| once.begin(None)).into_iter().chain(prepared.effects).collect();
        Ok(Verdict { effects, answer: Answer::Later(Box::new(departure)) })
    }
}

/// A call that may leave.
pub struct Prepared {
    /// The request with the credential in it.
    pub request: http::Request<bytes::Bytes>,
    /// Takes that out of the answer.
    pub scrub: Scrub,
    /// The use of the grant and the counts of policies, for the commit that lets it leave.
    pub effects: Vec<Effect>,
}

/// Opens the credential of a grant that was judged for a call, and puts it in. With `approved`, the digest of what people have agreed to, nothing else leaves.
///
/// # Errors
/// As of [`opening::open`]; 403 `redact_discharge_failed`; 422 `query_too_long`; 409 `approval_void` if it is another call by now.
pub async fn prepare(
    vault: &Vault,
    mut asked: ProxyRequest,
    judged: Judged<Terms>,
    usage: &ProxiedUse<'_>,
    approved: Option<&[u8; 32]>,
) -> Result<Prepared, Refusal> {
    let opened = opening::open(vault, judged, &asked.url.to_text(), usage).await?;
    if approved.is_none() && !usage.gates(&opened.access, &opened.terms).is_empty() {
        let message = "The rules for this call have just changed: people have to agree to it now. Ask for it again.";
        return Err(Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", message));
    }
    asked.redact(&opened.terms.redaction)?;
    if approved.is_some_and(|digest| Sight::of(&asked).digest(opened.access.grant.id) != *digest) {
        let message = "The call is not the one that was approved any more: the rules for it have changed. Ask for it again.";
        return Err(Refusal::new(StatusCode::CONFLICT, "approval_void", message));
    }
    let effects = opened.terms.counts.iter().cloned().map(Effect::CountCall).chain([opened.effect()]).collect();
    let (request, scrub) = ready(vault, asked, &opened.answer)?;
    Ok(Prepared { request, scrub, effects })
}

/// The request as it goes out, with the credential in it, and what takes that out of the answer.
fn ready(vault: &Vault, asked: ProxyRequest, answer: &Value) -> Result<(http::Request<bytes::Bytes>, Scrub), Refusal> {
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
    Ok((injected.request, Scrub::of(&token)))
}
