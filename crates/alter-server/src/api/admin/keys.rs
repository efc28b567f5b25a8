//! API keys of an application.

use std::sync::Arc;
use std::time::Duration;

use alter_core::key::KeyKind;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, invalid, not_found};
use super::{agents, shape};
use crate::api::Vault;
use crate::api::judge::bounds::{AGENT_SCOPES, Bounds};
use crate::api::judge::reach::KNOWN_SCOPES;
use crate::api::keys::{make, rotate as rotation, shape as key_shape};
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{AgentId, AgentStatus, ApiKey, App, KeyId, KeyRate, KeyStatus, Networks};
use crate::store::Effect;

/// What a key may do if nothing is said: retrieve credentials of its app.
const USUAL_SCOPES: &[&str] = &["tokens:retrieve"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    #[serde(default)]
    name: String,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// Name or id of the agent whose key it shall be; without it the key is the app's own.
    #[serde(default)]
    agent: Option<String>,
    /// Seconds.
    #[serde(default)]
    expires_in: Option<u64>,
    /// Networks that it may be used from.
    #[serde(default)]
    cidr_allowlist: Option<Vec<String>>,
    /// Requests a minute.
    #[serde(default)]
    rate_limit_rpm: Option<u32>,
}

/// `?agent=NAME`
#[derive(Debug, Deserialize)]
pub struct OfAgent {
    agent: Option<String>,
}

/// `GET /apps/{app}/keys`, or with `agent` those of one agent, all at once.
pub async fn list(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    Params(query): Params<PageQuery>,
    Params(of): Params<OfAgent>,
) -> Result<Json<Value>, Refusal> {
    let (app, page) = (read::app(&vault, &app).await?, query.page(KeyId::parse)?);
    if let Some(named) = of.agent {
        let agent = agents::find(&vault, &app, &named).await?;
        let keys = vault.store.agent_keys(app.id, agent.id).await?;
        let items = keys.iter().map(|key| key_shape::key(&vault, key)).collect();
        return Ok(Json(shape::page(items, u32::MAX, "id")));
    }
    let keys = vault.store.keys(app.id, page).await?;
    Ok(Json(shape::page(keys.iter().map(|key| key_shape::key(&vault, key)).collect(), page.limit.get(), "id")))
}

/// `POST /apps/{app}/keys`: the answer's `api_key` is the only place where the key is ever shown.
pub async fn create(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewKey = read::json(body).await?;
    read::check_label("name", &wanted.name)?;
    let app = read::app(&vault, &app).await?;
    let (kind, agent, scopes) = match wanted.agent {
        None => (KeyKind::Runtime, None, checked_scopes(wanted.scopes)?),
        Some(_) if wanted.scopes.is_some() => {
            return Err(invalid("scopes must be left out with agent: the keys of agents have a fixed set."));
        }
        Some(named) => (KeyKind::Agent, Some(active_agent(&vault, &app, &named).await?), agent_scopes()),
    };
    let networks = wanted.cidr_allowlist.map(|texts| Networks::parse(&texts)).transpose();
    let networks = networks.map_err(|what| invalid(format!("cidr_allowlist {what}.")))?;
    if wanted.rate_limit_rpm == Some(0) {
        return Err(invalid("rate_limit_rpm must be a number of requests a minute, at least 1."));
    }
    let expires_at = read::expiry(wanted.expires_in, vault.clock.now())?;
    let mut made = make::make(&vault, app.id, kind)?;
    let rate = KeyRate { own: wanted.rate_limit_rpm, shared: None };
    made.key = ApiKey { name: wanted.name, agent, scopes, expires_at, networks, rate, ..made.key };
    let row = author.row(ChainId::App(app.id), "key.create").subject("key", made.key.id);
    commit(&vault, row, vec![Effect::CreateKey(Box::new(made.key.clone()))]).await?;
    Ok((StatusCode::CREATED, Json(key_shape::made(&vault, &made))))
}

/// `POST /apps/{app}/keys/{key}/revoke`: what was derived from it ends with it.
pub async fn revoke(vault: State<Arc<Vault>>, path: Path<(String, String)>, author: Author) -> Result<Json<Value>, Refusal> {
    set(vault, path, author, KeyStatus::Revoked, "key.revoke").await
}

/// `POST /apps/{app}/keys/{key}/deprecate`: it works, and tells its holder to change to another.
pub async fn deprecate(vault: State<Arc<Vault>>, path: Path<(String, String)>, author: Author) -> Result<Json<Value>, Refusal> {
    set(vault, path, author, KeyStatus::Deprecated, "key.deprecate").await
}

/// `POST /apps/{app}/keys/{key}/undeprecate`
pub async fn undeprecate(vault: State<Arc<Vault>>, path: Path<(String, String)>, author: Author) -> Result<Json<Value>, Refusal> {
    set(vault, path, author, KeyStatus::Active, "key.undeprecate").await
}

async fn set(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
    status: KeyStatus,
    action: &'static str,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let key = find(&vault, &app, &named).await?;
    // Done again it is no error: the key keeps its first date.
    if key.status != status {
        let row = author.row(ChainId::App(app.id), action).subject("key", key.id);
        commit(&vault, row, vec![Effect::SetKeyStatus { app: app.id, key: key.id, status }]).await?;
    }
    Ok(Json(key_shape::key(&vault, &find(&vault, &app, &named).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overlap {
    /// Seconds for which the key works beside its successor; without it a week.
    #[serde(default)]
    overlap_seconds: Option<u64>,
}

/// `POST /apps/{app}/keys/{key}/rotate`: the answer's `api_key` is the successor.
pub async fn rotate(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let overlap = read::json::<Overlap>(body).await?.overlap_seconds.unwrap_or(rotation::USUAL_OVERLAP * rotation::DAY);
    if overlap > rotation::LONGEST_OVERLAP * rotation::DAY {
        return Err(invalid(format!("overlap_seconds must be at most {}.", rotation::LONGEST_OVERLAP * rotation::DAY)));
    }
    let app = read::app(&vault, &app).await?;
    let old = find(&vault, &app, &named).await?;
    rotation::judge_state(&old, vault.clock.now())?;
    let row = author.row(ChainId::App(app.id), "key.rotate").subject("key", old.id);
    let bounds = Bounds::of(&old, vault.admission.usual_limit);
    let (made, effects) = rotation::successor(&vault, old, &bounds, Duration::from_secs(overlap))?;
    commit(&vault, row, effects).await?;
    Ok((StatusCode::CREATED, Json(key_shape::made(&vault, &made))))
}

async fn find(vault: &Vault, app: &App, named: &str) -> Result<ApiKey, Refusal> {
    let missing = || not_found("key", named, "alter key list");
    let id = KeyId::parse(named).ok_or_else(missing)?;
    vault.store.key(app.id, id).await?.found().ok_or_else(missing)
}

/// The agent, which must be able to act: a key for one that cannot would only be refused.
async fn active_agent(vault: &Vault, app: &App, named: &str) -> Result<AgentId, Refusal> {
    let agent = agents::find(vault, app, named).await?;
    if agent.status != AgentStatus::Active {
        return Err(Refusal::new(StatusCode::CONFLICT, "agent_inactive", "The agent is not active. Resume it first."));
    }
    Ok(agent.id)
}

fn agent_scopes() -> Vec<String> {
    AGENT_SCOPES.iter().map(|scope| (*scope).to_owned()).collect()
}

fn checked_scopes(asked: Option<Vec<String>>) -> Result<Vec<String>, Refusal> {
    let Some(mut scopes) = asked else {
        return Ok(USUAL_SCOPES.iter().map(|scope| (*scope).to_owned()).collect());
    };
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(invalid("scopes must not be empty: a key without scopes can do nothing."));
    }
    if scopes.iter().any(|scope| !KNOWN_SCOPES.contains(&scope.as_str())) {
        return Err(invalid(format!("scopes holds one that does not exist; there are: {}.", KNOWN_SCOPES.join(", "))));
    }
    Ok(scopes)
}
