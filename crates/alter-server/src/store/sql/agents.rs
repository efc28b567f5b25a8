//! Agents: reading, making, and changing their status.

use super::columns::Columns;
use super::database::{Database, SqlResult};
use super::effects::{Applied, inserted};
use super::grants;
use super::rows::owned;
use super::value::values;
use crate::clock::Timestamp;
use crate::model::{Agent, AgentId, AgentStatus, AppId, KeyStatus};
use crate::store::{Declined, Entity, Lookup, Page};

const AGENT: &str = "SELECT id, app, name, status, created_at, updated_at FROM agents";

fn read(columns: &mut Columns<'_>) -> SqlResult<Agent> {
    Ok(Agent {
        id: columns.id(AgentId)?,
        app: columns.id(AppId)?,
        name: columns.get()?,
        status: columns.word(AgentStatus::parse)?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// See [`Store::agent`](crate::store::Store::agent).
pub(super) fn agent(db: &dyn Database, app: AppId, agent: AgentId) -> SqlResult<Lookup<Agent>> {
    let found = db.first(&format!("{AGENT} WHERE id = ?1"), values![agent.0.into_bytes()], read)?;
    Ok(owned(found, app, |agent| agent.app))
}

/// See [`Store::agent_by_name`](crate::store::Store::agent_by_name).
pub(super) fn agent_by_name(db: &dyn Database, app: AppId, name: &str) -> SqlResult<Option<Agent>> {
    let sql = format!("{AGENT} WHERE app = ?1 AND name = ?2 AND status <> 'deleted'");
    db.first(&sql, values![app.0.into_bytes(), name], read)
}

/// See [`Store::agents`](crate::store::Store::agents).
pub(super) fn agents(db: &dyn Database, app: AppId, page: Page<AgentId>) -> SqlResult<Vec<Agent>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!(
        "{AGENT} WHERE app = ?1 AND status <> 'deleted' AND (n > (SELECT n FROM agents WHERE id = ?2 AND app = ?1) OR ?2 IS NULL)
         ORDER BY n LIMIT ?3"
    );
    db.all(&sql, values![app.0.into_bytes(), after, page.limit.get()], read)
}

/// See [`Effect::CreateAgent`](crate::store::Effect::CreateAgent).
pub(super) fn create(db: &dyn Database, agent: &Agent) -> Applied {
    let insert = db.execute(
        "INSERT INTO agents (id, app, name, status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        values![
            agent.id.0.into_bytes(),
            agent.app.0.into_bytes(),
            agent.name,
            agent.status.as_str(),
            agent.created_at.as_millis(),
            agent.updated_at.as_millis(),
        ],
    );
    inserted(insert, Entity::Agent, Entity::App)
}

/// See [`Effect::SetAgentStatus`](crate::store::Effect::SetAgentStatus).
pub(super) fn set_status(db: &dyn Database, now: Timestamp, app: AppId, agent: AgentId, status: AgentStatus) -> Applied {
    let id = agent.0.into_bytes();
    let before: Option<String> =
        db.first("SELECT status FROM agents WHERE id = ?1 AND app = ?2", values![id, app.0.into_bytes()], |columns| columns.get())?;
    let before = before.ok_or(Declined::NotFound(Entity::Agent))?;
    if before == AgentStatus::Deleted.as_str() && status != AgentStatus::Deleted {
        return Err(Declined::Final(Entity::Agent).into());
    }
    db.execute("UPDATE agents SET status = ?2, updated_at = ?3 WHERE id = ?1", values![id, status.as_str(), now.as_millis()])?;
    if status == AgentStatus::Deleted {
        db.execute("UPDATE api_keys SET status = ?2 WHERE agent = ?1", values![id, KeyStatus::Revoked.as_str()])?;
        grants::revoke_held_by(db, now, app, agent)?;
    }
    Ok(())
}
