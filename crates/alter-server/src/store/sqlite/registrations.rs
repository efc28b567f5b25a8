//! Registrations of apps as clients: reading, making, changing, deleting.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Columns;
use super::effects::{Applied, Stop, changed, inserted};
use super::sealed;
use crate::crypto::SealedSecret;
use crate::model::{AppId, Registration, RegistrationId, RegistrationKind};
use crate::store::{Declined, Entity, StoredRegistration};

const COLUMNS: &str = "r.id, r.app, r.kind, r.name, r.body, r.version, r.created_at, r.updated_at";

fn from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Registration> {
    Ok(Registration {
        id: columns.id(RegistrationId)?,
        app: columns.id(AppId)?,
        kind: columns.word(RegistrationKind::parse)?,
        name: columns.get()?,
        body: columns.get()?,
        version: columns.get()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

/// See [`Store::registration`](crate::store::Store::registration).
pub(super) fn registration(
    connection: &Connection,
    app: AppId,
    kind: RegistrationKind,
    name: &str,
) -> rusqlite::Result<Option<StoredRegistration>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM registrations r LEFT JOIN data_keys k ON k.id = r.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE r.app = ?1 AND r.kind = ?2 AND r.name = ?3",
        sealed::COLUMNS
    );
    let mut select = connection.prepare_cached(&sql)?;
    let found = sealed::collect(&mut select.query(params![app.0.into_bytes(), kind.as_str(), name])?, from)?;
    Ok(found.map(|(registration, sealed)| StoredRegistration { registration, sealed }))
}

/// See [`Store::registrations`](crate::store::Store::registrations).
pub(super) fn registrations(connection: &Connection, app: AppId, kind: RegistrationKind) -> rusqlite::Result<Vec<Registration>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM registrations r WHERE r.app = ?1 AND r.kind = ?2 ORDER BY r.name"))?
        .query_map(params![app.0.into_bytes(), kind.as_str()], |row| from(&mut Columns::new(row)))?
        .collect()
}

/// See [`Effect::CreateRegistration`](crate::store::Effect::CreateRegistration).
pub(super) fn create(connection: &Connection, registration: &Registration, secret: Option<&SealedSecret>) -> Applied {
    if let Some(secret) = secret {
        sealed::store(connection, secret)?;
    }
    let insert = connection
        .prepare_cached(
            "INSERT INTO registrations (id, app, kind, name, body, version, data_key, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)",
        )?
        .execute(params![
            registration.id.0.into_bytes(),
            registration.app.0.into_bytes(),
            registration.kind.as_str(),
            registration.name,
            registration.body,
            secret.map(|secret| secret.data_key.0.into_bytes()),
            registration.created_at.as_millis(),
            registration.updated_at.as_millis(),
        ]);
    inserted(insert, Entity::Registration, Entity::App)
}

/// See [`Effect::UpdateRegistration`](crate::store::Effect::UpdateRegistration).
pub(super) fn update(connection: &Connection, registration: &Registration, secret: Option<&SealedSecret>) -> Applied {
    let id = registration.id.0.into_bytes();
    let found: Option<(u32, Option<[u8; 16]>)> = connection
        .prepare_cached("SELECT version, data_key FROM registrations WHERE id = ?1 AND app = ?2")?
        .query_row(params![id, registration.app.0.into_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, old_key) = found.ok_or(Stop::Declined(Declined::NotFound(Entity::Registration)))?;
    if version.checked_add(1) != Some(registration.version) {
        return Err(Declined::Changed(Entity::Registration).into());
    }
    if let Some(secret) = secret {
        sealed::store(connection, secret)?;
    }
    let new_key = secret.map(|secret| secret.data_key.0.into_bytes());
    let update = connection
        .prepare_cached("UPDATE registrations SET body = ?2, version = ?3, data_key = ?4, updated_at = ?5 WHERE id = ?1")?
        .execute(params![id, registration.body, registration.version, new_key.or(old_key), registration.updated_at.as_millis()]);
    changed(update, Entity::Registration)?;
    if let (Some(_), Some(old_key)) = (new_key, old_key) {
        sealed::erase(connection, old_key)?;
    }
    Ok(())
}

/// See [`Effect::DeleteRegistration`](crate::store::Effect::DeleteRegistration).
pub(super) fn delete(connection: &Connection, app: AppId, registration: RegistrationId) -> Applied {
    let data_key: Option<Option<[u8; 16]>> = connection
        .prepare_cached("DELETE FROM registrations WHERE id = ?1 AND app = ?2 RETURNING data_key")?
        .query_row(params![registration.0.into_bytes(), app.0.into_bytes()], |row| row.get(0))
        .optional()?;
    let data_key = data_key.ok_or(Stop::Declined(Declined::NotFound(Entity::Registration)))?;
    if let Some(data_key) = data_key {
        sealed::erase(connection, data_key)?;
    }
    Ok(())
}
