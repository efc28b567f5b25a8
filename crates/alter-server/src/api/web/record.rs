//! What happens on a page is on record before the page says so.

use std::collections::BTreeMap;
use std::time::Instant;

use alter_core::secret::Secret;
use http::StatusCode;

use crate::api::Vault;
use crate::api::pipeline::COMMIT_DEADLINE;
use crate::api::refusal::Refusal;
use crate::audit::AuditEntry;
use crate::crypto::SealedSecret;
use crate::model::Ticket;
use crate::store::{Commit, CommitError, Effect, StoredTicket};

/// Commits a row with its effects.
///
/// # Errors
/// 503 if the store cannot, 409 if it declines.
pub async fn commit(vault: &Vault, row: AuditEntry, effects: Vec<Effect>) -> Result<(), Refusal> {
    settle(vault, row, effects).await.map_err(refusal)
}

/// As [`commit`], for whoever can do something about it.
///
/// # Errors
/// The store's.
pub async fn settle(vault: &Vault, row: AuditEntry, effects: Vec<Effect>) -> Result<(), CommitError> {
    let commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
    vault.commit(commit, Instant::now() + COMMIT_DEADLINE).await.map(drop)
}

/// What the person is told when nothing was done.
pub fn refusal(error: CommitError) -> Refusal {
    match error {
        CommitError::Store(error) => error.into(),
        CommitError::Declined(declined) => {
            let message = "Something else happened to this meanwhile. Go back to the application and start again.";
            Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", message).because(declined.to_string())
        }
    }
}

/// Seals the secrets of a ticket.
///
/// # Errors
/// 500.
pub fn seal(vault: &Vault, ticket: &Ticket, fields: &BTreeMap<String, Secret>) -> Result<SealedSecret, Refusal> {
    vault.keys.seal(ticket.app, ticket.id, fields).map_err(|error| Refusal::internal().because(error.to_string()))
}

/// Opens the secrets of a ticket; none if it has none.
///
/// # Errors
/// 500 if they cannot be opened.
pub fn open(vault: &Vault, stored: &StoredTicket) -> Result<BTreeMap<String, Secret>, Refusal> {
    let Some(sealed) = &stored.sealed else { return Ok(BTreeMap::new()) };
    vault.keys.open(stored.ticket.app, stored.ticket.id, sealed).map_err(|error| {
        tracing::error!(ticket = %stored.ticket.id, %error, "a ticket's secrets cannot be opened");
        Refusal::internal().because(error.to_string())
    })
}
