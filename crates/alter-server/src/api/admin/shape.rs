//! How things look in admin answers. The names are part of the interface: the command line prints them with `--json`.

use serde_json::{Value, json};

use crate::audit::{AuditRow, Head, Report};
use crate::clock::Timestamp;
use crate::model::{Agent, App, Credential, CredentialState, Grant, ManagedSecret, Operator, Principal, SecretStatus, ShownStatus};

/// A listing; `next` is what `after` takes for the following page, or null.
pub fn page(items: Vec<Value>, limit: u32, id: &str) -> Value {
    let full = u32::try_from(items.len()).is_ok_and(|count| count >= limit);
    let next = items.last().filter(|_| full).and_then(|last| last.get(id)).cloned();
    json!({ "items": items, "next": next })
}

/// An application.
pub fn app(app: &App) -> Value {
    let settings = &app.settings;
    json!({
        "id": app.id,
        "name": app.name,
        "return_urls": settings.return_urls,
        "allowed_origins": settings.allowed_origins,
        "retrieve_delegated": settings.retrieve_delegated,
        "approval_lasts_seconds": settings.approvals.lasts_seconds,
        "approval_webhook": settings.approvals.webhook,
        "created_at": app.created_at,
    })
}

/// An operator, without its key.
pub fn operator(operator: &Operator) -> Value {
    json!({
        "id": operator.id,
        "name": operator.name,
        "role": operator.role,
        "key_prefix": operator.prefix,
        "status": if operator.revoked_at.is_some() { "revoked" } else { "active" },
        "created_at": operator.created_at,
        "revoked_at": operator.revoked_at,
    })
}

/// An agent.
pub fn agent(agent: &Agent, now: Timestamp) -> Value {
    let staged = agent.staged_at(now);
    json!({
        "agent_id": agent.id,
        "name": agent.name,
        "display_name": agent.display_name,
        "type": agent.kind,
        "status": agent.status,
        "scopes": agent.scopes_at(now),
        "scopes_pending": staged.map(|staged| &staged.scopes),
        "scopes_applies_at": staged.map(|staged| staged.applies_at),
        "policy": agent.policy,
        "metadata": agent.metadata,
        "version": agent.version,
        "created_at": agent.created_at,
        "updated_at": agent.updated_at,
        "last_used_at": agent.last_used_at,
    })
}

/// A managed secret, without its values.
pub fn secret(secret: &ManagedSecret) -> Value {
    json!({
        "id": secret.id,
        "slug": secret.slug,
        "name": secret.name,
        "kind": secret.kind,
        "version": secret.version,
        "allowed_hosts": secret.allowed_hosts,
        "injection_header": secret.injection.header,
        "injection_format": secret.injection.format,
        "additional_injections": secret.injection.additional,
        "parameters": secret.parameters,
        "status": secret.status,
        "created_at": secret.created_at,
        "updated_at": secret.updated_at,
    })
}

/// What a grant opens, without values.
pub struct Opened {
    /// The managed secret.
    pub secret: Option<ManagedSecret>,
    /// The credential.
    pub credential: Option<Credential>,
}

/// A grant with what it opens.
pub fn grant(grant: &Grant, opened: &Opened, now: Timestamp) -> Value {
    let (secret, credential) = (opened.secret.as_ref(), opened.credential.as_ref());
    let gone = match (secret, credential) {
        (None, None) => true,
        (secret, credential) => {
            secret.is_some_and(|secret| secret.status == SecretStatus::Deleted)
                || credential.is_some_and(|credential| credential.state == CredentialState::Erased)
        }
    };
    let status = match grant.shown_status(now) {
        ShownStatus::Active | ShownStatus::Expired if gone => "deleted",
        status => status.as_str(),
    };
    let (app_user_id, group) = match &grant.on_behalf_of {
        Principal::User(person) => (Some(&person.subject), None),
        Principal::Group { group, .. } => (None, Some(group)),
        Principal::System | Principal::Agent { .. } => (None, None),
    };
    let account = credential.and_then(|credential| credential.account.as_ref());
    json!({
        "grant_id": grant.id,
        "provider_id": secret.map(|secret| &secret.slug).or(credential.map(|credential| &credential.provider)),
        "managed_secret_id": grant.opens.secret(),
        "credential_id": grant.opens.credential_id(),
        "account_identifier": account.map(|account| &account.identifier),
        "account_display_name": account.and_then(|account| account.display_name.as_ref()),
        "principal_type": grant.principal.kind(),
        "app_user_id": app_user_id,
        "external_group_id": group,
        "agent_id": grant.principal.agent(),
        "label": grant.label,
        "parent_grant_id": grant.parent,
        "depth": grant.depth,
        "delegable": grant.delegable,
        "scopes": credential.map(|credential| &credential.scopes),
        "scope_constraint": grant.scope_constraint,
        "grant_policy": grant.policy,
        "status": status,
        "needs_reconnect": credential.is_some_and(|credential| credential.state == CredentialState::Dead),
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "revoked_at": grant.revoked_at,
        "last_used_at": grant.last_used_at,
        "scope_mismatch": grant.scope_mismatch,
    })
}

/// A grant that was delegated from another one, beside that one.
pub fn delegation(grant: &Grant, now: Timestamp) -> Value {
    json!({
        "grant_id": grant.id,
        "agent_id": grant.principal.agent(),
        "delegable": grant.delegable,
        "scope_constraint": grant.scope_constraint,
        "status": grant.shown_status(now),
        "expires_at": grant.expires_at,
    })
}

/// A row of the audit trail.
pub fn audit_row(row: &AuditRow) -> Value {
    let entry = &row.entry;
    let json_text = |text: &Option<String>| text.as_ref().map(|text| serde_json::from_str(text).unwrap_or(Value::String(text.clone())));
    json!({
        "chain": entry.chain.to_string(),
        "sequence": row.sequence,
        "at": row.at,
        "action": entry.action,
        "outcome": row.standing(),
        "code": entry.code,
        "detail": entry.detail,
        "key_id": entry.key,
        "operator_id": entry.operator,
        "caller": entry.caller,
        "caller_type": entry.caller_type,
        "actor_id": entry.actor,
        "grant_id": entry.grant,
        "provider_id": entry.provider,
        "subject": entry.subject,
        "method": entry.method,
        "url": entry.url.as_ref().map(crate::audit::AuditUrl::as_str),
        "reason": entry.reason,
        "context": json_text(&entry.context),
        "report": json_text(&entry.report),
        "request_id": entry.request_id,
        "trace_id": entry.trace,
        "refers_to": entry.refers_to,
        "voided_by": row.voided_by,
        "mac": row.mac.to_string(),
    })
}

/// A chain's head, as it is exported and expected again.
pub fn head(head: &Head) -> Value {
    json!({ "chain": head.chain.to_string(), "sequence": head.sequence, "mac": head.mac.to_string() })
}

/// What verifying a chain found.
pub fn report(report: &Report) -> Value {
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    json!({
        "chain": report.chain.to_string(),
        "intact": report.is_intact(),
        "rows": report.rows,
        "head": head(&report.head),
        "findings": findings,
        "finding_count": report.finding_count,
    })
}
