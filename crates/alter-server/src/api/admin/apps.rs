//! Applications.

use std::sync::Arc;

use alter_core::url::ProviderUrl;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, invalid};
use super::shape;
use crate::api::Vault;
use crate::api::approvals;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{App, AppId, AppSettings, origin, return_url};
use crate::store::Effect;

/// Most entries of one list of settings.
const MOST_ENTRIES: usize = 50;
/// How long people may have for deciding, in seconds.
const SHORTEST_AND_LONGEST_APPROVAL: (u64, u64) = (60, 7 * 86_400);

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
    /// Seconds; null for what is usual.
    #[serde(default, deserialize_with = "given")]
    approval_lasts_seconds: Option<Option<u64>>,
    /// A URL; null for none.
    #[serde(default, deserialize_with = "given")]
    approval_webhook: Option<Option<String>>,
    /// Signs what is sent to the webhook with a new secret from now on.
    #[serde(default)]
    new_webhook_secret: bool,
}

/// Tells null, which takes something away, from a member that is absent.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Change {
    const fn is_empty(&self) -> bool {
        self.return_urls.is_none()
            && self.allowed_origins.is_none()
            && self.retrieve_delegated.is_none()
            && self.approval_lasts_seconds.is_none()
            && self.approval_webhook.is_none()
            && !self.new_webhook_secret
    }
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
    if change.is_empty() {
        let message = "Nothing to change: give return_urls, allowed_origins, retrieve_delegated, approval_lasts_seconds, approval_webhook or new_webhook_secret.";
        return Err(invalid(message));
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
    if let Some(seconds) = change.approval_lasts_seconds {
        settings.approvals.lasts_seconds = seconds.map(lasting).transpose()?;
    }
    let had_webhook = settings.approvals.webhook.is_some();
    if let Some(url) = change.approval_webhook {
        settings.approvals.webhook = url.map(|url| webhook(&url)).transpose()?;
    }
    let has_webhook = settings.approvals.webhook.is_some();
    if change.new_webhook_secret && !has_webhook {
        return Err(invalid("new_webhook_secret needs an approval_webhook."));
    }
    let new_secret = change.new_webhook_secret || (has_webhook && !had_webhook);
    if new_secret {
        settings.approvals.webhook_secret_version = settings.approvals.webhook_secret_version.saturating_add(1);
    }
    let row = author.row(ChainId::App(app.id), "app.update").subject("app", app.id);
    commit(&vault, row, vec![Effect::UpdateApp { app: app.id, settings: app.settings.clone() }]).await?;
    let mut shown = shape::app(&app);
    // As every secret that the vault makes, it is told once: when it begins to count.
    if new_secret {
        shown["approval_webhook_secret"] = approvals::webhook_secret(&vault, &app).into();
    }
    Ok(Json(shown))
}

fn lasting(seconds: u64) -> Result<u64, Refusal> {
    let (least, most) = SHORTEST_AND_LONGEST_APPROVAL;
    if (least..=most).contains(&seconds) {
        return Ok(seconds);
    }
    Err(invalid(format!("approval_lasts_seconds must be {least} to {most}: a minute to seven days.")))
}

fn webhook(url: &str) -> Result<String, Refusal> {
    let read = ProviderUrl::parse(url).map_err(|error| {
        let what = error.message().strip_prefix("url ").unwrap_or(error.message()).to_owned();
        invalid(format!("approval_webhook {what}"))
    })?;
    Ok(read.to_text())
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
