//! Applications.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, invalid};
use super::shape;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{App, AppId, AppSettings, origin, return_url};
use crate::store::Effect;

/// Most entries of one list of settings.
const MOST_ENTRIES: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApp {
    name: String,
}

/// What to change; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    return_urls: Option<Vec<String>>,
    #[serde(default)]
    allowed_origins: Option<Vec<String>>,
    #[serde(default)]
    retrieve_delegated: Option<bool>,
}

/// `GET /apps`
pub async fn list(State(vault): State<Arc<Vault>>, Params(query): Params<PageQuery>) -> Result<Json<Value>, Refusal> {
    let page = query.page(AppId::parse)?;
    let apps = vault.store.apps(page).await?;
    Ok(Json(shape::page(apps.iter().map(shape::app).collect(), page.limit.get(), "id")))
}

/// `GET /apps/{app}`
pub async fn show(State(vault): State<Arc<Vault>>, Path(app): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(shape::app(&read::app(&vault, &app).await?)))
}

/// `POST /apps`
pub async fn create(State(vault): State<Arc<Vault>>, author: Author, body: Body) -> Result<(StatusCode, Json<Value>), Refusal> {
    let NewApp { name } = read::json(body).await?;
    read::check_name("name", &name)?;
    let app = App { id: AppId::random(), name, settings: AppSettings::default(), created_at: vault.clock.now() };
    let row = author.row(ChainId::Vault, "app.create").subject("app", app.id);
    commit(&vault, row, vec![Effect::CreateApp(app.clone())]).await?;
    Ok((StatusCode::CREATED, Json(shape::app(&app))))
}

/// `PATCH /apps/{app}`: absent members stay; a list replaces the whole list.
pub async fn update(State(vault): State<Arc<Vault>>, Path(app): Path<String>, author: Author, body: Body) -> Result<Json<Value>, Refusal> {
    let change: Change = read::json(body).await?;
    if change.return_urls.is_none() && change.allowed_origins.is_none() && change.retrieve_delegated.is_none() {
        return Err(invalid("Nothing to change: give return_urls, allowed_origins or retrieve_delegated."));
    }
    let mut app = read::app(&vault, &app).await?;
    let settings = &mut app.settings;
    if let Some(urls) = change.return_urls {
        settings.return_urls = checked("return_urls", &urls, return_url)?;
    }
    if let Some(origins) = change.allowed_origins {
        settings.allowed_origins = checked("allowed_origins", &origins, origin)?;
    }
    settings.retrieve_delegated = change.retrieve_delegated.unwrap_or(settings.retrieve_delegated);
    let row = author.row(ChainId::App(app.id), "app.update").subject("app", app.id);
    commit(&vault, row, vec![Effect::UpdateApp { app: app.id, settings: app.settings.clone() }]).await?;
    Ok(Json(shape::app(&app)))
}

/// The entries in their one spelling, without repetitions.
fn checked(member: &str, entries: &[String], read: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, Refusal> {
    if entries.len() > MOST_ENTRIES {
        return Err(invalid(format!("{member} must have at most {MOST_ENTRIES} entries.")));
    }
    let mut checked = Vec::with_capacity(entries.len());
    for (index, text) in entries.iter().enumerate() {
        let entry = read(text).map_err(|what| invalid(format!("{member}[{index}] {what}")))?;
        if !checked.contains(&entry) {
            checked.push(entry);
        }
    }
    Ok(checked)
}
