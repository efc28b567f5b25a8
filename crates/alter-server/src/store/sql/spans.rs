//! Spans: kept once, forgotten in time.

use super::columns::{Columns, maybe_bytes, to_json};
use super::database::{Database, SqlResult};
use super::effects::{Applied, inserted};
use super::value::values;
use crate::clock::Timestamp;
use crate::model::{AgentId, AppId, KeyId, Span};
use crate::store::Entity;

/// Expired spans that one commit removes at most: more than it can add, so the table shrinks.
const SWEEP: u32 = 200;

fn read(columns: &mut Columns<'_>) -> SqlResult<Span> {
    Ok(Span {
        app: columns.id(AppId)?,
        trace: columns.get()?,
        id: columns.get()?,
        parent: columns.get()?,
        name: columns.get()?,
        started_at: columns.time()?,
        ended_at: columns.maybe_time()?,
        attributes: columns.json()?,
        key: columns.id(KeyId)?,
        agent: columns.maybe_id(AgentId)?,
        expires_at: columns.time()?,
    })
}

/// See [`Store::spans`](crate::store::Store::spans).
pub(super) fn spans(db: &dyn Database, app: AppId, trace: &str, now: Timestamp) -> SqlResult<Vec<Span>> {
    let sql = "SELECT app, trace, id, parent, name, started_at, ended_at, attributes, key, agent, expires_at FROM spans
        WHERE app = ?1 AND trace = ?2 AND expires_at > ?3 ORDER BY started_at, id";
    db.all(sql, values![app.0.into_bytes(), trace, now.as_millis()], read)
}

/// See [`Effect::KeepSpans`](crate::store::Effect::KeepSpans).
pub(super) fn keep(db: &dyn Database, now: Timestamp, spans: &[Span]) -> Applied {
    let sweep = format!(
        "DELETE FROM spans WHERE n IN (SELECT n FROM spans WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2{})",
        db.dialect().hold_free
    );
    db.execute(&sweep, values![now.as_millis(), SWEEP])?;
    for span in spans {
        let insert = db.execute(
            "INSERT INTO spans (app, trace, id, parent, name, started_at, ended_at, attributes, key, agent, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (app, trace, id) DO NOTHING",
            values![
                span.app.0.into_bytes(),
                span.trace,
                span.id,
                span.parent,
                span.name,
                span.started_at.as_millis(),
                span.ended_at.map(Timestamp::as_millis),
                to_json(&span.attributes),
                span.key.0.into_bytes(),
                maybe_bytes(span.agent.map(|agent| agent.0)),
                span.expires_at.as_millis(),
            ],
        );
        inserted(insert, Entity::App, Entity::App)?;
    }
    Ok(())
}
