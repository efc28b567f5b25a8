//! How things look in admin answers. The names are part of the interface: the command line prints them with `--json`.

use alter_core::key::KeyKind;
use serde_json::{Value, json};

use crate::audit::{AuditRow, Head, Report};
use crate::clock::Timestamp;
use crate::model::{ApiKey, App, Grant, GrantStatus, KeyStatus, ManagedSecret, Operator, Principal, SecretStatus};

/// A listing; `next` is what `after` takes for the following page, or null.
pub fn page(items: Vec<Value>, limit: u32, id: &str) -> Value {
    let full = u32::try_from(items.len()).is_ok_and(|count| count >= limit);
    let next = items.last().filter(|_| full).and_then(|last| last.get(id)).cloned();
    json!({ "items": items, "next": next })
}

/// An application.
pub fn app(app: &App) -> Value {
    json!({ "id": app.id, "name": app.name, "created_at": app.created_at })
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

/// An API key, without the key.
pub fn key(key: &ApiKey, now: Timestamp) -> Value {
    let expired = key.status != KeyStatus::Revoked && key.expires_at.is_some_and(|end| end <= now);
    json!({
        "id": key.id,
        "name": key.name,
        "key_type": key_type(key.kind),
        "key_prefix": key.prefix,
        "scopes": key.scopes,
        "status": if expired { "expired" } else { key.status.as_str() },
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
    })
}

/// The two letters in a key; legacy keys have a word of their own.
fn key_type(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Legacy => "key",
        KeyKind::Runtime => "rk",
        KeyKind::Agent => "ak",
        KeyKind::Derived => "dk",
        KeyKind::Publishable => "pk",
    }
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

/// A grant. `secret` is the one it opens; its slug is what clients call the provider.
pub fn grant(grant: &Grant, secret: Option<&ManagedSecret>, now: Timestamp) -> Value {
    let deleted = secret.is_none_or(|secret| secret.status == SecretStatus::Deleted);
    let status = match grant.status {
        GrantStatus::Revoked => "revoked",
        GrantStatus::Active if deleted => "deleted",
        GrantStatus::Active if grant.has_expired(now) => "expired",
        GrantStatus::Active => "active",
    };
    let app_user_id = match &grant.principal {
        Principal::System => None,
        Principal::User(id) => Some(id),
    };
    json!({
        "grant_id": grant.id,
        "provider_id": secret.map(|secret| &secret.slug),
        "managed_secret_id": grant.secret,
        "principal_type": if app_user_id.is_some() { "user" } else { "system" },
        "app_user_id": app_user_id,
        "label": grant.label,
        "status": status,
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "revoked_at": grant.revoked_at,
        "last_used_at": grant.last_used_at,
        "scope_mismatch": grant.scope_mismatch,
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
