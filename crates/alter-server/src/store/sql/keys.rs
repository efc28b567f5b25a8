//! API keys: reading, making, and changing their status.

use super::columns::{Columns, maybe_bytes, to_json};
use super::database::{Database, SqlResult};
use super::effects::{Applied, inserted};
use super::rows::{KEY_KINDS, owned};
use super::value::values;
use crate::clock::Timestamp;
use crate::model::{AgentId, AgentStatus, ApiKey, AppId, KeyDigest, KeyId, KeyStatus};
use crate::store::{Declined, Entity, Lookup, Page};

/// Keys that are not revoked, of one agent at most.
pub(in crate::store) const MOST_AGENT_KEYS: u32 = 10;

const KEY: &str = "SELECT id, app, kind, agent, name, digest, prefix, scopes, status, created_at, expires_at, last_used_at, parent, networks, rate, metadata,
    deprecated_at, works_until, revoked_at FROM api_keys";

fn read(columns: &mut Columns<'_>) -> SqlResult<ApiKey> {
    Ok(ApiKey {
        id: columns.id(KeyId)?,
        app: columns.id(AppId)?,
        kind: columns.word(|word| KEY_KINDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind))?,
        agent: columns.maybe_id(AgentId)?,
        name: columns.get()?,
        digest: KeyDigest(columns.get()?),
        prefix: columns.get()?,
        scopes: columns.json()?,
        status: columns.word(KeyStatus::parse)?,
        created_at: columns.time()?,
        expires_at: columns.maybe_time()?,
        last_used_at: columns.maybe_time()?,
        parent: columns.maybe_id(KeyId)?,
        networks: columns.maybe_json()?,
        rate: columns.json()?,
        metadata: columns.json()?,
        deprecated_at: columns.maybe_time()?,
        works_until: columns.maybe_time()?,
        revoked_at: columns.maybe_time()?,
    })
}

/// See [`Store::key_by_digest`](crate::store::Store::key_by_digest).
pub(super) fn key_by_digest(db: &dyn Database, digest: KeyDigest) -> SqlResult<Option<ApiKey>> {
    db.first(&format!("{KEY} WHERE digest = ?1"), values![digest.0], read)
}

/// See [`Store::key`](crate::store::Store::key).
pub(in crate::store) fn key(db: &dyn Database, app: AppId, key: KeyId) -> SqlResult<Lookup<ApiKey>> {
    let found = db.first(&format!("{KEY} WHERE id = ?1"), values![key.0.into_bytes()], read)?;
    Ok(owned(found, app, |key| key.app))
}

/// See [`Store::keys`](crate::store::Store::keys).
pub(super) fn keys(db: &dyn Database, app: AppId, page: Page<KeyId>) -> SqlResult<Vec<ApiKey>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql =
        format!("{KEY} WHERE app = ?1 AND (n > (SELECT n FROM api_keys WHERE id = ?2 AND app = ?1) OR ?2 IS NULL) ORDER BY n LIMIT ?3");
    db.all(&sql, values![app.0.into_bytes(), after, page.limit.get()], read)
}

/// See [`Store::agent_keys`](crate::store::Store::agent_keys).
pub(super) fn agent_keys(db: &dyn Database, app: AppId, agent: AgentId) -> SqlResult<Vec<ApiKey>> {
    let sql = format!("{KEY} WHERE agent = ?1 AND app = ?2 AND kind <> 'derived' ORDER BY n");
    db.all(&sql, values![agent.0.into_bytes(), app.0.into_bytes()], read)
}

/// See [`Effect::CreateKey`](crate::store::Effect::CreateKey).
pub(super) fn create(db: &dyn Database, key: &ApiKey) -> Applied {
    if let Some(agent) = key.agent {
        judge_agent(db, key.app, agent, key.parent.is_none())?;
    }
    if let Some(parent) = key.parent {
        judge_parent(db, key.app, parent)?;
    }
    let kind = KEY_KINDS.iter().find(|(kind, _)| *kind == key.kind).expect("the table has every kind").1;
    let insert = db.execute(
        "INSERT INTO api_keys (id, app, kind, agent, name, digest, prefix, scopes, status, created_at, expires_at, last_used_at, parent, networks, rate,
                 metadata, deprecated_at, works_until, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        values![
            key.id.0.into_bytes(),
            key.app.0.into_bytes(),
            kind,
            maybe_bytes(key.agent.map(|agent| agent.0)),
            key.name,
            key.digest.0,
            key.prefix,
            to_json(&key.scopes),
            key.status.as_str(),
            key.created_at.as_millis(),
            key.expires_at.map(Timestamp::as_millis),
            key.last_used_at.map(Timestamp::as_millis),
            maybe_bytes(key.parent.map(|parent| parent.0)),
            key.networks.as_ref().map(to_json),
            to_json(&key.rate),
            to_json(&key.metadata),
            key.deprecated_at.map(Timestamp::as_millis),
            key.works_until.map(Timestamp::as_millis),
            key.revoked_at.map(Timestamp::as_millis),
        ],
    );
    inserted(insert, Entity::Key, Entity::App)
}

/// A key is made for an agent that is not deleted, and that has room for another one.
fn judge_agent(db: &dyn Database, app: AppId, agent: AgentId, counts: bool) -> Applied {
    let sql = "SELECT status FROM agents WHERE id = ?1 AND app = ?2";
    let status = db.first(sql, values![agent.0.into_bytes(), app.0.into_bytes()], |columns| columns.word(AgentStatus::parse))?;
    match status {
        None => return Err(Declined::NotFound(Entity::Agent).into()),
        Some(AgentStatus::Deleted) => return Err(Declined::Final(Entity::Agent).into()),
        Some(AgentStatus::Active | AgentStatus::Suspended) => {}
    }
    if counts && live_of_agent(db, agent)? >= MOST_AGENT_KEYS {
        return Err(Declined::TooManyKeys.into());
    }
    Ok(())
}

/// What is derived from a key ends with it, so it cannot be made after that.
fn judge_parent(db: &dyn Database, app: AppId, parent: KeyId) -> Applied {
    let sql = "SELECT status FROM api_keys WHERE id = ?1 AND app = ?2";
    let status = db.first(sql, values![parent.0.into_bytes(), app.0.into_bytes()], |columns| columns.word(KeyStatus::parse))?;
    match status {
        None => Err(Declined::NotFound(Entity::Key).into()),
        Some(KeyStatus::Revoked) => Err(Declined::KeyRevoked.into()),
        Some(KeyStatus::Active | KeyStatus::Deprecated) => Ok(()),
    }
}

/// How many keys of an agent are not revoked, those derived from them aside.
fn live_of_agent(db: &dyn Database, agent: AgentId) -> SqlResult<u32> {
    let sql = "SELECT count(*) FROM api_keys WHERE agent = ?1 AND status <> 'revoked' AND kind <> 'derived'";
    db.one(sql, values![agent.0.into_bytes()], |columns| columns.get())
}

/// See [`Effect::SetKeyStatus`](crate::store::Effect::SetKeyStatus).
pub(super) fn set_status(db: &dyn Database, now: Timestamp, app: AppId, key: KeyId, status: KeyStatus) -> Applied {
    let id = key.0.into_bytes();
    match (current(db, app, key)?, status) {
        (KeyStatus::Revoked, KeyStatus::Revoked) => Ok(()),
        (KeyStatus::Revoked, _) => Err(Declined::Final(Entity::Key).into()),
        (_, KeyStatus::Revoked) => revoke(db, now, key),
        (_, KeyStatus::Deprecated) => {
            let sql = "UPDATE api_keys SET status = 'deprecated', deprecated_at = coalesce(deprecated_at, ?2) WHERE id = ?1";
            db.execute(sql, values![id, now.as_millis()])?;
            Ok(())
        }
        (_, KeyStatus::Active) => {
            db.execute("UPDATE api_keys SET status = 'active', deprecated_at = NULL, works_until = NULL WHERE id = ?1", values![id])?;
            Ok(())
        }
    }
}

/// See [`Effect::SupersedeKey`](crate::store::Effect::SupersedeKey).
pub(super) fn supersede(db: &dyn Database, now: Timestamp, app: AppId, key: KeyId, until: Timestamp) -> Applied {
    if current(db, app, key)? == KeyStatus::Revoked {
        return Err(Declined::Final(Entity::Key).into());
    }
    // An end that was announced before stays, if it is the earlier one.
    db.execute(
        "UPDATE api_keys SET status = 'deprecated', deprecated_at = coalesce(deprecated_at, ?2),
             works_until = CASE WHEN works_until < ?3 THEN works_until ELSE ?3 END WHERE id = ?1",
        values![key.0.into_bytes(), now.as_millis(), until.as_millis()],
    )?;
    Ok(())
}

fn current(db: &dyn Database, app: AppId, key: KeyId) -> Result<KeyStatus, super::effects::Stop> {
    let sql = "SELECT status FROM api_keys WHERE id = ?1 AND app = ?2";
    let found = db.first(sql, values![key.0.into_bytes(), app.0.into_bytes()], |columns| columns.word(KeyStatus::parse))?;
    Ok(found.ok_or(Declined::NotFound(Entity::Key))?)
}

/// Revokes a key and what is derived from it. Nothing can be derived from a derived key.
fn revoke(db: &dyn Database, now: Timestamp, key: KeyId) -> Applied {
    let sql = "UPDATE api_keys SET status = 'revoked', revoked_at = ?2 WHERE (id = ?1 OR parent = ?1) AND status <> 'revoked'";
    db.execute(sql, values![key.0.into_bytes(), now.as_millis()])?;
    Ok(())
}

/// See [`Effect::KeepAgentKey`](crate::store::Effect::KeepAgentKey).
pub(super) fn keep_one(db: &dyn Database, agent: AgentId) -> Applied {
    if live_of_agent(db, agent)? == 0 { Err(Declined::LastKey.into()) } else { Ok(()) }
}

/// Revokes all keys of an agent.
pub(super) fn revoke_of_agent(db: &dyn Database, now: Timestamp, agent: AgentId) -> Applied {
    let sql = "UPDATE api_keys SET status = 'revoked', revoked_at = ?2 WHERE agent = ?1 AND status <> 'revoked'";
    db.execute(sql, values![agent.0.into_bytes(), now.as_millis()])?;
    Ok(())
}
