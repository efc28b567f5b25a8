//! Taking grants and delegations back.

use serde_json::json;

use super::{held, own_grant, person};
use crate::api::Vault;
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{AgentId, Grant, GrantId, Membership, Principal, ShownStatus};
use crate::store::Effect;

const LONGEST_REASON: usize = 4096;

/// `POST /sdk/oauth/grants/{grant_id}/revoke`: for logins and managed secrets alike.
pub struct RevokeGrant {
    /// The grant's id, as it stands in the path.
    pub grant: String,
}

impl Call for RevokeGrant {
    const ACTION: &'static str = "grant.revoke";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("grants:write")?;
        let app = request.key.app;
        let mut members = Members::of(request.body)?;
        if let Some(reason) = members.text("reason")? {
            if reason.len() > LONGEST_REASON {
                return Err(members.invalid("reason", &format!("must have at most {LONGEST_REASON} bytes")));
            }
            note(row, |row| row.reason(&reason));
        }
        let person = person(vault, app, &mut members).await?;
        members.nothing_else()?;
        let grant = own_grant(vault, app, &self.grant).await?;
        note(row, |row| row.grant(grant.id));
        judge_reach(&grant, request.acting.agent().map(|agent| agent.id), person.as_ref())?;
        let now = vault.clock.now();
        // A grant that ended is as good as none: there is nothing left to take back.
        if grant.shown_status(now) != ShownStatus::Active {
            return Err(Refusal::grant_not_found("the grant has ended before"));
        }
        let answer = json!({
            "success": true,
            "message": "The grant is revoked, and everything that was delegated from it.",
            "grant_id": grant.id,
            "revoked_at": now,
        });
        Ok(Verdict { effects: vec![Effect::RevokeGrant { app, grant: grant.id }], answer: Answer::Json(answer) })
    }
}

/// An agent ends only what is its own, a person only what is used on their behalf. Everybody else's looks like none.
fn judge_reach(grant: &Grant, agent: Option<AgentId>, person: Option<&Membership>) -> Result<(), Refusal> {
    if agent.is_some() && grant.principal.agent() != agent {
        return Err(Refusal::grant_not_found("the grant is not the agent's"));
    }
    if let Some(member) = person
        && grant.on_behalf_of != Principal::User(member.person.clone())
    {
        return Err(Refusal::grant_not_found("the grant is not the user's"));
    }
    Ok(())
}

/// `DELETE /sdk/grants/{grant_id}/delegations/{agent_id}`: the app takes back what an agent holds of a grant.
pub struct TakeBack {
    /// The grant's id, as it stands in the path.
    pub grant: String,
    /// The agent's id, as it stands in the path.
    pub agent: String,
}

impl Call for TakeBack {
    const ACTION: &'static str = "delegation.revoke";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("grants:write")?;
        if request.acting.agent().is_some() {
            let message = "An agent gives its own delegation back under /delegations/me.";
            return Err(Refusal::forbidden("use_self_revoke_path", message));
        }
        let app = request.key.app;
        let grant = own_grant(vault, app, &self.grant).await?;
        note(row, |row| row.grant(grant.id));
        // An agent that does not exist holds nothing: done already.
        let Some(agent) = AgentId::parse(&self.agent) else { return Ok(nothing_to_do()) };
        note(row, |row| row.subject("agent", agent));
        let effect = Effect::RevokeDelegation { app, parent: grant.id, agent };
        Ok(Verdict { effects: vec![effect], answer: Answer::Empty })
    }
}

/// `DELETE /sdk/grants/{grant_id}/delegations/me`: an agent gives back what it holds of a grant.
pub struct GiveBack {
    /// The grant's id, as it stands in the path: the one that was delegated, or the agent's own.
    pub grant: String,
}

impl Call for GiveBack {
    const ACTION: &'static str = "delegation.give_back";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("grants:write")?;
        let Some(agent) = request.acting.agent() else {
            let message = "No agent acts here. Use the agent's key, or the client that get_agent() gives.";
            return Err(Refusal::forbidden("agent_key_required", message));
        };
        let app = request.key.app;
        let id = GrantId::parse(&self.grant).ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"))?;
        // Also what has ended: giving back twice is no error, and what was never held is not told apart from what does not exist.
        let held: Vec<_> = held(vault, app, agent.id, id, None).await?.into_iter().filter(|held| held.grant.is_delegated()).collect();
        if held.is_empty() {
            return Err(Refusal::grant_not_found("nothing of this grant was ever delegated to the agent"));
        }
        note(row, |row| row.grant(id));
        let effects = held.into_iter().map(|held| Effect::RevokeGrant { app, grant: held.grant.id }).collect();
        Ok(Verdict { effects, answer: Answer::Empty })
    }
}

fn nothing_to_do() -> Verdict {
    Verdict { effects: Vec::new(), answer: Answer::Empty }
}
