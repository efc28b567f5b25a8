//! Policies of an application.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::{Author, commit};
use super::read::{self, invalid, not_found};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::model::{AgentId, App, GrantId, KeyId, Policy, PolicyId};
use crate::policy::{BASELINE, Compiled, Effect as RuleEffect, Rule, compile};
use crate::store::{Effect, Lookup};

/// The name of the policy that is shipped.
const BUILT_IN: &str = "baseline";
/// Most policies of one app.
const MOST: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    name: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedPolicy {
    source: String,
    /// The version that the change is made to; without it whatever there is.
    #[serde(default)]
    expected_version: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checked {
    source: String,
}

/// `GET /apps/{app}/policies`: the baseline and all policies, by name.
pub async fn list(State(vault): State<Arc<Vault>>, Path(app): Path<String>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let policies = vault.store.policies(app.id).await?;
    let items: Vec<Value> = std::iter::once(baseline()).chain(policies.iter().map(shape)).collect();
    Ok(Json(json!({ "items": items, "next": null })))
}

/// `GET /apps/{app}/policies/{policy}`
pub async fn show(State(vault): State<Arc<Vault>>, Path((app, named)): Path<(String, String)>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    if named == BUILT_IN {
        return Ok(Json(baseline()));
    }
    Ok(Json(shape(&find(&vault, &app, &named).await?)))
}

/// `POST /apps/{app}/policies`
pub async fn create(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewPolicy = read::json(body).await?;
    read::check_name("name", &wanted.name)?;
    if wanted.name == BUILT_IN {
        return Err(invalid("name is baseline, which is the policy that is shipped. Choose another one."));
    }
    let app = read::app(&vault, &app).await?;
    usable(&vault, &app, &wanted.name, &wanted.source).await?;
    if vault.store.policies(app.id).await?.len() >= MOST {
        let message = format!("An application has at most {MOST} policies. Put rules together, or delete one.");
        return Err(Refusal::new(StatusCode::CONFLICT, "too_many_policies", message));
    }
    let now = vault.clock.now();
    let by = author.operator.id;
    let policy = Policy {
        id: PolicyId::random(),
        app: app.id,
        name: wanted.name,
        source: wanted.source,
        version: 1,
        created_at: now,
        created_by: by,
        updated_at: now,
        updated_by: by,
    };
    let row = author.row(ChainId::App(app.id), "policy.create").subject("policy", policy.id);
    commit(&vault, row, vec![Effect::CreatePolicy(Box::new(policy.clone()))]).await?;
    Ok((StatusCode::CREATED, Json(shape(&policy))))
}

/// `PATCH /apps/{app}/policies/{policy}`: gives it another text.
pub async fn update(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let wanted: ChangedPolicy = read::json(body).await?;
    let app = read::app(&vault, &app).await?;
    let before = changeable(&vault, &app, &named).await?;
    usable(&vault, &app, &before.name, &wanted.source).await?;
    let from = wanted.expected_version.unwrap_or(before.version);
    let policy = Policy {
        source: wanted.source,
        version: from.saturating_add(1),
        updated_at: vault.clock.now(),
        updated_by: author.operator.id,
        ..before
    };
    let row = author.row(ChainId::App(app.id), "policy.update").subject("policy", policy.id);
    commit(&vault, row, vec![Effect::UpdatePolicy(Box::new(policy.clone()))]).await?;
    Ok(Json(shape(&policy)))
}

/// `DELETE /apps/{app}/policies/{policy}`
pub async fn delete(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let policy = changeable(&vault, &app, &named).await?;
    let row = author.row(ChainId::App(app.id), "policy.delete").subject("policy", policy.id);
    commit(&vault, row, vec![Effect::DeletePolicy { app: app.id, policy: policy.id }]).await?;
    Ok(Json(shape(&policy)))
}

/// `POST /apps/{app}/policies/check`: says what a text would do, and saves nothing.
pub async fn check(State(vault): State<Arc<Vault>>, Path(app): Path<String>, body: Body) -> Result<Json<Value>, Refusal> {
    let wanted: Checked = read::json(body).await?;
    let app = read::app(&vault, &app).await?;
    let compiled = usable(&vault, &app, "checked", &wanted.source).await?;
    Ok(Json(json!({ "valid": true, "rules": compiled.rules().map(rule).collect::<Vec<_>>() })))
}

/// Compiles a text, and makes sure that whom it names exists: a rule about nobody would forbid nothing.
pub(super) async fn usable(vault: &Vault, app: &App, name: &str, source: &str) -> Result<Compiled, Refusal> {
    let compiled = compile(name, source).map_err(|fault| {
        Refusal::unprocessable("policy_invalid", fault.to_string()).with("details", json!({ "line": fault.line, "message": fault.message }))
    })?;
    for (kind, id) in compiled.entities() {
        let (exists, list) = match kind.as_str() {
            "App" => (id == app.id.to_string(), "alter app list"),
            "Agent" => (held(AgentId::parse(&id), async |id| vault.store.agent(app.id, id).await).await?, "alter agent list"),
            "Grant" => (held(GrantId::parse(&id), async |id| vault.store.grant_access(app.id, id).await).await?, "alter grant list"),
            "Key" => (held(KeyId::parse(&id), async |id| vault.store.key(app.id, id).await).await?, "alter key list"),
            _ => (true, ""),
        };
        if !exists {
            let message = format!("It names {kind}::{id:?}, which this application does not have. Ids are listed by `{list} --json`.");
            return Err(
                Refusal::unprocessable("policy_invalid", message.clone()).with("details", json!({ "line": null, "message": message }))
            );
        }
    }
    Ok(compiled)
}

async fn held<I, T>(id: Option<I>, look: impl AsyncFnOnce(I) -> Result<Lookup<T>, crate::store::StoreError>) -> Result<bool, Refusal> {
    let Some(id) = id else { return Ok(false) };
    Ok(matches!(look(id).await?, Lookup::Found(_)))
}

async fn changeable(vault: &Vault, app: &App, named: &str) -> Result<Policy, Refusal> {
    if named == BUILT_IN {
        let message = "The baseline is shipped with the vault and cannot be changed. Write a policy that narrows it.";
        return Err(Refusal::new(StatusCode::CONFLICT, "policy_built_in", message));
    }
    find(vault, app, named).await
}

async fn find(vault: &Vault, app: &App, named: &str) -> Result<Policy, Refusal> {
    let found = vault.store.policies(app.id).await?.into_iter().find(|policy| policy.name == named || policy.id.to_string() == named);
    found.ok_or_else(|| not_found("policy", named, "alter policy list"))
}

fn baseline() -> Value {
    json!({ "id": null, "name": BUILT_IN, "built_in": true, "version": 1, "rules": [], "source": BASELINE, "created_at": null, "created_by": null,
        "updated_at": null, "updated_by": null })
}

fn shape(policy: &Policy) -> Value {
    let rules = compile(&policy.name, &policy.source).map(|compiled| compiled.rules().map(rule).collect::<Vec<_>>()).unwrap_or_default();
    json!({
        "id": policy.id,
        "name": policy.name,
        "built_in": false,
        "version": policy.version,
        "rules": rules,
        "source": policy.source,
        "created_at": policy.created_at,
        "created_by": policy.created_by,
        "updated_at": policy.updated_at,
        "updated_by": policy.updated_by,
    })
}

/// A rule: its name, what it does, and what would satisfy it.
pub(super) fn rule(rule: &Rule) -> Value {
    json!({ "policy": rule.name(), "effect": effect(rule), "reason": rule.reason, "satisfied_by": rule.remedy() })
}

pub(super) const fn effect(rule: &Rule) -> &'static str {
    match (&rule.effect, &rule.rate) {
        (RuleEffect::Deny, None) => "deny",
        (RuleEffect::Deny, Some(_)) => "rate",
        (RuleEffect::Approval(_), _) => "approval",
        (RuleEffect::StepUp(_), _) => "step_up",
        (RuleEffect::Redact(_), _) => "redact",
    }
}
