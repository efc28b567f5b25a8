//! Credentials: reading, and the effects that make, renew, lease and erase them.

use super::columns::{Columns, to_json};
use super::database::{Database, SqlResult};
use super::effects::{Applied, Stop, changed, inserted};
use super::rows::owned;
use super::sealed;
use super::value::{Owned, ToValue, values};
use crate::clock::Timestamp;
use crate::crypto::SealedSecret;
use crate::model::{Account, AppId, Credential, CredentialId, CredentialKind, CredentialState, Lease, SecretId};
use crate::store::{CredentialFilter, Declined, Entity, LeaseEnding, Lookup, Renewal, StoredCredential};

pub(super) const COLUMNS: &str = "c.id, c.app, c.kind, c.provider, c.secret, c.owner, c.label, c.account, c.account_name, c.scopes, \
     c.generation, c.access_expires_at, c.refreshable, c.state, c.dead_cause, c.fence, c.lease_until, c.unanswered, c.created_at, \
     c.updated_at";

/// How many columns [`COLUMNS`] names.
pub(super) const WIDTH: usize = 20;

pub(super) fn from(columns: &mut Columns<'_>) -> SqlResult<Credential> {
    Ok(Credential {
        id: columns.id(CredentialId)?,
        app: columns.id(AppId)?,
        kind: columns.word(CredentialKind::parse)?,
        provider: columns.get()?,
        secret: columns.maybe_id(SecretId)?,
        owner: columns.json()?,
        label: columns.get()?,
        account: account_from(columns)?,
        scopes: columns.json()?,
        generation: columns.get()?,
        access_expires_at: columns.maybe_time()?,
        refreshable: columns.get()?,
        state: columns.word(CredentialState::parse)?,
        dead_cause: columns.get()?,
        lease: Lease { fence: columns.get()?, until: columns.maybe_time()?, unanswered: columns.get()? },
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

fn account_from(columns: &mut Columns<'_>) -> SqlResult<Option<Account>> {
    let (identifier, display_name) = (columns.get::<Option<String>>()?, columns.get()?);
    Ok(identifier.map(|identifier| Account { identifier, display_name }))
}

/// See [`Store::credential`](crate::store::Store::credential).
pub(super) fn credential(db: &dyn Database, app: AppId, credential: CredentialId) -> SqlResult<Lookup<StoredCredential>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM credentials c LEFT JOIN data_keys k ON k.id = c.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE c.id = ?1",
        sealed::COLUMNS
    );
    let found = sealed::collect(db, &sql, values![credential.0.into_bytes()], from)?;
    let found = found.map(|(credential, sealed)| StoredCredential { credential, sealed });
    Ok(owned(found, app, |found| found.credential.app))
}

/// See [`Store::credentials`](crate::store::Store::credentials).
pub(super) fn credentials(db: &dyn Database, app: AppId, filter: &CredentialFilter) -> SqlResult<Vec<Credential>> {
    let mut sql = format!("SELECT {COLUMNS} FROM credentials c WHERE c.app = ?1 AND c.state <> 'erased'");
    let mut values = vec![Owned::from(app.0)];
    let equal = [
        ("provider", filter.provider.clone().map(Owned::from)),
        ("secret", filter.secret.map(|id| Owned::from(id.0))),
        ("owner", filter.owner.as_ref().map(|owner| Owned::from(to_json(owner)))),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND c.{column} = ?{}", values.len()));
        }
    }
    sql.push_str(" ORDER BY c.n");
    let values: Vec<_> = values.iter().map(ToValue::to_value).collect();
    db.all(&sql, &values, from)
}

/// See [`Effect::CreateCredential`](crate::store::Effect::CreateCredential).
pub(super) fn create(db: &dyn Database, credential: &Credential, values: &SealedSecret) -> Applied {
    if let Some(secret) = credential.secret {
        super::effects::active_secret(db, credential.app, secret)?;
    }
    sealed::store(db, values)?;
    let account = credential.account.as_ref();
    let insert = db.execute(
        "INSERT INTO credentials (id, app, kind, provider, secret, owner, label, account, account_name, scopes, generation,
                 access_expires_at, refreshable, state, fence, unanswered, data_key, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?12, 'live', 0, 0, ?13, ?14, ?15)",
        values![
            credential.id.0.into_bytes(),
            credential.app.0.into_bytes(),
            credential.kind.as_str(),
            credential.provider,
            credential.secret.map(|id| id.0.into_bytes()),
            to_json(&credential.owner),
            credential.label,
            account.map(|account| &account.identifier),
            account.and_then(|account| account.display_name.as_ref()),
            to_json(&credential.scopes),
            credential.access_expires_at.map(Timestamp::as_millis),
            credential.refreshable,
            values.data_key.0.into_bytes(),
            credential.created_at.as_millis(),
            credential.updated_at.as_millis(),
        ],
    );
    inserted(insert, Entity::Credential, Entity::App)
}

/// What the effects on a credential judge by.
struct Standing {
    generation: u32,
    state: CredentialState,
    fence: u32,
    lease_until: Option<i64>,
    data_key: Option<[u8; 16]>,
}

fn standing(db: &dyn Database, app: AppId, credential: CredentialId) -> Result<Standing, Stop> {
    db.first(
        "SELECT generation, state, fence, lease_until, data_key FROM credentials WHERE id = ?1 AND app = ?2",
        values![credential.0.into_bytes(), app.0.into_bytes()],
        |columns| {
            Ok(Standing {
                generation: columns.get()?,
                state: columns.word(CredentialState::parse)?,
                fence: columns.get()?,
                lease_until: columns.get()?,
                data_key: columns.get()?,
            })
        },
    )?
    .ok_or(Stop::Declined(Declined::NotFound(Entity::Credential)))
}

/// See [`Effect::RenewCredential`](crate::store::Effect::RenewCredential).
pub(super) fn renew(db: &dyn Database, now: Timestamp, renewal: &Renewal, values: &SealedSecret) -> Applied {
    let found = standing(db, renewal.app, renewal.credential)?;
    match (renewal.fence, found.state) {
        (_, CredentialState::Erased) => return Err(Declined::CredentialErased.into()),
        (Some(fence), _) if fence != found.fence => return Err(Declined::LeaseLost.into()),
        (Some(_), CredentialState::Dead) => return Err(Declined::CredentialDead.into()),
        _ if found.generation != renewal.from_generation => return Err(Declined::Changed(Entity::Credential).into()),
        _ => {}
    }
    sealed::store(db, values)?;
    let account = renewal.account.as_ref();
    // One fence further: whatever an exchange that is still under way brings, it is for the tokens before these.
    let update = db.execute(
        "UPDATE credentials SET generation = generation + 1, access_expires_at = ?2, refreshable = ?3, scopes = coalesce(?4, scopes),
                 account = coalesce(?5, account), account_name = CASE WHEN ?5 IS NULL THEN account_name ELSE ?6 END, state = 'live',
                 dead_cause = NULL, fence = fence + 1, lease_until = NULL, unanswered = 0, data_key = ?7, updated_at = ?8
             WHERE id = ?1",
        values![
            renewal.credential.0.into_bytes(),
            renewal.access_expires_at.map(Timestamp::as_millis),
            renewal.refreshable,
            renewal.scopes.as_ref().map(to_json),
            account.map(|account| &account.identifier),
            account.and_then(|account| account.display_name.as_ref()),
            values.data_key.0.into_bytes(),
            now.as_millis(),
        ],
    );
    changed(update, Entity::Credential)?;
    if let Some(old) = found.data_key {
        sealed::erase(db, old)?;
    }
    Ok(())
}

/// See [`Effect::LeaseCredential`](crate::store::Effect::LeaseCredential).
pub(super) fn lease(
    db: &dyn Database,
    now: Timestamp,
    (app, credential): (AppId, CredentialId),
    generation: u32,
    fence: u32,
    until: Timestamp,
) -> Applied {
    let found = standing(db, app, credential)?;
    match found.state {
        CredentialState::Erased => return Err(Declined::CredentialErased.into()),
        CredentialState::Dead => return Err(Declined::CredentialDead.into()),
        CredentialState::Live => {}
    }
    if found.generation != generation {
        return Err(Declined::Changed(Entity::Credential).into());
    }
    if found.lease_until.is_some_and(|end| end > now.as_millis()) || found.fence.checked_add(1) != Some(fence) {
        return Err(Declined::LeaseHeld.into());
    }
    let update = db.execute(
        "UPDATE credentials SET fence = ?2, lease_until = ?3, unanswered = unanswered + 1 WHERE id = ?1",
        values![credential.0.into_bytes(), fence, until.as_millis()],
    );
    changed(update, Entity::Credential)
}

/// See [`Effect::EndLease`](crate::store::Effect::EndLease).
pub(super) fn end_lease(
    db: &dyn Database,
    now: Timestamp,
    (app, credential): (AppId, CredentialId),
    fence: u32,
    ending: &LeaseEnding,
) -> Applied {
    let found = standing(db, app, credential)?;
    if found.fence != fence {
        return Err(Declined::LeaseLost.into());
    }
    let id = credential.0.into_bytes();
    let update = match ending {
        LeaseEnding::Answered => db.execute(
            "UPDATE credentials SET lease_until = NULL, unanswered = CASE WHEN unanswered > 0 THEN unanswered - 1 ELSE 0 END WHERE id = ?1",
            values![id],
        ),
        LeaseEnding::Lost => db.execute("UPDATE credentials SET lease_until = NULL WHERE id = ?1", values![id]),
        LeaseEnding::Dead { cause } => db.execute(
            "UPDATE credentials SET lease_until = NULL, unanswered = 0, state = 'dead', dead_cause = ?2, updated_at = ?3
                 WHERE id = ?1 AND state = 'live'",
            values![id, cause, now.as_millis()],
        ),
    };
    changed(update, Entity::Credential)
}

/// Erases those of the credentials that belong to people and have no live grant left.
pub(super) fn erase_unused(db: &dyn Database, now: Timestamp, credentials: &[[u8; 16]]) -> Applied {
    for credential in credentials {
        let data_key: Option<[u8; 16]> = db.first("SELECT c.data_key FROM credentials c WHERE c.id = ?1 AND c.kind <> 'developer' AND c.state <> 'erased' AND NOT EXISTS (
                     SELECT 1 FROM grants g WHERE g.credential = c.id AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > ?2))", values![credential, now.as_millis()], |columns| columns.get())?;
        let Some(data_key) = data_key else { continue };
        db.execute(
            "UPDATE credentials SET state = 'erased', dead_cause = NULL, data_key = NULL, lease_until = NULL, fence = fence + 1,
                     generation = generation + 1, updated_at = ?2
                 WHERE id = ?1",
            values![credential, now.as_millis()],
        )?;
        sealed::erase(db, data_key)?;
    }
    Ok(())
}
