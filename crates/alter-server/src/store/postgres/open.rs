//! Opening a vault in a database: connection, lock, schema, keys, in the order in which a mistake does least harm.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PostgresOptions;
use super::schema::{self, Found};
use super::session::PostgresSession;
use super::target::Target;
use crate::audit::AuditKey;
use crate::crypto::{KeyError, MasterKeys, Unlocked, unlock};
use crate::store::sql::database::{Database, Session, SqlError, SqlErrorKind};
use crate::store::sql::master_keys::{store_keys, stored_keys};
use crate::store::sql::{Parts, SqlStore};
use crate::store::{Access, OpenError, Opened, folder};

/// Opens the vault in a database: connects, brings its schema forward, unlocks its keys and starts its threads.
///
/// Blocks on the network for some milliseconds: call it at start, not from a handler.
///
/// # Errors
/// [`OpenError`], each with a code and what to do. An existing vault is not changed by a failed start.
pub fn open(options: &PostgresOptions) -> Result<Opened, OpenError> {
    // Connections are driven by runtimes of their own, which cannot be entered from within the caller's.
    std::thread::scope(|scope| scope.spawn(|| open_here(options)).join())
        .unwrap_or_else(|_| Err(failed(options, "the opening thread panicked")))
}

fn open_here(options: &PostgresOptions) -> Result<Opened, OpenError> {
    if options.access == Access::Create {
        folder::create(&options.folder)?;
    }
    let target = Arc::new(target(options)?);
    let connect = || PostgresSession::connect(Arc::clone(&target)).map_err(|error| unreachable(options, &error));
    let session = connect()?;
    let ready = prepare(&session, options)?;
    let readers = (0..options.limits.readers.max(1)).map(|_| Ok(Box::new(connect()?) as Box<dyn Database + Send>));
    let readers = readers.collect::<Result<Vec<_>, OpenError>>()?;
    let parts = Parts {
        name: options.url.to_string(),
        readers,
        writer: (options.access != Access::Read).then(|| Box::new(session) as Box<dyn Session>),
        audit: ready.unlocked.audit.clone(),
        limits: options.limits,
        clock: Arc::clone(&options.clock),
        faults: Arc::clone(&options.faults),
    };
    let store = SqlStore::start(parts).map_err(|error| failed(options, &error.to_string()))?;
    Ok(Opened {
        store: Arc::new(store),
        keys: ready.unlocked.keys,
        audit: ready.unlocked.audit,
        key_home: ready.masters.home(),
        key_origin: ready.masters.origin,
        created: ready.created,
    })
}

/// Opens a vault that must exist for whoever works on one connection alone, with the key of its audit.
pub(in crate::store) fn open_alone(options: &PostgresOptions) -> Result<(PostgresSession, AuditKey), OpenError> {
    let session = connect(options)?;
    let ready = prepare(&session, options)?;
    Ok((session, ready.unlocked.audit))
}

/// A connection to the database, whatever is in it.
pub(in crate::store) fn connect(options: &PostgresOptions) -> Result<PostgresSession, OpenError> {
    PostgresSession::connect(Arc::new(target(options)?)).map_err(|error| unreachable(options, &error))
}

/// Begins a transaction in which our tables are there and empty; `false`, and no transaction, if there was a vault before. Whoever starts a vault
/// meanwhile waits for its end.
pub(in crate::store) fn begin_empty(session: &PostgresSession, options: &PostgresOptions) -> Result<bool, OpenError> {
    let begun = session.begin().and_then(|()| session.run_script(&format!("SELECT pg_advisory_xact_lock({STARTING})"))).and_then(|()| {
        match schema::inspect(session)? {
            Found::Empty => schema::create(session, options.clock.now()).map(|()| true),
            Found::Ours(_) | Found::Foreign => Ok(false),
        }
    });
    if !matches!(begun, Ok(true)) {
        session.roll_back();
    }
    begun.map_err(|error| refused(options, &error))
}

fn target(options: &PostgresOptions) -> Result<Target, OpenError> {
    let env = |name: &str| std::env::var(name).ok();
    let home = env("HOME").map(PathBuf::from);
    let tls = options.url.tls().connector(home.as_deref().map(Path::new));
    let tls = tls.map_err(|reason| OpenError::Unreachable { database: options.url.to_string(), reason })?;
    Ok(Target::new(options.url.with_password(env), options.url.tls().mode.tries(), tls, options.access == Access::Read))
}

/// What a prepared database brings.
struct Ready {
    masters: MasterKeys,
    unlocked: Unlocked,
    created: bool,
}

/// Held while a vault starts, so that two of them on a new database do not both make it. The number is `alter` in ASCII.
const STARTING: i64 = 0x61_6c74_6572;

fn prepare(session: &PostgresSession, options: &PostgresOptions) -> Result<Ready, OpenError> {
    if options.access == Access::Read {
        return prepare_alone(session, options);
    }
    let lock = |function: &str| session.run_script(&format!("SELECT {function}({STARTING})")).map_err(|error| refused(options, &error));
    lock("pg_advisory_lock")?;
    let ready = prepare_alone(session, options);
    lock("pg_advisory_unlock")?;
    ready
}

fn prepare_alone(session: &PostgresSession, options: &PostgresOptions) -> Result<Ready, OpenError> {
    let failed = |error: SqlError| refused(options, &error);
    let database = || options.url.to_string();
    let version = match schema::inspect(session).map_err(failed)? {
        Found::Empty => 0,
        Found::Ours(version) if version <= schema::NEWEST => version,
        Found::Ours(found) => return Err(OpenError::Newer { database: database(), found, known: schema::NEWEST }),
        Found::Foreign => {
            let reason = format!("its schema {} belongs to another program", schema::SCHEMA);
            return Err(OpenError::Corrupt { database: database(), reason });
        }
    };
    let created = version == 0;
    if created && options.access != Access::Create {
        return Err(OpenError::Missing { place: database() });
    }
    // A key file may only be made where there is nothing yet that another key has sealed.
    let masters = options.keys.load(&options.folder, created)?;
    if options.access == Access::Read {
        if version < schema::NEWEST {
            return Err(OpenError::Older { database: database(), found: version, known: schema::NEWEST });
        }
        let stored = stored_keys(session).map_err(failed)?;
        // Only a start that may write gives keys to a vault that has none.
        let unlocked = if stored.masters.is_empty() { return Err(KeyError::Wrong.into()) } else { unlock(&masters, &stored)? };
        return Ok(Ready { masters, unlocked, created });
    }
    let now = options.clock.now();
    // A wrong key must leave an existing vault as it is, so the key comes before the migrations; a new one has no keys to ask.
    if created {
        schema::migrate(session, 0, now).map_err(failed)?;
    }
    let unlocked = unlock(&masters, &stored_keys(session).map_err(failed)?)?;
    if !created {
        schema::migrate(session, version, now).map_err(failed)?;
    }
    if let Some(to_store) = &unlocked.to_store {
        session.begin().and_then(|()| store_keys(session, to_store, now)).and_then(|()| session.commit()).map_err(failed)?;
    }
    Ok(Ready { masters, unlocked, created })
}

fn unreachable(options: &PostgresOptions, error: &SqlError) -> OpenError {
    OpenError::Unreachable { database: options.url.to_string(), reason: error.text.clone() }
}

fn failed(options: &PostgresOptions, reason: &str) -> OpenError {
    OpenError::Failed { database: options.url.to_string(), reason: reason.to_owned() }
}

fn refused(options: &PostgresOptions, error: &SqlError) -> OpenError {
    match error.kind {
        SqlErrorKind::Lost => unreachable(options, error),
        SqlErrorKind::Corrupt | SqlErrorKind::Unreadable => {
            OpenError::Corrupt { database: options.url.to_string(), reason: error.text.clone() }
        }
        _ => failed(options, &error.text),
    }
}
