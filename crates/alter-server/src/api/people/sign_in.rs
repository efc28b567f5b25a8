//! Signing in with a browser: from the link that an application hands out, to the app's identity provider, and back.
//!
//! ```text
//! GET  /sign-in/{token}       who asks; nothing happens yet, so that a preview of the link does nothing
//! POST /sign-in/{token}       a trip begins: a cookie, and a redirect to the identity provider
//! GET  /sign-in/callback      the trip ends: the same browser, the same state, an ID token that answers it
//! ```
//!
//! A trip is bound to one browser by a cookie and is used once, before the code is exchanged: whoever gets hold of the redirect's URL can do nothing with it.
//! Other pages of the vault send people on trips, too ([`depart`]); those end with the browser signed in ([`super::browser`]) and back on the page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_core::secret::Secret;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::idp::Idp;
use super::{browser, cookie, page};
use crate::api::Vault;
use crate::api::pipeline::COMMIT_DEADLINE;
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::identity::sign_in::{Return, SignInError, SignedIn};
use crate::model::{AppId, Ticket, TicketId, TicketKind, TicketState};
use crate::store::{Commit, CommitError, Declined, Effect, StoredTicket};

/// How long a person may stay at the identity provider.
const TRIP: Duration = Duration::from_secs(600);
/// The cookie that binds a trip to a browser.
const TRIP_COOKIE: &str = "alter_trip";
const VERIFIER: &str = "verifier";
const USER_TOKEN: &str = "user_token";
const LONGEST_PARAMETER: usize = 4096;

/// What a trip remembers, besides its sealed PKCE verifier.
#[derive(Debug, Serialize, Deserialize)]
struct Trip {
    /// What the ID token has to answer.
    nonce: String,
    /// Keyed digest of the cookie, base64url.
    browser: String,
    /// The page of the vault's own to go back to; `None` for a sign-in that an application waits for.
    #[serde(default)]
    back_to: Option<String>,
}

/// What the identity provider sends back.
#[derive(Debug, Default, Deserialize)]
pub struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// 256 random bits as text.
///
/// # Errors
/// 500 if the system gives none.
pub fn unguessable() -> Result<String, Refusal> {
    crate::oauth::code_flow::unguessable().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal().because("no random numbers from the operating system")
    })
}

/// `GET /sign-in/{token}`
pub async fn ask(State(vault): State<Arc<Vault>>, token: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let token = named(token);
    match open_sign_in(&vault, &token).await {
        Ok(Some(stored)) => match asking(&vault, &stored.ticket, &token).await {
            Ok(shown) => shown,
            Err(refusal) => page::refused(&refusal, RequestId::of(&parts)),
        },
        Ok(None) => page::over(RequestId::of(&parts)),
        Err(refusal) => page::refused(&refusal, RequestId::of(&parts)),
    }
}

/// A path that is not text names nothing.
fn named(token: Result<Path<String>, PathRejection>) -> String {
    token.map(|Path(token)| token).unwrap_or_default()
}

async fn asking(vault: &Vault, ticket: &Ticket, token: &str) -> Result<Response, Refusal> {
    let idp = Idp::required(vault, ticket.app).await?;
    let app = vault.store.app(ticket.app).await?.ok_or_else(Refusal::internal)?;
    let metadata = vault.issuers.metadata(&idp.settings.issuer).await.map_err(|trouble| super::idp::unavailable(&trouble))?;
    Ok(page::ask(&app.name, token, metadata.authorization_endpoint.as_ref()))
}

/// `POST /sign-in/{token}`
pub async fn begin(State(vault): State<Arc<Vault>>, token: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let token = named(token);
    let id = RequestId::of(&parts);
    if let Err(refusal) = browser::own_page(&parts) {
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
    let (state, cookie) = (unguessable()?, unguessable()?);
    let party = idp.relying_party(vault)?;
    let departure = party.depart(&vault.issuers, &state).await.map_err(|error| failed(&error))?;
    let now = vault.clock.now();
    let trip = Trip { nonce: departure.nonce, browser: cookie::digest(vault, &cookie), back_to };
    let ticket =
        Ticket { parent: session, ..Ticket::open(app, TicketKind::Trip, vault.keys.digest(&state), json!(trip).to_string(), now, TRIP) };
    let sealed = Some(seal(vault, &ticket, VERIFIER, departure.verifier)?);
    let subject = session.unwrap_or(ticket.id);
    let row = AuditEntry::new(ChainId::App(app), "sign_in.begin", Outcome::Done).subject("sign_in", subject).request_id(request_id);
    commit(vault, row, vec![Effect::CreateTicket { ticket: Box::new(ticket), sealed }]).await?;
    Ok(page::redirect(&departure.url, &[cookie::set(vault, TRIP_COOKIE, &cookie, TRIP)]))
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
    let Some((stored, trip)) = take_trip(vault, callback, parts).await? else { return Ok(page::over(id)) };
    let (app, session) = (stored.ticket.app, stored.ticket.parent);
    let outcome = match &callback.error {
        Some(error) => Err(Ended::refused_there(error)),
        None => exchange(vault, &stored, &trip, callback).await,
    };
    let clear = cookie::clear(vault, TRIP_COOKIE);
    match (trip.back_to, session) {
        (Some(back_to), _) => match outcome {
            Ok(signed_in) => {
                let set = browser::sign_in(vault, app, &signed_in, id).await?;
                Ok(page::redirect(&back_to, &[clear, set]))
            }
            Err(ended) => {
                refuse(vault, app, stored.ticket.id, &ended, id).await?;
                Ok(page::failed(&ended.message, id))
            }
        },
        (None, Some(session)) => finish(vault, session, outcome, id).await,
        (None, None) => Err(Refusal::internal().because("a trip that leads nowhere")),
    }
}

/// Finds the trip, checks that this browser is on it, and uses it up.
async fn take_trip(vault: &Vault, callback: &Callback, parts: &Parts) -> Result<Option<(StoredTicket, Trip)>, Refusal> {
    if callback.state.is_empty() || callback.state.len() > LONGEST_PARAMETER {
        return Ok(None);
    }
    let found = vault.store.ticket_by_digest(TicketKind::Trip, vault.keys.digest(&callback.state)).await?;
    let usable = |stored: &StoredTicket| stored.ticket.state == TicketState::Open && !stored.ticket.has_expired(vault.clock.now());
    let Some(stored) = found.filter(usable) else { return Ok(None) };
    let trip: Trip = serde_json::from_str(&stored.ticket.body).map_err(|_| Refusal::internal().because("a stored trip cannot be read"))?;
    let row = AuditEntry::new(ChainId::App(stored.ticket.app), "sign_in.return", Outcome::Done)
        .subject("sign_in", stored.ticket.parent.unwrap_or(stored.ticket.id))
        .request_id(RequestId::of(parts));
    let same_browser = cookie::get(parts, vault, TRIP_COOKIE).is_some_and(|cookie| cookie::digest(vault, &cookie) == trip.browser);
    if !same_browser {
        // The trip stays: its own browser may still come.
        let row = row.refused("browser_mismatch", Some("the browser that came back is not the one that was sent"));
        commit(vault, row, Vec::new()).await?;
        let message = "This sign-in was started in another browser. Start it again in this one.";
        return Err(Refusal::bad_request("browser_mismatch", message));
    }
    let used = Ticket { state: TicketState::Completed, version: stored.ticket.version + 1, ..stored.ticket.clone() };
    match settle(vault, row, vec![Effect::UpdateTicket { ticket: Box::new(used), sealed: None }]).await {
        Ok(()) => Ok(Some((stored, trip))),
        // The same link twice at once.
        Err(CommitError::Declined(Declined::Changed(_) | Declined::Final(_))) => Ok(None),
        Err(error) => Err(store_refusal(error)),
    }
}

async fn exchange(vault: &Vault, stored: &StoredTicket, trip: &Trip, callback: &Callback) -> Result<SignedIn, Ended> {
    let idp = Idp::required(vault, stored.ticket.app).await?;
    let party = idp.relying_party(vault)?;
    // RFC 9207: an answer of another issuer must not reach this one's token endpoint.
    if callback.iss.as_ref().is_some_and(|issuer| *issuer != party.issuer) {
        return Err(Ended::new("token_issuer_wrong", "the answer names another issuer", "The sign-in was answered by somebody else."));
    }
    let code = callback.code.as_deref().filter(|code| !code.is_empty() && code.len() <= LONGEST_PARAMETER);
    let code =
        code.ok_or_else(|| Ended::new("code_missing", "the answer has no code", "The identity provider's answer was incomplete."))?;
    let sealed = stored.sealed.as_ref().ok_or_else(Refusal::internal)?;
    let verifier = open(vault, &stored.ticket, sealed, VERIFIER)?.ok_or_else(Refusal::internal)?;
    let back = Return { code: &Secret::new(code), verifier: &verifier, nonce: &trip.nonce };
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
            let sealed = seal(vault, &ticket, USER_TOKEN, signed_in.id_token)?;
            let row = row.report(&json!({"user": person.subject}).to_string());
            (row, TicketState::Completed, info, Some(sealed), page::done(id))
        }
        Err(ended) => {
            let row = row.refused(ended.code, Some(&ended.reason));
            let body = json!({"error_code": ended.code, "error_message": ended.message});
            (row, TicketState::Failed, body, None, page::failed(&ended.message, id))
        }
    };
    let ticket = Ticket { state, body: body.to_string(), version: ticket.version + 1, ..ticket };
    commit(vault, row, vec![Effect::UpdateTicket { ticket: Box::new(ticket), sealed }]).await?;
    Ok(shown)
}

/// The answer of a poll for a sign-in that is completed.
///
/// # Errors
/// 500 if the token cannot be opened.
pub fn completed_answer(vault: &Vault, stored: &StoredTicket) -> Result<Value, Refusal> {
    let sealed = stored.sealed.as_ref().ok_or_else(Refusal::internal)?;
    let token = open(vault, &stored.ticket, sealed, USER_TOKEN)?.ok_or_else(Refusal::internal)?;
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
    commit(vault, row.refused(ended.code, Some(&ended.reason)), Vec::new()).await
}

fn seal(vault: &Vault, ticket: &Ticket, field: &str, value: Secret) -> Result<crate::crypto::SealedSecret, Refusal> {
    let fields = BTreeMap::from([(field.to_owned(), value)]);
    vault.keys.seal(ticket.app, ticket.id, &fields).map_err(|error| Refusal::internal().because(error.to_string()))
}

fn open(vault: &Vault, ticket: &Ticket, sealed: &crate::crypto::SealedSecret, field: &str) -> Result<Option<Secret>, Refusal> {
    let mut fields = vault.keys.open(ticket.app, ticket.id, sealed).map_err(|error| {
        tracing::error!(ticket = %ticket.id, %error, "a ticket's secret cannot be opened");
        Refusal::internal().because(error.to_string())
    })?;
    Ok(fields.remove(field))
}

/// Commits a row with its effects.
///
/// # Errors
/// 503 if the store cannot, 409 if it declines.
pub(super) async fn commit(vault: &Vault, row: AuditEntry, effects: Vec<Effect>) -> Result<(), Refusal> {
    settle(vault, row, effects).await.map_err(store_refusal)
}

async fn settle(vault: &Vault, row: AuditEntry, effects: Vec<Effect>) -> Result<(), CommitError> {
    let commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
    vault.store.commit(commit, Instant::now() + COMMIT_DEADLINE).await.map(drop)
}

fn store_refusal(error: CommitError) -> Refusal {
    match error {
        CommitError::Store(error) => error.into(),
        CommitError::Declined(declined) => {
            let message = "Something else happened to this sign-in meanwhile. Start it again.";
            Refusal::new(http::StatusCode::CONFLICT, "changed_meanwhile", message).because(declined.to_string())
        }
    }
}
