//! Reading agents: `GET /sdk/agents`, `/sdk/agents/{agent_id}` and `/sdk/agents/me`.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use super::{for_app_only, own_agent, shape};
use crate::api::Vault;
use crate::api::acting::Acting;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::store::AgentList;

const USUAL_LIMIT: u64 = 100;
const HIGHEST_LIMIT: u64 = 1000;

/// `GET /sdk/agents`.
pub struct ListAgents {
    /// The query.
    pub query: Option<String>,
}

impl Call for ListAgents {
    const ACTION: &'static str = "agent.list";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "app_key_required")?;
        request.reach.require("agents:read")?;
        let app = request.key.app;
        let mut query = Query::of(self.query.as_deref())?;
        let deleted = query.boolean("include_revoked")?.unwrap_or_default();
        let limit = query.number("limit", (1, HIGHEST_LIMIT))?.unwrap_or(USUAL_LIMIT);
        let offset = query.number("offset", (0, u64::MAX))?.unwrap_or(0);
        let name = query.text("name");
        query.nothing_else()?;
        let found = match name {
            None => {
                let most = u32::try_from(limit).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
                vault.store.list_agents(app, deleted, most, offset).await?
            }
            Some(name) => {
                let agents: Vec<_> = vault.store.agent_by_name(app, name).await?.into_iter().collect();
                AgentList { total: agents.len() as u64, agents }
            }
        };
        let now = vault.clock.now();
        let items: Vec<Value> = found.agents.iter().map(|agent| shape::agent(agent, now)).collect();
        let answer = json!({
            "total": found.total,
            "limit": limit,
            "offset": offset,
            "has_more": offset.saturating_add(items.len() as u64) < found.total,
            "items": items,
        });
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

/// `GET /sdk/agents/{agent_id}`.
pub struct GetAgent {
    /// The agent's id, as it stands in the path.
    pub agent: String,
}

impl Call for GetAgent {
    const ACTION: &'static str = "agent.read";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "app_key_required")?;
        request.reach.require("agents:read")?;
        let agent = own_agent(vault, request.key.app, &self.agent).await?;
        note(row, |row| row.subject("agent", agent.id));
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(shape::agent(&agent, vault.clock.now())) })
    }
}

/// `GET /sdk/agents/me`: what an agent can find out about itself, also while it is suspended.
pub struct LookAtSelf;

impl Call for LookAtSelf {
    const ACTION: &'static str = "agent.me";
    const OUTCOME: Outcome = Outcome::Done;
    const WHILE_SUSPENDED: bool = true;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let Acting::Agent { agent, through_app: false } = &request.acting else {
            let message = "Only an agent's own key tells which agent it is. The application reads agents by their ids.";
            return Err(Refusal::forbidden("me_requires_agent_key", message));
        };
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(shape::agent(agent, vault.clock.now())) })
    }
}
