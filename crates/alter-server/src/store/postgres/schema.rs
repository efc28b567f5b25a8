//! Which schema a database has, and bringing it forward.

use super::session::PostgresSession;
use crate::clock::Timestamp;
use crate::store::sql::database::{Database, Session, SqlResult};
use crate::store::sql::value::values;

/// The tables are in a schema of their own, so that they meet nobody else's.
pub(super) const SCHEMA: &str = "alter_vault";

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

/// In order, never edited once released: a database that has one had exactly this text. Of one version, SQLite has the same tables and columns.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 2, name: "people", sql: include_str!("migrations/0002_people.sql") },
    Migration { version: 3, name: "agents", sql: include_str!("migrations/0003_agents.sql") },
    Migration { version: 4, name: "specs", sql: include_str!("migrations/0004_specs.sql") },
    Migration { version: 5, name: "approvals", sql: include_str!("migrations/0005_approvals.sql") },
    Migration { version: 6, name: "traces", sql: include_str!("migrations/0006_traces.sql") },
    Migration { version: 7, name: "operations", sql: include_str!("migrations/0007_operations.sql") },
    Migration { version: 8, name: "policies", sql: include_str!("migrations/0008_policies.sql") },
];

/// The newest schema that this version knows.
pub(super) const NEWEST: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// What was found in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing of ours.
    Empty,
    /// Our tables, of this version.
    Ours(u32),
    /// Our schema with somebody else's tables in it.
    Foreign,
}

pub(super) fn inspect(session: &PostgresSession) -> SqlResult<Found> {
    let db: &dyn Database = session;
    let migrations = "SELECT to_regclass($$alter_vault.schema_migrations$$) IS NOT NULL";
    if db.one(migrations, &[], |columns| columns.get())? {
        let version: Option<u32> = db.one("SELECT max(version) FROM schema_migrations", &[], |columns| columns.get())?;
        return Ok(version.map_or(Found::Foreign, Found::Ours));
    }
    let tables = db.exists(
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = ?1",
        values![SCHEMA],
    )?;
    Ok(if tables { Found::Foreign } else { Found::Empty })
}

/// Applies what is missing above `from`, each migration in a transaction of its own: an interrupted start goes on where it stopped. The caller holds
/// the lock that keeps other vaults from doing the same.
pub(super) fn migrate(session: &PostgresSession, from: u32, now: Timestamp) -> SqlResult<()> {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > from) {
        let applied = session.begin().and_then(|()| apply(session, migration, now)).and_then(|()| session.commit());
        if applied.is_err() {
            session.roll_back();
        }
        applied?;
        tracing::info!(version = migration.version, name = migration.name, "database schema brought forward");
    }
    Ok(())
}

/// Makes our tables in the newest schema, within a transaction of the caller's.
pub(super) fn create(session: &PostgresSession, now: Timestamp) -> SqlResult<()> {
    MIGRATIONS.iter().try_for_each(|migration| apply(session, migration, now))
}

fn apply(session: &PostgresSession, migration: &Migration, now: Timestamp) -> SqlResult<()> {
    let db: &dyn Database = session;
    // Whoever may not make schemas may be given one that is made already.
    if !db.exists("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?1", values![SCHEMA])? {
        session.run_script(&format!("CREATE SCHEMA {SCHEMA}"))?;
    }
    session.run_script(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)",
    )?;
    session.run_script(migration.sql)?;
    let insert = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3)";
    db.execute(insert, values![migration.version, migration.name, now.as_millis()]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps_and_as_on_sqlite() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 2, "{}", migration.name);
        }
        assert_eq!(NEWEST, crate::store::sqlite::SCHEMA_VERSION);
    }
}
