//! What was ended: keys, grants, agents, secrets, logins and operators, by their ids alone.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BackupError;
use super::file::{Kind, prove};
use crate::audit::AuditKey;
use crate::clock::Timestamp;
use crate::store::sql::database::{Database, SqlResult};
use crate::store::sql::value::values;

/// The line in front of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// Up to when they are complete.
    pub(super) created_at: Timestamp,
    /// How many there are.
    pub(super) count: u64,
}

/// Something that must not come back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Tombstone {
    table: String,
    id: Uuid,
}

/// A table of things that end, and how.
struct Mortal {
    table: &'static str,
    /// What a row that has ended looks like.
    ended: &'static str,
    /// What ends one; `?2` is the time.
    end: &'static str,
    /// Whether what it seals goes with it.
    sealed: bool,
}

const MORTALS: [Mortal; 6] = [
    Mortal { table: "operators", ended: "revoked_at IS NOT NULL", end: "revoked_at = ?2", sealed: false },
    Mortal { table: "agents", ended: "status = 'deleted'", end: "status = 'deleted', updated_at = ?2", sealed: false },
    Mortal { table: "api_keys", ended: "status = 'revoked'", end: "status = 'revoked', revoked_at = ?2", sealed: false },
    Mortal { table: "grants", ended: "status = 'revoked'", end: "status = 'revoked', revoked_at = ?2", sealed: false },
    Mortal { table: "secrets", ended: "status = 'deleted'", end: "status = 'deleted', updated_at = ?2, data_key = NULL", sealed: true },
    Mortal { table: "credentials", ended: "state = 'erased'", end: "state = 'erased', updated_at = ?2, data_key = NULL", sealed: true },
];

/// All that has ended.
pub(super) fn collect(db: &dyn Database) -> SqlResult<BTreeSet<Tombstone>> {
    let mut found = BTreeSet::new();
    for mortal in &MORTALS {
        let select = format!("SELECT id FROM {} WHERE {}", mortal.table, mortal.ended);
        let ids = db.all(&select, &[], |columns| columns.id(|id| Tombstone { table: mortal.table.to_owned(), id }))?;
        found.extend(ids);
    }
    Ok(found)
}

/// The tombstones of a file, which has to be of the vault with this key.
pub(super) fn read(path: &Path, audit: &AuditKey) -> Result<BTreeSet<Tombstone>, BackupError> {
    let mut lines = prove(path, Kind::Tombstones, audit)?;
    let head: Head = lines.value()?;
    let found = (0..head.count).map(|_| lines.value()).collect::<Result<_, _>>()?;
    lines.nothing_else()?;
    Ok(found)
}

/// Ends what they name, if it is there and has not ended; says how many of each table that were.
pub(super) fn apply(db: &dyn Database, tombstones: impl Iterator<Item = Tombstone>, now: Timestamp) -> SqlResult<Vec<(&'static str, u64)>> {
    let mut ended = Vec::new();
    let tombstones: BTreeSet<Tombstone> = tombstones.collect();
    for mortal in &MORTALS {
        let Mortal { table, ended: has_ended, end, sealed } = mortal;
        let mut count = 0;
        for tombstone in tombstones.iter().filter(|tombstone| tombstone.table == *table) {
            let id = tombstone.id.into_bytes();
            let data_key: Option<[u8; 16]> = if *sealed {
                let select = format!("SELECT data_key FROM {table} WHERE id = ?1");
                db.first(&select, values![id], |columns| columns.get::<Option<[u8; 16]>>())?.flatten()
            } else {
                None
            };
            count += db.execute(&format!("UPDATE {table} SET {end} WHERE id = ?1 AND NOT ({has_ended})"), values![id, now.as_millis()])?;
            if let Some(key) = data_key {
                db.execute("DELETE FROM data_keys WHERE id = ?1", values![key])?;
            }
        }
        ended.push((*table, count));
    }
    Ok(ended)
}
