//! `POST /sdk/token`: releases a credential to a client that will make the call itself.

use alter_core::token::is_canonical_uuid;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::num::NonZeroU32;

use super::Vault;
use super::injection::{Sample, answer};
use super::judge::destination;
use super::pipeline::{Admitted, Answer, Call, Verdict, note};
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{
    AppId, CredentialState, GrantFilter, GrantId, GrantStatus, ListedGrant, ManagedSecret, SecretStatus, ShownStatus, View,
};
use crate::store::{Effect, GrantAccess, GrantList, Lookup};

/// Most candidates that an ambiguous answer names.
const MOST_CANDIDATES: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// The endpoint.
pub struct RetrieveToken;

impl Call for RetrieveToken {
    const ACTION: &'static str = "token.retrieve";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let asked = TokenRequest::parse(request.body)?;
        asked.describe(row);
        request.reach.require("tokens:retrieve")?;
        asked.refuse_people()?;
        let app = request.key.app;
        let grant = asked.grant(vault, app).await?;
        note(row, |row| row.grant(grant));
        let access = find(vault, app, grant).await?;
        let secret = secret_of(&access)?;
        note(row, |row| row.provider(&secret.slug));
        judge_state(vault, &access, secret)?;
        destination::judge(&asked.url, &secret.allowed_hosts)?;
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        release(vault, &access, secret)
    }
}

/// Which grant a request names.
enum Wanted {
    /// By id; as given, since a malformed id is refused like an unknown one.
    Grant(Value),
    /// By provider: one of the app's system grants.
    Provider { slug: String, label: Option<String>, account: Option<String>, app_user_id: Option<String> },
}

/// The body of the request.
struct TokenRequest {
    wanted: Wanted,
    method: String,
    url: String,
    reason: Option<String>,
    has_user_token: bool,
}

impl TokenRequest {
    /// Reads the body. Members that this vault does not know are refused: one of them might be meant to narrow the call.
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut members: Map<String, Value> = serde_json::from_slice(body).map_err(|_| invalid("The body is not a JSON object."))?;
        let request = members.remove("request").filter(Value::is_object);
        let part = |name: &str| request.as_ref().and_then(|r| r.get(name)).and_then(Value::as_str).map(str::to_owned);
        let (Some(method), Some(url)) = (part("method"), part("url")) else {
            return Err(invalid(
                "request must hold the texts method and url: the vault judges the destination before it releases anything.",
            ));
        };
        let reason = text(&mut members, "reason")?;
        let has_user_token = text(&mut members, "user_token")?.is_some();
        let (grant, provider) = (members.remove("grant_id"), text(&mut members, "provider_id")?);
        let (label, account) = (text(&mut members, "label")?, text(&mut members, "account")?);
        let app_user_id = text(&mut members, "app_user_id")?;
        if !members.is_empty() {
            return Err(invalid("The body has a member that this vault does not know, and it ignores none."));
        }
        let wanted = match (grant, provider) {
            (Some(grant), None) if label.is_none() && account.is_none() && app_user_id.is_none() => Wanted::Grant(grant),
            (Some(_), None) => {
                return Err(invalid("label, account and app_user_id choose among the grants of a provider; they do not go with grant_id."));
            }
            (None, Some(slug)) => Wanted::Provider { slug, label, account, app_user_id },
            (Some(_), Some(_)) => return Err(invalid("Give grant_id or provider_id, not both.")),
            (None, None) => return Err(invalid("Give grant_id or provider_id.")),
        };
        Ok(Self { wanted, method, url, reason, has_user_token })
    }

    /// Puts into the row what the client said.
    fn describe(&self, row: &mut AuditEntry) {
        note(row, |row| row.call(&self.method, &self.url));
        if let Some(reason) = &self.reason {
            note(row, |row| row.reason(reason));
        }
        if let Wanted::Provider { slug, .. } = &self.wanted {
            note(row, |row| row.provider(slug));
        }
    }

    /// A user token says whose grants are meant. Without an identity provider that cannot be judged, so it is refused, not ignored.
    fn refuse_people(&self) -> Result<(), Refusal> {
        if self.has_user_token {
            let message = "This vault has no identity provider configured, so it cannot check user_token. Call without one.";
            return Err(Refusal::bad_request("idp_signin_not_configured", message));
        }
        Ok(())
    }

    async fn grant(&self, vault: &Vault, app: AppId) -> Result<GrantId, Refusal> {
        match &self.wanted {
            Wanted::Grant(id) => {
                let id = id.as_str().filter(|id| is_canonical_uuid(id)).and_then(GrantId::parse);
                id.ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"))
            }
            Wanted::Provider { app_user_id: Some(_), .. } => Err(Refusal::grant_not_found("no grant belongs to this app_user_id")),
            Wanted::Provider { account: Some(_), .. } => Err(Refusal::grant_not_found("grants of managed secrets have no account")),
            Wanted::Provider { slug, label, .. } => {
                if label.is_none()
                    && let [only] = vault.store.system_grants(app, slug.clone()).await?.as_slice()
                {
                    return Ok(*only);
                }
                let found = system_grants(vault, app, slug, label.clone()).await?;
                match found.grants.as_slice() {
                    [only] => Ok(only.grant.id),
                    [] => Err(Refusal::grant_not_found("no active system grant of this provider fits").with("provider_id", slug.as_str())),
                    _ => Err(ambiguous(slug, &found)),
                }
            }
        }
    }
}

/// The active system grants of a provider, oldest first: as many as an answer names.
async fn system_grants(vault: &Vault, app: AppId, slug: &str, label: Option<String>) -> Result<GrantList, Refusal> {
    let filter = GrantFilter {
        view: View::System,
        provider: Some(slug.to_owned()),
        status: Some(ShownStatus::Active),
        label,
        ..GrantFilter::default()
    };
    let mut found = vault.store.list_grants(app, filter, MOST_CANDIDATES, 0).await?;
    found.grants.retain(|listed| listed.secret.as_ref().is_none_or(|secret| secret.status == SecretStatus::Active));
    Ok(found)
}

async fn find(vault: &Vault, app: AppId, grant: GrantId) -> Result<GrantAccess, Refusal> {
    match vault.store.grant_access(app, grant).await? {
        Lookup::Found(access) => Ok(access),
        Lookup::Foreign => Err(Refusal::grant_not_found("the grant belongs to another application")),
        Lookup::Unknown => Err(Refusal::grant_not_found("there is no such grant")),
    }
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

/// Opens the credential and writes the answer. It stays here until the commit has succeeded.
fn release(vault: &Vault, access: &GrantAccess, secret: &ManagedSecret) -> Result<Verdict, Refusal> {
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
    let effect = Effect::UseGrant { grant: grant.id, judged: access.judged() };
    Ok(Verdict { effects: vec![effect], answer: Answer::Json(body) })
}

/// 400: the grant was taken back.
pub(super) fn grant_revoked() -> Refusal {
    Refusal::bad_request("grant_revoked", "This grant was revoked. Ask an operator for a new one.")
}

/// 403: the grant's time is over.
pub(super) fn grant_expired() -> Refusal {
    Refusal::forbidden("grant_expired", "This grant has expired. Ask an operator for a new one.")
}

/// 410: the secret behind the grant was deleted.
pub(super) fn grant_deleted() -> Refusal {
    Refusal::new(StatusCode::GONE, "grant_deleted", "The secret behind this grant was deleted.")
}

fn ambiguous(slug: &str, found: &GrantList) -> Refusal {
    let ids: Vec<GrantId> = found.grants.iter().map(|listed| listed.grant.id).collect();
    let candidates: Vec<Value> = found.grants.iter().map(candidate).collect();
    let message = "Several grants of this provider match. Name one by grant_id or label.";
    Refusal::new(StatusCode::CONFLICT, "ambiguous_grant", message)
        .with("provider_id", slug)
        .with("account_identifiers", json!([]))
        .with("account_was_provided", false)
        .with("app_user_ids", json!([]))
        .with("grant_ids", json!(ids))
        .with("candidates", candidates)
        .with("candidates_truncated", found.total > found.grants.len() as u64)
}

fn candidate(listed: &ListedGrant) -> Value {
    let account = listed.credential.as_ref().and_then(|credential| credential.account.as_ref());
    json!({
        "grant_id": listed.grant.id,
        "label": listed.grant.label,
        "account_identifier": account.map(|account| &account.identifier),
        "account_display_name": account.and_then(|account| account.display_name.as_ref()),
    })
}

/// Takes a member that must be text or null.
fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} must be text."))),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}
