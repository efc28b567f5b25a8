//! Agents: reading, making, and changing them.

use super::columns::{Columns, to_json};
use super::database::{Database, SqlResult};
use super::effects::{Applied, inserted};
use super::rows::owned;
use super::value::values;
use super::{grants, keys};
use crate::clock::Timestamp;
use crate::model::{Agent, AgentId, AgentKind, AgentScopes, AgentStatus, AppId, AskedOnce, Staged};
use crate::store::{AgentList, Declined, Entity, Lookup, Page};

const AGENT: &str =
    "SELECT a.id, a.app, a.name, a.display_name, a.kind, a.status, a.scopes, a.staged_scopes, a.staged_at, a.policy, a.metadata, a.version,
    a.asked_key, a.asked_request, a.created_at, a.updated_at, (SELECT max(k.last_used_at) FROM api_keys k WHERE k.agent = a.id)
    FROM agents a";

fn read(columns: &mut Columns<'_>) -> SqlResult<Agent> {
    Ok(Agent {
        id: columns.id(AgentId)?,
        app: columns.id(AppId)?,
        name: columns.get()?,
        display_name: columns.get()?,
        kind: columns.word(AgentKind::parse)?,
        status: columns.word(AgentStatus::parse)?,
        scopes: columns.json()?,
        staged: staged(columns.maybe_json()?, columns.maybe_time()?),
        policy: columns.json()?,
        metadata: columns.json()?,
        version: columns.get()?,
        asked: asked(columns.get()?, columns.get()?),
        created_at: columns.time()?,
        updated_at: columns.time()?,
        last_used_at: columns.maybe_time()?,
    })
}

fn staged(scopes: Option<AgentScopes>, applies_at: Option<Timestamp>) -> Option<Staged> {
    Some(Staged { scopes: scopes?, applies_at: applies_at? })
}

fn asked(key: Option<[u8; 32]>, request: Option<[u8; 32]>) -> Option<AskedOnce> {
    Some(AskedOnce { key: key?, request: request? })
}

/// See [`Store::agent`](crate::store::Store::agent).
pub(in crate::store) fn agent(db: &dyn Database, app: AppId, agent: AgentId) -> SqlResult<Lookup<Agent>> {
    let found = db.first(&format!("{AGENT} WHERE a.id = ?1"), values![agent.0.into_bytes()], read)?;
    Ok(owned(found, app, |agent| agent.app))
}

/// See [`Store::agent_by_name`](crate::store::Store::agent_by_name).
pub(super) fn agent_by_name(db: &dyn Database, app: AppId, name: &str) -> SqlResult<Option<Agent>> {
    let sql = format!("{AGENT} WHERE a.app = ?1 AND a.name = ?2 AND a.status <> 'deleted'");
    db.first(&sql, values![app.0.into_bytes(), name], read)
}

/// See [`Store::agent_asked_for`](crate::store::Store::agent_asked_for).
pub(super) fn agent_asked_for(db: &dyn Database, app: AppId, key: [u8; 32]) -> SqlResult<Option<Agent>> {
    db.first(&format!("{AGENT} WHERE a.asked_key = ?1 AND a.app = ?2"), values![key, app.0.into_bytes()], read)
}

/// See [`Store::agents`](crate::store::Store::agents).
pub(super) fn agents(db: &dyn Database, app: AppId, page: Page<AgentId>) -> SqlResult<Vec<Agent>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!(
        "{AGENT} WHERE a.app = ?1 AND a.status <> 'deleted' AND (a.n > (SELECT n FROM agents WHERE id = ?2 AND app = ?1) OR ?2 IS NULL)
         ORDER BY a.n LIMIT ?3"
    );
    db.all(&sql, values![app.0.into_bytes(), after, page.limit.get()], read)
}

/// See [`Store::list_agents`](crate::store::Store::list_agents).
pub(super) fn list(db: &dyn Database, app: AppId, deleted: bool, (limit, offset): (u32, u64)) -> SqlResult<AgentList> {
    let mut list = AgentList::default();
    let shown = if deleted { "" } else { " AND a.status <> 'deleted'" };
    db.in_snapshot(&mut || {
        let page = format!("{AGENT} WHERE a.app = ?1{shown} ORDER BY a.n LIMIT ?2 OFFSET ?3");
        list.agents = db.all(&page, values![app.0.into_bytes(), limit, offset], read)?;
        let count = format!("SELECT count(*) FROM agents a WHERE a.app = ?1{shown}");
        list.total = db.one(&count, values![app.0.into_bytes()], |columns| columns.get())?;
        Ok(())
    })?;
    Ok(list)
}

/// See [`Effect::CreateAgent`](crate::store::Effect::CreateAgent).
pub(super) fn create(db: &dyn Database, agent: &Agent) -> Applied {
    let insert = db.execute(
        "INSERT INTO agents (id, app, name, display_name, kind, status, scopes, policy, metadata, version, asked_key, asked_request, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12, ?13)",
        values![
            agent.id.0.into_bytes(),
            agent.app.0.into_bytes(),
            agent.name,
            agent.display_name,
            agent.kind.as_str(),
            agent.status.as_str(),
            to_json(&agent.scopes),
            to_json(&agent.policy),
            to_json(&agent.metadata),
            agent.asked.map(|asked| asked.key),
            agent.asked.map(|asked| asked.request),
            agent.created_at.as_millis(),
            agent.updated_at.as_millis(),
        ],
    );
    inserted(insert, Entity::Agent, Entity::App)
}

/// Status and version of an agent of the app.
fn current(db: &dyn Database, app: AppId, agent: AgentId) -> Result<(AgentStatus, u32), super::effects::Stop> {
    let sql = "SELECT status, version FROM agents WHERE id = ?1 AND app = ?2";
    let found = db
        .first(sql, values![agent.0.into_bytes(), app.0.into_bytes()], |columns| Ok((columns.word(AgentStatus::parse)?, columns.get()?)))?;
    Ok(found.ok_or(Declined::NotFound(Entity::Agent))?)
}

/// See [`Effect::UpdateAgent`](crate::store::Effect::UpdateAgent).
pub(super) fn update(db: &dyn Database, agent: &Agent) -> Applied {
    let (status, version) = current(db, agent.app, agent.id)?;
    if status == AgentStatus::Deleted {
        return Err(Declined::Final(Entity::Agent).into());
    }
    if agent.version != version + 1 {
        return Err(Declined::Changed(Entity::Agent).into());
    }
    db.execute(
        "UPDATE agents SET display_name = ?2, scopes = ?3, staged_scopes = ?4, staged_at = ?5, policy = ?6, metadata = ?7, version = ?8, updated_at = ?9
             WHERE id = ?1",
        values![
            agent.id.0.into_bytes(),
            agent.display_name,
            to_json(&agent.scopes),
            agent.staged.as_ref().map(|staged| to_json(&staged.scopes)),
            agent.staged.as_ref().map(|staged| staged.applies_at.as_millis()),
            to_json(&agent.policy),
            to_json(&agent.metadata),
            agent.version,
            agent.updated_at.as_millis(),
        ],
    )?;
    Ok(())
}

/// See [`Effect::SetAgentStatus`](crate::store::Effect::SetAgentStatus).
pub(super) fn set_status(db: &dyn Database, now: Timestamp, app: AppId, agent: AgentId, status: AgentStatus) -> Applied {
    let id = agent.0.into_bytes();
    let (before, _) = current(db, app, agent)?;
    if before == status {
        return Ok(());
    }
    if before == AgentStatus::Deleted {
        return Err(Declined::Final(Entity::Agent).into());
    }
    let update = "UPDATE agents SET status = ?2, updated_at = ?3, version = version + 1 WHERE id = ?1";
    db.execute(update, values![id, status.as_str(), now.as_millis()])?;
    if status == AgentStatus::Deleted {
        keys::revoke_of_agent(db, now, agent)?;
        grants::revoke_held_by(db, now, app, agent)?;
    }
    Ok(())
}
