//! Backups: every row of every table at one moment, in one file, and back into an empty place; on either database, and from one to the other.
//!
//! A backup is read in one snapshot while the vault serves. It holds what the database holds: secrets only sealed, keys only as digests, and no
//! master key. The file is under a MAC by a key that the master key wraps, so that it is proven whole, unchanged and of this vault before anything is
//! made from it. Nothing half is ever taken for a whole: a file gets its name once it is complete, a restored database once everything is in it.
//!
//! *What was ended stays ended.* A backup knows nothing of what was revoked after it. Tombstones do: a small file with the ids of all that was ever
//! revoked, deleted or erased, written again and again. A restore is given the newest one, and what stands there is ended in the same transaction.
//!
//! *Logins have to prove themselves.* A provider that changes refresh tokens with each use may have taken back the one in the backup. So a restored
//! login is refreshed before anything is released by it; if the provider refuses, it is dead and says so, instead of handing out what no longer works.

mod error;
mod file;
mod rows;
mod target;
mod tombstones;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::BackupError;

use self::file::{FileWriter, Kind, Proven};
use self::rows::{columns, count, each_row};
use self::target::Target;
use super::copy::TABLES;
use super::sql::database::{Database, SqlError, SqlResult};
use super::sql::trail::{Trail, heads};
use super::sql::value::values;
use super::{Access, StoreOptions, postgres, sqlite};
use crate::audit::{AuditEntry, AuditKey, ChainId, Outcome};
use crate::clock::Timestamp;

/// How far a piece of work is: so many of so many rows.
pub type Progress<'f> = dyn FnMut(u64, u64) + Send + 'f;

/// What a backup says about itself, in its first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The schema of its tables.
    pub schema: u32,
    /// The version of `alter` that wrote it.
    pub version: String,
    /// The moment of its snapshot.
    pub created_at: Timestamp,
    /// The ends of all audit chains.
    pub chains: Vec<ChainEnd>,
    tables: Vec<TableOf>,
}

/// The end of an audit chain, as `alter audit head` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// `vault`, or the app's id.
    pub chain: String,
    /// Sequence of its last row.
    pub sequence: u64,
    /// MAC of its last row.
    pub mac: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TableOf {
    name: String,
    columns: Vec<String>,
    rows: u64,
}

impl Manifest {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the backup said about itself.
    pub manifest: Manifest,
    /// What it held as alive and tombstones ended, by table.
    pub ended: Vec<(&'static str, u64)>,
    /// Logins that have to be refreshed before they are used.
    pub unproven: u64,
}

/// Writes a backup of a vault, which may be running, into a file that does not exist yet.
///
/// Blocks as long as it takes.
///
/// # Errors
/// [`BackupError`]; no file of that name is there then.
pub fn backup(from: &StoreOptions, to: &Path, progress: &mut Progress<'_>) -> Result<Manifest, BackupError> {
    apart(|| {
        let (db, audit) = open(from)?;
        let created_at = from.clock().now();
        let mut written = None;
        let mut failed = None;
        // The snapshot itself only fails by the database's words; the rest is kept aside.
        let read = db.in_snapshot(&mut || {
            match write_backup(&*db, &audit, created_at, to, progress) {
                Ok(manifest) => written = Some(manifest),
                Err(error) => failed = Some(error),
            }
            Ok(())
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|error| BackupError::failed("snapshot", &error))?;
        written.ok_or_else(|| BackupError::Failed { table: "snapshot".to_owned(), reason: "nothing was read".to_owned() })
    })
}

fn write_backup(
    db: &dyn Database,
    audit: &AuditKey,
    created_at: Timestamp,
    to: &Path,
    progress: &mut Progress<'_>,
) -> Result<Manifest, BackupError> {
    let mut tables = Vec::with_capacity(TABLES.len());
    for name in TABLES {
        let described = columns(db, name).and_then(|columns| Ok(TableOf { name: name.to_owned(), columns, rows: count(db, name)? }));
        tables.push(described.map_err(|error| BackupError::failed(name, &error))?);
    }
    let chains = heads(db).map_err(|error| BackupError::failed("audit_chains", &error))?;
    let end = |head: crate::audit::Head| ChainEnd { chain: head.chain.to_string(), sequence: head.sequence, mac: head.mac.to_string() };
    let chains = chains.into_iter().map(|stored| end(stored.head)).collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { schema: sqlite::SCHEMA_VERSION, version, created_at, chains, tables };
    let mut file = FileWriter::begin(Kind::Backup, to, audit)?;
    file.line(&manifest)?;
    let (all, mut done) = (manifest.rows(), 0);
    for table in &manifest.tables {
        let mut failed = None;
        let read = each_row(db, &table.name, &table.columns, &mut |cells| {
            done += 1;
            progress(done, all);
            // What the disk says is kept aside from what the database says.
            file.line(&cells).map_err(|error| {
                failed = Some(error);
                SqlError::unreadable("the file cannot be written")
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|error| BackupError::failed(&table.name, &error))?;
    }
    file.finish()?;
    Ok(manifest)
}

/// Writes the ids of all that was ever ended into a file, in the place of an earlier one.
///
/// # Errors
/// [`BackupError`]; an earlier file is then as it was.
pub fn write_tombstones(from: &StoreOptions, to: &Path) -> Result<u64, BackupError> {
    apart(|| {
        let (db, audit) = open(from)?;
        let ended = tombstones::collect(&*db).map_err(|error| BackupError::failed("tombstones", &error))?;
        let mut file = FileWriter::begin(Kind::Tombstones, to, &audit)?;
        let count = ended.len() as u64;
        file.line(&tombstones::Head { created_at: from.clock().now(), count })?;
        ended.iter().try_for_each(|tombstone| file.line(tombstone))?;
        file.finish().map(|()| count)
    })
}

/// Makes a vault of a backup where there is none, ends what tombstones name, and marks its logins as unproven.
///
/// The master key is taken as for a start: from the environment, or from the file in the data folder, where it has to be put before. Blocks as long as
/// it takes.
///
/// # Errors
/// [`BackupError`]; there is no vault then, as before.
pub fn restore(file: &Path, tombstones: &[PathBuf], to: &StoreOptions, progress: &mut Progress<'_>) -> Result<Restored, BackupError> {
    apart(|| {
        // Everything is proven before anything is made.
        let (proven, audit) = Proven::backup(file, to)?;
        let ended = tombstones.iter().map(|path| tombstones::read(path, &audit)).collect::<Result<Vec<_>, _>>()?;
        let manifest = proven.manifest()?;
        if manifest.schema != sqlite::SCHEMA_VERSION {
            return Err(BackupError::OtherSchema { found: manifest.schema, known: sqlite::SCHEMA_VERSION, version: manifest.version });
        }
        let now = to.clock().now();
        let target = Target::begin(to, now)?;
        let db = target.database();
        fill(db, &proven, &manifest, progress)?;
        let failed = |error: SqlError| BackupError::failed("tombstones", &error);
        let ended = tombstones::apply(db, ended.into_iter().flatten(), now).map_err(failed)?;
        end_approvals(db, now).map_err(|error| BackupError::failed("approvals", &error))?;
        let unproven = doubt_logins(db).map_err(|error| BackupError::failed("credentials", &error))?;
        let counted = ended.iter().map(|(_, count)| count).sum::<u64>();
        let told = format!("from a backup of {}; {counted} tombstones, {unproven} logins to be proven", manifest.created_at);
        let row = AuditEntry::new(ChainId::Vault, "vault.restore", Outcome::Done).detail(&told);
        record(db, audit, now, &row).map_err(|error| BackupError::failed("audit_rows", &error))?;
        target.finish()?;
        Ok(Restored { manifest, ended, unproven })
    })
}

fn fill(db: &dyn Database, proven: &Proven, manifest: &Manifest, progress: &mut Progress<'_>) -> Result<(), BackupError> {
    let strange = |what: String| BackupError::NotABackup { path: proven.path().to_owned(), reason: what };
    let names: Vec<&str> = manifest.tables.iter().map(|table| table.name.as_str()).collect();
    if names != TABLES {
        return Err(strange("it has other tables than this version knows".to_owned()));
    }
    // What the schema itself brings.
    db.execute("DELETE FROM counters", &[]).map_err(|error| BackupError::failed("counters", &error))?;
    let (all, mut done, mut rows) = (manifest.rows(), 0, proven.rows()?);
    for table in &manifest.tables {
        let failed = |error: SqlError| BackupError::failed(&table.name, &error);
        let mut known = columns(db, &table.name).map_err(failed)?;
        let mut given = table.columns.clone();
        known.sort();
        given.sort();
        if known != given {
            return Err(strange(format!("table {} has other columns than this version knows", table.name)));
        }
        let mut left = table.rows;
        while left > 0 {
            let batch = rows.next_rows(left.min(target::rows_at_once(table.columns.len())), table.columns.len())?;
            target::insert(db, &table.name, &table.columns, &batch).map_err(failed)?;
            left -= batch.len() as u64;
            done += batch.len() as u64;
            progress(done, all);
        }
        target::go_on_numbering(db, &table.name, &table.columns).map_err(failed)?;
    }
    rows.nothing_else()
}

/// Ends calls that wait for people, or were on their way: some may have been made since, and none is to be made twice.
fn end_approvals(db: &dyn Database, now: Timestamp) -> SqlResult<()> {
    const OPEN: &str = "status IN ('pending', 'approved', 'executing')";
    let keys = format!("SELECT data_key FROM approvals WHERE {OPEN} AND data_key IS NOT NULL");
    let keys: Vec<[u8; 16]> = db.all(&keys, &[], |columns| columns.get())?;
    let end = format!("UPDATE approvals SET status = 'expired', decided_at = ?1, data_key = NULL, version = version + 1 WHERE {OPEN}");
    db.execute(&end, values![now.as_millis()])?;
    keys.iter().try_for_each(|key| db.execute("DELETE FROM data_keys WHERE id = ?1", values![key]).map(drop))
}

/// Has each login refreshed before it is used, and takes its refresh token for one that may have been spent by an exchange nobody knows of.
fn doubt_logins(db: &dyn Database) -> SqlResult<u64> {
    db.execute(
        "UPDATE credentials SET access_expires_at = 0, unanswered = 1, lease_until = NULL
             WHERE kind = 'oauth' AND state = 'live' AND refreshable = ?1",
        values![true],
    )
}

fn record(db: &dyn Database, audit: AuditKey, now: Timestamp, row: &AuditEntry) -> SqlResult<()> {
    let mut trail = Trail::new(audit);
    let mut chains = trail.open(db, [(row.chain, true)])?;
    trail.append(db, &mut chains, now, row)?;
    trail.write_heads(db, &chains)
}

fn open(from: &StoreOptions) -> Result<(Box<dyn Database>, AuditKey), BackupError> {
    Ok(match from {
        StoreOptions::Sqlite(options) => {
            let (session, audit) = sqlite::open_alone(&sqlite::SqliteOptions { access: Access::Read, ..options.clone() })?;
            (Box::new(session), audit)
        }
        StoreOptions::Postgres(options) => {
            let (session, audit) = postgres::open_alone(&postgres::PostgresOptions { access: Access::Read, ..options.clone() })?;
            (Box::new(session), audit)
        }
    })
}

/// Works on a thread of its own: connections are driven by runtimes that cannot be entered from within the caller's.
fn apart<T: Send>(work: impl FnOnce() -> Result<T, BackupError> + Send) -> Result<T, BackupError> {
    let panicked = || BackupError::Failed { table: "thread".to_owned(), reason: "the working thread panicked".to_owned() };
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|_| Err(panicked()))
}
