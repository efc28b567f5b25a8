//! Master keys and what they wrap: reading, and the effects of a rotation.

use rusqlite::{Connection, params};

use super::columns::Columns;
use super::effects::Applied;
use crate::clock::Timestamp;
use crate::crypto::{KeyCheck, RootKey, StoredKeys, Wrapped};
use crate::model::DataKeyId;
use crate::store::{DataKeyCount, Declined, Rewrap, WrappedKey};

/// The versions that a rotation moves away from. There are one or two of them, and each is a range of the index, so that what is done already
/// is not looked at again.
const OTHER_VERSIONS: &str = "master_version IN (SELECT version FROM master_keys WHERE version <> ?1)";

/// What the tables say about master and root keys.
pub(super) fn stored_keys(connection: &Connection) -> rusqlite::Result<StoredKeys> {
    let masters = connection
        .prepare("SELECT version, fingerprint FROM master_keys")?
        .query_map([], |row| Ok((row.get(0)?, KeyCheck(row.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let root = |name: RootKey| {
        let select = "SELECT master_version, wrapped FROM root_keys WHERE name = ?1";
        let found = connection.query_row(select, [name.as_str()], |row| Ok(Wrapped { master_version: row.get(0)?, bytes: row.get(1)? }));
        match found {
            Ok(wrapped) => Ok(Some((name, wrapped))),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let roots = RootKey::ALL.into_iter().filter_map(|name| root(name).transpose()).collect::<rusqlite::Result<_>>()?;
    let versions_in_use = connection
        .prepare("SELECT version FROM master_keys m WHERE EXISTS (SELECT 1 FROM data_keys WHERE master_version = m.version)")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(StoredKeys { masters, roots, versions_in_use })
}

/// Writes the keys of a new vault, or the fingerprint of a master key that a start has brought.
pub(super) fn store_keys(connection: &mut Connection, keys: &StoredKeys, now: Timestamp) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (version, check) in &keys.masters {
        transaction.execute(
            "INSERT INTO master_keys (version, fingerprint, created_at) VALUES (?1, ?2, ?3)",
            params![version, check.0, now.as_millis()],
        )?;
    }
    for (name, wrapped) in &keys.roots {
        transaction.execute(
            "INSERT INTO root_keys (name, master_version, wrapped) VALUES (?1, ?2, ?3)",
            params![name.as_str(), wrapped.master_version, wrapped.bytes],
        )?;
    }
    transaction.commit()
}

/// See [`Store::count_data_keys`](crate::store::Store::count_data_keys).
pub(super) fn count_data_keys(connection: &Connection, current: u32) -> rusqlite::Result<DataKeyCount> {
    // One statement, so that both are of the same moment.
    connection
        .prepare_cached(&format!("SELECT (SELECT count(*) FROM data_keys), (SELECT count(*) FROM data_keys WHERE {OTHER_VERSIONS})"))?
        .query_row([current], |row| Ok(DataKeyCount { all: row.get(0)?, outdated: row.get(1)? }))
}

/// See [`Store::outdated_data_keys`](crate::store::Store::outdated_data_keys).
pub(super) fn outdated_data_keys(connection: &Connection, current: u32, limit: u32) -> rusqlite::Result<Vec<(DataKeyId, Wrapped)>> {
    connection
        .prepare_cached(&format!("SELECT id, master_version, wrapped FROM data_keys WHERE {OTHER_VERSIONS} LIMIT ?2"))?
        .query_map([current, limit], |row| {
            let mut columns = Columns::new(row);
            Ok((columns.id(DataKeyId)?, Wrapped { master_version: columns.get()?, bytes: columns.get()? }))
        })?
        .collect()
}

pub(super) fn add(connection: &Connection, now: Timestamp, version: u32, check: KeyCheck) -> Applied {
    let newest: u32 = connection.prepare_cached("SELECT max(version) FROM master_keys")?.query_row([], |row| row.get(0))?;
    if newest.checked_add(1) != Some(version) {
        return Err(Declined::MasterKeyChanged.into());
    }
    connection.prepare_cached("INSERT INTO master_keys (version, fingerprint, created_at) VALUES (?1, ?2, ?3)")?.execute(params![
        version,
        check.0,
        now.as_millis()
    ])?;
    Ok(())
}

pub(super) fn rewrap(connection: &Connection, rewraps: &[Rewrap]) -> Applied {
    for Rewrap { key, from, to } in rewraps {
        match key {
            WrappedKey::Root(name) => connection
                .prepare_cached("UPDATE root_keys SET master_version = ?3, wrapped = ?4 WHERE name = ?1 AND master_version = ?2")?
                .execute(params![name.as_str(), from, to.master_version, to.bytes])?,
            WrappedKey::Data(id) => connection
                .prepare_cached("UPDATE data_keys SET master_version = ?3, wrapped = ?4 WHERE id = ?1 AND master_version = ?2")?
                .execute(params![id.0.into_bytes(), from, to.master_version, to.bytes])?,
        };
    }
    Ok(())
}

/// What comes after this and was wrapped by a forgotten version breaks the foreign key, so no straggler is left without its key.
pub(super) fn keep(connection: &Connection, version: u32) -> Applied {
    let in_use: bool = connection
        .prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM data_keys WHERE {OTHER_VERSIONS}) OR EXISTS (SELECT 1 FROM root_keys WHERE {OTHER_VERSIONS})"
        ))?
        .query_row([version], |row| row.get(0))?;
    if in_use {
        return Err(Declined::MasterKeyInUse.into());
    }
    connection.prepare_cached("DELETE FROM master_keys WHERE version <> ?1")?.execute([version])?;
    Ok(())
}
