//! Policies, and the counts of calls that they bound.

use super::columns::Columns;
use super::database::{Database, SqlResult};
use super::effects::{Applied, changed, inserted};
use super::value::values;
use crate::clock::Timestamp;
use crate::model::{AppId, OperatorId, Policy, PolicyId};
use crate::store::{CallCount, Declined, Entity};

fn read(columns: &mut Columns<'_>) -> SqlResult<Policy> {
    Ok(Policy {
        id: columns.id(PolicyId)?,
        app: columns.id(AppId)?,
        name: columns.get()?,
        source: columns.get()?,
        version: columns.get()?,
        created_at: columns.time()?,
        created_by: columns.id(OperatorId)?,
        updated_at: columns.time()?,
        updated_by: columns.id(OperatorId)?,
    })
}

/// See [`Store::policies`](crate::store::Store::policies).
pub(super) fn policies(db: &dyn Database, app: AppId) -> SqlResult<Vec<Policy>> {
    let sql =
        "SELECT id, app, name, source, version, created_at, created_by, updated_at, updated_by FROM policies WHERE app = ?1 ORDER BY name";
    db.all(sql, values![app.0.into_bytes()], read)
}

/// See [`Effect::CreatePolicy`](crate::store::Effect::CreatePolicy).
pub(super) fn create(db: &dyn Database, policy: &Policy) -> Applied {
    let insert = db.execute(
        "INSERT INTO policies (id, app, name, source, version, created_at, created_by, updated_at, updated_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        values![
            policy.id.0.into_bytes(),
            policy.app.0.into_bytes(),
            policy.name,
            policy.source,
            policy.version,
            policy.created_at.as_millis(),
            policy.created_by.0.into_bytes(),
            policy.updated_at.as_millis(),
            policy.updated_by.0.into_bytes(),
        ],
    );
    inserted(insert, Entity::Policy, Entity::App)
}

/// See [`Effect::UpdatePolicy`](crate::store::Effect::UpdatePolicy).
pub(super) fn update(db: &dyn Database, policy: &Policy) -> Applied {
    let update = db.execute(
        "UPDATE policies SET source = ?3, version = ?4, updated_at = ?5, updated_by = ?6 WHERE id = ?1 AND app = ?2 AND version = ?4 - 1",
        values![
            policy.id.0.into_bytes(),
            policy.app.0.into_bytes(),
            policy.source,
            policy.version,
            policy.updated_at.as_millis(),
            policy.updated_by.0.into_bytes(),
        ],
    );
    if update? == 0 { Err(Declined::Changed(Entity::Policy).into()) } else { Ok(()) }
}

/// See [`Effect::DeletePolicy`](crate::store::Effect::DeletePolicy).
pub(super) fn delete(db: &dyn Database, app: AppId, policy: PolicyId) -> Applied {
    let delete = db.execute("DELETE FROM policies WHERE id = ?1 AND app = ?2", values![policy.0.into_bytes(), app.0.into_bytes()]);
    changed(delete, Entity::Policy)
}

/// See [`Effect::CountCall`](crate::store::Effect::CountCall). A vault whose clock is a little behind counts into the window that has begun already.
pub(super) fn count(db: &dyn Database, now: Timestamp, count: &CallCount) -> Applied {
    let used: Option<u64> = db.first(
        "INSERT INTO call_counts (app, counter, slot, used) VALUES (?1, ?2, ?3, 1) ON CONFLICT (app, counter) DO UPDATE SET
             used = CASE WHEN call_counts.slot >= excluded.slot THEN call_counts.used + 1 ELSE 1 END,
             slot = CASE WHEN call_counts.slot >= excluded.slot THEN call_counts.slot ELSE excluded.slot END
         RETURNING used",
        values![count.app.0.into_bytes(), count.counter, count.slot(now)],
        |columns| columns.get(),
    )?;
    if used.is_none_or(|used| used > u64::from(count.limit)) { Err(Declined::CallsFull(count.state(now)).into()) } else { Ok(()) }
}

/// See [`Store::counted_calls`](crate::store::Store::counted_calls).
pub(super) fn counted(db: &dyn Database, now: Timestamp, count: &CallCount) -> SqlResult<u64> {
    let sql = "SELECT used FROM call_counts WHERE app = ?1 AND counter = ?2 AND slot >= ?3";
    let used = db.first(sql, values![count.app.0.into_bytes(), count.counter, count.slot(now)], |columns| columns.get())?;
    Ok(used.unwrap_or(0))
}
