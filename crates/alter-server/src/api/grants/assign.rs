//! `POST /sdk/managed-secrets/{secret_id}/grants`: lets somebody use a managed secret. No new secret is stored.

use http::StatusCode;
use serde_json::{Value, json};

use super::policy::{Route, WantedPolicy};
use crate::api::Vault;
use crate::api::members::Members;
use crate::api::people;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{AppId, Credential, CredentialId, CredentialKind, Grant, ManagedSecret, Opens, Principal, SecretId, SecretStatus};
use crate::store::{CredentialFilter, Effect, Lookup};

const LONGEST_NAME: usize = 255;

/// The endpoint.
pub struct AssignSecret {
    /// The secret's id, as it stands in the path.
    pub secret: String,
}

impl Call for AssignSecret {
    const ACTION: &'static str = "grant.assign";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("secrets:write")?;
        if request.acting.agent().is_some() {
            return Err(Refusal::forbidden("agents_cannot_assign", "An agent cannot assign secrets. Let the application do it."));
        }
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        let (app, now) = (request.key.app, vault.clock.now());
        let mut members = Members::of(request.body)?;
        let wanted = WantedPolicy::take(&mut members, Route::Assign, now)?;
        let credential = members.text("credential_id")?;
        let holder = Holder::take(vault, app, &mut members).await?;
        members.nothing_else()?;
        let secret = own_secret(vault, app, &self.secret).await?;
        note(row, |row| row.provider(&secret.slug));
        let opens = choose(vault, &secret, credential.as_deref()).await?;
        let grant = Grant {
            label: holder.label,
            expires_at: wanted.end(now, None),
            policy: wanted.policy,
            ..Grant::root(app, opens, holder.principal, now)
        };
        note(row, |row| row.grant(grant.id));
        let answer = json!({
            "grant_id": grant.id,
            "principal_type": grant.principal.kind(),
            "label": grant.label,
            "credential_id": grant.opens.credential_id(),
            "created_at": grant.created_at,
        });
        Ok(Verdict { effects: vec![Effect::CreateGrant(Box::new(grant))], answer: Answer::Json(answer) })
    }
}

/// Whose the grant will be.
struct Holder {
    principal: Principal,
    label: Option<String>,
}

impl Holder {
    async fn take(vault: &Vault, app: AppId, members: &mut Members) -> Result<Self, Refusal> {
        let mut given = members.object("principal")?.ok_or_else(|| members.invalid("principal", "is missing"))?;
        let kind = given.required_text("type")?;
        let principal = match kind.as_str() {
            "system" => Principal::System,
            "user" => {
                let token = given.user_token()?.ok_or_else(|| given.invalid("user_token", "is missing"))?;
                Principal::User(people::membership(vault, app, &token).await?.person)
            }
            "group" => {
                let (idp, group) = (given.required_text("idp_id")?, given.required_text("external_group_id")?);
                let issuer = people::issuer_with_groups(vault, app, &idp).await?;
                Principal::Group { issuer, group: bounded(&given, "external_group_id", group)? }
            }
            "agent" => {
                let message = "A managed secret is not assigned to an agent directly. Assign it to a person, who delegates it.";
                return Err(Refusal::unprocessable("unsupported_principal", message));
            }
            _ => return Err(given.invalid("type", "must be user, group or system")),
        };
        let label = given.text("label")?.map(|label| bounded(&given, "label", label)).transpose()?;
        given.nothing_else()?;
        Ok(Self { principal, label })
    }
}

fn bounded(given: &Members, name: &str, text: String) -> Result<String, Refusal> {
    if text.chars().count() > LONGEST_NAME {
        return Err(given.invalid(name, &format!("must have at most {LONGEST_NAME} characters")));
    }
    Ok(text)
}

async fn own_secret(vault: &Vault, app: AppId, id: &str) -> Result<ManagedSecret, Refusal> {
    let missing = |reason: &str| {
        let message = "No managed secret of this application has this id. An operator finds it with `alter secret list`.";
        Refusal::new(StatusCode::NOT_FOUND, "secret_not_found", message).because(reason)
    };
    let id = SecretId::parse(id).ok_or_else(|| missing("managed_secret_id is not a lower-case UUID"))?;
    match vault.store.secret(app, id).await? {
        Lookup::Found(secret) if secret.status == SecretStatus::Active => Ok(secret),
        Lookup::Found(_) => Err(missing("the secret is deleted")),
        Lookup::Foreign => Err(missing("the secret belongs to another application")),
        Lookup::Unknown => Err(missing("there is no such secret")),
    }
}

/// Which values the grant opens: the only ones of the developer's, or those that the request names. Keys of end users never count.
async fn choose(vault: &Vault, secret: &ManagedSecret, wanted: Option<&str>) -> Result<Opens, Refusal> {
    let filter = CredentialFilter { secret: Some(secret.id), ..CredentialFilter::default() };
    let keys = vault.store.credentials(secret.app, filter).await?;
    let (developers, end_users): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.kind == CredentialKind::Developer);
    let own = Opens::Secret(secret.id);
    match wanted {
        None if developers.is_empty() => Ok(own),
        None => Err(several(secret, &developers)),
        Some(id) => {
            let id = CredentialId::parse(&id.to_ascii_lowercase());
            let is = |key: &Credential| Some(key.id) == id;
            if id == Some(own.credential_id()) {
                Ok(own)
            } else if let Some(key) = developers.iter().find(|key| is(key)) {
                Ok(Opens::Key { secret: secret.id, credential: key.id })
            } else if end_users.iter().any(is) {
                let message = "credential_id names a key that one of the app's users entered. It serves that user only.";
                Err(Refusal::new(StatusCode::CONFLICT, "end_user_credential_not_assignable", message))
            } else {
                Err(Refusal::grant_not_found("credential_id names no key of this secret"))
            }
        }
    }
}

fn several(secret: &ManagedSecret, developers: &[Credential]) -> Refusal {
    let own = json!({"id": Opens::Secret(secret.id).credential_id(), "label": secret.name});
    let others = developers.iter().map(|key| json!({"id": key.id, "label": key.label}));
    let credentials: Vec<Value> = std::iter::once(own).chain(others).collect();
    let message = "The managed secret has several keys. Name one by credential_id.";
    Refusal::new(StatusCode::CONFLICT, "credential_id_required", message).with("details", json!({ "credentials": credentials }))
}
