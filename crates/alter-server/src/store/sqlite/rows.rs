//! Reading apps, operators, keys and managed secrets. Every function is one statement, so what it returns was true at one moment.

use alter_core::key::KeyKind;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::Columns;
use crate::model::{
    AgentId, ApiKey, App, AppId, KeyDigest, KeyId, KeyStatus, ManagedSecret, Operator, OperatorId, OperatorRole, SecretId, SecretKind,
    SecretStatus,
};
use crate::store::{Lookup, Page};

/// The words under which kinds of keys are stored.
pub(super) const KEY_KINDS: [(KeyKind, &str); 5] = [
    (KeyKind::Legacy, "legacy"),
    (KeyKind::Runtime, "runtime"),
    (KeyKind::Agent, "agent"),
    (KeyKind::Derived, "derived"),
    (KeyKind::Publishable, "publishable"),
];

const APP: &str = "SELECT id, name, settings, created_at FROM apps";

fn read_app(row: &Row<'_>) -> rusqlite::Result<App> {
    let mut columns = Columns::new(row);
    Ok(App { id: columns.id(AppId)?, name: columns.get()?, settings: columns.json()?, created_at: columns.time()? })
}

pub(super) fn app(connection: &Connection, app: AppId) -> rusqlite::Result<Option<App>> {
    connection.prepare_cached(&format!("{APP} WHERE id = ?1"))?.query_row([app.0.into_bytes()], read_app).optional()
}

pub(super) fn app_by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<App>> {
    connection.prepare_cached(&format!("{APP} WHERE name = ?1"))?.query_row([name], read_app).optional()
}

pub(super) fn apps(connection: &Connection, page: Page<AppId>) -> rusqlite::Result<Vec<App>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!("{APP} WHERE ?1 IS NULL OR n > (SELECT n FROM apps WHERE id = ?1) ORDER BY n LIMIT ?2");
    connection.prepare_cached(&sql)?.query_map(params![after, page.limit.get()], read_app)?.collect()
}

const OPERATOR: &str = "SELECT id, name, role, digest, prefix, created_at, revoked_at FROM operators";

fn read_operator(row: &Row<'_>) -> rusqlite::Result<Operator> {
    let mut columns = Columns::new(row);
    Ok(Operator {
        id: columns.id(OperatorId)?,
        name: columns.get()?,
        role: columns.word(OperatorRole::parse)?,
        digest: KeyDigest(columns.get()?),
        prefix: columns.get()?,
        created_at: columns.time()?,
        revoked_at: columns.maybe_time()?,
    })
}

pub(super) fn operator_by_digest(connection: &Connection, digest: KeyDigest) -> rusqlite::Result<Option<Operator>> {
    connection.prepare_cached(&format!("{OPERATOR} WHERE digest = ?1"))?.query_row([digest.0], read_operator).optional()
}

pub(super) fn operators(connection: &Connection) -> rusqlite::Result<Vec<Operator>> {
    connection.prepare_cached(&format!("{OPERATOR} ORDER BY n"))?.query_map([], read_operator)?.collect()
}

const KEY: &str = "SELECT id, app, kind, agent, name, digest, prefix, scopes, status, created_at, expires_at, last_used_at FROM api_keys";

fn read_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let mut columns = Columns::new(row);
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
    })
}

pub(super) fn key_by_digest(connection: &Connection, digest: KeyDigest) -> rusqlite::Result<Option<ApiKey>> {
    connection.prepare_cached(&format!("{KEY} WHERE digest = ?1"))?.query_row([digest.0], read_key).optional()
}

pub(super) fn key(connection: &Connection, app: AppId, key: KeyId) -> rusqlite::Result<Lookup<ApiKey>> {
    let found = connection.prepare_cached(&format!("{KEY} WHERE id = ?1"))?.query_row([key.0.into_bytes()], read_key).optional()?;
    Ok(owned(found, app, |key| key.app))
}

pub(super) fn keys(connection: &Connection, app: AppId, page: Page<KeyId>) -> rusqlite::Result<Vec<ApiKey>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql =
        format!("{KEY} WHERE app = ?1 AND (?2 IS NULL OR n > (SELECT n FROM api_keys WHERE id = ?2 AND app = ?1)) ORDER BY n LIMIT ?3");
    connection.prepare_cached(&sql)?.query_map(params![app.0.into_bytes(), after, page.limit.get()], read_key)?.collect()
}

/// Tells an app's own thing from another's.
pub(super) fn owned<T>(found: Option<T>, app: AppId, owner: impl Fn(&T) -> AppId) -> Lookup<T> {
    match found {
        None => Lookup::Unknown,
        Some(thing) if owner(&thing) == app => Lookup::Found(thing),
        Some(_) => Lookup::Foreign,
    }
}

pub(super) const SECRET_COLUMNS: &str = "s.id, s.app, s.slug, s.name, s.kind, s.version, s.allowed_hosts, s.injection, s.parameters, s.status, s.created_at, \
     s.updated_at";

/// How many columns [`SECRET_COLUMNS`] names.
pub(super) const SECRET_WIDTH: usize = 12;

pub(super) fn secret_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<ManagedSecret> {
    Ok(ManagedSecret {
        id: columns.id(SecretId)?,
        app: columns.id(AppId)?,
        slug: columns.get()?,
        name: columns.get()?,
        kind: columns.word(SecretKind::parse)?,
        version: columns.get()?,
        allowed_hosts: columns.json()?,
        injection: columns.json()?,
        parameters: columns.json()?,
        status: columns.word(SecretStatus::parse)?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

fn read_secret(row: &Row<'_>) -> rusqlite::Result<ManagedSecret> {
    secret_from(&mut Columns::new(row))
}

pub(super) fn secret(connection: &Connection, app: AppId, secret: SecretId) -> rusqlite::Result<Lookup<ManagedSecret>> {
    let sql = format!("SELECT {SECRET_COLUMNS} FROM secrets s WHERE s.id = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([secret.0.into_bytes()], read_secret).optional()?;
    Ok(owned(found, app, |secret| secret.app))
}

pub(super) fn secret_by_slug(connection: &Connection, app: AppId, slug: &str) -> rusqlite::Result<Option<ManagedSecret>> {
    let sql = format!("SELECT {SECRET_COLUMNS} FROM secrets s WHERE s.app = ?1 AND s.slug = ?2 AND s.status = 'active'");
    connection.prepare_cached(&sql)?.query_row(params![app.0.into_bytes(), slug], read_secret).optional()
}

pub(super) fn secrets(connection: &Connection, app: AppId, page: Page<SecretId>) -> rusqlite::Result<Vec<ManagedSecret>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!(
        "SELECT {SECRET_COLUMNS} FROM secrets s WHERE s.app = ?1 AND s.status = 'active'
             AND (?2 IS NULL OR s.n > (SELECT n FROM secrets WHERE id = ?2 AND app = ?1)) ORDER BY s.n LIMIT ?3"
    );
    connection.prepare_cached(&sql)?.query_map(params![app.0.into_bytes(), after, page.limit.get()], read_secret)?.collect()
}

/// An id as a value of a statement that is put together.
pub(super) fn blob(id: uuid::Uuid) -> Value {
    Value::Blob(id.into_bytes().to_vec())
}
