//! Copying a vault from SQLite to PostgreSQL: every row of every table as it is, in one transaction.
//!
//! Because it is one transaction, a copy that is interrupted leaves nothing behind and is simply run again.

use std::fmt::Write;

use rusqlite::types::Value as Stored;

use super::postgres::{self, PostgresOptions, PostgresSession};
use super::sql::database::{Database, Session, SqlError};
use super::sql::value::{ToValue, Value, values};
use super::sqlite::{self, SqliteOptions, SqliteSession};
use super::{Access, OpenError};

/// All tables, each behind those that it refers to.
pub(super) const TABLES: [&str; 26] = [
    "master_keys",
    "root_keys",
    "apps",
    "operators",
    "agents",
    "api_keys",
    "data_keys",
    "sealed_fields",
    "secrets",
    "credentials",
    "grants",
    "tickets",
    "approvals",
    "approval_gates",
    "registrations",
    "provider_specs",
    "spec_operations",
    "policies",
    "call_counts",
    "spans",
    "actors",
    "nonces",
    "rate_counts",
    "counters",
    "audit_chains",
    "audit_rows",
];

/// Values that one statement writes at most; PostgreSQL allows 65,535.
pub(super) const VALUES_AT_ONCE: usize = 4096;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Each table and its rows, counted in both databases.
    pub tables: Vec<(&'static str, u64)>,
}

impl Copied {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows).sum()
    }
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something in the database already.
    #[error("the database {database} holds a vault already")]
    NotEmpty {
        /// Its URL without a password.
        database: String,
    },
    /// The two have another number of rows.
    #[error("table {table} has {from} rows, and {to} arrived")]
    Miscounted {
        /// Which table.
        table: &'static str,
        /// Rows in SQLite.
        from: u64,
        /// Rows in PostgreSQL.
        to: u64,
    },
    /// A database said no.
    #[error("table {table} was not copied: {reason}")]
    Failed {
        /// Which table was at its turn.
        table: &'static str,
        /// What it said; it names no stored value.
        reason: String,
    },
}

impl CopyError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code(),
            Self::NotEmpty { .. } => "target_not_empty",
            Self::Miscounted { .. } => "copy_miscounted",
            Self::Failed { .. } => "store_failed",
        }
    }

    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Open(error) => error.help(),
            Self::NotEmpty { .. } => "name a database without the schema alter_vault; nothing was changed in this one",
            Self::Miscounted { .. } | Self::Failed { .. } => "nothing was copied; mend what it names and run it again",
        }
    }
}

/// Copies a vault that is not running. Afterwards the data folder's master key opens it in the database; the folder's own database stays as it is.
///
/// `progress` is told how many of how many rows are done. Blocks as long as it takes.
///
/// # Errors
/// [`CopyError`]; the database is then as it was before.
pub fn copy(from: &SqliteOptions, to: &PostgresOptions, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Copied, CopyError> {
    // Connections are driven by runtimes of their own, which cannot be entered from within the caller's.
    let copied = std::thread::scope(|scope| scope.spawn(|| copy_here(from, to, progress)).join());
    copied.unwrap_or_else(|_| Err(CopyError::Failed { table: TABLES[0], reason: "the copying thread panicked".to_owned() }))
}

fn copy_here(from: &SqliteOptions, to: &PostgresOptions, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Copied, CopyError> {
    // Takes the folder's lock, brings its schema forward and proves that the master key is at hand.
    let source = sqlite::open_session(&SqliteOptions { access: Access::Write, ..from.clone() })?;
    let target = postgres::connect(to)?;
    if !postgres::begin_empty(&target, to)? {
        return Err(CopyError::NotEmpty { database: to.url.to_string() });
    }
    let copied = copy_tables(&source, &target, progress);
    if copied.is_err() {
        target.roll_back();
    }
    let copied = copied?;
    target.commit().map_err(|error| CopyError::Failed { table: TABLES[TABLES.len() - 1], reason: error.text })?;
    Ok(copied)
}

fn copy_tables(source: &SqliteSession, target: &PostgresSession, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Copied, CopyError> {
    let failed = |table| move |error: SqlError| CopyError::Failed { table, reason: error.text };
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push((table, count(source, table).map_err(failed(table))?));
    }
    let all = counts.iter().map(|(_, rows)| rows).sum();
    let mut done = 0;
    // What the schema itself brings.
    (target as &dyn Database).execute("DELETE FROM counters", &[]).map_err(failed("counters"))?;
    for (table, from) in &counts {
        copy_table(source, target, table, &mut |rows| {
            done += rows;
            progress(done, all);
        })
        .map_err(failed(table))?;
        let to = count(target, table).map_err(failed(table))?;
        if to != *from {
            return Err(CopyError::Miscounted { table, from: *from, to });
        }
    }
    Ok(Copied { tables: counts })
}

fn count(db: &dyn Database, table: &str) -> Result<u64, SqlError> {
    db.one(&format!("SELECT count(*) FROM {table}"), &[], |columns| columns.get())
}

fn copy_table(source: &SqliteSession, target: &PostgresSession, table: &str, copied: &mut dyn FnMut(u64)) -> Result<(), SqlError> {
    let db: &dyn Database = source;
    let names: Vec<String> = db.all("SELECT name FROM pragma_table_info(?1)", values![table], |columns| columns.get())?;
    let (width, columns) = (names.len(), names.join(", "));
    let numbered = names.iter().any(|name| name == "n");
    // By age: a grant refers to one that is older.
    let select = format!("SELECT {columns} FROM {table}{}", if numbered { " ORDER BY n" } else { "" });
    let most = VALUES_AT_ONCE / width;
    let mut batch: Vec<Stored> = Vec::new();
    let mut flush = |batch: &mut Vec<Stored>| {
        let values: Vec<Value<'_>> = batch.iter().map(ToValue::to_value).collect();
        let rows = batch.len() / width;
        if rows > 0 {
            target.execute(&insert(table, &columns, width, rows), &values)?;
            copied(rows as u64);
        }
        batch.clear();
        Ok::<(), SqlError>(())
    };
    source.each_stored(&select, &mut |row| {
        if row.iter().any(|value| matches!(value, Stored::Real(_))) {
            return Err(SqlError::unreadable("a floating-point number, which no column of ours is"));
        }
        batch.extend(row);
        if batch.len() >= most * width { flush(&mut batch) } else { Ok(()) }
    })?;
    flush(&mut batch)?;
    if numbered {
        // What comes next is younger than all that was copied.
        let next = format!("SELECT setval(pg_get_serial_sequence('{table}', 'n'), max(n)) IS NULL FROM {table}");
        (target as &dyn Database).one(&next, &[], |columns| columns.get::<bool>())?;
    }
    Ok(())
}

/// A statement that writes several rows.
pub(super) fn insert(table: &str, columns: &str, width: usize, rows: usize) -> String {
    let mut sql = format!("INSERT INTO {table} ({columns}) VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { "), (" });
        for column in 0..width {
            let comma = if column == 0 { "" } else { ", " };
            write!(sql, "{comma}?{}", row * width + column + 1).expect("a String takes everything");
        }
    }
    sql.push(')');
    sql
}

impl ToValue for Stored {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            // Refused before.
            Self::Real(_) => Value::Null,
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    /// A table that a later schema brings cannot be forgotten here.
    #[test]
    fn every_table_is_copied() {
        let connection = rusqlite::Connection::open_in_memory().expect("a database");
        sqlite::migrate(&connection, 0, Timestamp::from_millis(1)).expect("migrated");
        let session = SqliteSession::new(connection, None);
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations' ORDER BY name";
        let known: Vec<String> = (&session as &dyn Database).all(tables, &[], |columns| columns.get()).expect("read");
        let mut copied = TABLES.map(str::to_owned).to_vec();
        copied.sort();
        assert_eq!(copied, known);
    }

    #[test]
    fn a_statement_takes_as_many_rows_as_it_is_told() {
        assert_eq!(insert("t", "a, b", 2, 2), "INSERT INTO t (a, b) VALUES (?1, ?2), (?3, ?4)");
    }
}
