//! Agents of an application.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, not_found};
use super::shape;
use crate::api::Vault;
use crate::api::agents::change::{Change, LONGEST_GRACE, LONGEST_METADATA, checked_scopes};
use crate::api::agents::policy;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{Agent, AgentId, AgentKind, AgentStatus, App};
use crate::store::Effect;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAgent {
    name: String,
    #[serde(default, rename = "type")]
    kind: Option<AgentKind>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    /// What it may use of what is granted to it; without it everything.
    #[serde(default)]
    scopes: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    policy: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedAgent {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    scopes: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    policy: Option<Map<String, Value>>,
    /// Seconds for which what is taken away still holds. An operator's narrowing comes into force at once unless this says otherwise.
    #[serde(default)]
    grace_seconds: u64,
}

/// `GET /apps/{app}/agents`
pub async fn list(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    let (app, page) = (read::app(&vault, &app).await?, query.page(AgentId::parse)?);
    let agents = vault.store.agents(app.id, page).await?;
    Ok(Json(shape::page(agents.iter().map(|agent| shape::agent(agent, vault.clock.now())).collect(), page.limit.get(), "agent_id")))
}

/// `GET /apps/{app}/agents/{agent}`
pub async fn show(State(vault): State<Arc<Vault>>, Path((app, named)): Path<(String, String)>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    Ok(Json(shape::agent(&find(&vault, &app, &named).await?, vault.clock.now())))
}

/// `POST /apps/{app}/agents`
pub async fn create(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewAgent = read::json(body).await?;
    read::check_name("name", &wanted.name)?;
    let app = read::app(&vault, &app).await?;
    let now = vault.clock.now();
    let agent = Agent { kind: wanted.kind.unwrap_or(AgentKind::Agent), ..Agent::new(app.id, wanted.name, now) };
    let change = change_of(wanted.display_name, wanted.metadata, wanted.scopes, wanted.policy)?;
    let agent = change.of(&agent, now).map_or(agent, |changed| Agent { version: 1, ..changed });
    let row = author.row(ChainId::App(app.id), "agent.create").subject("agent", agent.id);
    commit(&vault, row, vec![Effect::CreateAgent(Box::new(agent.clone()))]).await?;
    Ok((StatusCode::CREATED, Json(shape::agent(&agent, now))))
}

/// `PATCH /apps/{app}/agents/{agent}`
pub async fn update(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let wanted: ChangedAgent = read::json(body).await?;
    if wanted.grace_seconds > LONGEST_GRACE {
        return Err(read::invalid(format!("grace_seconds must be from 0 to {LONGEST_GRACE}.")));
    }
    let grace = Duration::from_secs(wanted.grace_seconds);
    let change = Change { grace, ..change_of(wanted.display_name, wanted.metadata, wanted.scopes, wanted.policy)? };
    let app = read::app(&vault, &app).await?;
    let (agent, now) = (find(&vault, &app, &named).await?, vault.clock.now());
    let Some(changed) = change.of(&agent, now) else { return Ok(Json(shape::agent(&agent, now))) };
    let row = author.row(ChainId::App(app.id), "agent.update").subject("agent", agent.id);
    commit(&vault, row, vec![Effect::UpdateAgent(Box::new(changed.clone()))]).await?;
    Ok(Json(shape::agent(&changed, now)))
}

fn change_of(
    display_name: Option<String>,
    metadata: Option<Map<String, Value>>,
    scopes: Option<BTreeMap<String, Vec<String>>>,
    policy: Option<Map<String, Value>>,
) -> Result<Change, Refusal> {
    if let Some(name) = &display_name {
        read::check_label("display_name", name)?;
    }
    let length = metadata.as_ref().and_then(|metadata| serde_json::to_string(metadata).ok()).map_or(0, |text| text.len());
    if length > LONGEST_METADATA {
        return Err(read::invalid(format!("metadata must have at most {LONGEST_METADATA} bytes as JSON.")));
    }
    let (scopes, policy) = (scopes.map(checked_scopes).transpose()?, policy.map(policy::checked).transpose()?);
    Ok(Change { display_name, metadata, scopes, policy, grace: Duration::ZERO })
}

/// `POST /apps/{app}/agents/{agent}/suspend`
pub async fn suspend(vault: State<Arc<Vault>>, path: Path<(String, String)>, author: Author) -> Result<Json<Value>, Refusal> {
    change(vault, path, author, AgentStatus::Suspended, "agent.suspend").await
}

/// `POST /apps/{app}/agents/{agent}/resume`
pub async fn resume(vault: State<Arc<Vault>>, path: Path<(String, String)>, author: Author) -> Result<Json<Value>, Refusal> {
    change(vault, path, author, AgentStatus::Active, "agent.resume").await
}

/// `DELETE /apps/{app}/agents/{agent}`: its keys and the grants that it holds are revoked with it.
pub async fn delete(vault: State<Arc<Vault>>, path: Path<(String, String)>, author: Author) -> Result<Json<Value>, Refusal> {
    change(vault, path, author, AgentStatus::Deleted, "agent.delete").await
}

async fn change(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
    status: AgentStatus,
    action: &'static str,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let agent = find(&vault, &app, &named).await?;
    if agent.status != status {
        let row = author.row(ChainId::App(app.id), action).subject("agent", agent.id);
        commit(&vault, row, vec![Effect::SetAgentStatus { app: app.id, agent: agent.id, status }]).await?;
    }
    Ok(Json(shape::agent(&find(&vault, &app, &agent.id.to_string()).await?, vault.clock.now())))
}

/// An agent by its name or id. A deleted one is found by its id only.
pub async fn find(vault: &Vault, app: &App, named: &str) -> Result<Agent, Refusal> {
    let found = match AgentId::parse(named) {
        Some(id) => vault.store.agent(app.id, id).await?.found(),
        None => vault.store.agent_by_name(app.id, named.to_owned()).await?,
    };
    found.ok_or_else(|| not_found("agent", named, "alter agent list"))
}
