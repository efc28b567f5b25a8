//! Effects: each judged and applied inside the writer's transaction.

use super::columns::to_json;
use super::database::{Database, SqlError, SqlErrorKind, SqlResult};
use super::uses::UseCache;
use super::value::values;
use super::{agents, approvals, credentials, grants, keys, master_keys, policies, registrations, sealed, spans, specs, tickets};
use crate::clock::Timestamp;
use crate::crypto::SealedSecret;
use crate::model::{Actor, App, AppId, AppSettings, ManagedSecret, Operator, OperatorId, SecretId, SecretStatus};
use crate::store::{Declined, Effect, Entity};

/// Why an effect was not applied.
#[derive(Debug)]
pub(super) enum Stop {
    Declined(Declined),
    Failed(SqlError),
}

impl From<Declined> for Stop {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Failed(error)
    }
}

pub(super) type Applied = Result<(), Stop>;

/// Whether the effect only records a use. Such effects are judged before anything is written, so they need no savepoint to go back to.
pub(super) const fn is_use(effect: &Effect) -> bool {
    matches!(effect, Effect::UseKey { .. } | Effect::UseGrant { .. } | Effect::RegisterActor(_))
}

/// Applies one effect.
pub(super) fn apply(db: &dyn Database, uses: &mut UseCache, now: Timestamp, effect: &Effect) -> Applied {
    if !is_use(effect) {
        uses.clear();
    }
    match effect {
        Effect::UseKey { key } => uses.use_key(db, now, *key),
        Effect::UseGrant { grant, judged } => uses.use_grant(db, now, *grant, *judged),
        Effect::RegisterActor(actor) => register_actor(db, actor),
        Effect::FlagScopeMismatch { app, grant, mismatch } => grants::flag_mismatch(db, *app, *grant, mismatch),
        Effect::CreateApp(app) => create_app(db, app),
        Effect::UpdateApp { app, settings } => update_app(db, *app, settings),
        Effect::CreateOperator(operator) => create_operator(db, operator),
        Effect::RevokeOperator { operator } => revoke_operator(db, now, *operator),
        Effect::CreateKey(key) => keys::create(db, key),
        Effect::SetKeyStatus { app, key, status } => keys::set_status(db, now, *app, *key, *status),
        Effect::SupersedeKey { app, key, until } => keys::supersede(db, now, *app, *key, *until),
        Effect::KeepAgentKey { agent, .. } => keys::keep_one(db, *agent),
        Effect::CreateSecret { secret, sealed } => create_secret(db, secret, sealed),
        Effect::UpdateSecret { secret, sealed } => update_secret(db, secret, sealed.as_ref()),
        Effect::DeleteSecret { app, secret } => delete_secret(db, now, *app, *secret),
        Effect::AddMasterKey { version, check } => master_keys::add(db, now, *version, *check),
        Effect::Rewrap(rewraps) => master_keys::rewrap(db, rewraps),
        Effect::KeepMasterKey { version } => master_keys::keep(db, *version),
        Effect::CreateGrant(grant) => grants::create(db, now, grant),
        Effect::RenewGrant { app, grant, expires_at, policy } => grants::renew(db, now, (*app, *grant), *expires_at, policy),
        Effect::RevokeGrant { app, grant } => grants::revoke(db, now, *app, *grant),
        Effect::NarrowDelegations { app, credential, except, scopes } => {
            grants::narrow_delegations(db, (*app, *credential), *except, scopes)
        }
        Effect::RevokeDelegation { app, parent, agent } => grants::revoke_delegation(db, now, *app, *parent, *agent),
        Effect::CreateAgent(agent) => agents::create(db, agent),
        Effect::UpdateAgent(agent) => agents::update(db, agent),
        Effect::SetAgentStatus { app, agent, status } => agents::set_status(db, now, *app, *agent, *status),
        Effect::CreateCredential { credential, sealed } => credentials::create(db, credential, sealed),
        Effect::RenewCredential { renewal, sealed } => credentials::renew(db, now, renewal, sealed),
        Effect::LeaseCredential { app, credential, generation, fence, until } => {
            credentials::lease(db, now, (*app, *credential), *generation, *fence, *until)
        }
        Effect::EndLease { app, credential, fence, ending } => credentials::end_lease(db, now, (*app, *credential), *fence, ending),
        Effect::CreateTicket { ticket, sealed } => tickets::create(db, now, ticket, sealed.as_ref()),
        Effect::UpdateTicket { ticket, sealed } => tickets::update(db, ticket, sealed.as_ref()),
        Effect::DeleteTicket { app, ticket } => tickets::delete(db, *app, *ticket),
        Effect::CreateApproval { approval, sealed } => approvals::create(db, now, approval, sealed),
        Effect::UpdateApproval { approval, sealed } => approvals::update(db, approval, sealed.as_ref()),
        Effect::CreateRegistration { registration, sealed } => registrations::create(db, registration, sealed.as_ref()),
        Effect::UpdateRegistration { registration, sealed } => registrations::update(db, registration, sealed.as_ref()),
        Effect::PutSpec { spec, operations } => specs::put(db, spec, operations),
        Effect::DeleteSpec { app, spec } => specs::delete(db, *app, *spec),
        Effect::CreatePolicy(policy) => policies::create(db, policy),
        Effect::UpdatePolicy(policy) => policies::update(db, policy),
        Effect::DeletePolicy { app, policy } => policies::delete(db, *app, *policy),
        Effect::CountCall(count) => policies::count(db, now, count),
        Effect::KeepSpans { spans, .. } => spans::keep(db, now, spans),
        Effect::DeleteRegistration { app, registration } => registrations::delete(db, *app, *registration),
    }
}

/// Turns a broken constraint of an insert into what it means.
pub(super) fn inserted(result: SqlResult<u64>, entity: Entity, owner: Entity) -> Applied {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.kind == SqlErrorKind::Duplicate => Err(Declined::Exists(entity).into()),
        Err(error) if error.kind == SqlErrorKind::Dangling => Err(Declined::NotFound(owner).into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn changed(result: SqlResult<u64>, entity: Entity) -> Applied {
    if result? == 0 { Err(Declined::NotFound(entity).into()) } else { Ok(()) }
}

fn register_actor(db: &dyn Database, actor: &Actor) -> Applied {
    db.execute(
        "INSERT INTO actors (id, app, caller_type, caller, first_seen_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        values![
            actor.id.0.into_bytes(),
            actor.app.0.into_bytes(),
            actor.caller_type.as_str(),
            actor.caller,
            actor.first_seen_at.as_millis()
        ],
    )?;
    Ok(())
}

fn create_app(db: &dyn Database, app: &App) -> Applied {
    let insert = db.execute(
        "INSERT INTO apps (id, name, settings, created_at) VALUES (?1, ?2, ?3, ?4)",
        values![app.id.0.into_bytes(), app.name, to_json(&app.settings), app.created_at.as_millis()],
    );
    inserted(insert, Entity::App, Entity::App)
}

fn update_app(db: &dyn Database, app: AppId, settings: &AppSettings) -> Applied {
    let update = db.execute("UPDATE apps SET settings = ?2 WHERE id = ?1", values![app.0.into_bytes(), to_json(settings)]);
    changed(update, Entity::App)
}

fn create_operator(db: &dyn Database, operator: &Operator) -> Applied {
    let insert = db.execute(
        "INSERT INTO operators (id, name, role, digest, prefix, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        values![
            operator.id.0.into_bytes(),
            operator.name,
            operator.role.as_str(),
            operator.digest.0,
            operator.prefix,
            operator.created_at.as_millis(),
            operator.revoked_at.map(Timestamp::as_millis),
        ],
    );
    inserted(insert, Entity::Operator, Entity::Operator)
}

fn revoke_operator(db: &dyn Database, now: Timestamp, operator: OperatorId) -> Applied {
    let update = db.execute(
        "UPDATE operators SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
        values![operator.0.into_bytes(), now.as_millis()],
    );
    changed(update, Entity::Operator)
}

fn create_secret(db: &dyn Database, secret: &ManagedSecret, values: &SealedSecret) -> Applied {
    sealed::store(db, values)?;
    let insert = db.execute("INSERT INTO secrets (id, app, slug, name, kind, version, allowed_hosts, injection, parameters, status, data_key, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12)", values![
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
pub(super) fn active_secret(db: &dyn Database, app: AppId, secret: SecretId) -> Result<(u32, [u8; 16]), Stop> {
    let found: Option<(u32, Option<[u8; 16]>)> = db.first(
        "SELECT version, data_key FROM secrets WHERE id = ?1 AND app = ?2",
        values![secret.0.into_bytes(), app.0.into_bytes()],
        |columns| Ok((columns.get()?, columns.get()?)),
    )?;
    match found {
        None => Err(Declined::NotFound(Entity::Secret).into()),
        Some((_, None)) => Err(Declined::SecretDeleted.into()),
        Some((version, Some(data_key))) => Ok((version, data_key)),
    }
}

fn update_secret(db: &dyn Database, secret: &ManagedSecret, values: Option<&SealedSecret>) -> Applied {
    let (version, old_key) = active_secret(db, secret.app, secret.id)?;
    if secret.version != version + 1 {
        return Err(Declined::SecretChanged.into());
    }
    if let Some(values) = values {
        sealed::store(db, values)?;
    }
    let update = db.execute(
        "UPDATE secrets SET slug = ?2, name = ?3, kind = ?4, version = ?5, allowed_hosts = ?6, injection = ?7, parameters = ?8,
                 data_key = ?9, updated_at = ?10 WHERE id = ?1",
        values![
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
        ],
    );
    inserted(update, Entity::Secret, Entity::App)?;
    if values.is_some() {
        sealed::erase(db, old_key)?;
    }
    Ok(())
}

fn delete_secret(db: &dyn Database, now: Timestamp, app: AppId, secret: SecretId) -> Applied {
    let (_, data_key) = active_secret(db, app, secret)?;
    db.execute(
        "UPDATE secrets SET status = ?2, data_key = NULL, version = version + 1, updated_at = ?3 WHERE id = ?1",
        values![secret.0.into_bytes(), SecretStatus::Deleted.as_str(), now.as_millis()],
    )?;
    sealed::erase(db, data_key)?;
    Ok(())
}
