//! Descriptions of providers' APIs, as operators load them.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{Author, commit};
use super::read::{self, Params, invalid, not_found};
use crate::api::refusal::Refusal;
use crate::api::specs::{Given, load, shape};
use crate::api::{Vault, body};
use crate::audit::ChainId;
use crate::model::{App, ProviderSpec, SpecKind};
use crate::store::Effect;

/// Largest document, in bytes. The largest public ones have about ten million.
const MOST_BYTES: usize = 32 * 1024 * 1024;
const LONGEST_URL: usize = 2048;

/// `?kind=oauth`
#[derive(Debug, Deserialize)]
pub struct OfKind {
    kind: Option<SpecKind>,
}

/// `GET /apps/{app}/specs`
pub async fn list(State(vault): State<Arc<Vault>>, Path(app): Path<String>, Params(of): Params<OfKind>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let specs = vault.store.provider_specs(app.id, of.kind).await?;
    Ok(Json(json!({ "items": specs.iter().map(shape::spec).collect::<Vec<_>>(), "next": null })))
}

/// `GET /apps/{app}/specs/{provider}`
pub async fn show(
    State(vault): State<Arc<Vault>>,
    Path((app, provider)): Path<(String, String)>,
    Params(of): Params<OfKind>,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    Ok(Json(shape::spec(&find(&vault, &app, &provider, of.kind).await?)))
}

/// `PUT /apps/{app}/specs/{provider}`: loads a document, in the place of an earlier one.
pub async fn put(
    State(vault): State<Arc<Vault>>,
    Path((app, provider)): Path<(String, String)>,
    Params(of): Params<OfKind>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let bytes = body::read_up_to(body, MOST_BYTES).await?;
    let wanted: Given = serde_json::from_slice(&bytes).map_err(|error| invalid(format!("The body cannot be read: {error}.")))?;
    if wanted.source_url.as_ref().is_some_and(|url| url.len() > LONGEST_URL || url.chars().any(char::is_control)) {
        return Err(invalid(format!("source_url must have at most {LONGEST_URL} characters, none of them a control character.")));
    }
    let app = read::app(&vault, &app).await?;
    let kind = kind_of(&vault, &app, &provider, of.kind).await?;
    let before = vault.store.provider_spec(app.id, kind, provider.clone()).await?;
    let loaded = load(&vault, app.id, (kind, &provider), wanted, before.as_ref())?;
    let row = author.row(ChainId::App(app.id), "spec.load").subject("spec", loaded.spec.id).provider(&provider);
    let shown = shape::spec(&loaded.spec);
    commit(&vault, row, vec![Effect::PutSpec { spec: Box::new(loaded.spec), operations: loaded.operations }]).await?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(shown)))
}

/// `DELETE /apps/{app}/specs/{provider}`
pub async fn delete(
    State(vault): State<Arc<Vault>>,
    Path((app, provider)): Path<(String, String)>,
    Params(of): Params<OfKind>,
    author: Author,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let spec = find(&vault, &app, &provider, of.kind).await?;
    let row = author.row(ChainId::App(app.id), "spec.remove").subject("spec", spec.id).provider(&spec.provider);
    commit(&vault, row, vec![Effect::DeleteSpec { app: app.id, spec: spec.id }]).await?;
    Ok(Json(shape::spec(&spec)))
}

async fn find(vault: &Vault, app: &App, provider: &str, kind: Option<SpecKind>) -> Result<ProviderSpec, Refusal> {
    let kinds = kind.map_or_else(|| SpecKind::ALL.to_vec(), |kind| vec![kind]);
    for kind in kinds {
        if let Some(spec) = vault.store.provider_spec(app.id, kind, provider.to_owned()).await? {
            return Ok(spec);
        }
    }
    Err(not_found("spec", provider, "alter spec list"))
}

/// The kind that was asked for; else that of the managed secret with this slug, or an OAuth provider.
async fn kind_of(vault: &Vault, app: &App, provider: &str, asked: Option<SpecKind>) -> Result<SpecKind, Refusal> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if provider.is_empty() || provider.len() > 63 || !provider.chars().all(plain) {
        return Err(invalid(
            "provider must be the id of an OAuth provider or the slug of a managed secret: 1 to 63 of a-z, 0-9, -, _ and dots.",
        ));
    }
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let managed = vault.store.secret_by_slug(app.id, provider.to_owned()).await?.is_some();
    Ok(if managed { SpecKind::Managed } else { SpecKind::Oauth })
}
