//! `POST /sdk/grants/{grant_id}/delegate`: an agent passes on what it holds, never more.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::shape::effective_scopes;
use super::{constraint, held};
use crate::api::Vault;
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Agent, AgentId, AgentStatus, AppId, Grant, GrantId, ListedGrant, Principal, ShownStatus};
use crate::store::{Effect, Lookup};

/// The endpoint.
pub struct Delegate {
    /// The grant's id, as it stands in the path: one that the agent holds, or the one that this was delegated from.
    pub grant: String,
}

impl Call for Delegate {
    const ACTION: &'static str = "grant.delegate";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("grants:write")?;
        let app = request.key.app;
        let Some(agent) = request.acting.agent() else {
            let message = "Only an agent passes a grant on. Use the agent's key, or the client that get_agent() gives.";
            return Err(Refusal::forbidden("agent_key_required", message));
        };
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        let wanted = Wanted::of(request.body)?;
        let id = GrantId::parse(&self.grant).ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"))?;
        let held = held(vault, app, agent.id, id, Some(ShownStatus::Active)).await?.into_iter().next();
        let held = held.ok_or_else(|| Refusal::grant_not_found("the agent holds no active grant of this id"))?;
        note(row, |row| row.grant(held.grant.id).provider(held.provider()));
        judge_holder(&held.grant)?;
        let to = target(vault, app, agent, &wanted.to).await?;
        let scope_constraint = wanted.narrowed(&held)?;
        refuse_a_second(vault, &held.grant, to.id).await?;
        let now = vault.clock.now();
        let end = wanted.ttl.map(|ttl| now.plus(ttl));
        let child = Grant {
            delegable: wanted.delegable,
            scope_constraint,
            expires_at: [end, held.grant.expires_at].into_iter().flatten().min(),
            ..held.grant.delegated_to(to.id, now)
        };
        note(row, |row| row.subject("grant", child.id));
        let answer = json!({
            "grant_id": child.id,
            "parent_grant_id": held.grant.id,
            "grant_kind": if held.secret.is_some() { "managed_secret" } else { "oauth" },
            "status": child.shown_status(now),
            "depth": child.depth,
            "delegable": child.delegable,
            "expires_at": child.expires_at,
        });
        Ok(Verdict { effects: vec![Effect::CreateGrant(Box::new(child))], answer: Answer::Json(answer) })
    }
}

/// What the body asks for.
struct Wanted {
    to: String,
    delegable: bool,
    scopes: Option<Vec<String>>,
    ttl: Option<Duration>,
}

impl Wanted {
    fn of(body: &[u8]) -> Result<Self, Refusal> {
        let mut members = Members::of(body)?;
        let to = members.required_text("to_agent_id")?;
        let delegable = members.boolean("delegable")?.unwrap_or_default();
        let scopes = members.texts("scope_constraint")?.map(constraint::trimmed).transpose()?;
        let ttl = match members.whole_number("ttl_seconds")? {
            Some(0) => return Err(members.invalid("ttl_seconds", "must be more than 0")),
            ttl => ttl.map(Duration::from_secs),
        };
        members.nothing_else()?;
        Ok(Self { to, delegable, scopes, ttl })
    }

    /// The constraint of the child: within what the holder can use, and the holder's own if none is asked for.
    fn narrowed(&self, held: &ListedGrant) -> Result<Option<Vec<String>>, Refusal> {
        let Some(wanted) = &self.scopes else { return Ok(held.grant.scope_constraint.clone()) };
        if held.secret.is_some() {
            return Err(constraint::invalid("A managed secret has no scopes, so a delegation of it cannot be narrowed to some."));
        }
        let usable = effective_scopes(&held.grant, held.credential.as_ref());
        match wanted.iter().position(|scope| !usable.contains(scope)) {
            None => Ok(Some(wanted.clone())),
            Some(beyond) => {
                let message = format!("scope_constraint[{beyond}] is not among the scopes of the grant that is passed on.");
                Err(constraint::invalid(&message))
            }
        }
    }
}

fn judge_holder(held: &Grant) -> Result<(), Refusal> {
    let refuse = |reason: &str, message: &str| Err(Refusal::forbidden("grant_not_delegable", message).with("detail_reason", reason));
    if !matches!(held.on_behalf_of, Principal::User(_)) {
        return refuse("no_consenting_user", "The grant is not used on behalf of a person, who alone could agree to passing it on.");
    }
    if !held.delegable {
        return refuse("holder_not_delegable", "The grant was given to this agent without the right to pass it on.");
    }
    if held.depth >= Grant::MAX_DEPTH {
        return refuse("no_onward_hop", "The grant was passed on as often as is allowed.");
    }
    Ok(())
}

async fn target(vault: &Vault, app: AppId, from: &Agent, named: &str) -> Result<Agent, Refusal> {
    let unknown = || {
        let message = "to_agent_id names no active agent of this application. List agents to find its id.";
        Refusal::new(StatusCode::NOT_FOUND, "agent_not_found", message)
    };
    let id = AgentId::parse(&named.to_ascii_lowercase()).ok_or_else(unknown)?;
    match vault.store.agent(app, id).await? {
        Lookup::Found(agent) if agent.status == AgentStatus::Active && agent.id != from.id => Ok(agent),
        Lookup::Found(agent) if agent.id == from.id => {
            Err(Refusal::new(StatusCode::CONFLICT, "already_delegated", "The agent holds this grant itself."))
        }
        _ => Err(unknown()),
    }
}

async fn refuse_a_second(vault: &Vault, from: &Grant, to: AgentId) -> Result<(), Refusal> {
    if held(vault, from.app, to, from.id, Some(ShownStatus::Active)).await?.is_empty() {
        return Ok(());
    }
    let message = "The grant was passed on to this agent before. Take that back first to change how far it reaches.";
    Err(Refusal::new(StatusCode::CONFLICT, "already_delegated", message))
}
