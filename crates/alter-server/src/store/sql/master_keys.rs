//! Master keys and what they wrap: reading, and the effects of a rotation.

use super::database::{Database, SqlErrorKind, SqlResult};
use super::effects::Applied;
use super::value::values;
use crate::clock::Timestamp;
use crate::crypto::{KeyCheck, RootKey, StoredKeys, Wrapped};
use crate::model::DataKeyId;
use crate::store::{DataKeyCount, Declined, Rewrap, WrappedKey};

/// The versions that a rotation moves away from. There are one or two of them, and each is a range of the index, so that what is done already
/// is not looked at again.
const OTHER_VERSIONS: &str = "master_version IN (SELECT version FROM master_keys WHERE version <> ?1)";

/// What the tables say about master and root keys.
pub(in crate::store) fn stored_keys(db: &dyn Database) -> SqlResult<StoredKeys> {
    let masters: Vec<_> =
        db.all("SELECT version, fingerprint FROM master_keys", &[], |columns| Ok((columns.get()?, KeyCheck(columns.get()?))))?;
    let root = |name: RootKey| {
        let select = "SELECT master_version, wrapped FROM root_keys WHERE name = ?1";
        let found =
            db.first(select, values![name.as_str()], |columns| Ok(Wrapped { master_version: columns.get()?, bytes: columns.get()? }))?;
        Ok(found.map(|wrapped| (name, wrapped)))
    };
    let roots = RootKey::ALL.into_iter().filter_map(|name| root(name).transpose()).collect::<SqlResult<_>>()?;
    let versions_in_use: Vec<u32> = db.all(
        "SELECT version FROM master_keys m WHERE EXISTS (SELECT 1 FROM data_keys WHERE master_version = m.version)",
        &[],
        |columns| columns.get(),
    )?;
    Ok(StoredKeys { masters: masters.into_iter().collect(), roots, versions_in_use: versions_in_use.into_iter().collect() })
}

/// Writes the keys of a new vault, or the fingerprint of a master key that a start has brought. Within a transaction of the caller's.
pub(in crate::store) fn store_keys(db: &dyn Database, keys: &StoredKeys, now: Timestamp) -> SqlResult<()> {
    for (version, check) in &keys.masters {
        let insert = "INSERT INTO master_keys (version, fingerprint, created_at) VALUES (?1, ?2, ?3)";
        db.execute(insert, values![version, check.0, now.as_millis()])?;
    }
    for (name, wrapped) in &keys.roots {
        let insert = "INSERT INTO root_keys (name, master_version, wrapped) VALUES (?1, ?2, ?3)";
        db.execute(insert, values![name.as_str(), wrapped.master_version, wrapped.bytes])?;
    }
    Ok(())
}

/// See [`Store::count_data_keys`](crate::store::Store::count_data_keys).
pub(super) fn count_data_keys(db: &dyn Database, current: u32) -> SqlResult<DataKeyCount> {
    // One statement, so that both are of the same moment.
    db.one(
        &format!("SELECT (SELECT count(*) FROM data_keys), (SELECT count(*) FROM data_keys WHERE {OTHER_VERSIONS})"),
        values![current],
        |columns| Ok(DataKeyCount { all: columns.get()?, outdated: columns.get()? }),
    )
}

/// See [`Store::outdated_data_keys`](crate::store::Store::outdated_data_keys).
pub(super) fn outdated_data_keys(db: &dyn Database, current: u32, limit: u32) -> SqlResult<Vec<(DataKeyId, Wrapped)>> {
    db.all(
        &format!("SELECT id, master_version, wrapped FROM data_keys WHERE {OTHER_VERSIONS} LIMIT ?2"),
        values![current, limit],
        |columns| Ok((columns.id(DataKeyId)?, Wrapped { master_version: columns.get()?, bytes: columns.get()? })),
    )
}

pub(super) fn add(db: &dyn Database, now: Timestamp, version: u32, check: KeyCheck) -> Applied {
    let newest: u32 = db.one("SELECT max(version) FROM master_keys", &[], |columns| columns.get())?;
    if newest.checked_add(1) != Some(version) {
        return Err(Declined::MasterKeyChanged.into());
    }
    db.execute(
        "INSERT INTO master_keys (version, fingerprint, created_at) VALUES (?1, ?2, ?3)",
        values![version, check.0, now.as_millis()],
    )?;
    Ok(())
}

pub(super) fn rewrap(db: &dyn Database, rewraps: &[Rewrap]) -> Applied {
    for Rewrap { key, from, to } in rewraps {
        match key {
            WrappedKey::Root(name) => db.execute(
                "UPDATE root_keys SET master_version = ?3, wrapped = ?4 WHERE name = ?1 AND master_version = ?2",
                values![name.as_str(), from, to.master_version, to.bytes],
            )?,
            WrappedKey::Data(id) => db.execute(
                "UPDATE data_keys SET master_version = ?3, wrapped = ?4 WHERE id = ?1 AND master_version = ?2",
                values![id.0.into_bytes(), from, to.master_version, to.bytes],
            )?,
        };
    }
    Ok(())
}

/// What comes after this and was wrapped by a forgotten version breaks the foreign key, so no straggler is left without its key.
pub(super) fn keep(db: &dyn Database, version: u32) -> Applied {
    let in_use: bool = db.one(
        &format!(
            "SELECT EXISTS (SELECT 1 FROM data_keys WHERE {OTHER_VERSIONS}) OR EXISTS (SELECT 1 FROM root_keys WHERE {OTHER_VERSIONS})"
        ),
        values![version],
        |columns| columns.get(),
    )?;
    if in_use {
        return Err(Declined::MasterKeyInUse.into());
    }
    match db.execute("DELETE FROM master_keys WHERE version <> ?1", values![version]) {
        Ok(_) => Ok(()),
        // Another vault has wrapped something with it in the same moment.
        Err(error) if error.kind == SqlErrorKind::Dangling => Err(Declined::MasterKeyInUse.into()),
        Err(error) => Err(error.into()),
    }
}
