//! Approvals: reading, making, changing, and forgetting those that ended long ago.

use super::columns::{Columns, maybe_bytes, to_json};
use super::database::{Database, SqlResult};
use super::effects::{Applied, Stop, changed, inserted};
use super::sealed;
use super::value::values;
use crate::clock::Timestamp;
use crate::crypto::SealedSecret;
use crate::model::{AgentId, AppId, Approval, ApprovalId, ApprovalStatus, GateId, GrantId, KeyId};
use crate::store::{ApprovalFilter, Declined, Entity, StoredApproval};

/// Most approvals that one new approval clears away: the table shrinks faster than it grows, and no commit pays for many.
const CLEARED_AT_ONCE: u32 = 4;
const OPEN: &str = "('pending', 'approved', 'executing')";
const COLUMNS: &str =
    "a.id, a.app, a.grant_id, a.key, a.agent, a.status, a.gates, a.about, a.digest, a.version, a.created_at, a.expires_at,
    a.decided_at, a.left_at, a.executed_at, a.notify_at";

fn from(columns: &mut Columns<'_>) -> SqlResult<Approval> {
    Ok(Approval {
        id: columns.id(ApprovalId)?,
        app: columns.id(AppId)?,
        grant: columns.id(GrantId)?,
        key: columns.id(KeyId)?,
        agent: columns.maybe_id(AgentId)?,
        status: columns.word(ApprovalStatus::parse)?,
        gates: columns.json()?,
        about: columns.json()?,
        digest: columns.get()?,
        version: columns.get()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        decided_at: columns.maybe_time()?,
        left_at: columns.maybe_time()?,
        executed_at: columns.maybe_time()?,
        notify_at: columns.maybe_time()?,
    })
}

fn stored(db: &dyn Database, condition: &str, id: [u8; 16]) -> SqlResult<Option<StoredApproval>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM approvals a LEFT JOIN data_keys k ON k.id = a.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE {condition}",
        sealed::COLUMNS
    );
    let found = sealed::collect(db, &sql, values![id], from)?;
    Ok(found.map(|(approval, sealed)| StoredApproval { approval, sealed }))
}

/// See [`Store::approval`](crate::store::Store::approval).
pub(super) fn approval(db: &dyn Database, approval: ApprovalId) -> SqlResult<Option<StoredApproval>> {
    stored(db, "a.id = ?1", approval.0.into_bytes())
}

/// See [`Store::approval_of_gate`](crate::store::Store::approval_of_gate).
pub(super) fn of_gate(db: &dyn Database, gate: GateId) -> SqlResult<Option<StoredApproval>> {
    stored(db, "a.id = (SELECT g.approval FROM approval_gates g WHERE g.id = ?1)", gate.0.into_bytes())
}

/// See [`Store::approvals`](crate::store::Store::approvals).
pub(super) fn approvals(db: &dyn Database, filter: &ApprovalFilter, limit: u32) -> SqlResult<Vec<Approval>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM approvals a
         WHERE (a.app = ?1 OR ?1 IS NULL) AND (a.n < (SELECT b.n FROM approvals b WHERE b.id = ?2) OR ?2 IS NULL)
             AND (a.status IN {OPEN} OR NOT ?3)
         ORDER BY a.n DESC LIMIT ?4"
    );
    let (app, before) = (maybe_bytes(filter.app.map(|id| id.0)), maybe_bytes(filter.before.map(|id| id.0)));
    db.all(&sql, values![app, before, filter.only_open, limit], from)
}

/// See [`Store::due_approvals`](crate::store::Store::due_approvals).
pub(super) fn due(db: &dyn Database, now: Timestamp, lost_before: Timestamp, limit: u32) -> SqlResult<Vec<Approval>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM approvals a
         WHERE a.status IN {OPEN} AND (
             (a.status = 'pending' AND (a.expires_at <= ?1 OR a.notify_at <= ?1))
             OR a.status = 'approved'
             OR (a.status = 'executing' AND a.left_at <= ?2))
         ORDER BY a.n LIMIT ?3"
    );
    db.all(&sql, values![now.as_millis(), lost_before.as_millis(), limit], from)
}

/// See [`Effect::CreateApproval`](crate::store::Effect::CreateApproval).
pub(super) fn create(db: &dyn Database, now: Timestamp, approval: &Approval, secrets: &SealedSecret) -> Applied {
    clear(db, now)?;
    judge_grant(db, now, approval)?;
    let open: u32 = db.one(
        &format!("SELECT count(*) FROM approvals WHERE app = ?1 AND status IN {OPEN} AND (status = 'executing' OR expires_at > ?2)"),
        values![approval.app.0.into_bytes(), now.as_millis()],
        |columns| columns.get(),
    )?;
    if open >= Approval::MOST_OPEN {
        return Err(Declined::TooManyApprovals.into());
    }
    sealed::store(db, secrets)?;
    let insert = db.execute(
        "INSERT INTO approvals (id, app, grant_id, key, agent, status, gates, about, digest, version, data_key, created_at, expires_at, notify_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12, ?13)",
        values![
            approval.id.0.into_bytes(),
            approval.app.0.into_bytes(),
            approval.grant.0.into_bytes(),
            approval.key.0.into_bytes(),
            maybe_bytes(approval.agent.map(|id| id.0)),
            approval.status.as_str(),
            to_json(&approval.gates),
            to_json(&approval.about),
            approval.digest,
            secrets.data_key.0.into_bytes(),
            approval.created_at.as_millis(),
            approval.expires_at.as_millis(),
            approval.notify_at.map(Timestamp::as_millis),
        ],
    );
    inserted(insert, Entity::Approval, Entity::App)?;
    for gate in &approval.gates {
        let insert = db.execute(
            "INSERT INTO approval_gates (id, approval) VALUES (?1, ?2)",
            values![gate.id.0.into_bytes(), approval.id.0.into_bytes()],
        );
        inserted(insert, Entity::Approval, Entity::Approval)?;
    }
    Ok(())
}

/// Nothing waits for a grant that is over.
fn judge_grant(db: &dyn Database, now: Timestamp, approval: &Approval) -> Applied {
    let found: Option<(String, Option<i64>)> = db.first(
        "SELECT status, expires_at FROM grants WHERE id = ?1 AND app = ?2",
        values![approval.grant.0.into_bytes(), approval.app.0.into_bytes()],
        |columns| Ok((columns.get()?, columns.get()?)),
    )?;
    match found {
        None => Err(Declined::NotFound(Entity::Grant).into()),
        Some((status, _)) if status != "active" => Err(Declined::GrantRevoked.into()),
        Some((_, Some(end))) if end <= now.as_millis() => Err(Declined::GrantExpired.into()),
        Some(_) => Ok(()),
    }
}

fn clear(db: &dyn Database, now: Timestamp) -> Applied {
    let memory = i64::try_from(Approval::MEMORY.as_millis()).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT n, data_key FROM approvals WHERE expires_at < ?1 AND coalesce(executed_at, left_at, decided_at, expires_at) < ?1
         ORDER BY expires_at LIMIT ?2{}",
        db.dialect().hold_free
    );
    let before = now.as_millis().saturating_sub(memory);
    let ended: Vec<(i64, Option<[u8; 16]>)> =
        db.all(&sql, values![before, CLEARED_AT_ONCE], |columns| Ok((columns.get()?, columns.get()?)))?;
    for (n, data_key) in ended {
        db.execute("DELETE FROM approvals WHERE n = ?1", values![n])?;
        if let Some(data_key) = data_key {
            sealed::erase(db, data_key)?;
        }
    }
    Ok(())
}

/// See [`Effect::UpdateApproval`](crate::store::Effect::UpdateApproval).
pub(super) fn update(db: &dyn Database, approval: &Approval, secrets: Option<&SealedSecret>) -> Applied {
    let id = approval.id.0.into_bytes();
    let sql = format!("SELECT version, data_key FROM approvals WHERE id = ?1 AND app = ?2{}", db.dialect().hold);
    let found: Option<(u32, Option<[u8; 16]>)> =
        db.first(&sql, values![id, approval.app.0.into_bytes()], |columns| Ok((columns.get()?, columns.get()?)))?;
    let (version, old_key) = found.ok_or(Stop::Declined(Declined::NotFound(Entity::Approval)))?;
    if version.checked_add(1) != Some(approval.version) {
        return Err(Declined::Changed(Entity::Approval).into());
    }
    if let Some(secrets) = secrets {
        sealed::store(db, secrets)?;
    }
    let new_key = secrets.map(|secrets| secrets.data_key.0.into_bytes());
    let update = db.execute(
        "UPDATE approvals SET status = ?2, gates = ?3, about = ?4, version = ?5, data_key = ?6, decided_at = ?7, left_at = ?8, executed_at = ?9,
             notify_at = ?10 WHERE id = ?1",
        values![
            id,
            approval.status.as_str(),
            to_json(&approval.gates),
            to_json(&approval.about),
            approval.version,
            new_key.or(old_key),
            approval.decided_at.map(Timestamp::as_millis),
            approval.left_at.map(Timestamp::as_millis),
            approval.executed_at.map(Timestamp::as_millis),
            approval.notify_at.map(Timestamp::as_millis),
        ],
    );
    changed(update, Entity::Approval)?;
    if let (Some(_), Some(old_key)) = (new_key, old_key) {
        sealed::erase(db, old_key)?;
    }
    Ok(())
}

/// Ends what waits for grants that were just revoked: what has not left must not leave any more.
pub(super) fn end_for_revoked(db: &dyn Database, now: Timestamp, root: [u8; 16]) -> Applied {
    let waiting: Vec<Approval> = db.all(
        &format!(
            "WITH RECURSIVE tree (id) AS (SELECT id FROM grants WHERE id = ?1 UNION ALL SELECT g.id FROM grants g JOIN tree ON g.parent = tree.id)
             SELECT {COLUMNS} FROM approvals a WHERE a.grant_id IN (SELECT id FROM tree) AND a.status IN ('pending', 'approved')"
        ),
        values![root],
        from,
    )?;
    for mut approval in waiting {
        approval.status = ApprovalStatus::Denied;
        approval.decided_at = Some(now);
        approval.about.decision_reason = Some("The grant was revoked.".to_owned());
        approval.version += 1;
        update(db, &approval, None)?;
    }
    Ok(())
}
