//! Managed secrets of an application. Values come in and never go out again.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, invalid, not_found};
use super::shape;
use crate::api::Vault;
use crate::api::injection::{Description, Prepared, Unusable, Values};
use crate::api::judge::destination::AllowedHost;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::crypto::SealedSecret;
use crate::model::{App, ManagedSecret, SecretId, SecretKind, SecretStatus};
use crate::store::{Effect, Lookup};

const MOST_HOSTS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSecret {
    slug: String,
    #[serde(default)]
    name: Option<String>,
    kind: SecretKind,
    allowed_hosts: Vec<String>,
    values: Values,
    #[serde(default)]
    injection: Description,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    allowed_hosts: Option<Vec<String>>,
    #[serde(default)]
    values: Option<Values>,
}

/// `GET /apps/{app}/secrets`
pub async fn list(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    let (app, page) = (read::app(&vault, &app).await?, query.page(SecretId::parse)?);
    let secrets = vault.store.secrets(app.id, page).await?;
    Ok(Json(shape::page(secrets.iter().map(shape::secret).collect(), page.limit.get(), "id")))
}

/// `GET /apps/{app}/secrets/{secret}`
pub async fn show(State(vault): State<Arc<Vault>>, Path((app, named)): Path<(String, String)>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    Ok(Json(shape::secret(&find(&vault, &app, &named).await?)))
}

/// `POST /apps/{app}/secrets`
pub async fn create(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewSecret = read::json(body).await?;
    read::check_name("slug", &wanted.slug)?;
    let name = wanted.name.unwrap_or_else(|| wanted.slug.clone());
    read::check_label("name", &name)?;
    let allowed_hosts = checked_hosts(&wanted.allowed_hosts)?;
    let prepared = Prepared::new(wanted.kind, wanted.injection, wanted.values).map_err(|unusable| refuse(&unusable))?;
    let app = read::app(&vault, &app).await?;
    let (id, now) = (SecretId::random(), vault.clock.now());
    let sealed = seal(&vault, &app, id, &prepared)?;
    let secret = ManagedSecret {
        id,
        app: app.id,
        slug: wanted.slug,
        name,
        kind: wanted.kind,
        version: 1,
        allowed_hosts,
        injection: prepared.injection,
        parameters: prepared.parameters,
        status: SecretStatus::Active,
        created_at: now,
        updated_at: now,
    };
    let row = author.row(ChainId::App(app.id), "secret.create").subject("secret", id).provider(&secret.slug);
    commit(&vault, row, vec![Effect::CreateSecret { secret: Box::new(secret.clone()), sealed }]).await?;
    Ok((StatusCode::CREATED, Json(shape::secret(&secret))))
}

/// `PATCH /apps/{app}/secrets/{secret}`: absent members stay; `values` replaces all values.
pub async fn update(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let change: Change = read::json(body).await?;
    if change.name.is_none() && change.allowed_hosts.is_none() && change.values.is_none() {
        return Err(invalid("Nothing to change: give name, allowed_hosts or values."));
    }
    let app = read::app(&vault, &app).await?;
    let mut secret = find(&vault, &app, &named).await?;
    if let Some(name) = change.name {
        read::check_label("name", &name)?;
        secret.name = name;
    }
    if let Some(hosts) = change.allowed_hosts {
        secret.allowed_hosts = checked_hosts(&hosts)?;
    }
    let sealed = match change.values {
        None => None,
        Some(values) => {
            let prepared = Prepared::with_values(secret.kind, secret.injection.clone(), secret.parameters.clone(), values)
                .map_err(|unusable| refuse(&unusable))?;
            Some(seal(&vault, &app, secret.id, &prepared)?)
        }
    };
    secret.version += 1;
    secret.updated_at = vault.clock.now();
    let row = author.row(ChainId::App(app.id), "secret.update").subject("secret", secret.id).provider(&secret.slug);
    commit(&vault, row, vec![Effect::UpdateSecret { secret: Box::new(secret.clone()), sealed }]).await?;
    Ok(Json(shape::secret(&secret)))
}

/// `DELETE /apps/{app}/secrets/{secret}`: erases the values; its grants answer "gone" from then on.
pub async fn delete(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let mut secret = find(&vault, &app, &named).await?;
    let row = author.row(ChainId::App(app.id), "secret.delete").subject("secret", secret.id).provider(&secret.slug);
    commit(&vault, row, vec![Effect::DeleteSecret { app: app.id, secret: secret.id }]).await?;
    secret.status = SecretStatus::Deleted;
    Ok(Json(shape::secret(&secret)))
}

/// A secret by slug or id.
///
/// # Errors
/// 404 `secret_not_found`.
pub async fn find(vault: &Vault, app: &App, named: &str) -> Result<ManagedSecret, Refusal> {
    let found = match SecretId::parse(named) {
        Some(id) => vault.store.secret(app.id, id).await.map(Lookup::found),
        None => vault.store.secret_by_slug(app.id, named.to_owned()).await,
    };
    let found = found?.filter(|secret| secret.status == SecretStatus::Active);
    found.ok_or_else(|| not_found("secret", named, "alter secret list"))
}

fn seal(vault: &Vault, app: &App, id: SecretId, prepared: &Prepared) -> Result<SealedSecret, Refusal> {
    vault.keys.seal(app.id, id, &prepared.fields).map_err(|error| {
        tracing::error!(%error, "a secret cannot be sealed");
        Refusal::internal()
    })
}

/// The entries in their one spelling, without repetitions.
fn checked_hosts(hosts: &[String]) -> Result<Vec<String>, Refusal> {
    if hosts.is_empty() || hosts.len() > MOST_HOSTS {
        return Err(invalid(format!(
            "allowed_hosts needs 1 to {MOST_HOSTS} entries: a secret that may go anywhere can be sent to anyone."
        )));
    }
    let mut checked = Vec::with_capacity(hosts.len());
    for (index, text) in hosts.iter().enumerate() {
        let host = AllowedHost::parse(text).map_err(|reason| invalid(format!("allowed_hosts[{index}] {reason}.")))?.to_string();
        if !checked.contains(&host) {
            checked.push(host);
        }
    }
    Ok(checked)
}

fn refuse(unusable: &Unusable) -> Refusal {
    Refusal::bad_request("secret_unusable", format!("{unusable}.")).with("field", unusable.field.as_str())
}
