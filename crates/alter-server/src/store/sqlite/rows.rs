//! Reading what the vault keeps. Every function is one statement, so what it returns was true at one moment.

use std::collections::BTreeMap;

use alter_core::key::KeyKind;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::columns::Columns;
use crate::clock::Timestamp;
use crate::crypto::{SealedSecret, Wrapped};
use crate::model::{
    ApiKey, App, AppId, DataKeyId, Grant, GrantFilter, GrantId, GrantStatus, KeyDigest, KeyId, KeyStatus, ManagedSecret, Operator,
    OperatorId, OperatorRole, Principal, SecretId, SecretKind, SecretStatus,
};
use crate::store::{Credential, Lookup, Page};

/// The words under which kinds of keys are stored.
pub(super) const KEY_KINDS: [(KeyKind, &str); 5] = [
    (KeyKind::Legacy, "legacy"),
    (KeyKind::Runtime, "runtime"),
    (KeyKind::Agent, "agent"),
    (KeyKind::Derived, "derived"),
    (KeyKind::Publishable, "publishable"),
];

const SYSTEM: &str = "system";
const USER: &str = "user";

/// The two columns of a principal.
pub(super) fn principal_columns(principal: &Principal) -> (&'static str, Option<&str>) {
    match principal {
        Principal::System => (SYSTEM, None),
        Principal::User(id) => (USER, Some(id)),
    }
}

const APP: &str = "SELECT id, name, created_at FROM apps";

fn read_app(row: &Row<'_>) -> rusqlite::Result<App> {
    let mut columns = Columns::new(row);
    Ok(App { id: columns.id(AppId)?, name: columns.get()?, created_at: columns.time()? })
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

const KEY: &str = "SELECT id, app, kind, name, digest, prefix, scopes, status, created_at, expires_at, last_used_at FROM api_keys";

fn read_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let mut columns = Columns::new(row);
    Ok(ApiKey {
        id: columns.id(KeyId)?,
        app: columns.id(AppId)?,
        kind: columns.word(|word| KEY_KINDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind))?,
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
fn owned<T>(found: Option<T>, app: AppId, owner: impl Fn(&T) -> AppId) -> Lookup<T> {
    match found {
        None => Lookup::Unknown,
        Some(thing) if owner(&thing) == app => Lookup::Found(thing),
        Some(_) => Lookup::Foreign,
    }
}

const SECRET_COLUMNS: &str = "s.id, s.app, s.slug, s.name, s.kind, s.version, s.allowed_hosts, s.injection, s.parameters, s.status, s.created_at, \
     s.updated_at";

fn secret_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<ManagedSecret> {
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

const GRANT_COLUMNS: &str = "g.id, g.app, g.secret, g.principal_kind, g.principal_id, g.label, g.parent, g.status, g.created_at, g.expires_at, \
     g.revoked_at, g.last_used_at, g.scope_mismatch";

fn grant_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Grant> {
    Ok(Grant {
        id: columns.id(GrantId)?,
        app: columns.id(AppId)?,
        secret: columns.id(SecretId)?,
        principal: principal_from(columns)?,
        label: columns.get()?,
        parent: columns.maybe_id(GrantId)?,
        status: columns.word(GrantStatus::parse)?,
        created_at: columns.time()?,
        expires_at: columns.maybe_time()?,
        revoked_at: columns.maybe_time()?,
        last_used_at: columns.maybe_time()?,
        scope_mismatch: columns.maybe_json()?,
    })
}

fn principal_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Principal> {
    let is_user = columns.word(|word| match word {
        SYSTEM => Some(false),
        USER => Some(true),
        _ => None,
    })?;
    match (is_user, columns.get::<Option<String>>()?) {
        (false, None) => Ok(Principal::System),
        (true, Some(id)) => Ok(Principal::User(id)),
        (_, id) => {
            Err(columns.unreadable(format!("a principal that {} an id", if id.is_some() { "may not have" } else { "needs" }).into()))
        }
    }
}

fn read_grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    grant_from(&mut Columns::new(row))
}

pub(super) fn grant(connection: &Connection, app: AppId, grant: GrantId) -> rusqlite::Result<Lookup<Grant>> {
    let sql = format!("SELECT {GRANT_COLUMNS} FROM grants g WHERE g.id = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([grant.0.into_bytes()], read_grant).optional()?;
    Ok(owned(found, app, |grant| grant.app))
}

pub(super) fn grants(connection: &Connection, app: AppId, filter: &GrantFilter, page: Page<GrantId>) -> rusqlite::Result<Vec<Grant>> {
    // Only the conditions that are asked for, so that each shape can use its index.
    let mut sql = format!("SELECT {GRANT_COLUMNS} FROM grants g WHERE g.app = ?");
    let mut values: Vec<Value> = vec![blob(app.0)];
    if let Some(secret) = filter.secret {
        sql.push_str(" AND g.secret = ?");
        values.push(blob(secret.0));
    }
    if let Some(principal) = &filter.principal {
        let (kind, id) = principal_columns(principal);
        sql.push_str(" AND g.principal_kind = ? AND g.principal_id IS ?");
        values.push(kind.to_owned().into());
        values.push(id.map(str::to_owned).into());
    }
    if let Some(status) = filter.status {
        sql.push_str(" AND g.status = ?");
        values.push(status.as_str().to_owned().into());
    }
    if let Some(after) = page.after {
        sql.push_str(" AND g.n > (SELECT n FROM grants WHERE id = ? AND app = ?)");
        values.extend([blob(after.0), blob(app.0)]);
    }
    sql.push_str(" ORDER BY g.n LIMIT ?");
    values.push(i64::from(page.limit.get()).into());
    connection.prepare_cached(&sql)?.query_map(params_from_iter(values), read_grant)?.collect()
}

fn blob(id: uuid::Uuid) -> Value {
    Value::Blob(id.into_bytes().to_vec())
}

pub(super) fn system_grants(connection: &Connection, app: AppId, slug: &str, now: Timestamp) -> rusqlite::Result<Vec<GrantId>> {
    connection
        .prepare_cached(
            "SELECT g.id FROM secrets s JOIN grants g ON g.secret = s.id
             WHERE s.app = ?1 AND s.slug = ?2 AND s.status = 'active' AND g.principal_kind = 'system' AND g.principal_id IS NULL
                 AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > ?3)
             ORDER BY g.n LIMIT 2",
        )?
        .query_map(params![app.0.into_bytes(), slug, now.as_millis()], |row| Columns::new(row).id(GrantId))?
        .collect()
}

pub(super) fn credential(connection: &Connection, app: AppId, grant: GrantId) -> rusqlite::Result<Lookup<Credential>> {
    // One row a sealed field, or one without a field when the secret is deleted.
    let sql = format!(
        "SELECT {GRANT_COLUMNS}, {SECRET_COLUMNS}, k.id, k.master_version, k.wrapped, f.field, f.sealed
         FROM grants g JOIN secrets s ON s.id = g.secret
             LEFT JOIN data_keys k ON k.id = s.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE g.id = ?1"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query([grant.0.into_bytes()])?;
    let mut found: Option<Credential> = None;
    while let Some(row) = rows.next()? {
        match &mut found {
            None => {
                let mut columns = Columns::new(row);
                let grant = grant_from(&mut columns)?;
                if grant.app != app {
                    return Ok(Lookup::Foreign);
                }
                let secret = secret_from(&mut columns)?;
                found = Some(Credential { grant, secret, sealed: sealed_from(&mut columns)? });
            }
            Some(credential) => {
                if let Some(sealed) = &mut credential.sealed {
                    sealed.fields.insert(row.get("field")?, row.get("sealed")?);
                }
            }
        }
    }
    Ok(found.map_or(Lookup::Unknown, Lookup::Found))
}

/// The data key with the first of its fields.
fn sealed_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Option<SealedSecret>> {
    let Some(data_key) = columns.maybe_id(DataKeyId)? else { return Ok(None) };
    let wrapped = Wrapped { master_version: columns.get()?, bytes: columns.get()? };
    let mut fields = BTreeMap::new();
    if let Some(field) = columns.get::<Option<String>>()? {
        fields.insert(field, columns.get()?);
    }
    Ok(Some(SealedSecret { data_key, wrapped, fields }))
}
