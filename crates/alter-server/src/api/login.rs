//! `POST /sdk/token` for a grant that opens a login: its access token, refreshed first when it is due.

use std::collections::BTreeMap;

use alter_core::secret::Secret;
use http::StatusCode;
use serde_json::{Value, json};

use super::Vault;
use super::injection::{Sample, TOKEN_FIELD, answer};
use super::judge::destination;
use super::refusal::Refusal;
use super::token::{grant_deleted, grant_expired, grant_revoked};
use crate::model::{Credential, CredentialState, Grant, GrantStatus, SecretInjection};
use crate::oauth::login;
use crate::oauth::logins::LoginId;
use crate::oauth::refresh::NotFresh;
use crate::oauth::refresh::state::Policy;
use crate::oauth::registration::{Registered, Unregistered, registered};
use crate::store::GrantAccess;

/// Judges whether the login may be used for a call to `url`. Nothing is refreshed yet: a call that is refused costs the provider nothing.
///
/// # Errors
/// 400 `grant_revoked`, `credential_revoked`; 403 `grant_expired`; 410 `grant_deleted`; 422 `blocked_destination`; 502 if the app has no client at the provider.
pub(super) async fn judge(vault: &Vault, access: &GrantAccess, credential: &Credential, url: &str) -> Result<Registered, Refusal> {
    judge_state(vault, &access.grant, credential)?;
    let registered = registered(&*vault.store, &vault.keys, access.grant.app, &credential.provider).await.map_err(unregistered)?;
    let hosts = login::hosts(&open(vault, access)?, registered.client.provider());
    destination::judge(url, &hosts)?;
    Ok(registered)
}

fn judge_state(vault: &Vault, grant: &Grant, credential: &Credential) -> Result<(), Refusal> {
    if grant.status == GrantStatus::Revoked {
        return Err(grant_revoked().with("grant_id", grant.id.to_string()));
    }
    if grant.has_expired(vault.clock.now()) {
        return Err(grant_expired().with("provider_id", credential.provider.as_str()));
    }
    match credential.state {
        CredentialState::Live => Ok(()),
        CredentialState::Dead => Err(dead(grant, credential, credential.dead_cause.as_deref().unwrap_or("unknown"))),
        CredentialState::Erased => Err(grant_deleted()),
    }
}

/// Sees to it that the login in the store is fresh. It has to be read again afterwards.
///
/// # Errors
/// 400 `credential_revoked`; 409 `token_refresh_in_progress`; 502 `provider_error` with `Retry-After`; 502 `provider_configuration_unavailable`.
pub(super) async fn make_fresh(vault: &Vault, grant: &Grant, credential: &Credential, registered: &Registered) -> Result<(), Refusal> {
    let id = LoginId { app: grant.app, credential: credential.id };
    let policy = Policy::of(registered.client.provider());
    vault.logins.make_fresh(id, policy).await.map_err(|error| match error {
        NotFresh::Dead(cause) => dead(grant, credential, &cause),
        NotFresh::InProgress => {
            let message = "The provider's token is being refreshed and that takes long. Try again shortly.";
            Refusal::new(StatusCode::CONFLICT, "token_refresh_in_progress", message).with("grant_id", grant.id.to_string())
        }
        NotFresh::Unavailable { detail, retry_after } => {
            let message = "The provider gives no new token right now, and the old one has expired. Try again later.";
            provider_error("provider_error", message).retry_after(retry_after).because(detail)
        }
        NotFresh::Misconfigured(detail) => {
            let message = "The provider does not accept this vault as a client. An operator has to check its registration.";
            provider_error("provider_configuration_unavailable", message).because(detail)
        }
        NotFresh::Unknown => grant_deleted(),
        NotFresh::Store(error) => error.into(),
    })
}

/// The token answer of a fresh login.
///
/// # Errors
/// 410 `grant_deleted` if its tokens were erased meanwhile.
pub(super) fn release(vault: &Vault, access: &GrantAccess, credential: &Credential) -> Result<Value, Refusal> {
    let grant = &access.grant;
    let token = open(vault, access)?.remove(login::ACCESS_TOKEN).ok_or_else(grant_deleted)?;
    let fields = BTreeMap::from([(TOKEN_FIELD.to_owned(), token)]);
    let injection = SecretInjection { header: "Authorization".into(), format: "Bearer {token}".into(), additional: Vec::new() };
    let mut body = answer(&Sample { grant: grant.id, injection: &injection, parameters: &BTreeMap::new() }, &fields);
    let ends = [credential.access_expires_at, grant.expires_at];
    let told = [
        ("provider_id", credential.provider.as_str().into()),
        ("scope_mismatch", grant.scope_mismatch.is_some().into()),
        ("scopes", json!(credential.scopes)),
        ("expires_at", json!(ends.iter().flatten().min())),
        ("token_expires_at", json!(credential.access_expires_at)),
        ("grant_expires_at", json!(grant.expires_at)),
    ];
    if let Some(members) = body.as_object_mut() {
        members.extend(told.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(body)
}

fn open(vault: &Vault, access: &GrantAccess) -> Result<BTreeMap<String, Secret>, Refusal> {
    let sealed = access.sealed.as_ref().ok_or_else(grant_deleted)?;
    vault.keys.open(access.grant.app, access.sealed_to(), sealed).map_err(|error| {
        tracing::error!(grant = %access.grant.id, %error, "a stored login cannot be opened");
        Refusal::internal().because(error.to_string())
    })
}

fn dead(grant: &Grant, credential: &Credential, cause: &str) -> Refusal {
    let message = "The provider does not honour this login any more. The person has to connect again; the grant id stays the same.";
    Refusal::bad_request("credential_revoked", message)
        .with("grant_id", grant.id.to_string())
        .with("provider_id", credential.provider.as_str())
        .because(cause)
}

fn unregistered(error: Unregistered) -> Refusal {
    match error {
        Unregistered::Store(error) => error.into(),
        error => {
            let message = "The vault has no usable client at this provider. An operator has to check its registration.";
            provider_error("provider_configuration_unavailable", message).because(error.to_string())
        }
    }
}

fn provider_error(code: &'static str, message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, code, message)
}
