//! The Wallet: what an application may use on a person's behalf, what used it and why, and how to take it back.
//!
//! ```text
//! GET  /wallet/{app}                          a person's own grants, and those of groups of theirs; who is not signed in is asked to
//! POST /wallet/{app}/sign-in, …/sign-out
//! POST /wallet/{app}/disconnect/{grant}       takes back a grant of theirs, or what was delegated from one
//! ```

mod view;

use std::num::NonZeroU32;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;

use self::view::{Entry, entries};
use super::Vault;
use super::people::browser::{self, Visitor};
use super::people::idp::Idp;
use super::people::sign_in::{self, Entrance};
use super::refusal::Refusal;
use super::request_id::RequestId;
use super::web::form::Form;
use super::web::page::{self, Forms, Message};
use super::web::record;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::model::{App, Grant, GrantFilter, GrantId, Principal, ShownStatus, View};
use crate::store::{CommitError, Declined, Effect};

/// Grants that one page shows at most.
const MOST_GRANTS: NonZeroU32 = NonZeroU32::new(200).expect("not zero");
/// Audit rows that one page looks through at most.
const MOST_USES: NonZeroU32 = NonZeroU32::new(500).expect("not zero");

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/wallet/{app}", get(open))
        .route("/wallet/{app}/sign-in", post(enter))
        .route("/wallet/{app}/sign-out", post(leave))
        .route("/wallet/{app}/disconnect/{grant}", post(disconnect))
}

/// The path of an app's Wallet.
fn path(app: &App) -> String {
    // Names of apps are fit for URLs.
    format!("/wallet/{}", app.name)
}

#[derive(Template)]
#[template(path = "wallet.html")]
struct WalletPage<'a> {
    app: &'a str,
    path: &'a str,
    person: String,
    entries: Vec<Entry>,
    more: bool,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "wallet_sign_in.html")]
struct SignInPage<'a> {
    app: &'a str,
    path: &'a str,
    host: &'a str,
    request_id: &'a str,
}

async fn open(State(vault): State<Arc<Vault>>, app: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let id = RequestId::of(&parts);
    let shown = async {
        let Some(app) = named(&vault, app).await? else { return Ok(unknown(id)) };
        match browser::visitor(&vault, app.id, &parts).await? {
            Some(visitor) => wallet(&vault, &app, &visitor, id).await,
            None => ask_to_sign_in(&vault, &app, id).await,
        }
    };
    shown.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

async fn named(vault: &Vault, app: Result<Path<String>, PathRejection>) -> Result<Option<App>, Refusal> {
    match app {
        Ok(Path(name)) => Ok(vault.store.app_by_name(name).await?),
        Err(_) => Ok(None),
    }
}

fn unknown(request_id: &str) -> Response {
    let paragraphs = ["There is no application of this name here. Check the address."];
    Message { title: "Nothing here", paragraphs: &paragraphs, link: None, request_id }.show(StatusCode::NOT_FOUND)
}

async fn ask_to_sign_in(vault: &Vault, app: &App, request_id: &str) -> Result<Response, Refusal> {
    let idp = Idp::required(vault, app.id).await?;
    let entrance = Entrance::of(vault, &idp).await?;
    let shown = SignInPage { app: &app.name, path: &path(app), host: entrance.host(), request_id };
    Ok(page::show(StatusCode::OK, &shown, entrance.forms(), false))
}

async fn wallet(vault: &Vault, app: &App, visitor: &Visitor, request_id: &str) -> Result<Response, Refusal> {
    let filter = GrantFilter { view: View::Person(visitor.membership()), status: Some(ShownStatus::Active), ..GrantFilter::default() };
    let all = vault.store.list_grants(app.id, filter.clone(), NonZeroU32::MIN, 0).await?.total;
    // Lists are oldest first, and the newest are what a person looks for.
    let left_out = all.saturating_sub(MOST_GRANTS.get().into());
    let found = vault.store.list_grants(app.id, filter, MOST_GRANTS, left_out).await?;
    let more = left_out > 0;
    let ids: Vec<GrantId> = found.grants.iter().map(|listed| listed.grant.id).collect();
    let uses = if ids.is_empty() { Vec::new() } else { vault.store.audit_of_grants(app.id, ids, MOST_USES).await? };
    let entries = entries(vault, app, visitor, found.grants, &uses).await?;
    let shown = WalletPage { app: &app.name, path: &path(app), person: visitor.shown_name(), entries, more, request_id };
    Ok(page::show(StatusCode::OK, &shown, Forms::Own, false))
}

async fn enter(State(vault): State<Arc<Vault>>, app: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts);
    let entered = async {
        Form::read(&parts, body).await?;
        let Some(app) = named(&vault, app).await? else { return Ok(unknown(id)) };
        let idp = Idp::required(&vault, app.id).await?;
        sign_in::depart(&vault, &idp, None, Some(path(&app)), id).await
    };
    entered.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

async fn leave(State(vault): State<Arc<Vault>>, app: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts);
    let left = async {
        Form::read(&parts, body).await?;
        let Some(app) = named(&vault, app).await? else { return Ok(unknown(id)) };
        let clear = browser::sign_out(&vault, app.id, &parts, id).await?;
        let again = path(&app);
        let message = Message {
            title: "You are signed out",
            paragraphs: &["You can close this page."],
            link: Some(("Sign in again", &again)),
            request_id: id,
        };
        let mut response = message.show(StatusCode::OK);
        response.headers_mut().append(SET_COOKIE, clear);
        Ok(response)
    };
    left.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

async fn disconnect(State(vault): State<Arc<Vault>>, names: Result<Path<(String, String)>, PathRejection>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts);
    let (name, grant) = names.map(|Path(names)| names).unwrap_or_default();
    let done = async {
        Form::read(&parts, body).await?;
        let Some(app) = vault.store.app_by_name(name).await? else { return Ok(unknown(id)) };
        let back = path(&app);
        // Signed out meanwhile: the Wallet asks to sign in.
        let Some(visitor) = browser::visitor(&vault, app.id, &parts).await? else { return Ok(page::redirect(&back, &[])) };
        let Some(grant) = own(&vault, &app, &visitor, &grant).await? else { return Ok(not_yours(&back, id)) };
        let row = AuditEntry::new(ChainId::App(app.id), "grant.revoke", Outcome::Done).grant(grant.id);
        let row = row.subject("user", &visitor.person.subject).reason("taken back in the Wallet").request_id(id);
        match record::settle(&vault, row, vec![Effect::RevokeGrant { app: app.id, grant: grant.id }]).await {
            // Gone meanwhile is gone.
            Ok(()) | Err(CommitError::Declined(Declined::NotFound(_))) => Ok(page::redirect(&back, &[])),
            Err(error) => Err(record::refusal(error)),
        }
    };
    done.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

/// A grant that is this person's to take back: it is used on their behalf, and in force.
async fn own(vault: &Vault, app: &App, visitor: &Visitor, id: &str) -> Result<Option<Grant>, Refusal> {
    let Some(id) = GrantId::parse(id) else { return Ok(None) };
    let found = vault.store.grant(app.id, id).await?.found();
    let theirs = |grant: &Grant| {
        grant.on_behalf_of == Principal::User(visitor.person.clone()) && grant.shown_status(vault.clock.now()) != ShownStatus::Revoked
    };
    Ok(found.filter(theirs))
}

fn not_yours(back: &str, request_id: &str) -> Response {
    let paragraphs = ["This was taken back already, or is not yours to take back."];
    Message { title: "Nothing to take back", paragraphs: &paragraphs, link: Some(("See what there is", back)), request_id }
        .show(StatusCode::NOT_FOUND)
}
