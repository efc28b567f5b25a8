//! What there is to ask for: the scopes of keys, the providers at which the app is registered, and what providers' APIs can do.

mod providers;
mod scopes;
mod specs;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;

use super::{Vault, signed};

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/sdk/scopes", get(list_scopes))
        .route("/sdk/oauth/provider-catalog", get(list_providers))
        .route("/sdk/provider-specs", get(list_specs))
        .route("/sdk/provider-specs/{kind}/{provider_id}", get(get_spec))
        .route("/sdk/provider-specs/{kind}/{provider_id}/operations", get(list_operations))
        .route("/sdk/provider-specs/{kind}/{provider_id}/operation", get(get_operation))
}

type Named = Result<Path<(String, String)>, PathRejection>;

async fn list_scopes(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, scopes::ListScopes, request).await
}

async fn list_providers(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, providers::ListProviders, request).await
}

async fn list_specs(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    let query = query(&request);
    signed(&vault, specs::ListSpecs { query }, request).await
}

async fn get_spec(State(vault): State<Arc<Vault>>, path: Named, request: Request) -> Response {
    signed(&vault, specs::GetSpec(named(path)), request).await
}

async fn list_operations(State(vault): State<Arc<Vault>>, path: Named, request: Request) -> Response {
    let query = query(&request);
    signed(&vault, specs::ListOperations { spec: named(path), query }, request).await
}

async fn get_operation(State(vault): State<Arc<Vault>>, path: Named, request: Request) -> Response {
    let query = query(&request);
    signed(&vault, specs::GetOperation { spec: named(path), query }, request).await
}

fn named(path: Named) -> specs::Named {
    let (kind, provider) = path.map(|Path(names)| names).unwrap_or_default();
    specs::Named { kind, provider }
}

fn query(request: &Request) -> Option<String> {
    request.uri().query().map(str::to_owned)
}
