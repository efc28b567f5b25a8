//! Grants: reading one with what it opens, listing, and the effects that make and end them.

use std::sync::LazyLock;

use super::columns::{Columns, maybe_bytes, to_json};
use super::database::{Database, Dialect, SqlResult};
use super::effects::{Applied, Stop, active_secret, changed, inserted};
use super::rows::{self, owned};
use super::value::{Owned, ToValue, Value, values};
use super::{approvals, credentials, sealed};
use crate::clock::Timestamp;
use crate::model::{
    AgentId, AppId, CredentialId, Grant, GrantFilter, GrantId, GrantKind, GrantPolicy, GrantStatus, ListedGrant, Membership, Opens,
    Principal, ScopeMismatch, SecretId, ShownStatus, View,
};
use crate::store::{Declined, Entity, GrantAccess, GrantList, Lookup, Page};

const COLUMNS: &str = "g.id, g.app, g.secret, g.credential, g.principal, g.on_behalf_of, g.label, g.tags, g.policy, g.parent, g.depth, \
     g.delegable, g.scope_constraint, g.status, g.created_at, g.expires_at, g.revoked_at, g.last_used_at, g.scope_mismatch";

fn from(columns: &mut Columns<'_>) -> SqlResult<Grant> {
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

fn opens_from(columns: &mut Columns<'_>) -> SqlResult<Opens> {
    match (columns.maybe_id(SecretId)?, columns.maybe_id(CredentialId)?) {
        (Some(secret), None) => Ok(Opens::Secret(secret)),
        (Some(secret), Some(credential)) => Ok(Opens::Key { secret, credential }),
        (None, Some(credential)) => Ok(Opens::Login(credential)),
        (None, None) => Err(columns.unreadable("a grant that opens nothing")),
    }
}

/// See [`Store::grant`](crate::store::Store::grant).
pub(super) fn grant(db: &dyn Database, app: AppId, grant: GrantId) -> SqlResult<Lookup<Grant>> {
    let sql = format!("SELECT {COLUMNS} FROM grants g WHERE g.id = ?1");
    let found = db.first(&sql, values![grant.0.into_bytes()], from)?;
    Ok(owned(found, app, |grant| grant.app))
}

/// Written once: every token call reads it.
static ACCESS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS}, {}, {}, EXISTS (SELECT 1 FROM policies p WHERE p.app = g.app), {}
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
pub(in crate::store) fn access(db: &dyn Database, app: AppId, grant: GrantId) -> SqlResult<Lookup<GrantAccess>> {
    let found = sealed::collect(db, &ACCESS, values![grant.0.into_bytes()], |columns| {
        let (grant, secret) = (from(columns)?, columns.maybe(rows::SECRET_WIDTH, rows::secret_from)?);
        Ok((grant, secret, columns.maybe(credentials::WIDTH, credentials::from)?, columns.get()?))
    })?;
    let found =
        found.map(|((grant, secret, credential, has_policies), sealed)| GrantAccess { grant, secret, credential, has_policies, sealed });
    Ok(owned(found, app, |found| found.grant.app))
}

/// See [`Store::system_grants`](crate::store::Store::system_grants).
pub(super) fn system_grants(db: &dyn Database, app: AppId, provider: &str, now: Timestamp) -> SqlResult<Vec<GrantId>> {
    db.all(
        "SELECT id FROM (
                 SELECT g.n, g.id FROM secrets s JOIN grants g ON g.secret = s.id
                 WHERE s.app = ?1 AND s.slug = ?2 AND s.status = 'active' AND g.principal = ?3 AND g.status = 'active'
                     AND (g.expires_at IS NULL OR g.expires_at > ?4)
                 UNION ALL
                 SELECT g.n, g.id FROM credentials c JOIN grants g ON g.credential = c.id
                 WHERE c.app = ?1 AND c.provider = ?2 AND c.owner = ?3 AND c.secret IS NULL AND g.principal = ?3 AND g.status = 'active'
                     AND (g.expires_at IS NULL OR g.expires_at > ?4)
             ) AS found ORDER BY n LIMIT 2",
        values![app.0.into_bytes(), provider, to_json(&Principal::System), now.as_millis()],
        |columns| columns.id(GrantId),
    )
}

/// A condition with its values, numbered as they are added.
struct Condition {
    sql: String,
    values: Vec<Owned>,
    now: Timestamp,
    /// The place of the time, once it is among the values.
    now_place: Option<String>,
}

impl Condition {
    /// Of an app's grants, those that the filter lets through.
    fn new(app: AppId, filter: &GrantFilter, now: Timestamp, dialect: &Dialect) -> Self {
        let mut condition = Self { sql: String::new(), values: Vec::new(), now, now_place: None };
        condition.and("g.app = ", app.0.into());
        condition.view(&filter.view);
        condition.status(filter.status);
        condition.kind(filter.kind);
        let subject = format!(" AND g.on_behalf_of{} ->> 'subject' = ", dialect.json);
        let equal = [
            (" AND coalesce(s.slug, c.provider) = ", filter.provider.clone().map(Owned::from)),
            (" AND coalesce(g.credential, g.secret) = ", filter.credential.map(|id| id.0.into())),
            (" AND c.account = ", filter.account.clone().map(Owned::from)),
            (" AND g.label = ", filter.label.clone().map(Owned::from)),
            (&subject, filter.subject.clone().map(Owned::from)),
        ];
        for (sql, value) in equal {
            if let Some(value) = value {
                condition.and(sql, value);
            }
        }
        if let Some(around) = filter.around {
            condition.and(" AND (g.id = ", around.0.into());
            condition.and(" OR g.parent = ", around.0.into());
            condition.sql.push(')');
        }
        condition
    }

    fn and(&mut self, sql: &str, value: Owned) {
        self.sql.push_str(sql);
        let place = self.place(value);
        self.sql.push_str(&place);
    }

    fn place(&mut self, value: Owned) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn now(&mut self) -> String {
        match &self.now_place {
            Some(place) => place.clone(),
            None => {
                let place = self.place(self.now.as_millis().into());
                self.now_place.insert(place).clone()
            }
        }
    }

    fn values(&self) -> Vec<Value<'_>> {
        self.values.iter().map(ToValue::to_value).collect()
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
        self.and("g.on_behalf_of IN (", to_json(&Principal::User(member.person.clone())).into());
        for group in member.groups.iter().flatten() {
            let group = Principal::Group { issuer: member.person.issuer.clone(), group: group.clone() };
            self.and(", ", to_json(&group).into());
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
        match status {
            None => {}
            Some(ShownStatus::Active) => {
                let now = self.now();
                self.sql.push_str(&format!(" AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > {now})"));
            }
            Some(ShownStatus::Expired) => {
                let now = self.now();
                self.sql.push_str(&format!(" AND g.status = 'active' AND g.expires_at <= {now}"));
            }
            Some(ShownStatus::Revoked) => self.sql.push_str(" AND g.status = 'revoked'"),
        }
    }
}

const JOINED: &str = "FROM grants g LEFT JOIN secrets s ON s.id = g.secret LEFT JOIN credentials c ON c.id = g.credential";

/// See [`Store::grants`](crate::store::Store::grants).
pub(in crate::store) fn grants(
    db: &dyn Database,
    app: AppId,
    filter: &GrantFilter,
    page: Page<GrantId>,
    now: Timestamp,
) -> SqlResult<Vec<Grant>> {
    let mut condition = Condition::new(app, filter, now, db.dialect());
    if let Some(after) = page.after {
        condition.and(" AND g.n > (SELECT a.n FROM grants a WHERE a.app = g.app AND a.id = ", after.0.into());
        condition.sql.push(')');
    }
    condition.and(" ORDER BY g.n LIMIT ", i64::from(page.limit.get()).into());
    db.all(&format!("SELECT {COLUMNS} {JOINED} WHERE {}", condition.sql), &condition.values(), from)
}

/// See [`Store::list_grants`](crate::store::Store::list_grants).
pub(super) fn list(
    db: &dyn Database,
    app: AppId,
    filter: &GrantFilter,
    (limit, offset): (u32, u64),
    now: Timestamp,
) -> SqlResult<GrantList> {
    let mut condition = Condition::new(app, filter, now, db.dialect());
    let count = format!("SELECT count(*) {JOINED} WHERE {}", condition.sql);
    let counted = condition.values.len();
    condition.and(" ORDER BY g.n LIMIT ", i64::from(limit).into());
    condition.and(" OFFSET ", i64::try_from(offset).unwrap_or(i64::MAX).into());
    let (array, end) = db.dialect().json_array;
    let agent = format!("d.principal{} ->> 'agent'", db.dialect().json);
    let now = condition.now();
    let part = format!(
        "SELECT {COLUMNS}, {}, {}, (
             SELECT {array}{agent} ORDER BY d.n{end} FROM grants d
             WHERE d.parent = g.id AND d.status = 'active' AND (d.expires_at IS NULL OR d.expires_at > {now}))
         {JOINED} WHERE {}",
        rows::SECRET_COLUMNS,
        credentials::COLUMNS,
        condition.sql
    );
    let mut found = GrantList::default();
    // One snapshot for both, so that the total fits the part.
    db.in_snapshot(&mut || {
        let values = condition.values();
        found.total = db.one(&count, &values[..counted], |columns| columns.get())?;
        found.grants = db.all(&part, &values, listed)?;
        Ok(())
    })?;
    Ok(found)
}

fn listed(columns: &mut Columns<'_>) -> SqlResult<ListedGrant> {
    Ok(ListedGrant {
        grant: from(columns)?,
        secret: columns.maybe(rows::SECRET_WIDTH, rows::secret_from)?,
        credential: columns.maybe(credentials::WIDTH, credentials::from)?,
        delegated_to: columns.json()?,
    })
}

/// See [`Effect::CreateGrant`](crate::store::Effect::CreateGrant).
pub(super) fn create(db: &dyn Database, now: Timestamp, grant: &Grant) -> Applied {
    judge_target(db, grant)?;
    judge_parent(db, now, grant)?;
    judge_label(db, now, grant)?;
    let insert = db.execute(
        "INSERT INTO grants (id, app, secret, credential, principal, on_behalf_of, label, tags, policy, parent, depth, delegable,
                 scope_constraint, status, created_at, expires_at, revoked_at, last_used_at, scope_mismatch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        values![
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
        ],
    );
    inserted(insert, Entity::Grant, Entity::Grant)
}

fn judge_target(db: &dyn Database, grant: &Grant) -> Applied {
    if let Some(secret) = grant.opens.secret() {
        active_secret(db, grant.app, secret)?;
    }
    let Some(credential) = grant.opens.credential() else { return Ok(()) };
    let secret = maybe_bytes(grant.opens.secret().map(|id| id.0));
    let state: Option<String> = db.first(
        "SELECT state FROM credentials WHERE id = ?1 AND app = ?2 AND secret IS NOT DISTINCT FROM ?3",
        values![credential.0.into_bytes(), grant.app.0.into_bytes(), secret],
        |columns| columns.get(),
    )?;
    match state.as_deref() {
        None => Err(Declined::NotFound(Entity::Credential).into()),
        Some("erased") => Err(Declined::CredentialErased.into()),
        Some(_) => Ok(()),
    }
}

fn judge_parent(db: &dyn Database, now: Timestamp, child: &Grant) -> Applied {
    let Some(parent) = child.parent else { return Ok(()) };
    let parent = grant(db, child.app, parent)?.found().ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    match parent.shown_status(now) {
        ShownStatus::Revoked => Err(Declined::GrantRevoked.into()),
        ShownStatus::Expired => Err(Declined::GrantExpired.into()),
        ShownStatus::Active if child.is_within(&parent) => Ok(()),
        ShownStatus::Active => Err(Declined::Widens.into()),
    }
}

fn judge_label(db: &dyn Database, now: Timestamp, grant: &Grant) -> Applied {
    let (Some(label), None) = (&grant.label, grant.parent) else { return Ok(()) };
    let taken = db.exists("SELECT 1 FROM grants g WHERE g.app = ?1 AND g.secret IS NOT DISTINCT FROM ?2 AND g.credential IS NOT DISTINCT FROM ?3 AND g.principal = ?4 AND g.label = ?5
                 AND g.parent IS NULL AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > ?6) AND g.id != ?7", values![
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
    db: &dyn Database,
    now: Timestamp,
    (app, renewed): (AppId, GrantId),
    expires_at: Option<Timestamp>,
    policy: &GrantPolicy,
) -> Applied {
    let before = grant(db, app, renewed)?.found().filter(|grant| !grant.is_delegated());
    let before = before.ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    if before.status == GrantStatus::Revoked {
        return Err(Declined::GrantRevoked.into());
    }
    if !policy.is_within(&before.policy) || !before.policy.is_within(policy) {
        return Err(Declined::Changed(Entity::Grant).into());
    }
    judge_target(db, &before)?;
    judge_label(db, now, &before)?;
    let (id, end) = (renewed.0.into_bytes(), expires_at.map(Timestamp::as_millis));
    db.execute("UPDATE grants SET expires_at = ?2, policy = ?3, scope_mismatch = NULL WHERE id = ?1", values![id, end, to_json(policy)])?;
    db.execute("WITH RECURSIVE below (id) AS (SELECT id FROM grants WHERE parent = ?1 UNION ALL SELECT g.id FROM grants g JOIN below ON g.parent = below.id)
             UPDATE grants SET expires_at = ?2 WHERE id IN (SELECT id FROM below) AND (expires_at IS NULL OR expires_at > ?2) AND ?2 IS NOT NULL", values![id, end])?;
    Ok(())
}

/// See [`Effect::RevokeGrant`](crate::store::Effect::RevokeGrant).
pub(super) fn revoke(db: &dyn Database, now: Timestamp, app: AppId, revoked: GrantId) -> Applied {
    grant(db, app, revoked)?.found().ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    revoke_trees(db, now, &[revoked.0.into_bytes()])
}

/// See [`Effect::NarrowDelegations`](crate::store::Effect::NarrowDelegations).
pub(super) fn narrow_delegations(
    db: &dyn Database,
    (app, credential): (AppId, CredentialId),
    except: Option<GrantId>,
    scopes: &[String],
) -> Applied {
    db.execute(
        "UPDATE grants SET scope_constraint = ?4
         WHERE app = ?1 AND credential = ?2 AND parent IS NOT NULL AND scope_constraint IS NULL AND id IS DISTINCT FROM ?3",
        values![app.0.into_bytes(), credential.0.into_bytes(), maybe_bytes(except.map(|id| id.0)), to_json(&scopes)],
    )?;
    Ok(())
}

/// See [`Effect::RevokeDelegation`](crate::store::Effect::RevokeDelegation).
pub(super) fn revoke_delegation(db: &dyn Database, now: Timestamp, app: AppId, parent: GrantId, agent: AgentId) -> Applied {
    grant(db, app, parent)?.found().ok_or(Stop::Declined(Declined::NotFound(Entity::Grant)))?;
    let children = db.all(
        "SELECT id FROM grants WHERE parent = ?1 AND principal = ?2 AND status = 'active'",
        values![parent.0.into_bytes(), to_json(&Principal::Agent { agent })],
        |columns| columns.get(),
    )?;
    revoke_trees(db, now, &children)
}

/// Revokes everything that an agent holds.
pub(super) fn revoke_held_by(db: &dyn Database, now: Timestamp, app: AppId, agent: AgentId) -> Applied {
    let held = db.all(
        "SELECT id FROM grants WHERE app = ?1 AND principal = ?2 AND status = 'active'",
        values![app.0.into_bytes(), to_json(&Principal::Agent { agent })],
        |columns| columns.get(),
    )?;
    revoke_trees(db, now, &held)
}

/// Revokes grants with all that was delegated from them, then erases the credentials of people that have no live grant left.
fn revoke_trees(db: &dyn Database, now: Timestamp, roots: &[[u8; 16]]) -> Applied {
    let mut opened = Vec::new();
    for root in roots {
        let credentials: Vec<Option<[u8; 16]>> = db.all("WITH RECURSIVE tree (id) AS (SELECT id FROM grants WHERE id = ?1 UNION ALL SELECT g.id FROM grants g JOIN tree ON g.parent = tree.id)
                 UPDATE grants SET status = 'revoked', revoked_at = coalesce(revoked_at, ?2) WHERE id IN (SELECT id FROM tree)
                 RETURNING credential", values![root, now.as_millis()], |columns| columns.get())?;
        approvals::end_for_revoked(db, now, *root)?;
        opened.extend(credentials.into_iter().flatten());
    }
    opened.sort_unstable();
    opened.dedup();
    credentials::erase_unused(db, now, &opened)
}

/// See [`Effect::FlagScopeMismatch`](crate::store::Effect::FlagScopeMismatch).
pub(super) fn flag_mismatch(db: &dyn Database, app: AppId, grant: GrantId, mismatch: &ScopeMismatch) -> Applied {
    let update = db.execute(
        "UPDATE grants SET scope_mismatch = ?3 WHERE id = ?1 AND app = ?2",
        values![grant.0.into_bytes(), app.0.into_bytes(), to_json(mismatch)],
    );
    changed(update, Entity::Grant)
}
