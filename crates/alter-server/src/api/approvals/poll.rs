//! `GET /sdk/approvals/{id}` and `…/result`: a client learns how its call stands.

use std::time::{Duration, Instant};

use super::hold::ended;
use super::{decide, frozen, shape};
use crate::api::Vault;
use crate::api::acting::Acting;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::proxy::SCOPE;
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Approval, ApprovalStatus, GateId};
use crate::store::StoredApproval;

/// The longest that a poll is held, in seconds.
const LONGEST_HOLD: u64 = 25;
/// How often a held poll looks. The decision may be made in another process, so the database is where to look.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// `GET /sdk/approvals/{id}?wait=`
pub struct GetStatus {
    /// The id of a gate, or of the whole.
    pub approval: String,
    /// The query.
    pub query: Option<String>,
}

impl Call for GetStatus {
    const ACTION: &'static str = "approval.status";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require(SCOPE)?;
        let mut query = Query::of(self.query.as_deref())?;
        let hold = query.number("wait", (0, u64::MAX))?.unwrap_or(0);
        query.nothing_else()?;
        if hold > LONGEST_HOLD {
            return Err(Refusal::unprocessable("invalid_request", format!("wait must be at most {LONGEST_HOLD} seconds.")));
        }
        let (first, gate) = find(vault, request, &self.approval, row).await?;
        let approval = wait(vault, first.approval, Duration::from_secs(hold)).await?;
        let answer = shape::status(&approval, gate, vault.clock.now());
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

/// The approval once its status is another one, or as it is when the time is over.
async fn wait(vault: &Vault, first: Approval, hold: Duration) -> Result<Approval, Refusal> {
    let (before, until) = (first.status_at(vault.clock.now()), Instant::now() + hold);
    let mut approval = first;
    while !before.is_final() && approval.status_at(vault.clock.now()) == before {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
        approval = vault.store.approval(approval.id).await?.ok_or_else(decide::not_found)?.approval;
    }
    Ok(approval)
}

/// `GET /sdk/approvals/{id}/result`
pub struct GetResult {
    /// The id of a gate, or of the whole.
    pub approval: String,
}

impl Call for GetResult {
    const ACTION: &'static str = "approval.result";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require(SCOPE)?;
        let (stored, _) = find(vault, request, &self.approval, row).await?;
        match stored.approval.status_at(vault.clock.now()) {
            ApprovalStatus::Executed => {
                let result = shape::result(vault, &stored)?;
                Ok(Verdict { effects: Vec::new(), answer: Answer::Json(result) })
            }
            status => Err(ended(&stored.approval, status)),
        }
    }
}

/// An approval of the app, for whoever may see it: an agent sees those that it has asked for itself.
async fn find(
    vault: &Vault,
    request: &Admitted<'_>,
    named: &str,
    row: &mut AuditEntry,
) -> Result<(StoredApproval, Option<GateId>), Refusal> {
    let (stored, gate) = frozen::stored(vault, named).await?.ok_or_else(decide::not_found)?;
    let approval = &stored.approval;
    let own = match &request.acting {
        Acting::Agent { agent, through_app: false } => approval.agent == Some(agent.id),
        Acting::Agent { through_app: true, .. } | Acting::App => true,
    };
    if approval.app != request.key.app || !own {
        return Err(decide::not_found().because("the approval is another application's, or another agent's"));
    }
    note(row, |row| row.subject("approval", approval.id).grant(approval.grant));
    Ok((stored, gate))
}
