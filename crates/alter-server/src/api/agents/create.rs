//! `POST /sdk/agents`: a new agent with its first key. With an idempotency key it is safe to repeat.

use http::StatusCode;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::change::{LONGEST_METADATA, checked_scopes};
use super::{for_app_only, keys, policy, shape};
use crate::api::Vault;
use crate::api::admin::check_name;
use crate::api::judge::bounds::without_rule;
use crate::api::members::{Members, invalid};
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Agent, AgentKind, AgentScopes, AgentStatus, AppId, AskedOnce};
use crate::store::Effect;

const LONGEST_IDEMPOTENCY_KEY: usize = 255;

/// The endpoint.
pub struct CreateAgent {
    /// The values of the header `Idempotency-Key`.
    pub idempotency_keys: Vec<String>,
}

impl Call for CreateAgent {
    const ACTION: &'static str = "agent.create";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "agent_cannot_mint_subagents")?;
        request.reach.require("agents:write")?;
        without_rule(request.rule.as_ref())?;
        let app = request.key.app;
        let asked = self.asked(app, request.body)?;
        if let Some(asked) = asked
            && let Some(made) = vault.store.agent_asked_for(app, asked.key).await?
        {
            note(row, |row| row.subject("agent", made.id));
            return repeated(vault, &made, asked).await;
        }
        let agent = Agent { asked, ..wanted(vault, app, request.body)? };
        note(row, |row| row.subject("agent", agent.id));
        if let Some(named) = vault.store.agent_by_name(app, agent.name.clone()).await? {
            // The same request, sent twice at once: the other one has made it since it was looked for.
            if let Some(asked) = asked.filter(|asked| named.asked.is_some_and(|made| made.key == asked.key)) {
                return repeated(vault, &named, asked).await;
            }
            let message = format!("There is an agent named {} already. Choose another name, or use that agent.", agent.name);
            return Err(Refusal::new(StatusCode::CONFLICT, "agent_name_exists", message));
        }
        let first = keys::make(vault, request, &agent, 1)?;
        let mut shown = shape::agent(&agent, vault.clock.now());
        shown["api_key"] = first.text.expose().into();
        shown["key_id"] = first.key.id.to_string().into();
        let effects = vec![Effect::CreateAgent(Box::new(agent)), Effect::CreateKey(Box::new(first.key))];
        Ok(Verdict { effects, answer: Answer::Created(shown) })
    }
}

impl CreateAgent {
    fn asked(&self, app: AppId, body: &[u8]) -> Result<Option<AskedOnce>, Refusal> {
        let key = match self.idempotency_keys.as_slice() {
            [] => return Ok(None),
            [key] if (1..=LONGEST_IDEMPOTENCY_KEY).contains(&key.len()) => key,
            _ => {
                return Err(invalid(format!(
                    "Idempotency-Key must be there once, with 1 to {LONGEST_IDEMPOTENCY_KEY} visible ASCII characters."
                )));
            }
        };
        let digest = Sha256::new().chain_update(app.0.as_bytes()).chain_update(key.as_bytes()).finalize();
        Ok(Some(AskedOnce { key: digest.into(), request: Sha256::digest(body).into() }))
    }
}

/// The answer to a request that was carried out before. The key was shown then.
async fn repeated(vault: &Vault, made: &Agent, asked: AskedOnce) -> Result<Verdict, Refusal> {
    let conflict = |code, message: &str| Err(Refusal::new(StatusCode::CONFLICT, code, message));
    if made.asked != Some(asked) {
        return conflict("idempotency_key_body_mismatch", "The Idempotency-Key was used before, with another request. Use a new one.");
    }
    match made.status {
        AgentStatus::Active => {}
        AgentStatus::Suspended => return conflict("idempotency_key_agent_inactive", "The agent that this request has made is paused."),
        AgentStatus::Deleted => return conflict("idempotency_key_agent_revoked", "The agent that this request has made is deleted."),
    }
    let keys = vault.store.agent_keys(made.app, made.id).await?;
    let first = keys.first().ok_or_else(|| Refusal::internal().because("an agent that was made with a key has none"))?;
    let mut shown = shape::agent(made, vault.clock.now());
    shown["api_key"] = Value::Null;
    shown["key_id"] = first.id.to_string().into();
    Ok(Verdict { effects: Vec::new(), answer: Answer::Json(shown) })
}

fn wanted(vault: &Vault, app: AppId, body: &[u8]) -> Result<Agent, Refusal> {
    let mut members = Members::of(body)?;
    let name = members.required_text("name")?;
    check_name("name", &name)?;
    let kind = match members.text("type")? {
        None => AgentKind::Agent,
        Some(word) => AgentKind::parse(&word).ok_or_else(|| members.invalid("type", "must be agent or service"))?,
    };
    let scopes = members.lists("scopes")?.map_or(Ok(AgentScopes::default()), checked_scopes)?;
    let metadata = members.map("metadata", LONGEST_METADATA)?.unwrap_or_default();
    let display_name = members.label("display_name")?;
    let policy = members.map("policy", LONGEST_METADATA)?.map_or(Ok(serde_json::Map::new()), policy::checked)?;
    members.nothing_else()?;
    Ok(Agent { display_name, kind, scopes, policy, metadata, ..Agent::new(app, name, vault.clock.now()) })
}
