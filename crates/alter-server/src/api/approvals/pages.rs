//! The page on which a person decides: what would be sent, by whom and why, and two buttons.
//!
//! The link carries no authority. Who follows it signs in at the app's identity provider, and has to be an approver.

use std::sync::Arc;

use alter_core::encoding::hex;
use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use super::decide::{Choice, Decided};
use super::{frozen, readable};
use crate::api::people::browser::{self, Visitor};
use crate::api::people::idp::Idp;
use crate::api::people::sign_in::{self as entrance, Entrance};
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::api::web::form::Form;
use crate::api::web::page::{self, Forms, Message};
use crate::api::web::words;
use crate::api::{Vault, named};
use crate::model::{App, Approval, ApprovalStatus, Decider, Gate, GateId};
use crate::store::StoredApproval;

/// A gate with everything around it.
struct Asked {
    stored: StoredApproval,
    gate: GateId,
    app: App,
}

impl Asked {
    async fn find(vault: &Vault, named: &str) -> Result<Option<Self>, Refusal> {
        let Some(gate) = GateId::parse(named) else { return Ok(None) };
        let Some(stored) = vault.store.approval_of_gate(gate).await? else { return Ok(None) };
        let app = vault.store.app(stored.approval.app).await?.ok_or_else(Refusal::internal)?;
        Ok(Some(Self { stored, gate, app }))
    }

    fn path(&self) -> String {
        format!("/approve/{}", self.gate)
    }

    fn gate(&self) -> Option<&Gate> {
        self.stored.approval.gate(self.gate)
    }
}

/// `GET /approve/{gate}`
pub async fn show(State(vault): State<Arc<Vault>>, gate: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let id = RequestId::of(&parts);
    let shown = async {
        let Some(asked) = Asked::find(&vault, &named(gate)).await? else { return Ok(unknown(id)) };
        match browser::visitor(&vault, asked.app.id, &parts).await? {
            Some(visitor) => for_visitor(&vault, &asked, &visitor, id),
            None => ask_to_sign_in(&vault, &asked, id).await,
        }
    };
    shown.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

/// `POST /approve/{gate}/sign-in`
pub async fn sign_in(State(vault): State<Arc<Vault>>, gate: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts);
    let begun = async {
        Form::read(&parts, body).await?;
        let Some(asked) = Asked::find(&vault, &named(gate)).await? else { return Ok(unknown(id)) };
        let idp = Idp::required(&vault, asked.app.id).await?;
        entrance::depart(&vault, &idp, None, Some(asked.path()), id).await
    };
    begun.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

/// `POST /approve/{gate}`: `decision` is `approve` or `deny`, `digest` what the page showed.
pub async fn decide(State(vault): State<Arc<Vault>>, gate: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts);
    let decided = async {
        let form = Form::read(&parts, body).await?;
        let Some(asked) = Asked::find(&vault, &named(gate)).await? else { return Ok(unknown(id)) };
        let Some(visitor) = browser::visitor(&vault, asked.app.id, &parts).await? else {
            return ask_to_sign_in(&vault, &asked, id).await;
        };
        let choice = match form.text("decision") {
            Some("approve") => Choice::Approve { digest: form.text("digest").unwrap_or_default().to_owned() },
            Some("deny") => Choice::Deny,
            _ => return Err(Refusal::bad_request("invalid_request", "Choose to approve or to deny.")),
        };
        let reason = form.text("reason").map(str::to_owned);
        let decided = Decided { gate: Some(asked.gate), by: decider(&visitor), choice, reason };
        match super::decide(&vault, asked.stored.approval.id, &decided, id).await {
            // What there is to say about it stands on the page itself.
            Ok(_) => Ok(page::redirect(&asked.path(), &[])),
            Err(refusal) if refusal.status() == StatusCode::CONFLICT => Ok(page::redirect(&asked.path(), &[])),
            Err(refusal) => Err(refusal),
        }
    };
    decided.await.unwrap_or_else(|refusal: Refusal| page::refused(&refusal, id))
}

fn decider(visitor: &Visitor) -> Decider {
    Decider::Person { person: visitor.person.clone(), email: visitor.email.clone() }
}

fn unknown(request_id: &str) -> Response {
    let paragraphs = ["Nothing waits for you at this address. It may have been decided long ago, or the address is not whole."];
    Message { title: "Nothing to decide", paragraphs: &paragraphs, link: None, request_id }.show(StatusCode::NOT_FOUND)
}

#[derive(Template)]
#[template(path = "approve_sign_in.html")]
struct SignInPage<'a> {
    app: &'a str,
    path: &'a str,
    host: &'a str,
    request_id: &'a str,
}

async fn ask_to_sign_in(vault: &Vault, asked: &Asked, request_id: &str) -> Result<Response, Refusal> {
    let Some(idp) = Idp::find(vault, asked.app.id).await? else {
        let command = format!("alter approval show {}", asked.gate);
        let paragraphs =
            ["Nobody can sign in here: this application has no identity provider. An operator decides on the command line:", &command];
        let message = Message { title: "An operator decides about this", paragraphs: &paragraphs, link: None, request_id };
        return Ok(message.show(StatusCode::OK));
    };
    let entrance = Entrance::of(vault, &idp).await?;
    let (path, host) = (asked.path(), entrance.host());
    Ok(page::show(StatusCode::OK, &SignInPage { app: &asked.app.name, path: &path, host, request_id }, entrance.forms(), false))
}

#[derive(Template)]
#[template(path = "approve.html")]
struct ApprovePage<'a> {
    app: &'a str,
    path: &'a str,
    person: String,
    /// Who asks for it.
    asker: String,
    provider: String,
    reason: Option<String>,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<(String, Option<String>)>,
    asked_at: String,
    until: String,
    /// How it stands, if this person has nothing to decide any more.
    outcome: Option<Outcome>,
    /// The other decisions that it takes.
    others: Vec<String>,
    digest: String,
    request_id: &'a str,
}

struct Outcome {
    title: &'static str,
    text: String,
    good: bool,
    /// Whether there will be more to say shortly.
    moving: bool,
}

fn for_visitor(vault: &Vault, asked: &Asked, visitor: &Visitor, request_id: &str) -> Result<Response, Refusal> {
    let approval = &asked.stored.approval;
    let gate = asked.gate().ok_or_else(Refusal::internal)?;
    let decider = decider(visitor);
    if !decider.is_among(&gate.approvers) {
        let text = format!("You are signed in as {}, who is not asked to decide about this.", visitor.shown_name());
        let paragraphs =
            [text.as_str(), "If you have another account, sign out of this one first: open your wallet, or use another browser."];
        let message = Message { title: "This is for somebody else", paragraphs: &paragraphs, link: None, request_id };
        return Ok(message.show(StatusCode::FORBIDDEN));
    }
    if approval.about.person.as_ref() == Some(&visitor.person) {
        let paragraphs = ["This call is made in your name at your request. Somebody else has to decide about it."];
        let message = Message { title: "Somebody else decides about this", paragraphs: &paragraphs, link: None, request_id };
        return Ok(message.show(StatusCode::FORBIDDEN));
    }
    let (sight, now) = (frozen::seen(vault, &asked.stored)?, vault.clock.now());
    let left = (approval.expires_at.as_millis() - now.as_millis()).max(0) / 60_000;
    let page = ApprovePage {
        app: &asked.app.name,
        path: &asked.path(),
        person: visitor.shown_name(),
        asker: asker(&asked.app, approval),
        provider: approval.about.provider.clone(),
        reason: approval.about.reason.as_deref().map(readable::visible),
        method: sight.method,
        url: readable::line(&sight.url),
        headers: sight.headers.iter().map(|(name, value)| (name.clone(), readable::line(value))).collect(),
        body: sight.body.as_deref().map(|text| readable::folded(&readable::body(text))),
        asked_at: words::moment(approval.created_at),
        until: format!("{} from now ({})", words::span(u64::try_from(left).unwrap_or(0) * 60), words::moment(approval.expires_at)),
        outcome: outcome(approval, gate, approval.status_at(now)),
        others: others(approval, gate),
        digest: hex(&approval.digest),
        request_id,
    };
    let forms = if page.outcome.is_none() { Forms::Own } else { Forms::None };
    Ok(page::show(StatusCode::OK, &page, forms, false))
}

fn asker(app: &App, approval: &Approval) -> String {
    let about = &approval.about;
    let who = about.agent_name.as_deref().map(|name| format!("the agent {name}"));
    let who = who.or_else(|| about.caller.as_deref().map(|name| format!("the caller {}", readable::visible(name))));
    who.map_or_else(|| app.name.clone(), |who| format!("{who} of {}", app.name))
}

/// How the other gates stand.
fn others(approval: &Approval, own: &Gate) -> Vec<String> {
    let others = approval.gates.iter().filter(|gate| gate.id != own.id);
    let told = others.map(|gate| match &gate.decision {
        Some(decision) if decision.approved => format!("{} has agreed.", decision.by.shown_name()),
        Some(decision) => format!("{} has said no.", decision.by.shown_name()),
        None => "Somebody else has to agree, too.".to_owned(),
    });
    told.collect()
}

fn outcome(approval: &Approval, gate: &Gate, status: ApprovalStatus) -> Option<Outcome> {
    let told = |title, text: &str, good, moving| Some(Outcome { title, text: text.to_owned(), good, moving });
    let decided = gate.decision.as_ref();
    match status {
        ApprovalStatus::Pending if decided.is_none() => None,
        ApprovalStatus::Pending => told("You have agreed", "The call is made once everybody has agreed who is asked.", true, false),
        ApprovalStatus::Approved | ApprovalStatus::Executing => told("Approved", "The call is on its way.", true, true),
        ApprovalStatus::Executed => told("Approved and done", "The call was made, and the provider has answered.", true, false),
        ApprovalStatus::Denied => {
            let by = approval.gates.iter().filter_map(|gate| gate.decision.as_ref()).find(|decision| !decision.approved);
            let text = by.map_or_else(
                || format!("{} Nothing was sent.", approval.about.decision_reason.as_deref().unwrap_or("It was taken back.")),
                |no| format!("{} said no on {}. Nothing was sent.", no.by.shown_name(), words::moment(no.at)),
            );
            told("Denied", &text, false, false)
        }
        ApprovalStatus::Expired => told("Too late", "The time for deciding is over. Nothing was sent.", false, false),
        ApprovalStatus::Failed => {
            let why = approval.about.execution_error.as_deref().unwrap_or("There is no answer of the provider.");
            told("Approved, and failed", why, false, false)
        }
    }
}
