//! The master key: which version is in use, and changing it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{self, Author};
use super::read;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::rotation::{Progress, RotationError, Subject};

/// `GET /master-key`: the version in use, and how far a rotation is.
pub async fn show(State(vault): State<Arc<Vault>>) -> Result<Json<Value>, Refusal> {
    vault.rotation.progress(subject(&vault)).await.map(shape).map_err(refuse)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The first step of whoever asks: begins a rotation unless one was interrupted. Without it nothing new is begun.
    #[serde(default)]
    begin: bool,
}

/// `POST /master-key/rotation`: one step of some hundred milliseconds. The caller repeats it until the answer says `done`; whoever stops
/// repeating it stops the rotation, and the next one to ask goes on.
pub async fn rotate(State(vault): State<Arc<Vault>>, author: Author, body: Body) -> Result<Json<Value>, Refusal> {
    let step: Step = read::json(body).await?;
    let row = |action| author.row(ChainId::Vault, action);
    let progress =
        if step.begin { vault.rotation.begin(subject(&vault), &row).await } else { vault.rotation.step(subject(&vault), &row).await };
    progress.map(shape).map_err(refuse)
}

fn subject(vault: &Vault) -> Subject<'_> {
    Subject { store: &*vault.store, keys: &vault.keys }
}

fn shape(Progress { version, data_keys, remaining, done }: Progress) -> Json<Value> {
    Json(json!({ "version": version, "data_keys": data_keys, "remaining": remaining, "done": done }))
}

fn refuse(error: RotationError) -> Refusal {
    let (code, help) = (error.code(), error.help());
    match error {
        RotationError::Store(error) => error.into(),
        RotationError::Declined(declined) => change::refusal(declined),
        RotationError::NewKeyMissing => {
            Refusal::new(StatusCode::CONFLICT, code, "The master key is given from outside, and no new one was given.").with("help", help)
        }
        RotationError::Key(error) => {
            tracing::error!(code, %error, "the master key cannot be rotated");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, format!("The master key cannot be rotated: {error}.")).with("help", help)
        }
    }
}
