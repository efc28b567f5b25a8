//! API keys of an application.

use std::sync::Arc;

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
use crate::api::judge::reach::KNOWN_SCOPES;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{AgentId, AgentStatus, ApiKey, App, KeyId, KeyStatus, display_prefix};
use crate::store::{Effect, Lookup};

/// What a key may do if nothing is said: retrieve credentials of its app.
const USUAL_SCOPES: &[&str] = &["tokens:retrieve"];

/// What the keys of agents may do: everything but administer agents, identities of people and secrets.
const AGENT_SCOPES: &[&str] =
    &["audit:emit", "connect:initiate", "grants:read", "grants:write", "idp_users:read", "proxy:execute", "spans:emit", "tokens:retrieve"];

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
}

/// `GET /apps/{app}/keys`
pub async fn list(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    let (app, page) = (read::app(&vault, &app).await?, query.page(KeyId::parse)?);
    let keys = vault.store.keys(app.id, page).await?;
    let now = vault.clock.now();
    Ok(Json(shape::page(keys.iter().map(|key| shape::key(key, now)).collect(), page.limit.get(), "id")))
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
    let now = vault.clock.now();
    let plain = kind.generate().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal()
    })?;
    let key = ApiKey {
        id: KeyId::random(),
        app: app.id,
        kind,
        agent,
        name: wanted.name,
        digest: vault.keys.digest(plain.expose()),
        prefix: display_prefix(plain.expose()),
        scopes,
        status: KeyStatus::Active,
        created_at: now,
        expires_at: read::expiry(wanted.expires_in, now)?,
        last_used_at: None,
    };
    let row = author.row(ChainId::App(app.id), "key.create").subject("key", key.id);
    commit(&vault, row, vec![Effect::CreateKey(Box::new(key.clone()))]).await?;
    let mut shown = shape::key(&key, now);
    shown["api_key"] = plain.expose().into();
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `POST /apps/{app}/keys/{key}/revoke`
pub async fn revoke(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let missing = || not_found("key", &named, "alter key list");
    let id = KeyId::parse(&named).ok_or_else(missing)?;
    let find = || async {
        match vault.store.key(app.id, id).await? {
            Lookup::Found(key) => Ok(key),
            Lookup::Foreign | Lookup::Unknown => Err(missing()),
        }
    };
    // Revoking twice is no error: the key is as dead as was asked for, and keeps its first date.
    if find().await?.status != KeyStatus::Revoked {
        let row = author.row(ChainId::App(app.id), "key.revoke").subject("key", id);
        commit(&vault, row, vec![Effect::SetKeyStatus { app: app.id, key: id, status: KeyStatus::Revoked }]).await?;
    }
    Ok(Json(shape::key(&find().await?, vault.clock.now())))
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
