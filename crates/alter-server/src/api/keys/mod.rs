//! API keys on the wire: deriving narrower ones, rotating, revoking.

mod derive;
pub mod make;
pub mod revoke;
pub mod rotate;
pub mod shape;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{delete, post};
use http::StatusCode;

use super::acting::Acting;
use super::pipeline::Admitted;
use super::refusal::Refusal;
use super::{Vault, named, signed};
use crate::model::{ApiKey, KeyId};
use crate::store::Lookup;

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/sdk/keys/derive", post(derive_key))
        .route("/sdk/keys/{key_id}", delete(revoke_key))
        .route("/sdk/keys/{key_id}/rotate", post(rotate_key))
}

type Named = Result<Path<String>, PathRejection>;

async fn derive_key(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, derive::DeriveKey, request).await
}

async fn rotate_key(State(vault): State<Arc<Vault>>, key: Named, request: Request) -> Response {
    signed(&vault, rotate::RotateKey { key: named(key) }, request).await
}

async fn revoke_key(State(vault): State<Arc<Vault>>, key: Named, request: Request) -> Response {
    let query = request.uri().query().map(str::to_owned);
    signed(&vault, revoke::RevokeKey { key: named(key), query }, request).await
}

/// The key that a path names, if whoever acts may administer it: an agent its own ones, the app any of its own, and with `agents:admin` those of its
/// agents.
///
/// # Errors
/// 404 `key_not_found`, the same for a malformed, an unknown and another's id; 403 `insufficient_scope`.
async fn administered(vault: &Vault, request: &Admitted<'_>, id: &str) -> Result<ApiKey, Refusal> {
    request.reach.require("keys:admin")?;
    let missing = |reason: &str| key_not_found().because(reason);
    let id = KeyId::parse(id).ok_or_else(|| missing("key_id is not a lower-case UUID"))?;
    let key = match vault.store.key(request.key.app, id).await? {
        Lookup::Found(key) => key,
        Lookup::Foreign => return Err(missing("the key belongs to another application")),
        Lookup::Unknown => return Err(missing("there is no such key")),
    };
    match &request.acting {
        Acting::Agent { agent, .. } if key.agent != Some(agent.id) => Err(missing("the key is not the agent's")),
        Acting::Agent { .. } => Ok(key),
        Acting::App => {
            if key.agent.is_some() {
                request.reach.require("agents:admin")?;
            }
            Ok(key)
        }
    }
}

/// 404 for malformed, unknown and other applications' keys alike.
pub fn key_not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "key_not_found", "There is no such key that this one may administer.")
}
