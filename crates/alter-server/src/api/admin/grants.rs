//! Grants of an application.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, invalid, not_found};
use super::{secrets, shape};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{App, Grant, GrantFilter, GrantId, GrantKind, GrantStatus, Opens, Principal, ShownStatus};
use crate::store::{Effect, Page};

/// Delegations that are shown with a grant.
const MOST_DELEGATIONS: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGrant {
    /// Slug or id of the secret.
    secret: String,
    #[serde(default)]
    label: Option<String>,
    /// Seconds.
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    requires_approval: bool,
}

/// Which grants, next to the page's parameters.
#[derive(Deserialize)]
pub struct GrantQuery {
    provider_id: Option<String>,
    grant_kind: Option<String>,
    status: Option<String>,
    account: Option<String>,
    app_user_id: Option<String>,
}

impl GrantQuery {
    /// # Errors
    /// 400 naming the parameter.
    fn filter(self) -> Result<GrantFilter, Refusal> {
        let kind =
            self.grant_kind.map(|word| GrantKind::parse(&word).ok_or_else(|| invalid("grant_kind must be oauth or managed_secret.")));
        let status = self.status.map(|word| ShownStatus::parse(&word).ok_or_else(|| invalid("status must be active, expired or revoked.")));
        Ok(GrantFilter {
            kind: kind.transpose()?,
            status: status.transpose()?,
            provider: self.provider_id,
            account: self.account,
            subject: self.app_user_id,
            ..GrantFilter::default()
        })
    }
}

/// `GET /apps/{app}/grants`
pub async fn list(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    Params(query): Params<PageQuery>,
    Params(only): Params<GrantQuery>,
) -> Result<Json<Value>, Refusal> {
    let (app, page, filter) = (read::app(&vault, &app).await?, query.page(GrantId::parse)?, only.filter()?);
    let mut known = HashMap::new();
    let grants = vault.store.grants(app.id, filter, page).await?;
    let mut items = Vec::with_capacity(grants.len());
    for grant in &grants {
        let opened = match known.entry(grant.opens) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(opened(&vault, &app, grant).await?),
        };
        items.push(shape::grant(grant, opened, vault.clock.now()));
    }
    Ok(Json(shape::page(items, page.limit.get(), "grant_id")))
}

/// `GET /apps/{app}/grants/{grant}`
pub async fn show(State(vault): State<Arc<Vault>>, Path((app, named)): Path<(String, String)>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    shown(&vault, &app, &named).await
}

/// `POST /apps/{app}/grants`: a system grant, the app's own.
pub async fn create(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewGrant = read::json(body).await?;
    if let Some(label) = &wanted.label {
        read::check_label("label", label)?;
    }
    let app = read::app(&vault, &app).await?;
    let secret = secrets::find(&vault, &app, &wanted.secret).await?;
    let now = vault.clock.now();
    let mut grant = Grant::root(app.id, Opens::Secret(secret.id), Principal::System, now);
    grant.label = wanted.label.filter(|label| !label.is_empty());
    grant.expires_at = read::expiry(wanted.expires_in, now)?;
    grant.policy.requires_approval = wanted.requires_approval;
    let row = author.row(ChainId::App(app.id), "grant.create").grant(grant.id).provider(&secret.slug);
    commit(&vault, row, vec![Effect::CreateGrant(Box::new(grant.clone()))]).await?;
    Ok((StatusCode::CREATED, Json(shape::grant(&grant, &shape::Opened { secret: Some(secret), credential: None }, now))))
}

/// `POST /apps/{app}/grants/{grant}/revoke`: doing it again changes nothing.
pub async fn revoke(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let grant = find(&vault, &app, &named).await?;
    if grant.status != GrantStatus::Revoked {
        let row = author.row(ChainId::App(app.id), "grant.revoke").grant(grant.id);
        commit(&vault, row, vec![Effect::RevokeGrant { app: app.id, grant: grant.id }]).await?;
    }
    shown(&vault, &app, &named).await
}

async fn shown(vault: &Vault, app: &App, named: &str) -> Result<Json<Value>, Refusal> {
    let grant = find(vault, app, named).await?;
    let (opened, now) = (opened(vault, app, &grant).await?, vault.clock.now());
    let mut shown = shape::grant(&grant, &opened, now);
    shown["delegations"] = delegations(vault, &grant).await?;
    Ok(Json(shown))
}

/// What was delegated from a grant, ended ones too.
async fn delegations(vault: &Vault, grant: &Grant) -> Result<Value, Refusal> {
    let around = GrantFilter { around: Some(grant.id), ..GrantFilter::default() };
    let found = vault.store.grants(grant.app, around, Page::first(MOST_DELEGATIONS)).await?;
    let now = vault.clock.now();
    Ok(found.iter().filter(|child| child.parent == Some(grant.id)).map(|child| shape::delegation(child, now)).collect())
}

async fn find(vault: &Vault, app: &App, named: &str) -> Result<Grant, Refusal> {
    let missing = || not_found("grant", named, "alter grant list");
    let id = GrantId::parse(named).ok_or_else(missing)?;
    vault.store.grant(app.id, id).await?.found().ok_or_else(missing)
}

async fn opened(vault: &Vault, app: &App, grant: &Grant) -> Result<shape::Opened, Refusal> {
    let secret = match grant.opens.secret() {
        Some(secret) => vault.store.secret(app.id, secret).await?.found(),
        None => None,
    };
    let credential = match grant.opens.credential() {
        Some(credential) => vault.store.credential(app.id, credential).await?.found().map(|stored| stored.credential),
        None => None,
    };
    Ok(shape::Opened { secret, credential })
}
