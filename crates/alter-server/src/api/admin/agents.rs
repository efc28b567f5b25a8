//! Agents of an application.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::change::{Author, commit};
use super::read::{self, PageQuery, Params, not_found};
use super::shape;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{Agent, AgentId, AgentStatus, App};
use crate::store::Effect;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAgent {
    name: String,
}

/// `GET /apps/{app}/agents`
pub async fn list(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Refusal> {
    let (app, page) = (read::app(&vault, &app).await?, query.page(AgentId::parse)?);
    let agents = vault.store.agents(app.id, page).await?;
    Ok(Json(shape::page(agents.iter().map(shape::agent).collect(), page.limit.get(), "agent_id")))
}

/// `GET /apps/{app}/agents/{agent}`
pub async fn show(State(vault): State<Arc<Vault>>, Path((app, named)): Path<(String, String)>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    Ok(Json(shape::agent(&find(&vault, &app, &named).await?)))
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
    let agent =
        Agent { id: AgentId::random(), app: app.id, name: wanted.name, status: AgentStatus::Active, created_at: now, updated_at: now };
    let row = author.row(ChainId::App(app.id), "agent.create").subject("agent", agent.id);
    commit(&vault, row, vec![Effect::CreateAgent(agent.clone())]).await?;
    Ok((StatusCode::CREATED, Json(shape::agent(&agent))))
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
    Ok(Json(shape::agent(&find(&vault, &app, &agent.id.to_string()).await?)))
}

/// An agent by its name or id. A deleted one is found by its id only.
pub async fn find(vault: &Vault, app: &App, named: &str) -> Result<Agent, Refusal> {
    let found = match AgentId::parse(named) {
        Some(id) => vault.store.agent(app.id, id).await?.found(),
        None => vault.store.agent_by_name(app.id, named.to_owned()).await?,
    };
    found.ok_or_else(|| not_found("agent", named, "alter agent list"))
}
