//! Tickets: reading, making, changing, and forgetting those that ended long ago.

use super::columns::{Columns, maybe_bytes};
use super::database::{Database, SqlResult};
use super::effects::{Applied, Stop, changed, inserted};
use super::sealed;
use super::value::values;
use crate::clock::Timestamp;
use crate::crypto::SealedSecret;
use crate::model::{AppId, KeyDigest, Ticket, TicketId, TicketKind, TicketState};
use crate::store::{Declined, Entity, StoredTicket};

/// Most tickets that one new ticket clears away: the table shrinks faster than it grows, and no commit pays for many.
const CLEARED_AT_ONCE: u32 = 4;

fn select(condition: &str) -> String {
    format!(
        "SELECT t.id, t.kind, t.app, t.digest, t.parent, t.state, t.body, t.version, t.created_at, t.expires_at, {}
         FROM tickets t LEFT JOIN data_keys k ON k.id = t.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id WHERE {condition}",
        sealed::COLUMNS
    )
}

fn from(columns: &mut Columns<'_>) -> SqlResult<Ticket> {
    Ok(Ticket {
        id: columns.id(TicketId)?,
        kind: columns.word(TicketKind::parse)?,
        app: columns.id(AppId)?,
        digest: KeyDigest(columns.get()?),
        parent: columns.maybe_id(TicketId)?,
        state: columns.word(TicketState::parse)?,
        body: columns.get()?,
        version: columns.get()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
    })
}

/// See [`Store::ticket_by_digest`](crate::store::Store::ticket_by_digest).
pub(super) fn by_digest(db: &dyn Database, kind: TicketKind, digest: KeyDigest) -> SqlResult<Option<StoredTicket>> {
    let found = sealed::collect(db, &select("t.digest = ?1 AND t.kind = ?2"), values![digest.0, kind.as_str()], from)?;
    Ok(found.map(|(ticket, sealed)| StoredTicket { ticket, sealed }))
}

/// See [`Store::ticket`](crate::store::Store::ticket).
pub(super) fn ticket(db: &dyn Database, ticket: TicketId) -> SqlResult<Option<StoredTicket>> {
    let found = sealed::collect(db, &select("t.id = ?1"), values![ticket.0.into_bytes()], from)?;
    Ok(found.map(|(ticket, sealed)| StoredTicket { ticket, sealed }))
}

/// See [`Effect::CreateTicket`](crate::store::Effect::CreateTicket).
pub(super) fn create(db: &dyn Database, now: Timestamp, ticket: &Ticket, secrets: Option<&SealedSecret>) -> Applied {
    clear(db, now)?;
    if let Some(secrets) = secrets {
        sealed::store(db, secrets)?;
    }
    let insert = db.execute(
        "INSERT INTO tickets (id, kind, app, digest, parent, state, body, version, data_key, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10)",
        values![
            ticket.id.0.into_bytes(),
            ticket.kind.as_str(),
            ticket.app.0.into_bytes(),
            ticket.digest.0,
            maybe_bytes(ticket.parent.map(|id| id.0)),
            ticket.state.as_str(),
            ticket.body,
            secrets.map(|secrets| secrets.data_key.0.into_bytes()),
            ticket.created_at.as_millis(),
            ticket.expires_at.as_millis(),
        ],
    );
    inserted(insert, Entity::Ticket, Entity::App)
}

fn clear(db: &dyn Database, now: Timestamp) -> Applied {
    let memory = i64::try_from(Ticket::MEMORY.as_millis()).unwrap_or(i64::MAX);
    let sql = format!("SELECT n, data_key FROM tickets WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2{}", db.dialect().hold_free);
    let before = now.as_millis().saturating_sub(memory);
    let ended: Vec<(i64, Option<[u8; 16]>)> =
        db.all(&sql, values![before, CLEARED_AT_ONCE], |columns| Ok((columns.get()?, columns.get()?)))?;
    for (n, data_key) in ended {
        db.execute("DELETE FROM tickets WHERE n = ?1", values![n])?;
        if let Some(data_key) = data_key {
            sealed::erase(db, data_key)?;
        }
    }
    Ok(())
}

/// See [`Effect::UpdateTicket`](crate::store::Effect::UpdateTicket).
pub(super) fn update(db: &dyn Database, ticket: &Ticket, secrets: Option<&SealedSecret>) -> Applied {
    let id = ticket.id.0.into_bytes();
    let found: Option<(u32, Option<[u8; 16]>)> =
        db.first("SELECT version, data_key FROM tickets WHERE id = ?1 AND app = ?2", values![id, ticket.app.0.into_bytes()], |columns| {
            Ok((columns.get()?, columns.get()?))
        })?;
    let (version, old_key) = found.ok_or(Stop::Declined(Declined::NotFound(Entity::Ticket)))?;
    if version.checked_add(1) != Some(ticket.version) {
        return Err(Declined::Changed(Entity::Ticket).into());
    }
    if let Some(secrets) = secrets {
        sealed::store(db, secrets)?;
    }
    let new_key = secrets.map(|secrets| secrets.data_key.0.into_bytes());
    let update = db.execute(
        "UPDATE tickets SET state = ?2, body = ?3, version = ?4, data_key = ?5, expires_at = ?6 WHERE id = ?1",
        values![id, ticket.state.as_str(), ticket.body, ticket.version, new_key.or(old_key), ticket.expires_at.as_millis()],
    );
    changed(update, Entity::Ticket)?;
    if let (Some(_), Some(old_key)) = (new_key, old_key) {
        sealed::erase(db, old_key)?;
    }
    Ok(())
}

/// See [`Effect::DeleteTicket`](crate::store::Effect::DeleteTicket).
pub(super) fn delete(db: &dyn Database, app: AppId, ticket: TicketId) -> Applied {
    let data_key: Option<Option<[u8; 16]>> = db.first(
        "DELETE FROM tickets WHERE id = ?1 AND app = ?2 RETURNING data_key",
        values![ticket.0.into_bytes(), app.0.into_bytes()],
        |columns| columns.get(),
    )?;
    if let Some(data_key) = data_key.flatten() {
        sealed::erase(db, data_key)?;
    }
    Ok(())
}
