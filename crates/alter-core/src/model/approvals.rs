//! Calls that the vault makes, and people's decisions about them.

use super::declare::models;
use super::{Group, Rule, Words};
use serde_json::{Map, Value};

/// What can have become of a call that needs a decision.
const STATES: &[&str] = &["pending", "approved", "executing", "denied", "expired", "executed", "failed"];

pub(super) const GROUP: Group = Group {
    name: "approvals",
    summary: "Calls that the vault makes, and people's decisions about them.",
    models: &[ApprovalGate::MODEL, PendingApproval::MODEL, ApprovalGateStatus::MODEL, ApprovalStatus::MODEL, ApprovalResult::MODEL],
    unions: &[],
    words: &[Words { name: "ApprovalStatusValue", summary: "What can have become of a call that needs a decision.", values: STATES }],
};

models! {
    /// One of the decisions that a call needs.
    ApprovalGate {
        approval_id: String = Rule::uuid(),
        expires_at: String = Rule::time(),
        /// Seconds until then.
        expires_in: i64 = Rule::whole(),
        /// Where the approver decides.
        approval_url: String = Rule::filled(),
    }

    /// A call that waits for people to decide.
    PendingApproval {
        /// For `await_approval` and `get_approval_status`.
        approval_id: String = Rule::uuid(),
        /// What all decisions about this call have in common.
        approval_group_id: String = Rule::uuid(),
        status: String = Rule::one_of(&["pending"]),
        expires_at: String = Rule::time(),
        /// Seconds until then.
        expires_in: i64 = Rule::whole(),
        /// Where an approver decides.
        approval_url: String = Rule::filled(),
        /// All must approve; one denial ends it.
        gates: Vec<ApprovalGate> = Rule::models(ApprovalGate::MODEL).least(1),
    }

    /// What became of one of the decisions that a call needs.
    ApprovalGateStatus {
        approval_id: String = Rule::uuid(),
        status: String = Rule::one_of(STATES),
        expires_at: String = Rule::time(),
        decided_at: Option<String> = Rule::time().or_null(),
    }

    /// What became of a call that needs a decision.
    ApprovalStatus {
        approval_id: String = Rule::uuid(),
        status: String = Rule::one_of(STATES),
        approval_group_id: String = Rule::uuid(),
        gates: Vec<ApprovalGateStatus> = Rule::models(ApprovalGateStatus::MODEL).least(1),
        expires_at: String = Rule::time(),
        decided_at: Option<String> = Rule::time().or_null(),
        /// The approver's words.
        decision_reason: Option<String> = Rule::text().or_null(),
        executed_at: Option<String> = Rule::time().or_null(),
        /// Why an approved call failed.
        execution_error: Option<String> = Rule::text().or_null(),
        /// Whether the provider's answer can be fetched. There is no default: a vault that does not say it is broken.
        has_result: bool = Rule::flag(),
    }

    /// The provider's answer to a call that the vault made.
    ApprovalResult {
        /// Null unless somebody had to approve.
        approval_id: Option<String> = Rule::uuid().or_null(),
        /// The provider's status; 400 and above raise nothing.
        status_code: i64 = Rule::whole(),
        headers: Map<String, Value> = Rule::text_map().or_empty_map(),
        /// The provider's body as base64.
        body_b64: String = Rule::base64(),
        /// Whether the body was longer than the vault keeps.
        body_truncated: bool = Rule::flag_or_false(),
        duration_ms: Option<i64> = Rule::whole().or_null(),
        /// What may be wrong with the credential, when the provider answered 401 or 403.
        credential_hint: Option<String> = Rule::text().or_null().blank_dropped(),
    }
}
