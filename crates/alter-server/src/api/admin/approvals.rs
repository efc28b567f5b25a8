//! Calls that wait for people: what operators see of them, and decide.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{self, Params, invalid, not_found};
use crate::api::Vault;
use crate::api::approvals::{self, Choice, Decided};
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::model::{App, AppId, Approval, ApprovalId, Decider, GateId, Operator, OperatorRole};
use crate::store::{ApprovalFilter, StoredApproval};

/// The operator who decides: an admin or an approver. Taking this argument is what makes a route one for them.
#[derive(Clone, Debug)]
pub struct Deciding {
    operator: Arc<Operator>,
    request_id: String,
}

impl FromRequestParts<Arc<Vault>> for Deciding {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Vault>) -> Result<Self, Refusal> {
        // Every admin route is behind the middleware that leaves the operator here.
        let operator = parts.extensions.get::<Arc<Operator>>().cloned().ok_or_else(Refusal::internal)?;
        if operator.role == OperatorRole::Auditor {
            let message = format!(
                "The operator {} has the role {}, which reads neither the calls that wait nor decides.",
                operator.name, operator.role
            );
            return Err(Refusal::forbidden("operator_role_insufficient", message));
        }
        Ok(Self { operator, request_id: RequestId::of(parts).to_owned() })
    }
}

/// Which approvals.
#[derive(Deserialize)]
pub struct ListQuery {
    app: Option<String>,
    #[serde(default)]
    all: bool,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    digest: String,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deny {
    #[serde(default)]
    reason: Option<String>,
}

/// `GET /approvals`: newest first; those under way, or with `all=true` the ended ones of the last day as well.
pub async fn list(State(vault): State<Arc<Vault>>, Params(query): Params<ListQuery>) -> Result<Json<Value>, Refusal> {
    let app = match &query.app {
        Some(named) => Some(read::app(&vault, named).await?.id),
        None => None,
    };
    let before = match &query.after {
        Some(text) => Some(ApprovalId::parse(text).ok_or_else(|| invalid("after must be the last id of the page before."))?),
        None => None,
    };
    let limit: NonZeroU32 = read::limit(query.limit)?;
    let filter = ApprovalFilter { app, only_open: !query.all, before };
    let (mut names, mut items) = (HashMap::new(), Vec::new());
    for approval in vault.store.approvals(filter, limit).await? {
        let name = match names.entry(approval.app) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(name_of(&vault, approval.app).await?),
        };
        items.push(approvals::listed(&approval, name, vault.clock.now()));
    }
    Ok(Json(super::shape::page(items, limit.get(), "approval_id")))
}

/// `GET /approvals/{approval}`: with the call as it will be sent.
pub async fn show(State(vault): State<Arc<Vault>>, Path(named): Path<String>, _: Deciding) -> Result<Json<Value>, Refusal> {
    let (stored, _) = find(&vault, &named).await?;
    shown(&vault, &stored).await
}

/// `POST /approvals/{approval}/approve`, with the digest that was shown.
pub async fn approve(
    State(vault): State<Arc<Vault>>,
    Path(named): Path<String>,
    deciding: Deciding,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let Approve { digest, reason } = read::json(body).await?;
    decide(&vault, &named, deciding, Choice::Approve { digest }, reason).await
}

/// `POST /approvals/{approval}/deny`
pub async fn deny(
    State(vault): State<Arc<Vault>>,
    Path(named): Path<String>,
    deciding: Deciding,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let Deny { reason } = read::json(body).await?;
    decide(&vault, &named, deciding, Choice::Deny, reason).await
}

async fn decide(
    vault: &Arc<Vault>,
    named: &str,
    deciding: Deciding,
    choice: Choice,
    reason: Option<String>,
) -> Result<Json<Value>, Refusal> {
    let (stored, gate) = find(vault, named).await?;
    let by = Decider::Operator { id: deciding.operator.id, name: deciding.operator.name.clone() };
    let decided = Decided { gate, by, choice, reason: reason.filter(|reason| !reason.is_empty()) };
    let approval = approvals::decide(vault, stored.approval.id, &decided, &deciding.request_id).await?;
    let name = name_of(vault, approval.app).await?;
    Ok(Json(approvals::listed(&approval, &name, vault.clock.now())))
}

async fn find(vault: &Vault, named: &str) -> Result<(StoredApproval, Option<GateId>), Refusal> {
    let found = approvals::stored(vault, named).await?;
    found.ok_or_else(|| not_found("approval", named, "alter approval list"))
}

async fn shown(vault: &Vault, stored: &StoredApproval) -> Result<Json<Value>, Refusal> {
    let approval: &Approval = &stored.approval;
    let name = name_of(vault, approval.app).await?;
    let mut shown = approvals::shown_in_detail(approval, &name, &approvals::seen(vault, stored)?, vault.clock.now());
    shown["approval_urls"] = json!(approval.gates.iter().map(|gate| approvals::url(vault, gate.id)).collect::<Vec<_>>());
    Ok(Json(shown))
}

async fn name_of(vault: &Vault, app: AppId) -> Result<String, Refusal> {
    let app: Option<App> = vault.store.app(app).await?;
    app.map(|app| app.name).ok_or_else(Refusal::internal)
}
