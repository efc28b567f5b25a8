//! Sealed values: the data key and its fields, which live and die together.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::columns::{Columns, is_dangling};
use super::effects::Applied;
use crate::crypto::{SealedSecret, Wrapped};
use crate::model::DataKeyId;
use crate::store::Declined;

/// Writes sealed values.
pub(super) fn store(connection: &Connection, sealed: &SealedSecret) -> Applied {
    let data_key = sealed.data_key.0.into_bytes();
    let inserted = connection.prepare_cached("INSERT INTO data_keys (id, master_version, wrapped) VALUES (?1, ?2, ?3)")?.execute(params![
        data_key,
        sealed.wrapped.master_version,
        sealed.wrapped.bytes
    ]);
    match inserted {
        // A rotation has ended between sealing and storing: the key that could open this is about to be destroyed.
        Err(error) if is_dangling(&error) => return Err(Declined::MasterKeyChanged.into()),
        inserted => inserted?,
    };
    let mut insert = connection.prepare_cached("INSERT INTO sealed_fields (data_key, field, sealed) VALUES (?1, ?2, ?3)")?;
    for (field, bytes) in &sealed.fields {
        insert.execute(params![data_key, field, bytes])?;
    }
    Ok(())
}

/// Deletes a data key with its fields. Whatever refers to it must have let go before.
pub(super) fn erase(connection: &Connection, data_key: [u8; 16]) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM data_keys WHERE id = ?1")?.execute([data_key]).map(drop)
}

/// The columns that [`first_of`] reads; join with `LEFT JOIN data_keys k … LEFT JOIN sealed_fields f ON f.data_key = k.id`: one row a field.
pub(super) const COLUMNS: &str = "k.id, k.master_version, k.wrapped, f.field, f.sealed";

/// The data key with the first of its fields; `None` if there is none.
pub(super) fn first_of(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Option<SealedSecret>> {
    let Some(data_key) = columns.maybe_id(DataKeyId)? else {
        columns.skip(4);
        return Ok(None);
    };
    let wrapped = Wrapped { master_version: columns.get()?, bytes: columns.get()? };
    let mut fields = BTreeMap::new();
    match columns.get::<Option<String>>()? {
        Some(field) => {
            fields.insert(field, columns.get()?);
        }
        None => columns.skip(1),
    }
    Ok(Some(SealedSecret { data_key, wrapped, fields }))
}

/// Reads one thing with its sealed values from rows that each hold the thing and one field.
pub(super) fn collect<T>(
    rows: &mut rusqlite::Rows<'_>,
    mut read: impl FnMut(&mut Columns<'_, '_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<(T, Option<SealedSecret>)>> {
    let mut found: Option<(T, Option<SealedSecret>)> = None;
    while let Some(row) = rows.next()? {
        match &mut found {
            None => {
                let mut columns = Columns::new(row);
                let thing = read(&mut columns)?;
                found = Some((thing, first_of(&mut columns)?));
            }
            Some((_, sealed)) => {
                if let Some(sealed) = sealed {
                    sealed.fields.insert(row.get("field")?, row.get("sealed")?);
                }
            }
        }
    }
    Ok(found)
}
