//! Who may use the admin plane.

use std::sync::Arc;

use alter_core::encoding::percent_decode;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri, header};

use crate::api::Vault;
use crate::api::members::invalid;
use crate::api::refusal::Refusal;
use crate::model::Operator;
use crate::operator::OPERATOR_KEY_PREFIX;

/// Middleware: finds the operator and leaves it in the request's extensions.
pub async fn require_operator(State(vault): State<Arc<Vault>>, mut request: Request, next: Next) -> Response {
    match judge(&vault, request.headers()).await {
        Ok(_) if !is_text(request.uri()) => {
            invalid("The path or the query has a NUL or is not UTF-8, which no name of ours has.").into_response()
        }
        Ok(operator) => {
            request.extensions_mut().insert(Arc::new(operator));
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Whether path and query stand for UTF-8 without NUL, which PostgreSQL keeps in no text.
fn is_text(uri: &Uri) -> bool {
    // What is not UTF-8 is decoded to U+FFFD, which nobody puts into a name either.
    !percent_decode(uri.path_and_query().map_or("/", |target| target.as_str())).contains(['\0', char::REPLACEMENT_CHARACTER])
}

async fn judge(vault: &Vault, headers: &HeaderMap) -> Result<Operator, Refusal> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .filter(|key| key.starts_with(OPERATOR_KEY_PREFIX))
        .ok_or_else(unknown_key)?;
    operator_of(vault, key).await
}

/// The operator with a key.
///
/// # Errors
/// 401 `operator_key_invalid`.
pub async fn operator_of(vault: &Vault, key: &str) -> Result<Operator, Refusal> {
    let found = vault.store.operator_by_digest(vault.keys.digest(key)).await?;
    found.filter(|operator| operator.revoked_at.is_none()).ok_or_else(unknown_key)
}

fn unknown_key() -> Refusal {
    Refusal::unauthorized("operator_key_invalid", "The operator key is missing, unknown to this vault, or revoked.").with(
        "help",
        "set ALTER_OPERATOR_KEY to a key of this vault, or name its data folder with --data-dir; `alter key create --operator NAME` makes a new key",
    )
}
