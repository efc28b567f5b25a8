//! Tickets: reading, making, changing, and forgetting those that ended long ago.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Columns, maybe_bytes};
use super::effects::{Applied, Stop, changed, inserted};
use super::sealed;
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

fn from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Ticket> {
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
pub(super) fn by_digest(connection: &Connection, kind: TicketKind, digest: KeyDigest) -> rusqlite::Result<Option<StoredTicket>> {
    let mut statement = connection.prepare_cached(&select("t.digest = ?1 AND t.kind = ?2"))?;
    let found = sealed::collect(&mut statement.query(params![digest.0, kind.as_str()])?, from)?;
    Ok(found.map(|(ticket, sealed)| StoredTicket { ticket, sealed }))
}

/// See [`Store::ticket`](crate::store::Store::ticket).
pub(super) fn ticket(connection: &Connection, ticket: TicketId) -> rusqlite::Result<Option<StoredTicket>> {
    let mut statement = connection.prepare_cached(&select("t.id = ?1"))?;
    let found = sealed::collect(&mut statement.query([ticket.0.into_bytes()])?, from)?;
    Ok(found.map(|(ticket, sealed)| StoredTicket { ticket, sealed }))
}

/// See [`Effect::CreateTicket`](crate::store::Effect::CreateTicket).
pub(super) fn create(connection: &Connection, now: Timestamp, ticket: &Ticket, secrets: Option<&SealedSecret>) -> Applied {
    clear(connection, now)?;
    if let Some(secrets) = secrets {
        sealed::store(connection, secrets)?;
    }
    let insert = connection
        .prepare_cached(
            "INSERT INTO tickets (id, kind, app, digest, parent, state, body, version, data_key, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10)",
        )?
        .execute(params![
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
        ]);
    inserted(insert, Entity::Ticket, Entity::App)
}

fn clear(connection: &Connection, now: Timestamp) -> Applied {
    let memory = i64::try_from(Ticket::MEMORY.as_millis()).unwrap_or(i64::MAX);
    let ended = connection
        .prepare_cached("SELECT n, data_key FROM tickets WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2")?
        .query_map(params![now.as_millis().saturating_sub(memory), CLEARED_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, Option<[u8; 16]>)>>>()?;
    for (n, data_key) in ended {
        connection.prepare_cached("DELETE FROM tickets WHERE n = ?1")?.execute([n])?;
        if let Some(data_key) = data_key {
            sealed::erase(connection, data_key)?;
        }
    }
    Ok(())
}

/// See [`Effect::UpdateTicket`](crate::store::Effect::UpdateTicket).
pub(super) fn update(connection: &Connection, ticket: &Ticket, secrets: Option<&SealedSecret>) -> Applied {
    let id = ticket.id.0.into_bytes();
    let found: Option<(u32, Option<[u8; 16]>)> = connection
        .prepare_cached("SELECT version, data_key FROM tickets WHERE id = ?1 AND app = ?2")?
        .query_row(params![id, ticket.app.0.into_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, old_key) = found.ok_or(Stop::Declined(Declined::NotFound(Entity::Ticket)))?;
    if version.checked_add(1) != Some(ticket.version) {
        return Err(Declined::Changed(Entity::Ticket).into());
    }
    if let Some(secrets) = secrets {
        sealed::store(connection, secrets)?;
    }
    let new_key = secrets.map(|secrets| secrets.data_key.0.into_bytes());
    let update = connection
        .prepare_cached("UPDATE tickets SET state = ?2, body = ?3, version = ?4, data_key = ?5, expires_at = ?6 WHERE id = ?1")?
        .execute(params![id, ticket.state.as_str(), ticket.body, ticket.version, new_key.or(old_key), ticket.expires_at.as_millis()]);
    changed(update, Entity::Ticket)?;
    if let (Some(_), Some(old_key)) = (new_key, old_key) {
        sealed::erase(connection, old_key)?;
    }
    Ok(())
}

/// See [`Effect::DeleteTicket`](crate::store::Effect::DeleteTicket).
pub(super) fn delete(connection: &Connection, app: AppId, ticket: TicketId) -> Applied {
    let data_key: Option<Option<[u8; 16]>> = connection
        .prepare_cached("DELETE FROM tickets WHERE id = ?1 AND app = ?2 RETURNING data_key")?
        .query_row(params![ticket.0.into_bytes(), app.0.into_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(data_key) = data_key.flatten() {
        sealed::erase(connection, data_key)?;
    }
    Ok(())
}
