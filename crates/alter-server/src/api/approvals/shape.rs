//! Approvals as JSON.

use alter_core::encoding::hex;
use serde_json::{Value, json};

use super::{frozen, readable};
use crate::api::Vault;
use crate::api::proxy::Sight;
use crate::api::refusal::Refusal;
use crate::clock::Timestamp;
use crate::model::{Approval, ApprovalStatus, Gate, GateId};
use crate::store::StoredApproval;

/// The page of a gate.
pub fn url(vault: &Vault, gate: GateId) -> String {
    format!("{}/approve/{gate}", vault.public_url)
}

/// The contract's `PendingApproval`.
pub fn pending(vault: &Vault, approval: &Approval) -> Value {
    // Rounded up: whoever waits that long has waited long enough.
    let left = approval.expires_at.as_millis().saturating_sub(vault.clock.now().as_millis());
    let expires_in = u64::try_from(left).unwrap_or(0).div_ceil(1000);
    let told = |gate: &Gate| {
        json!({
            "approval_id": gate.id,
            "expires_at": approval.expires_at,
            "expires_in": expires_in,
            "approval_url": url(vault, gate.id),
        })
    };
    let gates: Vec<Value> = approval.gates.iter().map(told).collect();
    let mut answer = gates.first().cloned().unwrap_or_default();
    answer["approval_group_id"] = json!(approval.id);
    answer["status"] = json!(ApprovalStatus::Pending.as_str());
    answer["gates"] = json!(gates);
    answer
}

/// The contract's `ApprovalStatus`, as asked for by one of its ids.
pub fn status(approval: &Approval, asked: Option<GateId>, now: Timestamp) -> Value {
    let status = approval.status_at(now);
    let gates = approval.gates.iter().map(|gate| {
        json!({
            "approval_id": gate.id,
            "status": approval.gate_status_at(gate, now).as_str(),
            "expires_at": approval.expires_at,
            "decided_at": gate.decision.as_ref().map(|decision| decision.at),
        })
    });
    json!({
        "approval_id": asked.or_else(|| approval.gates.first().map(|gate| gate.id)),
        "approval_group_id": approval.id,
        "status": status.as_str(),
        "gates": gates.collect::<Vec<_>>(),
        "expires_at": approval.expires_at,
        "decided_at": approval.decided_at,
        "executed_at": approval.executed_at,
        "decision_reason": approval.about.decision_reason,
        "execution_error": approval.about.execution_error,
        "has_result": status == ApprovalStatus::Executed,
    })
}

/// The contract's `ApprovalResult` of a call that was made.
///
/// # Errors
/// 500 if the answer cannot be read.
pub fn result(vault: &Vault, stored: &StoredApproval) -> Result<Value, Refusal> {
    let mut result = frozen::result(vault, stored)?;
    result["approval_id"] = json!(stored.approval.gates.first().map(|gate| gate.id));
    Ok(result)
}

/// What the audit tells of a request.
pub fn asked_report(approval: &Approval) -> Value {
    let gates = approval.gates.iter().map(|gate| gate.approvers.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!({ "digest": hex(&approval.digest), "gates": gates.collect::<Vec<_>>(), "expires_at": approval.expires_at })
}

/// An approval for operators, without what is sealed.
pub fn listed(approval: &Approval, app: &str, now: Timestamp) -> Value {
    let about = &approval.about;
    let gates = approval.gates.iter().map(|gate| {
        json!({
            "approval_id": gate.id,
            "status": approval.gate_status_at(gate, now).as_str(),
            "approvers": gate.approvers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "decided_by": gate.decision.as_ref().map(|decision| decision.by.shown_name()),
            "decided_at": gate.decision.as_ref().map(|decision| decision.at),
            "reason": gate.decision.as_ref().and_then(|decision| decision.reason.clone()),
        })
    });
    json!({
        "approval_id": approval.id,
        "app": app,
        "status": approval.status_at(now).as_str(),
        "method": about.method,
        "url": about.url,
        "provider_id": about.provider,
        "reason": about.reason,
        "caller": about.caller,
        "agent": about.agent_name,
        "app_user": about.person.as_ref().map(|person| &person.subject),
        "grant_id": approval.grant,
        "key_id": approval.key,
        "digest": hex(&approval.digest),
        "gates": gates.collect::<Vec<_>>(),
        "created_at": approval.created_at,
        "expires_at": approval.expires_at,
        "decided_at": approval.decided_at,
        "executed_at": approval.executed_at,
        "decision_reason": about.decision_reason,
        "execution_error": about.execution_error,
    })
}

/// An approval for somebody who decides: with the call as it will be sent. `body` is what a person reads of the exact text that `request` has.
pub fn detail(approval: &Approval, app: &str, sight: &Sight, now: Timestamp) -> Value {
    let mut shown = listed(approval, app, now);
    shown["request"] = json!({
        "method": sight.method,
        "url": sight.url,
        "headers": sight.headers,
        "body": sight.body,
        "readable_body": sight.body.as_deref().map(readable::body),
    });
    shown
}
