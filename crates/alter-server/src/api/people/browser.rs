//! A person who is signed in with one browser: for the pages that are about that person.

use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::api::web::{cookie, record, unguessable};
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::clock::Timestamp;
use crate::identity::sign_in::SignedIn;
use crate::model::{AppId, Membership, Person, Ticket, TicketKind, TicketState};
use crate::store::Effect;

/// How long a browser stays signed in.
const LIFE: Duration = Duration::from_secs(60 * 60);

/// The cookie of an app's visitors: being signed in at one app says nothing about another.
fn cookie_name(app: AppId) -> String {
    let app = app.0.simple().to_string();
    format!("alter_person_{}", &app[..8])
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The person.
    pub person: Person,
    /// The groups that their ID token named; `None` if it named none.
    pub groups: Option<Vec<String>>,
    /// Their address, if the identity provider has verified it.
    pub email: Option<String>,
    /// The name to show.
    pub name: Option<String>,
    /// When they signed in here.
    pub since: Timestamp,
}

impl Visitor {
    /// What people call them.
    pub fn shown_name(&self) -> String {
        self.email.clone().or_else(|| self.name.clone()).unwrap_or_else(|| self.person.subject.clone())
    }

    /// Whose grants they may see.
    pub fn membership(&self) -> Membership {
        Membership { person: self.person.clone(), groups: self.groups.clone() }
    }
}

/// Signs a browser in: the cookie to set. A fresh one each time, so that none can be planted before.
///
/// # Errors
/// The store's.
pub(super) async fn sign_in(vault: &Vault, app: AppId, signed_in: &SignedIn, request_id: &str) -> Result<HeaderValue, Refusal> {
    let (token, now) = (unguessable()?, vault.clock.now());
    let person = &signed_in.person;
    let visitor = Visitor {
        person: Person { issuer: person.issuer.clone(), subject: person.subject.clone() },
        groups: person.groups.clone(),
        email: person.email.as_ref().filter(|email| email.verified).map(|email| email.address.clone()),
        name: person.name.clone(),
        since: now,
    };
    let ticket = Ticket::open(app, TicketKind::Browser, vault.keys.digest(&token), json!(visitor).to_string(), now, LIFE);
    let row = AuditEntry::new(ChainId::App(app), "browser.sign_in", Outcome::Done).subject("user", &person.subject).request_id(request_id);
    record::commit(vault, row, vec![Effect::CreateTicket { ticket: Box::new(ticket), sealed: None }]).await?;
    Ok(cookie::set(vault, &cookie_name(app), &token, LIFE))
}

/// Who is signed in with this browser at an app.
///
/// # Errors
/// The store's.
pub async fn visitor(vault: &Vault, app: AppId, parts: &Parts) -> Result<Option<Visitor>, Refusal> {
    let Some(token) = cookie::get(parts, vault, &cookie_name(app)) else { return Ok(None) };
    let found = vault.store.ticket_by_digest(TicketKind::Browser, vault.keys.digest(&token)).await?;
    let ticket = found
        .map(|stored| stored.ticket)
        .filter(|ticket| ticket.app == app && ticket.state == TicketState::Open && !ticket.has_expired(vault.clock.now()));
    ticket.map_or(Ok(None), |ticket| {
        serde_json::from_str(&ticket.body).map(Some).map_err(|_| Refusal::internal().because("a stored visitor cannot be read"))
    })
}

/// Signs a browser out of an app: the cookie to set.
///
/// # Errors
/// The store's.
pub async fn sign_out(vault: &Vault, app: AppId, parts: &Parts, request_id: &str) -> Result<HeaderValue, Refusal> {
    let clear = cookie::clear(vault, &cookie_name(app));
    let Some(token) = cookie::get(parts, vault, &cookie_name(app)) else { return Ok(clear) };
    if let Some(stored) = vault.store.ticket_by_digest(TicketKind::Browser, vault.keys.digest(&token)).await? {
        let ticket = stored.ticket;
        let row = AuditEntry::new(ChainId::App(ticket.app), "browser.sign_out", Outcome::Done).request_id(request_id);
        record::commit(vault, row, vec![Effect::DeleteTicket { app: ticket.app, ticket: ticket.id }]).await?;
    }
    Ok(clear)
}
