//! Grants as the wire protocol shows them.

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::model::{Credential, CredentialState, Grant, ListedGrant, SecretStatus};

/// One entry of a list. Which members it has depends on `grant_kind`. `api_base_url` is where a login's API is.
pub fn item(listed: &ListedGrant, api_base_url: Option<String>, now: Timestamp) -> Value {
    let mut members = common(&listed.grant, now);
    let delegated = listed.grant.is_delegated();
    match (&listed.secret, &listed.credential) {
        (Some(secret), credential) => {
            members.insert("grant_kind".into(), "managed_secret".into());
            members.insert("access_via".into(), if delegated { "ms_delegation" } else { "ownership" }.into());
            members.insert("managed_secret_id".into(), json!(secret.id));
            members.insert("managed_secret_slug".into(), json!(secret.slug));
            members.insert("managed_secret_name".into(), json!(secret.name));
            members.insert("agent_id".into(), json!(listed.grant.principal.agent()));
            members.insert("credential_kind".into(), json!(listed.credential_kind()));
            members.insert("credential_label".into(), json!(credential.as_ref().and_then(|credential| credential.label.as_ref())));
            if secret.status == SecretStatus::Deleted {
                members.insert("status".into(), "revoked".into());
            }
        }
        (None, credential) => {
            members.insert("grant_kind".into(), "oauth".into());
            members.insert("access_via".into(), if delegated { "oauth_delegation" } else { "ownership" }.into());
            members.insert("provider_id".into(), json!(listed.provider()));
            members.insert("scopes".into(), json!(effective_scopes(&listed.grant, credential.as_ref())));
            members.insert("scope_mismatch".into(), listed.grant.scope_mismatch.is_some().into());
            members.insert("needs_reconnect".into(), needs_reconnect(credential.as_ref()).into());
            members.insert("delegated_agent_ids".into(), json!(listed.delegated_to));
            members.insert("api_base_url".into(), json!(api_base_url));
            members.insert("expires_at".into(), json!(credential.as_ref().and_then(|credential| credential.access_expires_at)));
        }
    }
    let account = listed.credential.as_ref().and_then(|credential| credential.account.as_ref());
    members.insert("account_identifier".into(), json!(account.map(|account| &account.identifier)));
    members.insert("account_display_name".into(), json!(account.and_then(|account| account.display_name.as_ref())));
    Value::Object(members)
}

/// A grant that was just made on a login or a secret. `api_base_url` is where the login's API is.
pub fn info(grant: &Grant, provider: &str, credential: Option<&Credential>, api_base_url: Option<String>, now: Timestamp) -> Value {
    let mut members = common(grant, now);
    let account = credential.and_then(|credential| credential.account.as_ref());
    members.insert("provider_id".into(), provider.into());
    members.insert("scopes".into(), json!(effective_scopes(grant, credential)));
    members.insert("scope_mismatch".into(), grant.scope_mismatch.is_some().into());
    members.insert("expires_at".into(), json!(credential.and_then(|credential| credential.access_expires_at)));
    members.insert("account_identifier".into(), json!(account.map(|account| &account.identifier)));
    members.insert("account_display_name".into(), json!(account.and_then(|account| account.display_name.as_ref())));
    members.insert("api_base_url".into(), json!(api_base_url));
    Value::Object(members)
}

fn common(grant: &Grant, now: Timestamp) -> Map<String, Value> {
    let members = json!({
        "grant_id": grant.id,
        "principal_type": grant.principal.kind(),
        "status": grant.shown_status(now),
        "label": grant.label,
        "credential_id": grant.opens.credential_id(),
        "parent_grant_id": grant.parent,
        "depth": grant.depth,
        "delegable": grant.delegable,
        "delegated_at": grant.parent.map(|_| grant.created_at),
        "scope_constraint": grant.scope_constraint,
        "grant_policy": policy(grant),
        "grant_expires_at": grant.expires_at,
        "created_at": grant.created_at,
        "last_used_at": grant.last_used_at,
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn policy(grant: &Grant) -> Value {
    let mut policy = json!(grant.policy);
    if let Some(members) = policy.as_object_mut() {
        members.insert("expires_at".into(), json!(grant.expires_at));
        members.insert("created_at".into(), json!(grant.created_at));
    }
    policy
}

/// The scopes that a grant can really be used for.
pub fn effective_scopes(grant: &Grant, credential: Option<&Credential>) -> Vec<String> {
    let held = credential.map(|credential| credential.scopes.clone()).unwrap_or_default();
    match &grant.scope_constraint {
        None => held,
        Some(constraint) => held.into_iter().filter(|scope| constraint.contains(scope)).collect(),
    }
}

fn needs_reconnect(credential: Option<&Credential>) -> bool {
    credential.is_some_and(|credential| credential.state == CredentialState::Dead)
}
