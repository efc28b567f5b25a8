//! What the audit has of an approval.

use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::model::Approval;

/// A row about an approval and the call that waits for it.
pub fn row(approval: &Approval, action: &'static str, outcome: Outcome) -> AuditEntry {
    AuditEntry::new(ChainId::App(approval.app), action, outcome)
        .subject("approval", approval.id)
        .grant(approval.grant)
        .provider(&approval.about.provider)
        .call(&approval.about.method, &approval.about.url)
}
