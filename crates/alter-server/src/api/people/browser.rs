//! A person who is signed in with one browser: for the pages that are about that person.

use std::time::Duration;

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{cookie, sign_in};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::clock::Timestamp;
use crate::identity::sign_in::SignedIn;
use crate::model::{AppId, Membership, Person, Ticket, TicketKind, TicketState};
use crate::store::Effect;

/// How long a browser stays signed in.
const LIFE: Duration = Duration::from_secs(60 * 60);
const COOKIE: &str = "alter_person";

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
    let (token, now) = (sign_in::unguessable()?, vault.clock.now());
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
    sign_in::commit(vault, row, vec![Effect::CreateTicket { ticket: Box::new(ticket), sealed: None }]).await?;
    Ok(cookie::set(vault, COOKIE, &token, LIFE))
}

/// Who is signed in with this browser at an app.
///
/// # Errors
/// The store's.
pub async fn visitor(vault: &Vault, app: AppId, parts: &Parts) -> Result<Option<Visitor>, Refusal> {
    let Some(token) = cookie::get(parts, vault, COOKIE) else { return Ok(None) };
    let found = vault.store.ticket_by_digest(TicketKind::Browser, vault.keys.digest(&token)).await?;
    let ticket = found
        .map(|stored| stored.ticket)
        .filter(|ticket| ticket.app == app && ticket.state == TicketState::Open && !ticket.has_expired(vault.clock.now()));
    ticket.map_or(Ok(None), |ticket| {
        serde_json::from_str(&ticket.body).map(Some).map_err(|_| Refusal::internal().because("a stored visitor cannot be read"))
    })
}

/// Signs a browser out: the cookie to set.
///
/// # Errors
/// The store's.
pub async fn sign_out(vault: &Vault, parts: &Parts, request_id: &str) -> Result<HeaderValue, Refusal> {
    let clear = cookie::clear(vault, COOKIE);
    let Some(token) = cookie::get(parts, vault, COOKIE) else { return Ok(clear) };
    if let Some(stored) = vault.store.ticket_by_digest(TicketKind::Browser, vault.keys.digest(&token)).await? {
        let ticket = stored.ticket;
        let row = AuditEntry::new(ChainId::App(ticket.app), "browser.sign_out", Outcome::Done).request_id(request_id);
        sign_in::commit(vault, row, vec![Effect::DeleteTicket { app: ticket.app, ticket: ticket.id }]).await?;
    }
    Ok(clear)
}

/// Refuses a form that another site's page sends. Browsers say where a `POST` comes from.
///
/// # Errors
/// 403 `foreign_origin`.
pub fn own_page(parts: &Parts) -> Result<(), Refusal> {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let origin = header(ORIGIN).and_then(|origin| origin.parse::<Uri>().ok()).and_then(|uri| uri.into_parts().authority);
    let host = header(HOST).map(str::to_owned).or_else(|| parts.uri.authority().map(ToString::to_string));
    match (origin, host) {
        (Some(origin), Some(host)) if origin.as_str().eq_ignore_ascii_case(&host) => Ok(()),
        _ => Err(Refusal::forbidden("foreign_origin", "This form was not sent from a page of this vault. Open the link again.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn only_its_own_pages_may_send_forms() {
        let judge = |origin: Option<&str>| {
            let mut request = Request::post("/sign-in/x").header(HOST, "vault.example.com");
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            own_page(&request.body(()).expect("a request").into_parts().0).is_ok()
        };
        assert!(judge(Some("https://vault.example.com")) && judge(Some("https://VAULT.example.com")));
        for foreign in [None, Some("null"), Some("https://evil.example"), Some("https://vault.example.com.evil.example"), Some("")] {
            assert!(!judge(foreign), "{foreign:?}");
        }
    }
}
