//! Which schema a database has, and bringing it forward.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::clock::Timestamp;
use crate::store::sql::database::SqlResult;

struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

/// In order, never edited once released: a database that has one had exactly this text.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "first", sql: include_str!("migrations/0001_first.sql") },
    Migration { version: 2, name: "people", sql: include_str!("migrations/0002_people.sql") },
    Migration { version: 3, name: "agents", sql: include_str!("migrations/0003_agents.sql") },
    Migration { version: 4, name: "specs", sql: include_str!("migrations/0004_specs.sql") },
    Migration { version: 5, name: "approvals", sql: include_str!("migrations/0005_approvals.sql") },
    Migration { version: 6, name: "traces", sql: include_str!("migrations/0006_traces.sql") },
    Migration { version: 7, name: "operations", sql: include_str!("migrations/0007_operations.sql") },
    Migration { version: 8, name: "policies", sql: include_str!("migrations/0008_policies.sql") },
];

/// The newest schema that this version knows.
pub(in crate::store) const NEWEST: u32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

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
pub(in crate::store) fn migrate(connection: &Connection, from: u32, now: Timestamp) -> SqlResult<()> {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > from) {
        apply(connection, migration, now)?;
        tracing::info!(version = migration.version, name = migration.name, "database schema brought forward");
    }
    Ok(())
}

fn apply(connection: &Connection, migration: &Migration, now: Timestamp) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
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
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(inspect(&connection).unwrap(), Found::Empty);
        migrate(&connection, 0, Timestamp::from_millis(1)).unwrap();
        assert_eq!(inspect(&connection).unwrap(), Found::Ours(NEWEST));
        migrate(&connection, NEWEST, Timestamp::from_millis(2)).unwrap();
        let applied: i64 = connection.query_row("SELECT count(*) FROM schema_migrations", [], |row| row.get(0)).unwrap();
        assert_eq!(applied, MIGRATIONS.len() as i64);
    }

    /// A database as the first version wrote it, with an app, a secret, and a grant of the app and of a user.
    fn of_the_first_version() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        apply(&connection, &MIGRATIONS[0], Timestamp::from_millis(1)).unwrap();
        let id = |byte: u8| format!("zeroblob(15) || x'{byte:02x}'");
        let sql = format!(
            "INSERT INTO apps (id, name, created_at) VALUES (CAST({app} AS BLOB), 'shop', 1);
             INSERT INTO master_keys (version, fingerprint, created_at) VALUES (1, zeroblob(16), 1);
             INSERT INTO data_keys (id, master_version, wrapped) VALUES (CAST({key} AS BLOB), 1, x'01');
             INSERT INTO secrets (id, app, slug, name, kind, version, allowed_hosts, injection, parameters, status, data_key, created_at, updated_at)
             VALUES (CAST({secret} AS BLOB), CAST({app} AS BLOB), 'github', '', 'bearer', 3, '[\"a\"]', '{{\"header\":\"A\",\"format\":\"{{token}}\"}}', '{{}}',
                 'active', CAST({key} AS BLOB), 1, 1);
             INSERT INTO grants (id, app, secret, principal_kind, principal_id, label, status, created_at, expires_at)
             VALUES (CAST({system} AS BLOB), CAST({app} AS BLOB), CAST({secret} AS BLOB), 'system', NULL, 'work', 'active', 1, 9),
                 (CAST({user} AS BLOB), CAST({app} AS BLOB), CAST({secret} AS BLOB), 'user', 'u\"1', NULL, 'revoked', 2, NULL);",
            app = id(1),
            key = id(2),
            secret = id(3),
            system = id(4),
            user = id(5),
        );
        connection.execute_batch(&sql).unwrap();
        connection
    }

    #[test]
    fn what_the_first_version_wrote_is_read_by_this_one() {
        use crate::model::{AppId, GrantFilter, Opens, Person, Principal, SecretId};
        use crate::store::Page;
        use crate::store::sql::grants;
        use crate::store::sqlite::session::SqliteSession;
        let connection = of_the_first_version();
        assert_eq!(inspect(&connection).unwrap(), Found::Ours(1));
        migrate(&connection, 1, Timestamp::from_millis(2)).unwrap();
        let id = |byte: u8| uuid::Uuid::from_u128(byte.into());
        let app = AppId(id(1));
        let page = Page::first(std::num::NonZeroU32::MAX);
        let session = SqliteSession::new(connection, None);
        let grants = grants::grants(&session, app, &GrantFilter::default(), page, Timestamp::from_millis(3)).unwrap();
        assert_eq!(grants.len(), 2);
        let (system, user) = (&grants[0], &grants[1]);
        assert_eq!((system.opens, &system.principal), (Opens::Secret(SecretId(id(3))), &Principal::System));
        assert_eq!((system.label.as_deref(), system.expires_at), (Some("work"), Some(Timestamp::from_millis(9))));
        assert_eq!(user.principal, Principal::User(Person { issuer: String::new(), subject: "u\"1".into() }));
        assert_eq!(system.on_behalf_of, system.principal);
        let access = grants::access(&session, app, system.id).unwrap().found().unwrap();
        assert_eq!((access.judged().secret, access.sealed.is_some()), (Some(3), true));
        let broken: i64 = session.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(broken, 0);
    }

    #[test]
    fn keys_and_agents_of_the_second_version_are_what_they_were() {
        use crate::model::{AgentId, AgentScopes, AgentStatus, AppId, KeyId, KeyRate, KeyStatus};
        use crate::store::sql::{agents, keys};
        use crate::store::sqlite::session::SqliteSession;
        let connection = of_the_first_version();
        apply(&connection, &MIGRATIONS[1], Timestamp::from_millis(2)).unwrap();
        connection
            .execute_batch(
                "INSERT INTO agents (id, app, name, status, created_at, updated_at)
                 VALUES (CAST(zeroblob(15) || x'06' AS BLOB), CAST(zeroblob(15) || x'01' AS BLOB), 'planner', 'suspended', 3, 4);
                 INSERT INTO api_keys (id, app, kind, agent, name, digest, prefix, scopes, status, created_at, last_used_at)
                 VALUES (CAST(zeroblob(15) || x'07' AS BLOB), CAST(zeroblob(15) || x'01' AS BLOB), 'agent', CAST(zeroblob(15) || x'06' AS BLOB), 'k',
                     zeroblob(32), 'alter_ak_abcd', '[\"tokens:retrieve\"]', 'revoked', 3, 5);",
            )
            .unwrap();
        migrate(&connection, 2, Timestamp::from_millis(6)).unwrap();
        let id = |byte: u8| uuid::Uuid::from_u128(byte.into());
        let session = SqliteSession::new(connection, None);
        let agent = agents::agent(&session, AppId(id(1)), AgentId(id(6))).unwrap().found().unwrap();
        assert_eq!((agent.status, agent.version, &agent.scopes), (AgentStatus::Suspended, 1, &AgentScopes::all()));
        assert_eq!((agent.staged, agent.asked, agent.last_used_at), (None, None, Some(Timestamp::from_millis(5))));
        let key = keys::key(&session, AppId(id(1)), KeyId(id(7))).unwrap().found().unwrap();
        assert_eq!((key.status, key.agent, &key.rate), (KeyStatus::Revoked, Some(AgentId(id(6))), &KeyRate::default()));
        assert_eq!((key.parent, key.networks, key.works_until, key.revoked_at), (None, None, None, None));
    }

    #[test]
    fn anothers_database_is_recognized() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert_eq!(inspect(&connection).unwrap(), Found::Foreign);
    }
}
