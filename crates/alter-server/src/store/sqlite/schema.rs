//! Which schema a database has, and bringing it forward.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::columns::store_error;
use crate::clock::Timestamp;
use crate::store::StoreError;

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

/// In order, never edited once released: a database that has one had exactly this text.
const MIGRATIONS: &[Migration] = &[Migration { version: 1, name: "first", sql: include_str!("migrations/0001_first.sql") }];

/// The newest schema that this version knows.
pub(super) const NEWEST: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// `ALTR`: marks the file as ours, so that another program's database is recognized before anything is written to it.
const APPLICATION_ID: i32 = 0x414C_5452;

/// What was found in a database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: a new file.
    Empty,
    /// A database of ours with this schema.
    Ours(u32),
    /// Another program's database.
    Foreign,
}

pub(super) fn inspect(connection: &Connection) -> rusqlite::Result<Found> {
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, tables) {
        (0, 0) => Ok(Found::Empty),
        (APPLICATION_ID, _) => {
            let version: Option<u32> =
                connection.query_row("SELECT max(version) FROM schema_migrations", [], |row| row.get(0)).optional()?.flatten();
            Ok(version.map_or(Found::Foreign, Found::Ours))
        }
        _ => Ok(Found::Foreign),
    }
}

/// Applies what is missing above `from`, each migration in a transaction of its own: an interrupted start goes on where it stopped.
pub(super) fn migrate(connection: &mut Connection, from: u32, now: Timestamp) -> Result<(), StoreError> {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > from) {
        apply(connection, migration, now).map_err(|error| store_error(&error))?;
        tracing::info!(version = migration.version, name = migration.name, "database schema brought forward");
    }
    Ok(())
}

fn apply(connection: &mut Connection, migration: &Migration, now: Timestamp) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3)",
        params![migration.version, migration.name, now.as_millis()],
    )?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1, "{}", migration.name);
        }
    }

    #[test]
    fn a_new_file_is_brought_to_the_newest_schema_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(inspect(&connection).unwrap(), Found::Empty);
        migrate(&mut connection, 0, Timestamp::from_millis(1)).unwrap();
        assert_eq!(inspect(&connection).unwrap(), Found::Ours(NEWEST));
        migrate(&mut connection, NEWEST, Timestamp::from_millis(2)).unwrap();
        let applied: i64 = connection.query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get(0)).unwrap();
        assert_eq!(applied, MIGRATIONS.len() as i64);
    }

    #[test]
    fn anothers_database_is_recognized() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(inspect(&connection).unwrap(), Found::Foreign);
    }
}
