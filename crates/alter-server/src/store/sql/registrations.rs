//! Registrations of apps as clients: reading, making, changing, deleting.

use super::columns::Columns;
use super::database::{Database, SqlResult};
use super::effects::{Applied, Stop, changed, inserted};
use super::sealed;
use super::value::values;
use crate::crypto::SealedSecret;
use crate::model::{AppId, Registration, RegistrationId, RegistrationKind};
use crate::store::{Declined, Entity, StoredRegistration};

const COLUMNS: &str = "r.id, r.app, r.kind, r.name, r.body, r.version, r.created_at, r.updated_at";

fn from(columns: &mut Columns<'_>) -> SqlResult<Registration> {
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
pub(super) fn registration(db: &dyn Database, app: AppId, kind: RegistrationKind, name: &str) -> SqlResult<Option<StoredRegistration>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM registrations r LEFT JOIN data_keys k ON k.id = r.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE r.app = ?1 AND r.kind = ?2 AND r.name = ?3",
        sealed::COLUMNS
    );
    let found = sealed::collect(db, &sql, values![app.0.into_bytes(), kind.as_str(), name], from)?;
    Ok(found.map(|(registration, sealed)| StoredRegistration { registration, sealed }))
}

/// See [`Store::registrations`](crate::store::Store::registrations).
pub(super) fn registrations(db: &dyn Database, app: AppId, kind: RegistrationKind) -> SqlResult<Vec<Registration>> {
    let sql = format!("SELECT {COLUMNS} FROM registrations r WHERE r.app = ?1 AND r.kind = ?2 ORDER BY r.name");
    db.all(&sql, values![app.0.into_bytes(), kind.as_str()], from)
}

/// See [`Effect::CreateRegistration`](crate::store::Effect::CreateRegistration).
pub(super) fn create(db: &dyn Database, registration: &Registration, secret: Option<&SealedSecret>) -> Applied {
    if let Some(secret) = secret {
        sealed::store(db, secret)?;
    }
    let insert = db.execute(
        "INSERT INTO registrations (id, app, kind, name, body, version, data_key, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)",
        values![
            registration.id.0.into_bytes(),
            registration.app.0.into_bytes(),
            registration.kind.as_str(),
            registration.name,
            registration.body,
            secret.map(|secret| secret.data_key.0.into_bytes()),
            registration.created_at.as_millis(),
            registration.updated_at.as_millis(),
        ],
    );
    inserted(insert, Entity::Registration, Entity::App)
}

/// See [`Effect::UpdateRegistration`](crate::store::Effect::UpdateRegistration).
pub(super) fn update(db: &dyn Database, registration: &Registration, secret: Option<&SealedSecret>) -> Applied {
    let id = registration.id.0.into_bytes();
    let found: Option<(u32, Option<[u8; 16]>)> = db.first(
        "SELECT version, data_key FROM registrations WHERE id = ?1 AND app = ?2",
        values![id, registration.app.0.into_bytes()],
        |columns| Ok((columns.get()?, columns.get()?)),
    )?;
    let (version, old_key) = found.ok_or(Stop::Declined(Declined::NotFound(Entity::Registration)))?;
    if version.checked_add(1) != Some(registration.version) {
        return Err(Declined::Changed(Entity::Registration).into());
    }
    if let Some(secret) = secret {
        sealed::store(db, secret)?;
    }
    let new_key = secret.map(|secret| secret.data_key.0.into_bytes());
    let update = db.execute(
        "UPDATE registrations SET body = ?2, version = ?3, data_key = ?4, updated_at = ?5 WHERE id = ?1",
        values![id, registration.body, registration.version, new_key.or(old_key), registration.updated_at.as_millis()],
    );
    changed(update, Entity::Registration)?;
    if let (Some(_), Some(old_key)) = (new_key, old_key) {
        sealed::erase(db, old_key)?;
    }
    Ok(())
}

/// See [`Effect::DeleteRegistration`](crate::store::Effect::DeleteRegistration).
pub(super) fn delete(db: &dyn Database, app: AppId, registration: RegistrationId) -> Applied {
    let data_key: Option<Option<[u8; 16]>> = db.first(
        "DELETE FROM registrations WHERE id = ?1 AND app = ?2 RETURNING data_key",
        values![registration.0.into_bytes(), app.0.into_bytes()],
        |columns| columns.get(),
    )?;
    let data_key = data_key.ok_or(Stop::Declined(Declined::NotFound(Entity::Registration)))?;
    if let Some(data_key) = data_key {
        sealed::erase(db, data_key)?;
    }
    Ok(())
}
