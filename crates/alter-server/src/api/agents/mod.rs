//! Agents on the wire: making, reading, changing and ending them, and their keys.
//!
//! All of it is the application's business; an agent only looks at itself (`/sdk/agents/me`).

pub mod change;
mod create;
mod end;
mod keys;
mod look;
pub mod policy;
mod shape;
mod update;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{delete, get, patch};

use super::acting::agent_not_found;
use super::pipeline::Admitted;
use super::refusal::Refusal;
use super::{Vault, named, signed};
use crate::model::{Agent, AgentId, AppId};
use crate::store::Lookup;

/// Sent by clients that may repeat a request; it is not signed.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/sdk/agents", get(list_agents).post(create_agent))
        .route("/sdk/agents/me", get(look_at_self))
        .route("/sdk/agents/{agent_id}", get(get_agent).patch(update_agent).delete(delete_agent))
        .route("/sdk/agents/{agent_id}/keys", get(list_keys).post(mint_key))
        .route("/sdk/agents/{agent_id}/keys/{key_id}", delete(revoke_key))
        .route("/sdk/agents/{agent_id}/keys/{key_id}/deprecate", patch(deprecate_key))
        .route("/sdk/agents/{agent_id}/keys/{key_id}/undeprecate", patch(undeprecate_key))
}

type Named = Result<Path<String>, PathRejection>;
type NamedKey = Result<Path<(String, String)>, PathRejection>;

async fn create_agent(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    let keys = request.headers().get_all(IDEMPOTENCY_KEY).iter().map(|value| value.to_str().unwrap_or_default().to_owned()).collect();
    signed(&vault, create::CreateAgent { idempotency_keys: keys }, request).await
}

async fn list_agents(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    let query = query(&request);
    signed(&vault, look::ListAgents { query }, request).await
}

async fn look_at_self(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, look::LookAtSelf, request).await
}

async fn get_agent(State(vault): State<Arc<Vault>>, agent: Named, request: Request) -> Response {
    signed(&vault, look::GetAgent { agent: named(agent) }, request).await
}

async fn update_agent(State(vault): State<Arc<Vault>>, agent: Named, request: Request) -> Response {
    let query = query(&request);
    signed(&vault, update::UpdateAgent { agent: named(agent), query }, request).await
}

async fn delete_agent(State(vault): State<Arc<Vault>>, agent: Named, request: Request) -> Response {
    signed(&vault, end::DeleteAgent { agent: named(agent) }, request).await
}

async fn list_keys(State(vault): State<Arc<Vault>>, agent: Named, request: Request) -> Response {
    signed(&vault, keys::ListKeys { agent: named(agent) }, request).await
}

async fn mint_key(State(vault): State<Arc<Vault>>, agent: Named, request: Request) -> Response {
    signed(&vault, keys::MintKey { agent: named(agent) }, request).await
}

async fn deprecate_key(State(vault): State<Arc<Vault>>, path: NamedKey, request: Request) -> Response {
    signed(&vault, keys::DeprecateKey(named_key(path)), request).await
}

async fn undeprecate_key(State(vault): State<Arc<Vault>>, path: NamedKey, request: Request) -> Response {
    signed(&vault, keys::UndeprecateKey(named_key(path)), request).await
}

async fn revoke_key(State(vault): State<Arc<Vault>>, path: NamedKey, request: Request) -> Response {
    let query = query(&request);
    signed(&vault, keys::RevokeKey { key: named_key(path), query }, request).await
}

fn query(request: &Request) -> Option<String> {
    request.uri().query().map(str::to_owned)
}

fn named_key(path: NamedKey) -> keys::OfAgent {
    let (agent, key) = path.map(|Path(names)| names).unwrap_or_default();
    keys::OfAgent { agent, key }
}

/// Refuses an agent, and the app's key while it speaks for one.
///
/// # Errors
/// 403 with the code.
fn for_app_only(request: &Admitted<'_>, code: &'static str) -> Result<(), Refusal> {
    if request.acting.agent().is_none() {
        return Ok(());
    }
    Err(Refusal::forbidden(code, "Agents are the application's to administer. Use the application's own client."))
}

/// An agent of the app by the id in a path, deleted or not.
///
/// # Errors
/// 404 `agent_not_found`, the same for a malformed, an unknown and another app's id.
async fn own_agent(vault: &Vault, app: AppId, id: &str) -> Result<Agent, Refusal> {
    let missing = |reason: &str| agent_not_found().because(reason);
    let id = AgentId::parse(id).ok_or_else(|| missing("agent_id is not a lower-case UUID"))?;
    match vault.store.agent(app, id).await? {
        Lookup::Found(agent) => Ok(agent),
        Lookup::Foreign => Err(missing("the agent belongs to another application")),
        Lookup::Unknown => Err(missing("there is no such agent")),
    }
}
