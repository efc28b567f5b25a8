//! `PATCH /sdk/agents/{agent_id}`: changing, suspending and resuming an agent.

use std::time::Duration;

use http::StatusCode;

use super::change::{Change, LONGEST_GRACE, LONGEST_METADATA, checked_scopes};
use super::{for_app_only, own_agent, policy, shape};
use crate::api::Vault;
use crate::api::members::{Members, invalid};
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Agent, AgentStatus};
use crate::store::Effect;

/// How long what is taken away from an agent's scopes still holds, in seconds, unless the request says otherwise.
const USUAL_GRACE: u64 = 86_400;

/// The endpoint.
pub struct UpdateAgent {
    /// The agent's id, as it stands in the path.
    pub agent: String,
    /// The query.
    pub query: Option<String>,
}

impl Call for UpdateAgent {
    const ACTION: &'static str = "agent.update";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        for_app_only(request, "app_key_required")?;
        request.reach.require("agents:write")?;
        let mut members = Members::of(request.body)?;
        let status = status(&mut members)?;
        let (change, expected) = change(&mut members, self.query.as_deref())?;
        members.nothing_else()?;
        let agent = own_agent(vault, request.key.app, &self.agent).await?;
        note(row, |row| row.subject("agent", agent.id));
        if agent.status == AgentStatus::Deleted {
            return Err(Refusal::new(StatusCode::CONFLICT, "agent_revoked", "The agent is deleted, which is final."));
        }
        judge_version(&agent, expected)?;
        let now = vault.clock.now();
        let (agent, effects) = match (status, change.of(&agent, now)) {
            (Some(_), Some(_)) => return Err(invalid("status goes alone: change the rest in a request of its own.")),
            (Some(status), None) if status != agent.status => {
                let effect = Effect::SetAgentStatus { app: agent.app, agent: agent.id, status };
                (Agent { status, version: agent.version + 1, updated_at: now, ..agent }, vec![effect])
            }
            (_, None) => (agent, Vec::new()),
            (None, Some(next)) => (next.clone(), vec![Effect::UpdateAgent(Box::new(next))]),
        };
        Ok(Verdict { effects, answer: Answer::Json(shape::agent(&agent, now)) })
    }
}

fn status(members: &mut Members) -> Result<Option<AgentStatus>, Refusal> {
    match members.text("status")?.as_deref() {
        None => Ok(None),
        Some("active") => Ok(Some(AgentStatus::Active)),
        Some("inactive") => Ok(Some(AgentStatus::Suspended)),
        Some(_) => Err(members.invalid("status", "must be active or inactive; an agent is ended with DELETE")),
    }
}

/// What is to change, and the version that the client has seen.
fn change(members: &mut Members, query: Option<&str>) -> Result<(Change, Option<u64>), Refusal> {
    let mut query = Query::of(query)?;
    let expected = query.number("expected_version", (1, u64::MAX))?;
    let grace = query.number("grace_seconds", (0, LONGEST_GRACE))?;
    query.nothing_else()?;
    let change = Change {
        display_name: members.label("display_name")?,
        metadata: members.map("metadata", LONGEST_METADATA)?,
        scopes: members.lists("scopes")?.map(checked_scopes).transpose()?,
        policy: members.map("policy", LONGEST_METADATA)?.map(policy::checked).transpose()?,
        grace: Duration::from_secs(grace.unwrap_or(USUAL_GRACE)),
    };
    match (change.scopes.is_some(), expected.is_some(), grace.is_some()) {
        (true, false, _) => Err(invalid("expected_version is missing: scopes are changed only by who has seen what they are.")),
        (false, _, true) => Err(invalid("grace_seconds goes with scopes only.")),
        _ => Ok((change, expected)),
    }
}

fn judge_version(agent: &Agent, expected: Option<u64>) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != u64::from(agent.version) => {
            let message = format!("The agent was changed meanwhile: it has version {}. Read it again, and decide anew.", agent.version);
            let refusal = Refusal::new(StatusCode::CONFLICT, "agent_concurrent_update", message);
            Err(refusal.with("current_version", agent.version))
        }
        _ => Ok(()),
    }
}
