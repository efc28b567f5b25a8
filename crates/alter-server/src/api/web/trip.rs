//! A browser's trip to another site and back: to an identity provider for signing in, or to a provider for consent.
//!
//! A trip is bound to one browser by a cookie and is used once, before the code that comes back is exchanged: whoever gets hold of the redirect's URL
//! can do nothing with it. Its token is the `state` parameter.

use std::collections::BTreeMap;
use std::time::Duration;

use alter_core::secret::Secret;
use http::HeaderValue;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{cookie, record, unguessable};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::AuditEntry;
use crate::model::{AppId, KeyDigest, Ticket, TicketId, TicketKind, TicketState};
use crate::store::{CommitError, Declined, Effect, StoredTicket};

/// How long a person may stay at the other site.
const LIFE: Duration = Duration::from_secs(600);
const VERIFIER: &str = "verifier";
const BACK_TO: &str = "back_to";
/// The longest parameter that is taken from a callback, in bytes.
pub const LONGEST_PARAMETER: usize = 4096;

/// What a trip is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Purpose {
    /// A person signs in; an application waits for it, or a page of the vault's own.
    SignIn,
    /// A person consents at a provider.
    Consent {
        /// The provider's id.
        provider: String,
        /// How long the person lets the access last, in seconds; `None` if nothing was chosen.
        lifetime_s: Option<u64>,
        /// Whether the agent that gets the access may pass it on.
        delegable: bool,
    },
}

/// What is remembered and shown to nobody.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The PKCE verifier.
    pub verifier: Option<Secret>,
    /// The path of the vault's own page to go back to. It may hold a session's token, so it is kept like one.
    pub back_to: Option<Secret>,
}

/// A trip that begins.
#[derive(Debug)]
pub struct Start<'a> {
    /// The app for which it happens.
    pub app: AppId,
    /// The ticket in whose course it happens.
    pub session: Option<TicketId>,
    /// The `state` parameter.
    pub state: &'a str,
    /// What it is for.
    pub purpose: Purpose,
    /// What an ID token has to answer.
    pub nonce: Option<String>,
    /// What is remembered.
    pub kept: Kept,
}

/// A trip that has ended.
#[derive(Debug)]
pub struct Trip {
    /// Its ticket.
    pub ticket: Ticket,
    /// What it was for.
    pub purpose: Purpose,
    /// What an ID token has to answer.
    pub nonce: Option<String>,
    /// What was remembered.
    pub kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    purpose: Purpose,
    nonce: Option<String>,
    /// Keyed digest of the cookie, base64url.
    browser: String,
}

/// Begins a trip: the cookie to set. `row` makes the audit row out of the subject's id, which is the session's, or the trip's own.
///
/// # Errors
/// The store's.
pub async fn begin(vault: &Vault, start: Start<'_>, row: impl FnOnce(TicketId) -> AuditEntry) -> Result<HeaderValue, Refusal> {
    let cookie = unguessable()?;
    let body = json!(Body { purpose: start.purpose, nonce: start.nonce, browser: cookie::digest(vault, &cookie) });
    let digest = vault.keys.digest(start.state);
    let ticket = Ticket::open(start.app, TicketKind::Trip, digest, body.to_string(), vault.clock.now(), LIFE);
    let ticket = Ticket { parent: start.session, ..ticket };
    let kept = [(VERIFIER, start.kept.verifier), (BACK_TO, start.kept.back_to)];
    let fields: BTreeMap<String, Secret> = kept.into_iter().filter_map(|(name, kept)| Some((name.to_owned(), kept?))).collect();
    let sealed = if fields.is_empty() { None } else { Some(record::seal(vault, &ticket, &fields)?) };
    let row = row(start.session.unwrap_or(ticket.id));
    record::commit(vault, row, vec![Effect::CreateTicket { ticket: Box::new(ticket), sealed }]).await?;
    Ok(cookie::set(vault, &cookie_name(digest), &cookie, LIFE))
}

/// The cookie that binds a trip to a browser. Each trip has its own, so that two windows of one browser can be on their way at once.
fn cookie_name(state: KeyDigest) -> String {
    let name: String = state.0[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("alter_trip_{name}")
}

impl Trip {
    /// The cookie that ends the trip's binding.
    pub fn clear(&self, vault: &Vault) -> HeaderValue {
        cookie::clear(vault, &cookie_name(self.ticket.digest))
    }
}

/// Finds the trip that a browser comes back from, checks that it is on it, and uses the trip up. `None` if there is none of a purpose that `takes` takes, or
/// if its time is over.
///
/// # Errors
/// 400 `browser_mismatch` if another browser was sent; the trip stays, since its own may still come. The store's.
pub async fn take(
    vault: &Vault,
    state: &str,
    parts: &Parts,
    takes: impl FnOnce(&Purpose) -> bool,
    row: impl FnOnce(AppId, TicketId) -> AuditEntry,
) -> Result<Option<Trip>, Refusal> {
    if state.is_empty() || state.len() > LONGEST_PARAMETER {
        return Ok(None);
    }
    let found = vault.store.ticket_by_digest(TicketKind::Trip, vault.keys.digest(state)).await?;
    let usable = |stored: &StoredTicket| stored.ticket.state == TicketState::Open && !stored.ticket.has_expired(vault.clock.now());
    let Some(stored) = found.filter(usable) else { return Ok(None) };
    let body: Body = serde_json::from_str(&stored.ticket.body).map_err(|_| Refusal::internal().because("a stored trip cannot be read"))?;
    if !takes(&body.purpose) {
        return Ok(None);
    }
    let row = row(stored.ticket.app, stored.ticket.parent.unwrap_or(stored.ticket.id));
    let same_browser =
        cookie::get(parts, vault, &cookie_name(stored.ticket.digest)).is_some_and(|cookie| cookie::digest(vault, &cookie) == body.browser);
    if !same_browser {
        let row = row.refused("browser_mismatch", Some("the browser that came back is not the one that was sent"));
        record::commit(vault, row, Vec::new()).await?;
        let message = "This was started in another browser. Start it again in this one.";
        return Err(Refusal::bad_request("browser_mismatch", message));
    }
    let used = Ticket { state: TicketState::Completed, version: stored.ticket.version + 1, ..stored.ticket.clone() };
    match record::settle(vault, row, vec![Effect::UpdateTicket { ticket: Box::new(used), sealed: None }]).await {
        Ok(()) => {}
        // The same link twice at once.
        Err(CommitError::Declined(Declined::Changed(_) | Declined::Final(_))) => return Ok(None),
        Err(error) => return Err(record::refusal(error)),
    }
    let mut fields = record::open(vault, &stored)?;
    let kept = Kept { verifier: fields.remove(VERIFIER), back_to: fields.remove(BACK_TO) };
    Ok(Some(Trip { ticket: stored.ticket, purpose: body.purpose, nonce: body.nonce, kept }))
}
