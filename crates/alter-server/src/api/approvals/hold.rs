//! A judged call begins to wait.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;

use super::{frozen, shape};
use crate::api::Vault;
use crate::api::opening::Judged;
use crate::api::pipeline::{Admitted, Answer, Verdict, note};
use crate::api::proxy::{OnBehalf, Once, ProxyRequest, Sight, Terms};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, AuditUrl, Outcome};
use crate::model::{About, Approval, ApprovalId, ApprovalStatus, Approver, Gate, GateId};
use crate::store::Effect;

/// How long people have unless the app's operator says otherwise.
const USUAL_LIFE: Duration = Duration::from_secs(60 * 60);

/// A call that people have to agree to.
pub struct Held {
    /// What is asked for.
    pub asked: ProxyRequest,
    /// The grant, judged as if the call left now: what would be refused is refused at once, and nobody is asked about it.
    pub judged: Judged<Terms>,
    /// The person on whose behalf it is asked.
    pub on_behalf: Option<OnBehalf>,
    /// Who has to agree: one of each.
    pub gates: Vec<BTreeSet<Approver>>,
    /// The key under which it runs.
    pub once: Option<Once>,
}

/// Keeps the call.
///
/// # Errors
/// 403 `redact_discharge_failed`.
pub async fn hold(vault: &Vault, request: &Admitted<'_>, held: Held, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
    let Held { mut asked, judged, on_behalf, gates, once } = held;
    asked.redact(&judged.terms.redaction)?;
    let (grant, sight) = (&judged.access.grant, Sight::of(&asked));
    let app = vault.store.app(grant.app).await?.ok_or_else(Refusal::internal)?;
    let now = vault.clock.now();
    let life = app.settings.approvals.lasts_seconds.map_or(USUAL_LIFE, Duration::from_secs);
    let expires_at = grant.expires_at.map_or(now.plus(life), |end| end.min(now.plus(life)));
    let approval = Approval {
        id: ApprovalId::random(),
        app: grant.app,
        grant: grant.id,
        key: request.key.id,
        agent: request.acting.agent().map(|agent| agent.id),
        status: ApprovalStatus::Pending,
        gates: gates.into_iter().map(|approvers| Gate { id: GateId::random(), approvers, decision: None }).collect(),
        about: About {
            method: sight.method.clone(),
            url: AuditUrl::of(&sight.url).as_str().to_owned(),
            provider: row.provider.clone().unwrap_or_default(),
            reason: asked.reason.clone(),
            caller: request.claims.identity.caller.map(|(_, name)| name.to_owned()),
            agent_name: request.acting.agent().map(|agent| agent.name.clone()),
            person: on_behalf.as_ref().map(|on_behalf| on_behalf.person.clone()),
            ..About::default()
        },
        digest: sight.digest(grant.id),
        version: 1,
        created_at: now,
        expires_at,
        decided_at: None,
        left_at: None,
        executed_at: None,
        notify_at: app.settings.approvals.webhook.is_some().then_some(now),
    };
    let frozen = frozen::Frozen::of(request, on_behalf, row.trace.clone())?;
    let sealed = frozen::seal(vault, &approval, &frozen, &sight)?;
    note(row, |row| {
        let row = row.subject("approval", approval.id).report(&shape::asked_report(&approval).to_string());
        AuditEntry { action: "approval.request".into(), outcome: Outcome::Done, ..row }
    });
    let answer = Answer::Accepted(shape::pending(vault, &approval));
    let begun = once.map(|once| once.begin(Some(&approval)));
    let create = Effect::CreateApproval { approval: Box::new(approval), sealed };
    Ok(Verdict { effects: begun.into_iter().chain([create]).collect(), answer })
}

/// How a call stands that was asked for under a key before. `None` if it is forgotten.
///
/// # Errors
/// How it ended, if there is no answer of the provider.
pub async fn told_again(vault: &Vault, approval: ApprovalId) -> Result<Option<Answer>, Refusal> {
    let Some(stored) = vault.store.approval(approval).await? else { return Ok(None) };
    match stored.approval.status_at(vault.clock.now()) {
        ApprovalStatus::Executed => shape::result(vault, &stored).map(|result| Some(Answer::Json(result))),
        status if status.is_final() => Err(ended(&stored.approval, status)),
        _ => Ok(Some(Answer::Accepted(shape::pending(vault, &stored.approval)))),
    }
}

/// How an approval ended without an answer, or that it has not ended.
pub fn ended(approval: &Approval, status: ApprovalStatus) -> Refusal {
    let noted = |usual: &str| approval.about.decision_reason.clone().unwrap_or_else(|| usual.to_owned());
    let refusal = match status {
        ApprovalStatus::Denied => Refusal::forbidden("approval_denied", noted("Somebody whose agreement the call needs said no.")),
        ApprovalStatus::Expired => {
            Refusal::new(StatusCode::GONE, "approval_expired", "The call was not agreed to in time. Ask for it again.")
        }
        ApprovalStatus::Failed => {
            let message = approval.about.execution_error.clone().unwrap_or_else(|| "The approved call could not be made.".to_owned());
            Refusal::new(StatusCode::CONFLICT, "approval_execution_failed", message)
        }
        ApprovalStatus::Executed => Refusal::internal(),
        ApprovalStatus::Pending | ApprovalStatus::Approved | ApprovalStatus::Executing => {
            let message = "The call was not made yet. Poll GET /sdk/approvals/{approval_id} until has_result is true.";
            Refusal::new(StatusCode::CONFLICT, "approval_not_executed", message)
        }
    };
    let gate = approval.gates.first().map(|gate| gate.id.to_string());
    refusal.with("approval_id", gate).with("status", status.as_str())
}
