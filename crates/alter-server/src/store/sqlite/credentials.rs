//! Credentials: reading, and the effects that make, renew, lease and erase them.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::columns::{Columns, to_json};
use super::effects::{Applied, Stop, changed, inserted};
use super::rows::{blob, owned};
use super::sealed;
use crate::clock::Timestamp;
use crate::crypto::SealedSecret;
use crate::model::{Account, AppId, Credential, CredentialId, CredentialKind, CredentialState, Lease, SecretId};
use crate::store::{CredentialFilter, Declined, Entity, LeaseEnding, Lookup, Renewal, StoredCredential};

pub(super) const COLUMNS: &str = "c.id, c.app, c.kind, c.provider, c.secret, c.owner, c.label, c.account, c.account_name, c.scopes, \
     c.generation, c.access_expires_at, c.refreshable, c.state, c.dead_cause, c.fence, c.lease_until, c.unanswered, c.created_at, \
     c.updated_at";

/// How many columns [`COLUMNS`] names.
pub(super) const WIDTH: usize = 20;

pub(super) fn from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Credential> {
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

fn account_from(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Option<Account>> {
    let (identifier, display_name) = (columns.get::<Option<String>>()?, columns.get()?);
    Ok(identifier.map(|identifier| Account { identifier, display_name }))
}

/// See [`Store::credential`](crate::store::Store::credential).
pub(super) fn credential(connection: &Connection, app: AppId, credential: CredentialId) -> rusqlite::Result<Lookup<StoredCredential>> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM credentials c LEFT JOIN data_keys k ON k.id = c.data_key LEFT JOIN sealed_fields f ON f.data_key = k.id
         WHERE c.id = ?1",
        sealed::COLUMNS
    );
    let mut select = connection.prepare_cached(&sql)?;
    let found = sealed::collect(&mut select.query([credential.0.into_bytes()])?, from)?;
    let found = found.map(|(credential, sealed)| StoredCredential { credential, sealed });
    Ok(owned(found, app, |found| found.credential.app))
}

/// See [`Store::credentials`](crate::store::Store::credentials).
pub(super) fn credentials(connection: &Connection, app: AppId, filter: &CredentialFilter) -> rusqlite::Result<Vec<Credential>> {
    let mut sql = format!("SELECT {COLUMNS} FROM credentials c WHERE c.app = ? AND c.state <> 'erased'");
    let mut values = vec![blob(app.0)];
    if let Some(provider) = &filter.provider {
        sql.push_str(" AND c.provider = ?");
        values.push(provider.clone().into());
    }
    if let Some(secret) = filter.secret {
        sql.push_str(" AND c.secret = ?");
        values.push(blob(secret.0));
    }
    if let Some(owner) = &filter.owner {
        sql.push_str(" AND c.owner = ?");
        values.push(to_json(owner).into());
    }
    sql.push_str(" ORDER BY c.n");
    connection.prepare_cached(&sql)?.query_map(params_from_iter(values), |row| from(&mut Columns::new(row)))?.collect()
}

/// See [`Effect::CreateCredential`](crate::store::Effect::CreateCredential).
pub(super) fn create(connection: &Connection, credential: &Credential, values: &SealedSecret) -> Applied {
    if let Some(secret) = credential.secret {
        super::effects::active_secret(connection, credential.app, secret)?;
    }
    sealed::store(connection, values)?;
    let account = credential.account.as_ref();
    let insert = connection
        .prepare_cached(
            "INSERT INTO credentials (id, app, kind, provider, secret, owner, label, account, account_name, scopes, generation,
                 access_expires_at, refreshable, state, fence, unanswered, data_key, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?12, 'live', 0, 0, ?13, ?14, ?15)",
        )?
        .execute(params![
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
        ]);
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

fn standing(connection: &Connection, app: AppId, credential: CredentialId) -> Result<Standing, Stop> {
    connection
        .prepare_cached("SELECT generation, state, fence, lease_until, data_key FROM credentials WHERE id = ?1 AND app = ?2")?
        .query_row(params![credential.0.into_bytes(), app.0.into_bytes()], |row| {
            let mut columns = Columns::new(row);
            Ok(Standing {
                generation: columns.get()?,
                state: columns.word(CredentialState::parse)?,
                fence: columns.get()?,
                lease_until: columns.get()?,
                data_key: columns.get()?,
            })
        })
        .optional()?
        .ok_or(Stop::Declined(Declined::NotFound(Entity::Credential)))
}

/// See [`Effect::RenewCredential`](crate::store::Effect::RenewCredential).
pub(super) fn renew(connection: &Connection, now: Timestamp, renewal: &Renewal, values: &SealedSecret) -> Applied {
    let found = standing(connection, renewal.app, renewal.credential)?;
    match (renewal.fence, found.state) {
        (_, CredentialState::Erased) => return Err(Declined::CredentialErased.into()),
        (Some(fence), _) if fence != found.fence => return Err(Declined::LeaseLost.into()),
        (Some(_), CredentialState::Dead) => return Err(Declined::CredentialDead.into()),
        _ if found.generation != renewal.from_generation => return Err(Declined::Changed(Entity::Credential).into()),
        _ => {}
    }
    sealed::store(connection, values)?;
    let account = renewal.account.as_ref();
    // One fence further: whatever an exchange that is still under way brings, it is for the tokens before these.
    let update = connection
        .prepare_cached(
            "UPDATE credentials SET generation = generation + 1, access_expires_at = ?2, refreshable = ?3, scopes = coalesce(?4, scopes),
                 account = coalesce(?5, account), account_name = CASE WHEN ?5 IS NULL THEN account_name ELSE ?6 END, state = 'live',
                 dead_cause = NULL, fence = fence + 1, lease_until = NULL, unanswered = 0, data_key = ?7, updated_at = ?8
             WHERE id = ?1",
        )?
        .execute(params![
            renewal.credential.0.into_bytes(),
            renewal.access_expires_at.map(Timestamp::as_millis),
            renewal.refreshable,
            renewal.scopes.as_ref().map(to_json),
            account.map(|account| &account.identifier),
            account.and_then(|account| account.display_name.as_ref()),
            values.data_key.0.into_bytes(),
            now.as_millis(),
        ]);
    changed(update, Entity::Credential)?;
    if let Some(old) = found.data_key {
        sealed::erase(connection, old)?;
    }
    Ok(())
}

/// See [`Effect::LeaseCredential`](crate::store::Effect::LeaseCredential).
pub(super) fn lease(
    connection: &Connection,
    now: Timestamp,
    (app, credential): (AppId, CredentialId),
    generation: u32,
    fence: u32,
    until: Timestamp,
) -> Applied {
    let found = standing(connection, app, credential)?;
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
    let update = connection
        .prepare_cached("UPDATE credentials SET fence = ?2, lease_until = ?3, unanswered = unanswered + 1 WHERE id = ?1")?
        .execute(params![credential.0.into_bytes(), fence, until.as_millis()]);
    changed(update, Entity::Credential)
}

/// See [`Effect::EndLease`](crate::store::Effect::EndLease).
pub(super) fn end_lease(
    connection: &Connection,
    now: Timestamp,
    (app, credential): (AppId, CredentialId),
    fence: u32,
    ending: &LeaseEnding,
) -> Applied {
    let found = standing(connection, app, credential)?;
    if found.fence != fence {
        return Err(Declined::LeaseLost.into());
    }
    let id = credential.0.into_bytes();
    let update = match ending {
        LeaseEnding::Answered => connection
            .prepare_cached("UPDATE credentials SET lease_until = NULL, unanswered = max(unanswered - 1, 0) WHERE id = ?1")?
            .execute([id]),
        LeaseEnding::Lost => connection.prepare_cached("UPDATE credentials SET lease_until = NULL WHERE id = ?1")?.execute([id]),
        LeaseEnding::Dead { cause } => connection
            .prepare_cached(
                "UPDATE credentials SET lease_until = NULL, unanswered = 0, state = 'dead', dead_cause = ?2, updated_at = ?3
                 WHERE id = ?1 AND state = 'live'",
            )?
            .execute(params![id, cause, now.as_millis()]),
    };
    changed(update, Entity::Credential)
}

/// Erases those of the credentials that belong to people and have no live grant left.
pub(super) fn erase_unused(connection: &Connection, now: Timestamp, credentials: &[[u8; 16]]) -> Applied {
    for credential in credentials {
        let data_key: Option<[u8; 16]> = connection
            .prepare_cached(
                "SELECT c.data_key FROM credentials c WHERE c.id = ?1 AND c.kind <> 'developer' AND c.state <> 'erased' AND NOT EXISTS (
                     SELECT 1 FROM grants g WHERE g.credential = c.id AND g.status = 'active' AND (g.expires_at IS NULL OR g.expires_at > ?2))",
            )?
            .query_row(params![credential, now.as_millis()], |row| row.get(0))
            .optional()?;
        let Some(data_key) = data_key else { continue };
        connection
            .prepare_cached(
                "UPDATE credentials SET state = 'erased', dead_cause = NULL, data_key = NULL, lease_until = NULL, fence = fence + 1,
                     generation = generation + 1, updated_at = ?2
                 WHERE id = ?1",
            )?
            .execute(params![credential, now.as_millis()])?;
        sealed::erase(connection, data_key)?;
    }
    Ok(())
}
