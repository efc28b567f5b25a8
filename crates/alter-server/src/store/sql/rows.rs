//! Reading apps, operators and managed secrets. Every function is one statement, so what it returns was true at one moment.

use alter_core::key::KeyKind;

use super::columns::Columns;
use super::database::{Database, SqlResult};
use super::value::values;
use crate::model::{App, AppId, KeyDigest, ManagedSecret, Operator, OperatorId, OperatorRole, SecretId, SecretKind, SecretStatus};
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

fn read_app(columns: &mut Columns<'_>) -> SqlResult<App> {
    Ok(App { id: columns.id(AppId)?, name: columns.get()?, settings: columns.json()?, created_at: columns.time()? })
}

pub(super) fn app(db: &dyn Database, app: AppId) -> SqlResult<Option<App>> {
    db.first(&format!("{APP} WHERE id = ?1"), values![app.0.into_bytes()], read_app)
}

pub(super) fn app_by_name(db: &dyn Database, name: &str) -> SqlResult<Option<App>> {
    db.first(&format!("{APP} WHERE name = ?1"), values![name], read_app)
}

pub(super) fn apps(db: &dyn Database, page: Page<AppId>) -> SqlResult<Vec<App>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!("{APP} WHERE n > (SELECT n FROM apps WHERE id = ?1) OR ?1 IS NULL ORDER BY n LIMIT ?2");
    db.all(&sql, values![after, page.limit.get()], read_app)
}

const OPERATOR: &str = "SELECT id, name, role, digest, prefix, created_at, revoked_at FROM operators";

fn read_operator(columns: &mut Columns<'_>) -> SqlResult<Operator> {
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

pub(super) fn operator_by_digest(db: &dyn Database, digest: KeyDigest) -> SqlResult<Option<Operator>> {
    db.first(&format!("{OPERATOR} WHERE digest = ?1"), values![digest.0], read_operator)
}

pub(super) fn operators(db: &dyn Database) -> SqlResult<Vec<Operator>> {
    db.all(&format!("{OPERATOR} ORDER BY n"), &[], read_operator)
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

pub(super) fn secret_from(columns: &mut Columns<'_>) -> SqlResult<ManagedSecret> {
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

fn read_secret(columns: &mut Columns<'_>) -> SqlResult<ManagedSecret> {
    secret_from(columns)
}

pub(super) fn secret(db: &dyn Database, app: AppId, secret: SecretId) -> SqlResult<Lookup<ManagedSecret>> {
    let sql = format!("SELECT {SECRET_COLUMNS} FROM secrets s WHERE s.id = ?1");
    let found = db.first(&sql, values![secret.0.into_bytes()], read_secret)?;
    Ok(owned(found, app, |secret| secret.app))
}

pub(super) fn secret_by_slug(db: &dyn Database, app: AppId, slug: &str) -> SqlResult<Option<ManagedSecret>> {
    let sql = format!("SELECT {SECRET_COLUMNS} FROM secrets s WHERE s.app = ?1 AND s.slug = ?2 AND s.status = 'active'");
    db.first(&sql, values![app.0.into_bytes(), slug], read_secret)
}

pub(super) fn secrets(db: &dyn Database, app: AppId, page: Page<SecretId>) -> SqlResult<Vec<ManagedSecret>> {
    let after = page.after.map(|id| id.0.into_bytes());
    let sql = format!(
        "SELECT {SECRET_COLUMNS} FROM secrets s WHERE s.app = ?1 AND s.status = 'active'
             AND (s.n > (SELECT n FROM secrets WHERE id = ?2 AND app = ?1) OR ?2 IS NULL) ORDER BY s.n LIMIT ?3"
    );
    db.all(&sql, values![app.0.into_bytes(), after, page.limit.get()], read_secret)
}
