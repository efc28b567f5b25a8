//! Effects: each judged and applied inside the writer's transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{is_dangling, is_duplicate, maybe_bytes, to_json};
use super::rows::KEY_KINDS;
use super::uses::UseCache;
use super::{agents, credentials, grants, master_keys, registrations, sealed, tickets};
use crate::clock::Timestamp;
use crate::crypto::SealedSecret;
use crate::model::{Actor, ApiKey, App, AppId, AppSettings, KeyId, KeyStatus, ManagedSecret, Operator, OperatorId, SecretId, SecretStatus};
use crate::store::{Declined, Effect, Entity};

/// Why an effect was not applied.
#[derive(Debug)]
pub(super) enum Stop {
    Declined(Declined),
    Failed(rusqlite::Error),
}

impl From<Declined> for Stop {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) type Applied = Result<(), Stop>;

/// Whether the effect only records a use. Such effects are judged before anything is written, so they need no savepoint to go back to.
pub(super) const fn is_use(effect: &Effect) -> bool {
    matches!(effect, Effect::UseKey { .. } | Effect::UseGrant { .. } | Effect::RegisterActor(_))
}

/// Applies one effect.
pub(super) fn apply(connection: &Connection, uses: &mut UseCache, now: Timestamp, effect: &Effect) -> Applied {
    if !is_use(effect) {
        uses.clear();
    }
    match effect {
        Effect::UseKey { key } => uses.use_key(connection, now, *key),
        Effect::UseGrant { grant, judged } => uses.use_grant(connection, now, *grant, *judged),
        Effect::RegisterActor(actor) => register_actor(connection, actor),
        Effect::FlagScopeMismatch { app, grant, mismatch } => grants::flag_mismatch(connection, *app, *grant, mismatch),
        Effect::CreateApp(app) => create_app(connection, app),
        Effect::UpdateApp { app, settings } => update_app(connection, *app, settings),
        Effect::CreateOperator(operator) => create_operator(connection, operator),
        Effect::RevokeOperator { operator } => revoke_operator(connection, now, *operator),
        Effect::CreateKey(key) => create_key(connection, key),
        Effect::SetKeyStatus { app, key, status } => set_key_status(connection, *app, *key, *status),
        Effect::CreateSecret { secret, sealed } => create_secret(connection, secret, sealed),
        Effect::UpdateSecret { secret, sealed } => update_secret(connection, secret, sealed.as_ref()),
        Effect::DeleteSecret { app, secret } => delete_secret(connection, now, *app, *secret),
        Effect::AddMasterKey { version, check } => master_keys::add(connection, now, *version, *check),
        Effect::Rewrap(rewraps) => master_keys::rewrap(connection, rewraps),
        Effect::KeepMasterKey { version } => master_keys::keep(connection, *version),
        Effect::CreateGrant(grant) => grants::create(connection, now, grant),
        Effect::RenewGrant { app, grant, expires_at, policy } => grants::renew(connection, now, (*app, *grant), *expires_at, policy),
        Effect::RevokeGrant { app, grant } => grants::revoke(connection, now, *app, *grant),
        Effect::RevokeDelegation { app, parent, agent } => grants::revoke_delegation(connection, now, *app, *parent, *agent),
        Effect::CreateAgent(agent) => agents::create(connection, agent),
        Effect::SetAgentStatus { app, agent, status } => agents::set_status(connection, now, *app, *agent, *status),
        Effect::CreateCredential { credential, sealed } => credentials::create(connection, credential, sealed),
        Effect::RenewCredential { renewal, sealed } => credentials::renew(connection, now, renewal, sealed),
        Effect::LeaseCredential { app, credential, generation, fence, until } => {
            credentials::lease(connection, now, (*app, *credential), *generation, *fence, *until)
        }
        Effect::EndLease { app, credential, fence, ending } => credentials::end_lease(connection, now, (*app, *credential), *fence, ending),
        Effect::CreateTicket { ticket, sealed } => tickets::create(connection, now, ticket, sealed.as_ref()),
        Effect::UpdateTicket { ticket, sealed } => tickets::update(connection, ticket, sealed.as_ref()),
        Effect::DeleteTicket { app, ticket } => tickets::delete(connection, *app, *ticket),
        Effect::CreateRegistration { registration, sealed } => registrations::create(connection, registration, sealed.as_ref()),
        Effect::UpdateRegistration { registration, sealed } => registrations::update(connection, registration, sealed.as_ref()),
        Effect::DeleteRegistration { app, registration } => registrations::delete(connection, *app, *registration),
    }
}

/// Turns a broken constraint of an insert into what it means.
pub(super) fn inserted(result: rusqlite::Result<usize>, entity: Entity, owner: Entity) -> Applied {
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => Err(Declined::Exists(entity).into()),
        Err(error) if is_dangling(&error) => Err(Declined::NotFound(owner).into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn changed(result: rusqlite::Result<usize>, entity: Entity) -> Applied {
    if result? == 0 { Err(Declined::NotFound(entity).into()) } else { Ok(()) }
}

fn register_actor(connection: &Connection, actor: &Actor) -> Applied {
    connection
        .prepare_cached(
            "INSERT INTO actors (id, app, caller_type, caller, first_seen_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            actor.id.0.into_bytes(),
            actor.app.0.into_bytes(),
            actor.caller_type.as_str(),
            actor.caller,
            actor.first_seen_at.as_millis()
        ])?;
    Ok(())
}

fn create_app(connection: &Connection, app: &App) -> Applied {
    let insert = connection.prepare_cached("INSERT INTO apps (id, name, settings, created_at) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        app.id.0.into_bytes(),
        app.name,
        to_json(&app.settings),
        app.created_at.as_millis()
    ]);
    inserted(insert, Entity::App, Entity::App)
}

fn update_app(connection: &Connection, app: AppId, settings: &AppSettings) -> Applied {
    let update =
        connection.prepare_cached("UPDATE apps SET settings = ?2 WHERE id = ?1")?.execute(params![app.0.into_bytes(), to_json(settings)]);
    changed(update, Entity::App)
}

fn create_operator(connection: &Connection, operator: &Operator) -> Applied {
    let insert = connection
        .prepare_cached(
            "INSERT INTO operators (id, name, role, digest, prefix, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            operator.id.0.into_bytes(),
            operator.name,
            operator.role.as_str(),
            operator.digest.0,
            operator.prefix,
            operator.created_at.as_millis(),
            operator.revoked_at.map(Timestamp::as_millis),
        ]);
    inserted(insert, Entity::Operator, Entity::Operator)
}

fn revoke_operator(connection: &Connection, now: Timestamp, operator: OperatorId) -> Applied {
    let update = connection
        .prepare_cached("UPDATE operators SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1")?
        .execute(params![operator.0.into_bytes(), now.as_millis()]);
    changed(update, Entity::Operator)
}

fn create_key(connection: &Connection, key: &ApiKey) -> Applied {
    let kind = KEY_KINDS.iter().find(|(kind, _)| *kind == key.kind).expect("the table has every kind").1;
    let insert = connection
        .prepare_cached(
            "INSERT INTO api_keys (id, app, kind, agent, name, digest, prefix, scopes, status, created_at, expires_at, last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            key.id.0.into_bytes(),
            key.app.0.into_bytes(),
            kind,
            maybe_bytes(key.agent.map(|agent| agent.0)),
            key.name,
            key.digest.0,
            key.prefix,
            to_json(&key.scopes),
            key.status.as_str(),
            key.created_at.as_millis(),
            key.expires_at.map(Timestamp::as_millis),
            key.last_used_at.map(Timestamp::as_millis),
        ]);
    inserted(insert, Entity::Key, Entity::App)
}

fn set_key_status(connection: &Connection, app: AppId, key: KeyId, status: KeyStatus) -> Applied {
    let now: Option<String> = connection
        .prepare_cached("SELECT status FROM api_keys WHERE id = ?1 AND app = ?2")?
        .query_row(params![key.0.into_bytes(), app.0.into_bytes()], |row| row.get(0))
        .optional()?;
    let now = now.ok_or(Declined::NotFound(Entity::Key))?;
    if now == KeyStatus::Revoked.as_str() && status != KeyStatus::Revoked {
        return Err(Declined::Final(Entity::Key).into());
    }
    connection.prepare_cached("UPDATE api_keys SET status = ?2 WHERE id = ?1")?.execute(params![key.0.into_bytes(), status.as_str()])?;
    Ok(())
}

fn create_secret(connection: &Connection, secret: &ManagedSecret, values: &SealedSecret) -> Applied {
    sealed::store(connection, values)?;
    let insert = connection
        .prepare_cached(
            "INSERT INTO secrets (id, app, slug, name, kind, version, allowed_hosts, injection, parameters, status, data_key, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            secret.id.0.into_bytes(),
            secret.app.0.into_bytes(),
            secret.slug,
            secret.name,
            secret.kind.as_str(),
            to_json(&secret.allowed_hosts),
            to_json(&secret.injection),
            to_json(&secret.parameters),
            SecretStatus::Active.as_str(),
            values.data_key.0.into_bytes(),
            secret.created_at.as_millis(),
            secret.updated_at.as_millis(),
        ]);
    inserted(insert, Entity::Secret, Entity::App)
}

/// Version and data key of an active secret of the app.
pub(super) fn active_secret(connection: &Connection, app: AppId, secret: SecretId) -> Result<(u32, [u8; 16]), Stop> {
    let found: Option<(u32, Option<[u8; 16]>)> = connection
        .prepare_cached("SELECT version, data_key FROM secrets WHERE id = ?1 AND app = ?2")?
        .query_row(params![secret.0.into_bytes(), app.0.into_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        None => Err(Declined::NotFound(Entity::Secret).into()),
        Some((_, None)) => Err(Declined::SecretDeleted.into()),
        Some((version, Some(data_key))) => Ok((version, data_key)),
    }
}

fn update_secret(connection: &Connection, secret: &ManagedSecret, values: Option<&SealedSecret>) -> Applied {
    let (version, old_key) = active_secret(connection, secret.app, secret.id)?;
    if secret.version != version + 1 {
        return Err(Declined::SecretChanged.into());
    }
    if let Some(values) = values {
        sealed::store(connection, values)?;
    }
    let update = connection
        .prepare_cached(
            "UPDATE secrets SET slug = ?2, name = ?3, kind = ?4, version = ?5, allowed_hosts = ?6, injection = ?7, parameters = ?8,
                 data_key = ?9, updated_at = ?10 WHERE id = ?1",
        )?
        .execute(params![
            secret.id.0.into_bytes(),
            secret.slug,
            secret.name,
            secret.kind.as_str(),
            secret.version,
            to_json(&secret.allowed_hosts),
            to_json(&secret.injection),
            to_json(&secret.parameters),
            values.map_or(old_key, |values| values.data_key.0.into_bytes()),
            secret.updated_at.as_millis(),
        ]);
    inserted(update, Entity::Secret, Entity::App)?;
    if values.is_some() {
        sealed::erase(connection, old_key)?;
    }
    Ok(())
}

fn delete_secret(connection: &Connection, now: Timestamp, app: AppId, secret: SecretId) -> Applied {
    let (_, data_key) = active_secret(connection, app, secret)?;
    connection
        .prepare_cached("UPDATE secrets SET status = ?2, data_key = NULL, version = version + 1, updated_at = ?3 WHERE id = ?1")?
        .execute(params![secret.0.into_bytes(), SecretStatus::Deleted.as_str(), now.as_millis()])?;
    sealed::erase(connection, data_key)?;
    Ok(())
}
