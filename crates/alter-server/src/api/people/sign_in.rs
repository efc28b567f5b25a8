//! Signing in with a browser: from the link that an application hands out, to the app's identity provider, and back.
//!
//! ```text
//! GET  /sign-in/{token}       who asks; nothing happens yet, so that a preview of the link does nothing
//! POST /sign-in/{token}       a trip begins: a cookie, and a redirect to the identity provider
//! GET  /sign-in/callback      the trip ends: the same browser, the same state, an ID token that answers it
//! ```
//!
//! Other pages of the vault send people to the identity provider, too ([`depart`]); those trips end with the browser signed in ([`super::browser`]) and back on
//! the page.

use std::collections::BTreeMap;
use std::sync::Arc;

use alter_core::secret::Secret;
use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::request::Parts;
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::browser;
use super::idp::Idp;
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::api::web::form::own_page;
use crate::api::web::page::{self, Forms, Message, START_AGAIN};
use crate::api::web::trip::{self, Kept, LONGEST_PARAMETER, Purpose, Trip};
use crate::api::web::{record, unguessable};
use crate::api::{Vault, named};
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::identity::sign_in::{Return, SignInError, SignedIn};
use crate::model::{AppId, Ticket, TicketId, TicketKind, TicketState};
use crate::store::{Effect, StoredTicket};

const USER_TOKEN: &str = "user_token";

/// What the identity provider sends back.
#[derive(Debug, Default, Deserialize)]
pub struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// `GET /sign-in/{token}`
pub async fn ask(State(vault): State<Arc<Vault>>, token: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let token = named(token);
    match open_sign_in(&vault, &token).await {
        Ok(Some(stored)) => match asking(&vault, &stored.ticket, &token, RequestId::of(&parts)).await {
            Ok(shown) => shown,
            Err(refusal) => page::refused(&refusal, RequestId::of(&parts)),
        },
        Ok(None) => page::over(RequestId::of(&parts)),
        Err(refusal) => page::refused(&refusal, RequestId::of(&parts)),
    }
}

async fn asking(vault: &Vault, ticket: &Ticket, token: &str, request_id: &str) -> Result<Response, Refusal> {
    let idp = Idp::required(vault, ticket.app).await?;
    let app = vault.store.app(ticket.app).await?.ok_or_else(Refusal::internal)?;
    let entrance = Entrance::of(vault, &idp).await?;
    let asking = Asking { app: &app.name, host: entrance.host(), token, request_id };
    Ok(page::show(StatusCode::OK, &asking, entrance.forms(), false))
}

/// Who asks, and a button.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct Asking<'a> {
    app: &'a str,
    host: &'a str,
    token: &'a str,
    request_id: &'a str,
}

/// Where the identity provider signs people in: what a page says of it before it sends them there.
pub struct Entrance(Option<Uri>);

impl Entrance {
    /// Asks the identity provider.
    ///
    /// # Errors
    /// 503 if it cannot be asked.
    pub async fn of(vault: &Vault, idp: &Idp) -> Result<Self, Refusal> {
        let metadata = vault.issuers.metadata(&idp.settings.issuer).await.map_err(|trouble| super::idp::unavailable(&trouble))?;
        Ok(Self(metadata.authorization_endpoint.clone()))
    }

    /// Its host, for people.
    pub fn host(&self) -> &str {
        self.0.as_ref().and_then(Uri::host).unwrap_or("its identity provider")
    }

    /// Where the forms of the page may lead.
    pub fn forms(&self) -> Forms<'_> {
        Forms::Elsewhere(self.0.as_slice())
    }
}

/// `POST /sign-in/{token}`
pub async fn begin(State(vault): State<Arc<Vault>>, token: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let token = named(token);
    let id = RequestId::of(&parts);
    if let Err(refusal) = own_page(&parts) {
        return page::refused(&refusal, id);
    }
    let begun = async {
        let Some(stored) = open_sign_in(&vault, &token).await? else { return Ok(page::over(id)) };
        let idp = Idp::required(&vault, stored.ticket.app).await?;
        depart(&vault, &idp, Some(stored.ticket.id), None, id).await
    };
    begun.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

/// Sends a browser to the app's identity provider. `session` is the ticket in whose course that happens; `back_to` the path of the vault's own page that it
/// comes back to, signed in.
///
/// # Errors
/// 400 without a client id, 503 if the identity provider cannot be asked, or the store's.
pub async fn depart(
    vault: &Vault,
    idp: &Idp,
    session: Option<TicketId>,
    back_to: Option<String>,
    request_id: &str,
) -> Result<Response, Refusal> {
    let app = idp.registration.app;
    let state = unguessable()?;
    let party = idp.relying_party(vault)?;
    let departure = party.depart(&vault.issuers, &state).await.map_err(|error| failed(&error))?;
    let start = trip::Start {
        app,
        session,
        state: &state,
        purpose: Purpose::SignIn,
        nonce: Some(departure.nonce),
        kept: Kept { verifier: Some(departure.verifier), back_to: back_to.map(Secret::new) },
    };
    let row =
        |subject| AuditEntry::new(ChainId::App(app), "sign_in.begin", Outcome::Done).subject("sign_in", subject).request_id(request_id);
    let cookie = trip::begin(vault, start, row).await?;
    Ok(page::redirect(&departure.url, &[cookie]))
}

/// `GET /sign-in/callback`
pub async fn arrive(State(vault): State<Arc<Vault>>, callback: Result<Query<Callback>, QueryRejection>, parts: Parts) -> Response {
    let id = RequestId::of(&parts);
    // A parameter that stands there twice is no answer to anything.
    let Ok(Query(callback)) = callback else { return page::over(id) };
    arrived(&vault, &callback, &parts).await.unwrap_or_else(|refusal| page::refused(&refusal, id))
}

async fn arrived(vault: &Vault, callback: &Callback, parts: &Parts) -> Result<Response, Refusal> {
    let id = RequestId::of(parts);
    let row = |app, subject| AuditEntry::new(ChainId::App(app), "sign_in.return", Outcome::Done).subject("sign_in", subject).request_id(id);
    let taken = trip::take(vault, &callback.state, parts, |purpose| *purpose == Purpose::SignIn, row).await?;
    let Some(trip) = taken else { return Ok(page::over(id)) };
    let (app, session) = (trip.ticket.app, trip.ticket.parent);
    let outcome = match &callback.error {
        Some(error) => Err(Ended::refused_there(error)),
        None => exchange(vault, &trip, callback).await,
    };
    match (&trip.kept.back_to, session) {
        (Some(back_to), _) => match outcome {
            Ok(signed_in) => {
                let set = browser::sign_in(vault, app, &signed_in, id).await?;
                Ok(page::redirect(back_to.expose(), &[trip.clear(vault), set]))
            }
            Err(ended) => {
                refuse(vault, app, trip.ticket.id, &ended, id).await?;
                Ok(not_signed_in(&ended.message, Some(back_to.expose()), id))
            }
        },
        (None, Some(session)) => finish(vault, session, outcome, id).await,
        (None, None) => Err(Refusal::internal().because("a trip that leads nowhere")),
    }
}

async fn exchange(vault: &Vault, trip: &Trip, callback: &Callback) -> Result<SignedIn, Ended> {
    let idp = Idp::required(vault, trip.ticket.app).await?;
    let party = idp.relying_party(vault)?;
    // RFC 9207: an answer of another issuer must not reach this one's token endpoint.
    if callback.iss.as_ref().is_some_and(|issuer| *issuer != party.issuer) {
        return Err(Ended::new("token_issuer_wrong", "the answer names another issuer", "The sign-in was answered by somebody else."));
    }
    let code = callback.code.as_deref().filter(|code| !code.is_empty() && code.len() <= LONGEST_PARAMETER);
    let code =
        code.ok_or_else(|| Ended::new("code_missing", "the answer has no code", "The identity provider's answer was incomplete."))?;
    let (Some(verifier), Some(nonce)) = (&trip.kept.verifier, &trip.nonce) else { return Err(Refusal::internal().into()) };
    let back = Return { code: &Secret::new(code), verifier, nonce };
    Ok(party.arrive(&vault.issuers, &back).await?)
}

/// Ends the sign-in that an application waits for.
async fn finish(vault: &Vault, session: TicketId, outcome: Result<SignedIn, Ended>, id: &str) -> Result<Response, Refusal> {
    let found = vault.store.ticket(session).await?.filter(|stored| stored.ticket.kind == TicketKind::SignIn);
    let Some(StoredTicket { ticket, .. }) = found else { return Ok(page::over(id)) };
    if ticket.state != TicketState::Open || ticket.has_expired(vault.clock.now()) {
        return Ok(page::over(id));
    }
    let row = AuditEntry::new(ChainId::App(ticket.app), "sign_in.complete", Outcome::Done).subject("sign_in", ticket.id).request_id(id);
    let (row, state, body, sealed, shown) = match outcome {
        Ok(signed_in) => {
            let person = &signed_in.person;
            let info = json!({
                "sub": person.subject,
                "email": person.email.as_ref().map(|email| &email.address),
                "email_verified": person.email.as_ref().map(|email| email.verified),
                "name": person.name,
            });
            let sealed = record::seal(vault, &ticket, &BTreeMap::from([(USER_TOKEN.to_owned(), signed_in.id_token)]))?;
            let row = row.report(&json!({"user": person.subject}).to_string());
            (row, TicketState::Completed, info, Some(sealed), signed_in_page(id))
        }
        Err(ended) => {
            let row = row.refused(ended.code, Some(&ended.reason));
            let body = json!({"error_code": ended.code, "error_message": ended.message});
            (row, TicketState::Failed, body, None, not_signed_in(&ended.message, None, id))
        }
    };
    let ticket = Ticket { state, body: body.to_string(), version: ticket.version + 1, ..ticket };
    record::commit(vault, row, vec![Effect::UpdateTicket { ticket: Box::new(ticket), sealed }]).await?;
    Ok(shown)
}

fn signed_in_page(request_id: &str) -> Response {
    let paragraphs = ["You are signed in. You can close this page and go back to the application."];
    Message { title: "You are signed in", paragraphs: &paragraphs, link: None, request_id }.show(StatusCode::OK)
}

/// `again` is the page of the vault's from which it can be tried again.
fn not_signed_in(message: &str, again: Option<&str>, request_id: &str) -> Response {
    let (paragraphs, link) = match again {
        Some(path) => (vec![message], Some(("Try again", path))),
        None => (vec![message, START_AGAIN], None),
    };
    Message { title: "You are not signed in", paragraphs: &paragraphs, link, request_id }.show(StatusCode::OK)
}

/// The answer of a poll for a sign-in that is completed.
///
/// # Errors
/// 500 if the token cannot be opened.
pub fn completed_answer(vault: &Vault, stored: &StoredTicket) -> Result<Value, Refusal> {
    let token = record::open(vault, stored)?.remove(USER_TOKEN).ok_or_else(Refusal::internal)?;
    let info: Value = serde_json::from_str(&stored.ticket.body).unwrap_or_else(|_| json!({}));
    Ok(json!({"status": "completed", "user_token": token.expose(), "user_info": info}))
}

/// Why a sign-in ended without a person.
#[derive(Debug)]
struct Ended {
    /// For the audit and the application.
    code: &'static str,
    /// For the audit.
    reason: String,
    /// For the person and the application.
    message: String,
}

impl Ended {
    fn new(code: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), message: message.into() }
    }

    /// The identity provider says no, or the person does. Its words are not repeated.
    fn refused_there(error: &str) -> Self {
        match error {
            "access_denied" | "consent_required" | "login_required" | "interaction_required" => {
                Self::new("access_denied", "the person or the identity provider said no", "The sign-in was refused or given up.")
            }
            "temporarily_unavailable" | "server_error" => {
                Self::new("service_unavailable", "the identity provider has trouble", "The identity provider has trouble. Try again later.")
            }
            _ => {
                Self::new("idp_error", "the identity provider answered with an error", "The identity provider did not accept the request.")
            }
        }
    }
}

impl From<SignInError> for Ended {
    fn from(error: SignInError) -> Self {
        let reason = error.to_string();
        match &error {
            SignInError::Provider(_) => {
                Self::new("service_unavailable", reason, "The identity provider cannot be reached. Try again later.")
            }
            _ => Self::new(error.code(), reason, "The identity provider's answer could not be verified."),
        }
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.reason(), "The sign-in could not be finished.")
    }
}

fn failed(error: &SignInError) -> Refusal {
    match error {
        SignInError::Provider(trouble) => super::idp::unavailable(trouble),
        other => Refusal::internal().because(other.to_string()),
    }
}

async fn open_sign_in(vault: &Vault, token: &str) -> Result<Option<StoredTicket>, Refusal> {
    let found = vault.store.ticket_by_digest(TicketKind::SignIn, vault.keys.digest(token)).await?;
    Ok(found.filter(|stored| stored.ticket.state == TicketState::Open && !stored.ticket.has_expired(vault.clock.now())))
}

async fn refuse(vault: &Vault, app: AppId, trip: TicketId, ended: &Ended, id: &str) -> Result<(), Refusal> {
    let row = AuditEntry::new(ChainId::App(app), "sign_in.complete", Outcome::Done).subject("sign_in", trip).request_id(id);
    record::commit(vault, row.refused(ended.code, Some(&ended.reason)), Vec::new()).await
}
