//! `DELETE /sdk/agents/{agent_id}`: ends an agent, its keys and the grants that it holds.

use super::{for_app_only, own_agent, shape};
use crate::api::Vault;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Agent, AgentStatus};
use crate::store::Effect;

/// The endpoint.
pub struct DeleteAgent {
    /// The agent's id, as it stands in the path.
    pub agent: String,
}

impl Call for DeleteAgent {
    const ACTION: &'static str = "agent.delete";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "app_key_required")?;
        request.reach.require("agents:write")?;
        let agent = own_agent(vault, request.key.app, &self.agent).await?;
        note(row, |row| row.subject("agent", agent.id));
        let now = vault.clock.now();
        // Done again it changes nothing.
        if agent.status == AgentStatus::Deleted {
            return Ok(Verdict { effects: Vec::new(), answer: Answer::Json(shape::agent(&agent, now)) });
        }
        let status = AgentStatus::Deleted;
        let effects = vec![Effect::SetAgentStatus { app: agent.app, agent: agent.id, status }];
        let agent = Agent { status, version: agent.version + 1, updated_at: now, ..agent };
        Ok(Verdict { effects, answer: Answer::Json(shape::agent(&agent, now)) })
    }
}
