//! The keys of an agent: `/sdk/agents/{agent_id}/keys`.

use alter_core::key::KeyKind;
use serde_json::{Value, json};

use super::{for_app_only, own_agent, shape};
use crate::api::Vault;
use crate::api::acting::agent_not_found;
use crate::api::judge::bounds::{Bounds, without_rule};
use crate::api::keys::key_not_found;
use crate::api::keys::make::{self, Made};
use crate::api::keys::revoke::revoked;
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Agent, AgentStatus, ApiKey, KeyId, KeyRate, KeyStatus};
use crate::store::Effect;

/// Makes the agent's key with this number. It reaches no further than the request that asks for it.
///
/// # Errors
/// 500 if the system has no random numbers.
pub fn make(vault: &Vault, request: &Admitted<'_>, agent: &Agent, number: usize) -> Result<Made, Refusal> {
    let bounds = Bounds::of_request(request.key, &request.reach, vault.admission.usual_limit).for_agent();
    let rate = KeyRate { own: (!request.key.rate.is_usual()).then_some(bounds.limit), shared: None };
    let mut made = make::within(vault, agent.app, KeyKind::Agent, &bounds, rate)?;
    made.key = ApiKey { name: format!("{}-{number}", agent.name), agent: Some(agent.id), ..made.key };
    Ok(made)
}

/// `POST /sdk/agents/{agent_id}/keys`.
pub struct MintKey {
    /// The agent's id, as it stands in the path.
    pub agent: String,
}

impl Call for MintKey {
    const ACTION: &'static str = "agent.mint_key";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "agent_cannot_mint_subagents")?;
        request.reach.require("agents:admin")?;
        without_rule(request.rule.as_ref())?;
        Members::of(request.body)?.nothing_else()?;
        let agent = own_agent(vault, request.key.app, &self.agent).await?;
        note(row, |row| row.subject("agent", agent.id));
        if agent.status == AgentStatus::Deleted {
            return Err(agent_not_found().because("the agent is deleted"));
        }
        let made = make(vault, request, &agent, vault.store.agent_keys(agent.app, agent.id).await?.len() + 1)?;
        let mut shown = shape::key(&made.key);
        shown["api_key"] = made.text.expose().into();
        Ok(Verdict { effects: vec![Effect::CreateKey(Box::new(made.key))], answer: Answer::Created(shown) })
    }
}

/// `GET /sdk/agents/{agent_id}/keys`.
pub struct ListKeys {
    /// The agent's id, as it stands in the path.
    pub agent: String,
}

impl Call for ListKeys {
    const ACTION: &'static str = "agent.list_keys";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "app_key_required")?;
        request.reach.require("agents:admin")?;
        let agent = own_agent(vault, request.key.app, &self.agent).await?;
        note(row, |row| row.subject("agent", agent.id));
        let keys = vault.store.agent_keys(agent.app, agent.id).await?;
        let items: Vec<Value> = keys.iter().map(shape::key).collect();
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(json!({ "items": items })) })
    }
}

/// A key and its agent, as they stand in the path.
pub struct OfAgent {
    /// The agent's id.
    pub agent: String,
    /// The key's id.
    pub key: String,
}

impl OfAgent {
    /// The key, which must be the agent's.
    async fn find(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<ApiKey, Refusal> {
        for_app_only(request, "app_key_required")?;
        request.reach.require("agents:admin")?;
        let agent = own_agent(vault, request.key.app, &self.agent).await?;
        let id = KeyId::parse(&self.key).ok_or_else(|| key_not_found().because("key_id is not a lower-case UUID"))?;
        let keys = vault.store.agent_keys(agent.app, agent.id).await?;
        let key = keys.into_iter().find(|key| key.id == id).ok_or_else(|| key_not_found().because("the agent has no such key"))?;
        note(row, |row| row.subject("key", key.id));
        Ok(key)
    }
}

/// `PATCH /sdk/agents/{agent_id}/keys/{key_id}/deprecate`.
pub struct DeprecateKey(pub OfAgent);

impl Call for DeprecateKey {
    const ACTION: &'static str = "agent.deprecate_key";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        Members::of(request.body)?.nothing_else()?;
        let key = self.0.find(vault, request, row).await?;
        let deprecated_at = key.deprecated_at.or_else(|| Some(vault.clock.now()));
        let (app, id) = (key.app, key.id);
        let shown = ApiKey { deprecated_at, ..key };
        let effect = Effect::SetKeyStatus { app, key: id, status: KeyStatus::Deprecated };
        Ok(Verdict { effects: vec![effect], answer: Answer::Json(shape::key(&shown)) })
    }
}

/// `PATCH /sdk/agents/{agent_id}/keys/{key_id}/undeprecate`.
pub struct UndeprecateKey(pub OfAgent);

impl Call for UndeprecateKey {
    const ACTION: &'static str = "agent.undeprecate_key";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        Members::of(request.body)?.nothing_else()?;
        let key = self.0.find(vault, request, row).await?;
        let effect = Effect::SetKeyStatus { app: key.app, key: key.id, status: KeyStatus::Active };
        let shown = ApiKey { deprecated_at: None, ..key };
        Ok(Verdict { effects: vec![effect], answer: Answer::Json(shape::key(&shown)) })
    }
}

/// `DELETE /sdk/agents/{agent_id}/keys/{key_id}`.
pub struct RevokeKey {
    /// The key.
    pub key: OfAgent,
    /// The query.
    pub query: Option<String>,
}

impl Call for RevokeKey {
    const ACTION: &'static str = "agent.revoke_key";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let mut query = Query::of(self.query.as_deref())?;
        let force = query.boolean("force")?.unwrap_or_default();
        query.nothing_else()?;
        let key = self.key.find(vault, request, row).await?;
        let (key, effects) = revoked(vault, key, force);
        Ok(Verdict { effects, answer: Answer::Json(shape::key(&key)) })
    }
}
