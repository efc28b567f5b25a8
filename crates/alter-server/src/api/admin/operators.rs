//! Operators: who may use the admin plane.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{Author, commit};
use super::read::{self, not_found};
use super::shape;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{Operator, OperatorRole};
use crate::operator;
use crate::store::Effect;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOperator {
    name: String,
    #[serde(default = "admin")]
    role: OperatorRole,
}

fn admin() -> OperatorRole {
    OperatorRole::Admin
}

/// `GET /whoami`: the operator that the key belongs to.
pub async fn whoami(Extension(operator): Extension<Arc<Operator>>) -> Json<Value> {
    Json(shape::operator(&operator))
}

/// `GET /operators`
pub async fn list(State(vault): State<Arc<Vault>>) -> Result<Json<Value>, Refusal> {
    let operators = vault.store.operators().await?;
    Ok(Json(json!({ "items": operators.iter().map(shape::operator).collect::<Vec<_>>(), "next": null })))
}

/// `POST /operators`: the answer's `operator_key` is the only place where the key is ever shown.
pub async fn create(State(vault): State<Arc<Vault>>, author: Author, body: Body) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewOperator = read::json(body).await?;
    read::check_name("name", &wanted.name)?;
    let plain = operator::generate_key().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal()
    })?;
    let record = operator::record(&vault.keys, &plain, &wanted.name, wanted.role, vault.clock.now());
    let row = author.row(ChainId::Vault, "operator.create").subject("operator", record.id);
    commit(&vault, row, vec![Effect::CreateOperator(record.clone())]).await?;
    let mut shown = shape::operator(&record);
    shown["operator_key"] = plain.expose().into();
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `POST /operators/{operator}/revoke`, by name or id. The last admin cannot be revoked: nobody could undo it from here.
pub async fn revoke(State(vault): State<Arc<Vault>>, Path(named): Path<String>, author: Author) -> Result<Json<Value>, Refusal> {
    let operators = vault.store.operators().await?;
    let in_force = |name: &str| operators.iter().find(|o| o.revoked_at.is_none() && o.name == name);
    let found = in_force(&named).or_else(|| operators.iter().find(|o| o.id.to_string() == named));
    let found = found.ok_or_else(|| not_found("operator", &named, "alter key list --operator"))?;
    let admins = operators.iter().filter(|o| o.revoked_at.is_none() && o.role == OperatorRole::Admin).count();
    if found.revoked_at.is_none() {
        if found.role == OperatorRole::Admin && admins == 1 {
            let message = format!("{} is the last operator with the role admin.", found.name);
            return Err(Refusal::new(StatusCode::CONFLICT, "last_admin", message)
                .with("help", "make another first: alter key create --operator NAME"));
        }
        let row = author.row(ChainId::Vault, "operator.revoke").subject("operator", found.id);
        commit(&vault, row, vec![Effect::RevokeOperator { operator: found.id }]).await?;
    }
    let after = vault.store.operators().await?;
    let record = after.iter().find(|o| o.id == found.id).ok_or_else(Refusal::internal)?;
    Ok(Json(shape::operator(record)))
}
