//! `/healthz`: the process answers. `/readyz`: it could serve a call now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::Vault;
use super::refusal::Refusal;

/// How long the store may take to prove that it can write.
const READY_DEADLINE: Duration = Duration::from_secs(2);

/// The process is alive. Says nothing about the store.
pub async fn process() -> Response {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// The store can write. (The keys are loaded, or the vault would not have started.)
pub async fn ready(State(vault): State<Arc<Vault>>) -> Response {
    match vault.store.ready(Instant::now() + READY_DEADLINE).await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => {
            tracing::error!(code = error.code(), %error, "not ready");
            let message = "The vault's store cannot be written right now.";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message).with("reason", error.code()).retry_after(1).into_response()
        }
    }
}
