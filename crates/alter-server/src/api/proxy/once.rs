//! The idempotency key: a call under one key runs at most once.
//!
//! The key is a ticket that is made in the commit that lets the call leave, so of two requests with one key, on whatever vault, only one gets that far. What the
//! provider answered is kept, sealed, and given again for a day. A ticket without an answer means that the call is on its way or that a vault died over it:
//! then nobody knows what the provider did, that is what is answered, and nothing is ever sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use alter_core::encoding::hex;
use alter_core::secret::Secret;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::departure::PROVIDER_DEADLINE;
use super::request::ProxyRequest;
use crate::api::Vault;
use crate::api::pipeline::{Admitted, COMMIT_DEADLINE};
use crate::api::refusal::Refusal;
use crate::api::web::record;
use crate::model::{AppId, GrantId, Ticket, TicketKind, TicketState};
use crate::store::{Effect, StoredTicket};

/// How long a key is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a call under way can take at most, from the commit that lets it leave to the one that records its end.
const LONGEST_CALL: Duration = Duration::from_secs(PROVIDER_DEADLINE.as_secs() + COMMIT_DEADLINE.as_secs() + 5);
/// The sealed field with the answer.
const ANSWER: &str = "answer";

/// A call under a key.
#[derive(Clone, Debug)]
pub struct Once {
    ticket: Ticket,
    /// Digest of what was asked for.
    repeated: String,
}

impl Once {
    /// The key of a request; `None` if it has none. Keys of an agent are its own.
    ///
    /// # Errors
    /// 500 if what was asked for cannot be written down.
    pub fn of(vault: &Vault, request: &Admitted<'_>, asked: &ProxyRequest, grant: GrantId) -> Result<Option<Self>, Refusal> {
        let Some(key) = &asked.idempotency_key else { return Ok(None) };
        let app = request.key.app;
        let holder = request.acting.agent().map_or_else(String::new, |agent| agent.id.to_string());
        let digest = vault.keys.digest(&format!("idempotency\n{app}\n{holder}\n{key}"));
        let text = serde_json::to_string(&(grant, &asked.repeated)).map_err(|_| Refusal::internal())?;
        let repeated = hex(&Sha256::digest(text.as_bytes()));
        let body = json!({ "repeated": repeated }).to_string();
        let ticket = Ticket::open(app, TicketKind::ProxiedCall, digest, body, vault.clock.now(), LIFE);
        Ok(Some(Self { ticket, repeated }))
    }

    /// What came of an earlier call under the key; `None` if there was none.
    ///
    /// # Errors
    /// 422 `idempotency_key_reused` for another call; 409 `call_in_progress`, `outcome_unknown`.
    pub async fn before(&self, vault: &Vault) -> Result<Option<Value>, Refusal> {
        let Some(stored) = vault.store.ticket_by_digest(TicketKind::ProxiedCall, self.ticket.digest).await? else { return Ok(None) };
        let body: Value = serde_json::from_str(&stored.ticket.body).map_err(|_| Refusal::internal())?;
        if body["repeated"] != *self.repeated {
            let message = "This idempotency_key was used for another call. Take a new one for each call.";
            return Err(Refusal::unprocessable("idempotency_key_reused", message));
        }
        if stored.ticket.state == TicketState::Completed {
            return answer(vault, &stored).map(Some);
        }
        if stored.ticket.state == TicketState::Open && stored.ticket.created_at.plus(LONGEST_CALL) > vault.clock.now() {
            let message = "The call under this idempotency_key is under way. Ask again shortly.";
            return Err(Refusal::new(StatusCode::CONFLICT, "call_in_progress", message).retry_after(1));
        }
        Err(unknown_outcome())
    }

    /// The change that lets the call leave. Declined if another one with the key was faster.
    pub fn begin(&self) -> Effect {
        Effect::CreateTicket { ticket: Box::new(self.ticket.clone()), sealed: None }
    }

    /// The change that keeps the provider's answer.
    ///
    /// # Errors
    /// 500 if it cannot be sealed.
    pub fn answered(&self, vault: &Vault, answer: &Value) -> Result<Effect, Refusal> {
        let fields = BTreeMap::from([(ANSWER.to_owned(), Secret::new(answer.to_string()))]);
        let sealed = record::seal(vault, &self.ticket, &fields)?;
        Ok(self.ended(TicketState::Completed, Some(sealed)))
    }

    /// The change that says that nobody knows what the provider did.
    pub fn lost(&self) -> Effect {
        self.ended(TicketState::Failed, None)
    }

    /// The change that frees the key: nothing was sent.
    pub const fn freed(&self) -> Effect {
        let app: AppId = self.ticket.app;
        Effect::DeleteTicket { app, ticket: self.ticket.id }
    }

    fn ended(&self, state: TicketState, sealed: Option<crate::crypto::SealedSecret>) -> Effect {
        let ticket = Ticket { state, version: self.ticket.version + 1, ..self.ticket.clone() };
        Effect::UpdateTicket { ticket: Box::new(ticket), sealed }
    }
}

fn answer(vault: &Vault, stored: &StoredTicket) -> Result<Value, Refusal> {
    let kept = record::open(vault, stored)?.remove(ANSWER);
    kept.and_then(|text| serde_json::from_str(text.expose()).ok()).ok_or_else(Refusal::internal)
}

/// 409: the call left, and nobody knows what the provider did.
pub fn unknown_outcome() -> Refusal {
    let message = "The call under this idempotency_key was sent, and nobody knows whether the provider acted on it. It is not sent again: look there first.";
    Refusal::new(StatusCode::CONFLICT, "outcome_unknown", message)
}
