//! Agents: reading, making, and changing their status.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::Columns;
use super::effects::{Applied, inserted};
use super::grants;
use super::rows::owned;
use crate::clock::Timestamp;
use crate::model::{Agent, AgentId, AgentStatus, AppId, KeyStatus};
use crate::store::{Declined, Entity, Lookup, Page};

const AGENT: &str = "SELECT id, app, name, status, created_at, updated_at FROM agents";

fn read(row: &Row<'_>) -> rusqlite::Result<Agent> {
    let mut columns = Columns::new(row);
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
pub(super) fn agent(connection: &Connection, app: AppId, agent: AgentId) -> rusqlite::Result<Lookup<Agent>> {
    let found = connection.prepare_cached(&format!("{AGENT} WHERE id = ?1"))?.query_row([agent.0.into_bytes()], read).optional()?;
    Ok(owned(found, app, |agent| agent.app))
}

/// See [`Store::agent_by_name`](crate::store::Store::agent_by_name).
pub(super) fn agent_by_name(connection: &Connection, app: AppId, name: &str) -> rusqlite::Result<Option<Agent>> {
    let sql = format!("{AGENT} WHERE app = ?1 AND name = ?2 AND status <> 'deleted'");
    connection.prepare_cached(&sql)?.query_row(params![app.0.into_bytes(), name], read).optional()
}

/// See [`Store::agents`](crate::store::Store::agents).
pub(super) fn agents(connection: &Connection, app: AppId, page: Page<AgentId>) -> rusqlite::Result<Vec<Agent>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!(
        "{AGENT} WHERE app = ?1 AND status <> 'deleted' AND (?2 IS NULL OR n > (SELECT n FROM agents WHERE id = ?2 AND app = ?1))
         ORDER BY n LIMIT ?3"
    );
    connection.prepare_cached(&sql)?.query_map(params![app.0.into_bytes(), after, page.limit.get()], read)?.collect()
}

/// See [`Effect::CreateAgent`](crate::store::Effect::CreateAgent).
pub(super) fn create(connection: &Connection, agent: &Agent) -> Applied {
    let insert = connection
        .prepare_cached("INSERT INTO agents (id, app, name, status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            agent.id.0.into_bytes(),
            agent.app.0.into_bytes(),
            agent.name,
            agent.status.as_str(),
            agent.created_at.as_millis(),
            agent.updated_at.as_millis(),
        ]);
    inserted(insert, Entity::Agent, Entity::App)
}

/// See [`Effect::SetAgentStatus`](crate::store::Effect::SetAgentStatus).
pub(super) fn set_status(connection: &Connection, now: Timestamp, app: AppId, agent: AgentId, status: AgentStatus) -> Applied {
    let id = agent.0.into_bytes();
    let before: Option<String> = connection
        .prepare_cached("SELECT status FROM agents WHERE id = ?1 AND app = ?2")?
        .query_row(params![id, app.0.into_bytes()], |row| row.get(0))
        .optional()?;
    let before = before.ok_or(Declined::NotFound(Entity::Agent))?;
    if before == AgentStatus::Deleted.as_str() && status != AgentStatus::Deleted {
        return Err(Declined::Final(Entity::Agent).into());
    }
    connection.prepare_cached("UPDATE agents SET status = ?2, updated_at = ?3 WHERE id = ?1")?.execute(params![
        id,
        status.as_str(),
        now.as_millis()
    ])?;
    if status == AgentStatus::Deleted {
        connection.prepare_cached("UPDATE api_keys SET status = ?2 WHERE agent = ?1")?.execute(params![id, KeyStatus::Revoked.as_str()])?;
        grants::revoke_held_by(connection, now, app, agent)?;
    }
    Ok(())
}
