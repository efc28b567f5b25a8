//! Making a change: the row and the effect in one commit, and what the operator is told if it is declined.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;

use crate::api::Vault;
use crate::api::pipeline::COMMIT_DEADLINE;
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::model::{Operator, OperatorRole};
use crate::store::{Commit, CommitError, Declined, Effect};

/// The operator behind a change and the request's id: who stands in the audit row. Taking this argument is what makes a route one for admins.
#[derive(Clone, Debug)]
pub struct Author {
    /// Who asks.
    pub operator: Arc<Operator>,
    request_id: String,
    trace: Option<String>,
}

impl FromRequestParts<Arc<Vault>> for Author {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Vault>) -> Result<Self, Refusal> {
        // Every admin route is behind the middleware that leaves the operator here.
        let operator = parts.extensions.get::<Arc<Operator>>().cloned().ok_or_else(Refusal::internal)?;
        if operator.role != OperatorRole::Admin {
            let message = format!("The operator {} has the role {}, which may only read.", operator.name, operator.role);
            return Err(Refusal::forbidden("operator_role_insufficient", message));
        }
        let trace = RequestId::trace_of(parts).map(str::to_owned);
        Ok(Self { operator, request_id: RequestId::of(parts).to_owned(), trace })
    }
}

impl Author {
    /// The row of a change that this author makes.
    pub fn row(&self, chain: ChainId, action: &'static str) -> AuditEntry {
        let row = AuditEntry::new(chain, action, Outcome::Done).operator(self.operator.id).request_id(&self.request_id);
        self.trace.iter().fold(row, |row, trace| row.trace(trace))
    }
}

/// Commits the effects with their row.
///
/// # Errors
/// 404 or 409 if the store declines, 503 if it cannot.
pub async fn commit(vault: &Vault, row: AuditEntry, effects: Vec<Effect>) -> Result<(), Refusal> {
    let commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
    match vault.commit(commit, Instant::now() + COMMIT_DEADLINE).await {
        Ok(_receipt) => Ok(()),
        Err(CommitError::Declined(declined)) => Err(refusal(declined)),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// What the operator is told when the store declines.
pub fn refusal(declined: Declined) -> Refusal {
    let status = match declined {
        Declined::NotFound(_) => StatusCode::NOT_FOUND,
        Declined::SecretDeleted => StatusCode::GONE,
        _ => StatusCode::CONFLICT,
    };
    let mut message = declined.to_string();
    // The store's texts are clauses.
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Refusal::new(status, declined.code(), message + ".")
}
