//! `/healthz`: the process answers. `/readyz`: it could serve a call now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use tokio::sync::Mutex;

use super::Vault;
use super::refusal::Refusal;
use crate::store::{Store, StoreError};

/// How long the store may take to prove that it can write.
const READY_DEADLINE: Duration = Duration::from_secs(2);
/// How long an answer of the store is passed on. Asking it writes to the disk, and anybody may ask `/readyz` as often as they like.
const READY_KEPT: Duration = Duration::from_secs(1);

/// The store's last answer and when it was given.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Instant, Result<(), StoreError>)>>);

impl Readiness {
    /// What the store said within the last second, else what it says now. Whoever asks meanwhile waits for the same answer.
    async fn of(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut last = self.0.lock().await;
        if let Some((asked, answer)) = &*last
            && asked.elapsed() < READY_KEPT
        {
            return answer.clone();
        }
        let answer = store.ready(Instant::now() + READY_DEADLINE).await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

/// The process is alive. Says nothing about the store.
pub async fn process() -> Response {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// The store can write. (The keys are loaded, or the vault would not have started.)
pub async fn ready(State(vault): State<Arc<Vault>>) -> Response {
    match vault.readiness.of(&*vault.store).await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(error) => {
            tracing::error!(code = error.code(), %error, "not ready");
            let message = "The vault's store cannot be written right now.";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", message).with("reason", error.code()).retry_after(1).into_response()
        }
    }
}
