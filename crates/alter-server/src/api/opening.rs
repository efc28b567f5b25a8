//! Opening the credential behind a grant for one call: everything that does not depend on whether the client makes the call or the vault.
//!
//! The order: state of grant and credential, destination, then what the call means to do ([`Usage`]). What was judged ([`judge`]) can be opened ([`open`]).
//! A login is judged whole before it is refreshed, and read and judged again after.

use serde_json::{Value, json};

use super::Vault;
use super::addressing::find;
use super::injection::{Sample, answer};
use super::judge::destination;
use super::login;
use super::pipeline::note;
use super::refusal::Refusal;
use super::token::{grant_deleted, grant_expired, grant_revoked};
use crate::audit::AuditEntry;
use crate::model::{Credential, CredentialState, GrantStatus, ManagedSecret, Opens, SecretStatus};
use crate::oauth::registration::Registered;
use crate::store::{Effect, GrantAccess};

/// What a call means to do with a credential.
pub trait Usage: Sync {
    /// On what terms it may.
    type Terms: Send;

    /// Judges it for the grant.
    ///
    /// # Errors
    /// Why the grant is not for this.
    fn judge(&self, vault: &Vault, access: &GrantAccess) -> impl Future<Output = Result<Self::Terms, Refusal>> + Send;
}

/// A grant that was judged for a call, and opened for nothing yet.
pub struct Judged<Terms> {
    /// What was judged.
    pub access: GrantAccess,
    /// On what terms it may be used.
    pub terms: Terms,
    /// Where a login comes from.
    registered: Option<Registered>,
}

/// An opened credential.
pub struct Opened<Terms> {
    /// What was judged.
    pub access: GrantAccess,
    /// On what terms it may be used.
    pub terms: Terms,
    /// The credential as `POST /sdk/token` answers it.
    pub answer: Value,
}

impl<Terms> Opened<Terms> {
    /// The use of the grant, for the commit that releases the credential: declined if what was judged has changed.
    pub fn effect(&self) -> Effect {
        Effect::UseGrant { grant: self.access.grant.id, judged: self.access.judged() }
    }
}

/// Judges a grant for a call to `url`.
///
/// # Errors
/// 400 `grant_revoked`, `credential_revoked`; 403 `grant_expired`; 410 `grant_deleted`; 422 `blocked_destination`; those of `usage`.
pub async fn judge<U: Usage>(
    vault: &Vault,
    access: GrantAccess,
    url: &str,
    usage: &U,
    row: &mut AuditEntry,
) -> Result<Judged<U::Terms>, Refusal> {
    let registered = if let (Opens::Login(_), Some(credential)) = (access.grant.opens, &access.credential) {
        note(row, |row| row.provider(&credential.provider));
        Some(login::judge(vault, &access, credential, url).await?)
    } else {
        let secret = secret_of(&access)?;
        note(row, |row| row.provider(&secret.slug));
        judge_state(vault, &access, secret)?;
        destination::judge(url, &secret.allowed_hosts)?;
        None
    };
    let terms = usage.judge(vault, &access).await?;
    Ok(Judged { access, terms, registered })
}

/// Opens the credential of a grant that was judged for the same call, a login refreshed first when it is due.
///
/// # Errors
/// The refresh's; for a login, as of [`judge`].
pub async fn open<U: Usage>(vault: &Vault, judged: Judged<U::Terms>, url: &str, usage: &U) -> Result<Opened<U::Terms>, Refusal> {
    let Judged { access, terms, registered } = judged;
    if let (Some(registered), Some(credential)) = (&registered, &access.credential) {
        return open_login(vault, &access, credential, registered, url, usage).await;
    }
    let answer = secret_answer(vault, &access, secret_of(&access)?)?;
    Ok(Opened { access, terms, answer })
}

/// The managed secret that places what the grant opens.
fn secret_of(access: &GrantAccess) -> Result<&ManagedSecret, Refusal> {
    access.secret.as_ref().ok_or_else(|| Refusal::internal().because("the grant opens a login, which nothing here places"))
}

/// Ownership is proven here, so the real reason may be told.
fn judge_state(vault: &Vault, access: &GrantAccess, secret: &ManagedSecret) -> Result<(), Refusal> {
    let grant = &access.grant;
    if secret.status == SecretStatus::Deleted {
        return Err(grant_deleted());
    }
    if grant.status == GrantStatus::Revoked {
        return Err(grant_revoked().with("grant_id", grant.id.to_string()));
    }
    if grant.has_expired(vault.clock.now()) {
        return Err(grant_expired().with("provider_id", secret.slug.as_str()));
    }
    if access.credential.as_ref().is_some_and(|credential| credential.state == CredentialState::Erased) {
        return Err(grant_deleted());
    }
    Ok(())
}

async fn open_login<U: Usage>(
    vault: &Vault,
    access: &GrantAccess,
    credential: &Credential,
    registered: &Registered,
    url: &str,
    usage: &U,
) -> Result<Opened<U::Terms>, Refusal> {
    login::make_fresh(vault, &access.grant, credential, registered).await?;
    let access = find(vault, access.grant.app, access.grant.id).await?;
    let credential = access.credential.as_ref().ok_or_else(grant_deleted)?;
    login::judge(vault, &access, credential, url).await?;
    let terms = usage.judge(vault, &access).await?;
    let answer = login::release(vault, &access, credential)?;
    Ok(Opened { access, terms, answer })
}

/// Opens a managed secret's value and writes the answer.
fn secret_answer(vault: &Vault, access: &GrantAccess, secret: &ManagedSecret) -> Result<Value, Refusal> {
    let grant = &access.grant;
    let sealed = access.sealed.as_ref().ok_or_else(grant_deleted)?;
    let fields = vault.keys.open(grant.app, access.sealed_to(), sealed).map_err(|error| {
        tracing::error!(grant = %grant.id, %error, "a stored credential cannot be opened");
        Refusal::internal().because(error.to_string())
    })?;
    let mut body = answer(&Sample { grant: grant.id, injection: &secret.injection, parameters: &secret.parameters }, &fields);
    let told = [
        ("provider_id", secret.slug.as_str().into()),
        ("scope_mismatch", grant.scope_mismatch.is_some().into()),
        ("scopes", json!([])),
        ("expires_at", json!(grant.expires_at)),
        ("grant_expires_at", json!(grant.expires_at)),
    ];
    if let Some(members) = body.as_object_mut() {
        members.extend(told.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(body)
}
