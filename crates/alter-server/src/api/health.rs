//! `/healthz`: the process answers. `/readyz`: it could serve a call now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
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
            Refusal::unavailable("not_ready", 1).with("reason", error.code()).into_response()
        }
    }
}
