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
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::departure::LONGEST_CALL;
use super::request::ProxyRequest;
use crate::api::Vault;
use crate::api::approvals;
use crate::api::pipeline::{Admitted, Answer};
use crate::api::refusal::Refusal;
use crate::api::web::record;
use crate::model::{AppId, Approval, ApprovalId, GrantId, Ticket, TicketKind, TicketState};
use crate::store::{Effect, StoredTicket};

/// How long a key is remembered.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// The sealed field with the answer.
const ANSWER: &str = "answer";

/// The body of the ticket.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Digest of what was asked for.
    repeated: String,
    /// The approval, if people have to agree to the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalId>,
}

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
        let body = json!(Body { repeated: repeated.clone(), approval: None }).to_string();
        let ticket = Ticket::open(app, TicketKind::ProxiedCall, digest, body, vault.clock.now(), LIFE);
        Ok(Some(Self { ticket, repeated }))
    }

    /// The key of a call that people have agreed to, as it was stored when the call was asked for.
    ///
    /// # Errors
    /// As of [`Once::of`], and the store's.
    pub async fn stored(vault: &Vault, request: &Admitted<'_>, asked: &ProxyRequest, grant: GrantId) -> Result<Option<Self>, Refusal> {
        let Some(once) = Self::of(vault, request, asked, grant)? else { return Ok(None) };
        let stored = vault.store.ticket_by_digest(TicketKind::ProxiedCall, once.ticket.digest).await?;
        Ok(stored.map(|stored| Self { ticket: stored.ticket, ..once }))
    }

    /// What came of an earlier call under the key; `None` if there was none.
    ///
    /// # Errors
    /// 422 `idempotency_key_reused` for another call; 409 `call_in_progress`, `outcome_unknown`; how a call ended that people had to agree to.
    pub async fn before(&self, vault: &Vault) -> Result<Option<Answer>, Refusal> {
        let Some(stored) = vault.store.ticket_by_digest(TicketKind::ProxiedCall, self.ticket.digest).await? else { return Ok(None) };
        let body: Body = serde_json::from_str(&stored.ticket.body).map_err(|_| Refusal::internal())?;
        if body.repeated != self.repeated {
            let message = "This idempotency_key was used for another call. Take a new one for each call.";
            return Err(Refusal::unprocessable("idempotency_key_reused", message));
        }
        if let Some(approval) = body.approval
            && let Some(told) = approvals::told_again(vault, approval).await?
        {
            return Ok(Some(told));
        }
        if stored.ticket.state == TicketState::Completed {
            return answer(vault, &stored).map(|answer| Some(Answer::Json(answer)));
        }
        if stored.ticket.state == TicketState::Open && stored.ticket.created_at.plus(LONGEST_CALL) > vault.clock.now() {
            let message = "The call under this idempotency_key is under way. Ask again shortly.";
            return Err(Refusal::new(StatusCode::CONFLICT, "call_in_progress", message).retry_after(1));
        }
        Err(unknown_outcome())
    }

    /// The change that lets the call leave, or wait for people. Declined if another one with the key was faster.
    pub fn begin(&self, approval: Option<&Approval>) -> Effect {
        let mut ticket = self.ticket.clone();
        if let Some(approval) = approval {
            let body = Body { repeated: self.repeated.clone(), approval: Some(approval.id) };
            ticket.body = json!(body).to_string();
            ticket.expires_at = approval.expires_at.plus(LIFE);
        }
        Effect::CreateTicket { ticket: Box::new(ticket), sealed: None }
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
