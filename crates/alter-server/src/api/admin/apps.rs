//! Applications.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params};
use super::shape;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{App, AppId, AppSettings};
use crate::store::Effect;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApp {
    name: String,
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
