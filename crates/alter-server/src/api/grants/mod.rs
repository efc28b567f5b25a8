//! Grants on the wire: listing, minting, delegating, taking back, and assigning a managed secret.
//!
//! What may be seen and done depends on who acts ([`Acting`](super::acting::Acting)): the app sees everything in it, an agent what it holds.

mod assign;
pub mod constraint;
mod delegate;
mod list;
mod mint;
mod place;
pub mod policy;
mod revoke;
pub mod shape;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{delete, post};

use super::members::Members;
use super::refusal::Refusal;
use super::{Vault, named, signed};
use crate::model::{AgentId, AppId, Grant, GrantFilter, GrantId, ListedGrant, Membership, ShownStatus, View};
use crate::store::{GrantAccess, Lookup};

const FEW: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/sdk/grants/list", post(list_grants))
        .route("/sdk/grants/{grant_id}/mint", post(mint_grant))
        .route("/sdk/grants/{grant_id}/delegate", post(delegate_grant))
        .route("/sdk/grants/{grant_id}/delegations/me", delete(give_back))
        .route("/sdk/grants/{grant_id}/delegations/{agent_id}", delete(take_back))
        .route("/sdk/oauth/grants/{grant_id}/revoke", post(revoke_grant))
        .route("/sdk/managed-secrets/{secret_id}/grants", post(assign_secret))
}

type Named = Result<Path<String>, PathRejection>;

async fn list_grants(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, list::ListGrants, request).await
}

async fn mint_grant(State(vault): State<Arc<Vault>>, grant: Named, request: Request) -> Response {
    signed(&vault, mint::MintGrant { source: named(grant) }, request).await
}

async fn delegate_grant(State(vault): State<Arc<Vault>>, grant: Named, request: Request) -> Response {
    signed(&vault, delegate::Delegate { grant: named(grant) }, request).await
}

async fn give_back(State(vault): State<Arc<Vault>>, grant: Named, request: Request) -> Response {
    signed(&vault, revoke::GiveBack { grant: named(grant) }, request).await
}

async fn take_back(State(vault): State<Arc<Vault>>, path: Result<Path<(String, String)>, PathRejection>, request: Request) -> Response {
    let (grant, agent) = path.map(|Path(names)| names).unwrap_or_default();
    signed(&vault, revoke::TakeBack { grant, agent }, request).await
}

async fn revoke_grant(State(vault): State<Arc<Vault>>, grant: Named, request: Request) -> Response {
    signed(&vault, revoke::RevokeGrant { grant: named(grant) }, request).await
}

async fn assign_secret(State(vault): State<Arc<Vault>>, secret: Named, request: Request) -> Response {
    signed(&vault, assign::AssignSecret { secret: named(secret) }, request).await
}

/// A grant of the app by the id in a path.
///
/// # Errors
/// 404 `grant_not_found`, the same for a malformed, an unknown and another app's id.
async fn own_grant(vault: &Vault, app: AppId, id: &str) -> Result<Grant, Refusal> {
    let id = GrantId::parse(id).ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"))?;
    found(vault.store.grant(app, id).await?)
}

/// As [`own_grant`], with what it opens.
///
/// # Errors
/// As [`own_grant`].
pub async fn own_access(vault: &Vault, app: AppId, id: &str) -> Result<GrantAccess, Refusal> {
    let id = GrantId::parse(id).ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"))?;
    found(vault.store.grant_access(app, id).await?)
}

fn found<T>(lookup: Lookup<T>) -> Result<T, Refusal> {
    match lookup {
        Lookup::Found(thing) => Ok(thing),
        Lookup::Foreign => Err(Refusal::grant_not_found("the grant belongs to another application")),
        Lookup::Unknown => Err(Refusal::grant_not_found("there is no such grant")),
    }
}

/// What an agent holds of a grant: the grant itself, or what was delegated to it from there. With a status, only what has it now.
///
/// # Errors
/// 503 if the store cannot be used.
pub async fn held(
    vault: &Vault,
    app: AppId,
    agent: AgentId,
    of: GrantId,
    status: Option<ShownStatus>,
) -> Result<Vec<ListedGrant>, Refusal> {
    let view = View::Agent { agent, person: None };
    let filter = GrantFilter { view, around: Some(of), status, ..GrantFilter::default() };
    // A chain of delegations can come back to an agent, so there may be more than one; there are never many.
    Ok(vault.store.list_grants(app, filter, FEW, 0).await?.grants)
}

/// Whom a body's `user_token` is about; `None` if there is none.
///
/// # Errors
/// As [`membership`](super::people::membership).
pub async fn person(vault: &Vault, app: AppId, members: &mut Members) -> Result<Option<Membership>, Refusal> {
    match members.user_token()? {
        None => Ok(None),
        Some(token) => super::people::membership(vault, app, &token).await.map(Some),
    }
}
