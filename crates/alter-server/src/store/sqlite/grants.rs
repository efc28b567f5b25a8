//! Grants: reading one with what it opens, listing, and the effects that make and end them.

use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::columns::{Columns, maybe_bytes, to_json};
use super::effects::{Applied, Stop, active_secret, changed, inserted};
use super::rows::{self, blob, owned};
use super::{credentials, sealed};
use crate::clock::Timestamp;
use crate::model::{
    AgentId, AppId, CredentialId, Grant, GrantFilter, GrantId, GrantKind, GrantPolicy, GrantStatus, ListedGrant, Membership, Opens,
    Principal, ScopeMismatch, SecretId, ShownStatus, View,
};
use crate::store::{Declined, Entity, GrantAccess, GrantList, Lookup, Page};

const COLUMNS: &str = "g.id, g.app, g.secret, g.credential, g.principal, g.on_behalf_of, g.label, g.tags, g.policy, g.parent, g.depth, \
     g.delegable, g.scope_constraint, g.status, g.created_at, g.expires_at, g.revoked_at, g.last_used_at, g.scope_mismatch";

fn from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Grant> {
    Ok(Grant {
        id: columns.id(GrantId)?,
        app: columns.id(AppId)?,
        opens: opens_from(columns)?,
        principal: columns.json()?,
        on_behalf_of: columns.json()?,
        label: columns.get()?,
        tags: columns.json()?,
        policy: columns.json()?,
        parent: columns.maybe_id(GrantId)?,
        depth: columns.get()?,
        delegable: columns.get()?,
        scope_constraint: columns.maybe_json()?,
        status: columns.word(GrantStatus::parse)?,
        created_at: columns.time()?,
        expires_at: columns.maybe_time()?,
        revoked_at: columns.maybe_time()?,
        last_used_at: columns.maybe_time()?,
        scope_mismatch: columns.maybe_json()?,
    })
}

fn opens_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Opens> {
    match (columns.maybe_id(SecretId)?, columns.maybe_id(CredentialId)?) {
        (Some(secret), None) => Ok(Opens::Secret(secret)),
        (Some(secret), Some(credential)) => Ok(Opens::Key { secret, credential }),
        (None, Some(credential)) => Ok(Opens::Login(credential)),
        (None, None) => Err(columns.unreadable("a grant that opens nothing".into())),
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Grant> {
    from(&mut Columns::new(row))
}

/// See [`Store::grant`](crate::store::Store::grant).
pub(super) fn grant(connection: &Connection, app: AppId, grant: GrantId) -> rusqlite::Result<Lookup<Grant>> {
    let sql = format!("SELECT {COLUMNS} FROM grants g WHERE g.id = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([grant.0.into_bytes()], read).optional()?;
    Ok(owned(found, app, |grant| grant.app))
}

/// Written once: every token call reads it.
static ACCESS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS}, {}, {}, {}
         FROM grants g LEFT JOIN secrets s ON s.id = g.secret LEFT JOIN credentials c ON c.id = g.credential
             LEFT JOIN data_keys k ON k.id = CASE WHEN g.credential IS NULL THEN s.data_key ELSE c.data_key END
             LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE g.id = ?1",
        rows::SECRET_COLUMNS,
        credentials::COLUMNS,
        sealed::COLUMNS
    )
});

/// See [`Store::grant_access`](crate::store::Store::grant_access).
pub(super) fn access(connection: &Connection, app: AppId, grant: GrantId) -> rusqlite::Result<Lookup<GrantAccess>> {
    let mut select = connection.prepare_cached(&ACCESS)?;
    let found = sealed::collect(&mut select.query([grant.0.into_bytes()])?, |columns| {
        Ok((from(columns)?, columns.maybe(rows::SECRET_WIDTH, rows::secret_from)?, columns.maybe(credentials::WIDTH, credentials::from)?))
    })?;
    let found = found.map(|((grant, secret, credential), sealed)| GrantAccess { grant, secret, credential, sealed });
    Ok(owned(found, app, |found| found.grant.app))
}

/// See [`Store::system_grants`](crate::store::Store::system_grants).
pub(super) fn system_grants(connection: &Connection, app: AppId, provider: &str, now: Timestamp) -> rusqlite::Result<Vec<GrantId>> {
    connection
        .prepare_cached(
            "SELECT id FROM (
                 SELECT g.n, g.id FROM secrets s JOIN grants g ON g.secret = s.id
                 WHERE s.app = ?1 AND s.slug = ?2 AND s.status = 'active' AND g.principal = ?3 AND g.status = 'active'
                     AND (g.expires_at IS NULL OR g.expires_at > ?4)
                 UNION ALL
                 SELECT g.n, g.id FROM credentials c JOIN grants g ON g.credential = c.id
                 WHERE c.app = ?1 AND c.provider = ?2 AND c.owner = ?3 AND c.secret IS NULL AND g.principal = ?3 AND g.status = 'active'
                     AND (g.expires_at IS NULL OR g.expires_at > ?4)
             ) ORDER BY n LIMIT 2",
        )?
        .query_map(params![app.0.into_bytes(), provider, to_json(&Principal::System), now.as_millis()], |row| {
            Columns::new(row).id(GrantId)
        })?
        .collect()
}

/// A condition with its values, numbered as they are added.
struct Condition {
    sql: String,
    values: Vec<Value>,
}

impl Condition {
    /// Of an app's grants, those that the filter lets through. `?1` is the time.
    fn new(app: AppId, filter: &GrantFilter, now: Timestamp) -> Self {
        let mut condition = Self { sql: String::new(), values: vec![now.as_millis().into()] };
        condition.sql.push_str("g.app = ");
        condition.value(blob(app.0));
        condition.view(&filter.view);
        condition.status(filter.status);
        condition.kind(filter.kind);
        let equal = [
            (" AND coalesce(s.slug, c.provider) = ", filter.provider.clone().map(Value::from)),
            (" AND coalesce(g.credential, g.secret) = ", filter.credential.map(|id| blob(id.0))),
            (" AND c.account = ", filter.account.clone().map(Value::from)),
            (" AND g.label = ", filter.label.clone().map(Value::from)),
            (" AND json_extract(g.on_behalf_of, '$.subject') = ", filter.subject.clone().map(Value::from)),
        ];
        for (sql, value) in equal {
            if let Some(value) = value {
                condition.and(sql, value);
            }
        }
        if let Some(around) = filter.around {
            condition.and(" AND (g.id = ", blob(around.0));
            condition.and(" OR g.parent = ", blob(around.0));
            condition.sql.push(')');
        }
        condition
    }

    fn and(&mut self, sql: &str, value: Value) {
        self.sql.push_str(sql);
        self.value(value);
    }

    fn value(&mut self, value: Value) {
        self.values.push(value);
        self.sql.push_str(&format!("?{}", self.values.len()));
    }

    fn view(&mut self, view: &View) {
        match view {
            View::App => {}
            View::System => self.and(" AND g.principal = ", to_json(&Principal::System).into()),
            View::Person(person) => {
                self.sql.push_str(" AND ");
                self.on_behalf_of(person);
            }
            View::Agent { agent, person } => {
                self.and(" AND g.principal = ", to_json(&Principal::Agent { agent: *agent }).into());
                if let Some(person) = person {
                    self.sql.push_str(" AND (g.parent IS NULL OR ");
                    self.on_behalf_of(person);
                    self.sql.push(')');
                }
            }
        }
    }

    fn on_behalf_of(&mut self, member: &Membership) {
        self.sql.push_str("g.on_behalf_of IN (");
        self.value(to_json(&Principal::User(member.person.clone())).into());
        for group in member.groups.iter().flatten() {
            self.sql.push_str(", ");
            self.value(to_json(&Principal::Group { issuer: member.person.issuer.clone(), group: group.clone() }).into());
        }
        self.sql.push(')');
    }

    fn kind(&mut self, kind: Option<GrantKind>) {
        self.sql.push_str(match kind {
            None => "",
            Some(GrantKind::Oauth) => " AND g.secret IS NULL",
            Some(GrantKind::ManagedSecret) => " AND g.secret IS NOT NULL",
        });
    }

    fn status(&mut self, status: Option<ShownStatus>) {
        self.sql.push_str(match status {
            None => "",
            Some(ShownStatus::Active) => " AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > ?1)",
            Some(ShownStatus::Expired) => " AND g.status = 'active' AND g.expires_at <= ?1",
            Some(ShownStatus::Revoked) => " AND g.status = 'revoked'",
        });
    }
}

const JOINED: &str = "FROM grants g LEFT JOIN secrets s ON s.id = g.secret LEFT JOIN credentials c ON c.id = g.credential";

/// See [`Store::grants`](crate::store::Store::grants).
pub(super) fn grants(
    connection: &Connection,
    app: AppId,
    filter: &GrantFilter,
    page: Page<GrantId>,
    now: Timestamp,
) -> rusqlite::Result<Vec<Grant>> {
    let mut condition = Condition::new(app, filter, now);
    if let Some(after) = page.after {
        condition.and(" AND g.n > (SELECT n FROM grants WHERE app = ?2 AND id = ", blob(after.0));
        condition.sql.push(')');
    }
    condition.and(" ORDER BY g.n LIMIT ", i64::from(page.limit.get()).into());
    let sql = format!("SELECT {COLUMNS} {JOINED} WHERE {}", condition.sql);
    let mut select = connection.prepare_cached(&sql)?;
    bound(&mut select, condition.values)?.mapped(read).collect()
}

/// See [`Store::list_grants`](crate::store::Store::list_grants).
pub(super) fn list(
    connection: &Connection,
    app: AppId,
    filter: &GrantFilter,
    (limit, offset): (u32, u64),
    now: Timestamp,
) -> rusqlite::Result<GrantList> {
    // One snapshot for both, so that the total fits the part; the reader may have begun one for several queries.
    let _snapshot = if connection.is_autocommit() { Some(connection.unchecked_transaction()?) } else { None };
    let mut condition = Condition::new(app, filter, now);
    let count = format!("SELECT count(*) {JOINED} WHERE {}", condition.sql);
    let mut select = connection.prepare_cached(&count)?;
    let total = bound(&mut select, condition.values.clone())?.mapped(|row| row.get(0)).next().transpose()?.unwrap_or(0);
    condition.and(" ORDER BY g.n LIMIT ", i64::from(limit).into());
    condition.and(" OFFSET ", i64::try_from(offset).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT {COLUMNS}, {}, {}, (
             SELECT json_group_array(json_extract(d.principal, '$.agent')) FROM grants d
             WHERE d.parent = g.id AND d.status = 'active' AND (d.expires_at IS NULL OR d.expires_at > ?1))
         {JOINED} WHERE {}",
        rows::SECRET_COLUMNS,
        credentials::COLUMNS,
        condition.sql
    );
    let mut select = connection.prepare_cached(&sql)?;
    let read = |row: &Row<'_>| {
        let mut columns = Columns::new(row);
        Ok(ListedGrant {
            grant: from(&mut columns)?,
            secret: columns.maybe(rows::SECRET_WIDTH, rows::secret_from)?,
            credential: columns.maybe(credentials::WIDTH, credentials::from)?,
            delegated_to: columns.json()?,
        })
    };
    let grants = bound(&mut select, condition.values)?.mapped(read).collect::<rusqlite::Result<_>>()?;
    Ok(GrantList { grants, total })
}

/// Runs a statement that may leave the first value, the time, unused.
fn bound<'s>(select: &'s mut rusqlite::CachedStatement<'_>, values: Vec<Value>) -> rusqlite::Result<rusqlite::Rows<'s>> {
    select.query(params_from_iter(values))
}

/// See [`Effect::CreateGrant`](crate::store::Effect::CreateGrant).
pub(super) fn create(connection: &Connection, now: Timestamp, grant: &Grant) -> Applied {
    judge_target(connection, grant)?;
    judge_parent(connection, now, grant)?;
    judge_label(connection, now, grant)?;
    let insert = connection
        .prepare_cached(
            "INSERT INTO grants (id, app, secret, credential, principal, on_behalf_of, label, tags, policy, parent, depth, delegable,
                 scope_constraint, status, created_at, expires_at, revoked_at, last_used_at, scope_mismatch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?
        .execute(params![
            grant.id.0.into_bytes(),
            grant.app.0.into_bytes(),
            maybe_bytes(grant.opens.secret().map(|id| id.0)),
            maybe_bytes(grant.opens.credential().map(|id| id.0)),
            to_json(&grant.principal),
            to_json(&grant.on_behalf_of),
            grant.label,
            to_json(&grant.tags),
            to_json(&grant.policy),
            maybe_bytes(grant.parent.map(|id| id.0)),
            grant.depth,
            grant.delegable,
            grant.scope_constraint.as_ref().map(to_json),
            grant.status.as_str(),
            grant.created_at.as_millis(),
            grant.expires_at.map(Timestamp::as_millis),
            grant.revoked_at.map(Timestamp::as_millis),
            grant.last_used_at.map(Timestamp::as_millis),
            grant.scope_mismatch.as_ref().map(to_json),
        ]);
    inserted(insert, Entity::Grant, Entity::Grant)
}

fn judge_target(connection: &Connection, grant: &Grant) -> Applied {
    if let Some(secret) = grant.opens.secret() {
        active_secret(connection, grant.app, secret)?;
    }
    let Some(credential) = grant.opens.credential() else { return Ok(()) };
    let secret = maybe_bytes(grant.opens.secret().map(|id| id.0));
    let state: Option<String> = connection
        .prepare_cached("SELECT state FROM credentials WHERE id = ?1 AND app = ?2 AND secret IS ?3")?
        .query_row(params![credential.0.into_bytes(), grant.app.0.into_bytes(), secret], |row| row.get(0))
        .optional()?;
    match state.as_deref() {
        None => Err(Declined::NotFound(Entity::Credential).into()),
        Some("erased") => Err(Declined::CredentialErased.into()),
        Some(_) => Ok(()),
    }
}

fn judge_parent(connection: &Connection, now: Timestamp, child: &Grant) -> Applied {
    let Some(parent) = child.parent else { return Ok(()) };
    let parent = grant(connection, child.app, parent)?.found().ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    match parent.shown_status(now) {
        ShownStatus::Revoked => Err(Declined::GrantRevoked.into()),
        ShownStatus::Expired => Err(Declined::GrantExpired.into()),
        ShownStatus::Active if child.is_within(&parent) => Ok(()),
        ShownStatus::Active => Err(Declined::Widens.into()),
    }
}

fn judge_label(connection: &Connection, now: Timestamp, grant: &Grant) -> Applied {
    let (Some(label), None) = (&grant.label, grant.parent) else { return Ok(()) };
    let taken = connection
        .prepare_cached(
            "SELECT 1 FROM grants g WHERE g.app = ?1 AND g.secret IS ?2 AND g.credential IS ?3 AND g.principal = ?4 AND g.label = ?5
                 AND g.parent IS NULL AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > ?6) AND g.id != ?7",
        )?
        .exists(params![
            grant.app.0.into_bytes(),
            maybe_bytes(grant.opens.secret().map(|id| id.0)),
            maybe_bytes(grant.opens.credential().map(|id| id.0)),
            to_json(&grant.principal),
            label,
            now.as_millis(),
            grant.id.0.into_bytes(),
        ])?;
    if taken { Err(Declined::LabelTaken.into()) } else { Ok(()) }
}

/// See [`Effect::RenewGrant`](crate::store::Effect::RenewGrant).
pub(super) fn renew(
    connection: &Connection,
    now: Timestamp,
    (app, renewed): (AppId, GrantId),
    expires_at: Option<Timestamp>,
    policy: &GrantPolicy,
) -> Applied {
    let before = grant(connection, app, renewed)?.found().filter(|grant| !grant.is_delegated());
    let before = before.ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    if before.status == GrantStatus::Revoked {
        return Err(Declined::GrantRevoked.into());
    }
    if !policy.is_within(&before.policy) || !before.policy.is_within(policy) {
        return Err(Declined::Changed(Entity::Grant).into());
    }
    judge_label(connection, now, &before)?;
    let (id, end) = (renewed.0.into_bytes(), expires_at.map(Timestamp::as_millis));
    connection.prepare_cached("UPDATE grants SET expires_at = ?2, policy = ?3, scope_mismatch = NULL WHERE id = ?1")?.execute(params![
        id,
        end,
        to_json(policy)
    ])?;
    connection
        .prepare_cached(
            "WITH RECURSIVE below (id) AS (SELECT id FROM grants WHERE parent = ?1 UNION ALL SELECT g.id FROM grants g JOIN below ON g.parent = below.id)
             UPDATE grants SET expires_at = ?2 WHERE id IN (SELECT id FROM below) AND ?2 IS NOT NULL AND (expires_at IS NULL OR expires_at > ?2)",
        )?
        .execute(params![id, end])?;
    Ok(())
}

/// See [`Effect::RevokeGrant`](crate::store::Effect::RevokeGrant).
pub(super) fn revoke(connection: &Connection, now: Timestamp, app: AppId, revoked: GrantId) -> Applied {
    grant(connection, app, revoked)?.found().ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    revoke_trees(connection, now, &[revoked.0.into_bytes()])
}

/// See [`Effect::RevokeDelegation`](crate::store::Effect::RevokeDelegation).
pub(super) fn revoke_delegation(connection: &Connection, now: Timestamp, app: AppId, parent: GrantId, agent: AgentId) -> Applied {
    grant(connection, app, parent)?.found().ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    let children = connection
        .prepare_cached("SELECT id FROM grants WHERE parent = ?1 AND principal = ?2 AND status = 'active'")?
        .query_map(params![parent.0.into_bytes(), to_json(&Principal::Agent { agent })], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<[u8; 16]>>>()?;
    revoke_trees(connection, now, &children)
}

/// Revokes everything that an agent holds.
pub(super) fn revoke_held_by(connection: &Connection, now: Timestamp, app: AppId, agent: AgentId) -> Applied {
    let held = connection
        .prepare_cached("SELECT id FROM grants WHERE app = ?1 AND principal = ?2 AND status = 'active'")?
        .query_map(params![app.0.into_bytes(), to_json(&Principal::Agent { agent })], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<[u8; 16]>>>()?;
    revoke_trees(connection, now, &held)
}

/// Revokes grants with all that was delegated from them, then erases the credentials of people that have no live grant left.
fn revoke_trees(connection: &Connection, now: Timestamp, roots: &[[u8; 16]]) -> Applied {
    let mut opened = Vec::new();
    for root in roots {
        let credentials = connection
            .prepare_cached(
                "WITH RECURSIVE tree (id) AS (SELECT ?1 UNION ALL SELECT g.id FROM grants g JOIN tree ON g.parent = tree.id)
                 UPDATE grants SET status = 'revoked', revoked_at = coalesce(revoked_at, ?2) WHERE id IN (SELECT id FROM tree)
                 RETURNING credential",
            )?
            .query_map(params![root, now.as_millis()], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<Option<[u8; 16]>>>>()?;
        opened.extend(credentials.into_iter().flatten());
    }
    opened.sort_unstable();
    opened.dedup();
    credentials::erase_unused(connection, now, &opened)
}

/// See [`Effect::FlagScopeMismatch`](crate::store::Effect::FlagScopeMismatch).
pub(super) fn flag_mismatch(connection: &Connection, app: AppId, grant: GrantId, mismatch: &ScopeMismatch) -> Applied {
    let update = connection.prepare_cached("UPDATE grants SET scope_mismatch = ?3 WHERE id = ?1 AND app = ?2")?.execute(params![
        grant.0.into_bytes(),
        app.0.into_bytes(),
        to_json(mismatch)
    ]);
    changed(update, Entity::Grant)
}
