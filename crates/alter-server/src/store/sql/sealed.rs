//! Sealed values: the data key and its fields, which live and die together.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::columns::Columns;
use super::database::{Database, SqlErrorKind, SqlResult};
use super::effects::Applied;
use super::value::{Value, values};
use crate::crypto::{SealedSecret, Wrapped};
use crate::model::DataKeyId;
use crate::store::Declined;

/// Writes sealed values.
pub(super) fn store(db: &dyn Database, sealed: &SealedSecret) -> Applied {
    let data_key = sealed.data_key.0.into_bytes();
    let inserted = db.execute(
        "INSERT INTO data_keys (id, master_version, wrapped) VALUES (?1, ?2, ?3)",
        values![data_key, sealed.wrapped.master_version, sealed.wrapped.bytes],
    );
    match inserted {
        // A rotation has ended between sealing and storing: the key that could open this is about to be destroyed.
        Err(error) if error.kind == SqlErrorKind::Dangling => return Err(Declined::MasterKeyChanged.into()),
        inserted => inserted?,
    };
    for (field, bytes) in &sealed.fields {
        db.execute("INSERT INTO sealed_fields (data_key, field, sealed) VALUES (?1, ?2, ?3)", values![data_key, field, bytes])?;
    }
    Ok(())
}

/// Deletes a data key with its fields. Whatever refers to it must have let go before.
pub(super) fn erase(db: &dyn Database, data_key: [u8; 16]) -> SqlResult<()> {
    db.execute("DELETE FROM data_keys WHERE id = ?1", values![data_key]).map(drop)
}

/// The columns behind a thing's own that [`collect`] reads; join with `LEFT JOIN data_keys k … LEFT JOIN sealed_fields f ON f.data_key = k.id`:
/// one row a field.
pub(super) const COLUMNS: &str = "k.id, k.master_version, k.wrapped, f.field, f.sealed";

/// Reads one thing with its sealed values from rows that each hold the thing and one field.
pub(super) fn collect<T>(
    db: &dyn Database,
    sql: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&mut Columns<'_>) -> SqlResult<T>,
) -> SqlResult<Option<(T, Option<SealedSecret>)>> {
    let mut found: Option<(T, Option<SealedSecret>)> = None;
    // Columns of the thing, which all rows repeat.
    let mut width = 0;
    db.query(sql, values, &mut |row| {
        let (_, sealed) = match &mut found {
            Some(found) => found,
            None => {
                let mut columns = Columns::new(row);
                let thing = read(&mut columns)?;
                width = columns.passed();
                found.insert((thing, None))
            }
        };
        add_field(sealed, &mut Columns::after(row, width))?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Reads [`COLUMNS`]: a data key and one of its fields, if there are any.
fn add_field(sealed: &mut Option<SealedSecret>, columns: &mut Columns<'_>) -> SqlResult<()> {
    let Some(data_key) = columns.maybe_id(DataKeyId)? else { return Ok(()) };
    let sealed = match sealed {
        Some(known) => {
            columns.skip(2);
            known
        }
        None => {
            let wrapped = Wrapped { master_version: columns.get()?, bytes: columns.get()? };
            sealed.insert(SealedSecret { data_key, wrapped, fields: BTreeMap::new() })
        }
    };
    if let Some(field) = columns.get()? {
        sealed.fields.insert(field, columns.get()?);
    }
    Ok(())
}
