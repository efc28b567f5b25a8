//! Opening a vault in a database: what is made, what is refused, and with which words.

use alter_server::audit::verify_all;
use alter_server::crypto::{KeyOrigin, MASTER_KEY_FILE, MasterKey};
use alter_server::store::postgres::{self, PostgresOptions, PostgresUrl};
use alter_server::store::{Access, Effect, Lookup, OpenError};
use tempfile::TempDir;

use super::harness::{Vault, failed, soon};

#[tokio::test]
async fn an_empty_database_becomes_a_vault_once() {
    let vault = Vault::new();
    assert!(vault.folder().join(MASTER_KEY_FILE).exists());
    vault.store.ready(soon()).await.unwrap();
    let again = vault.open_again(Access::Create, |_| {}).unwrap();
    assert!(!again.created);
    assert_eq!(again.key_origin, KeyOrigin::FolderFile(vault.folder().join(MASTER_KEY_FILE)));
    assert_eq!(
        vault.place.database.run("SELECT version, name FROM alter_vault.schema_migrations ORDER BY version"),
        "2|people\n3|agents\n4|specs\n5|approvals\n6|traces\n7|operations\n8|policies"
    );
    assert_eq!(vault.place.database.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0", "nothing among others' tables");
}

#[tokio::test]
async fn a_vault_of_the_first_schema_is_brought_forward_with_what_is_in_it() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let planner = super::people::agent(made.app.id, "planner");
    vault.apply(made.chain(), Effect::CreateAgent(Box::new(planner.clone()))).await.unwrap();
    // Back to what the first schema has.
    let columns = |names: &[&str]| names.iter().map(|name| format!("DROP COLUMN {name}")).collect::<Vec<_>>().join(", ");
    let keys = columns(&["parent", "networks", "rate", "metadata", "deprecated_at", "works_until", "revoked_at"]);
    let agents = columns(&[
        "display_name",
        "kind",
        "scopes",
        "staged_scopes",
        "staged_at",
        "policy",
        "metadata",
        "version",
        "asked_key",
        "asked_request",
    ]);
    let Vault { store, place, clock, .. } = vault;
    store.close().await.unwrap();
    place.database.run(&format!(
        "DROP INDEX alter_vault.audit_rows_by_time;
         DROP TABLE alter_vault.call_counts, alter_vault.policies, alter_vault.approval_gates, alter_vault.approvals, alter_vault.rate_counts, alter_vault.spans, alter_vault.spec_operations, alter_vault.provider_specs;
         ALTER TABLE alter_vault.audit_rows DROP COLUMN trace;
         ALTER TABLE alter_vault.api_keys {keys}; ALTER TABLE alter_vault.agents {agents};
         DELETE FROM alter_vault.schema_migrations WHERE version > 2"
    ));
    let opened = place.open(Access::Write, &clock, |_| {}).unwrap();
    assert_eq!(opened.store.agent(made.app.id, planner.id).await.unwrap(), Lookup::Found(planner));
    assert_eq!(opened.store.key(made.app.id, made.key.id).await.unwrap(), Lookup::Found(made.key.clone()));
    opened.store.commit(made.token_call().count(made.key.rate.counts(made.key.id, 1)), soon()).await.unwrap();
    opened.store.close().await.unwrap();
}

/// Two that start at once on an empty database with one key agree on who makes it.
#[tokio::test(flavor = "multi_thread")]
async fn vaults_that_start_together_make_it_once() {
    let (database, key) = (super::backend::Database::new(), MasterKey::random().unwrap());
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let (url, key) = (database.url.clone(), key.to_base64());
            tokio::task::spawn_blocking(move || {
                let folder = TempDir::new().unwrap();
                let mut options = PostgresOptions::new(url, folder.path(), Access::Create);
                options.keys.key = Some(key);
                let opened = postgres::open(&options).unwrap();
                (opened.created, opened.keys.digest("alter_rk_x"))
            })
        })
        .collect();
    let mut made = Vec::new();
    for start in starts {
        made.push(start.await.unwrap());
    }
    assert_eq!(made.iter().filter(|(created, _)| *created).count(), 1, "{made:?}");
    assert!(made.iter().all(|(_, digest)| *digest == made[0].1), "they have one pepper");
}

#[tokio::test]
async fn reading_works_beside_the_vault_and_cannot_write() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let reading = vault.open_again(Access::Read, |_| {}).unwrap();
    assert!(reading.store.app(made.app.id).await.unwrap().is_some());
    assert_eq!(failed(reading.store.commit(made.token_call(), soon()).await).code(), "store_read_only");
    let reports = verify_all(&*reading.store, &reading.audit, &[]).await.unwrap();
    assert!(reports.len() == 2 && reports.iter().all(alter_server::audit::Report::is_intact), "{reports:?}");
    reading.store.close().await.unwrap();
}

#[test]
fn a_vault_that_must_exist_is_not_made() {
    let (database, folder) = (super::backend::Database::new(), TempDir::new().unwrap());
    for access in [Access::Write, Access::Read] {
        let error = postgres::open(&PostgresOptions::new(database.url.clone(), folder.path(), access)).unwrap_err();
        assert_eq!(error.code(), "vault_missing");
        assert!(error.to_string().contains(&database.url.to_string()), "{error}");
    }
    assert_eq!(database.run("SELECT count(*) FROM pg_namespace WHERE nspname = 'alter_vault'"), "0");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wrong_master_key_is_told_apart_and_changes_nothing() {
    let right = MasterKey::random().unwrap();
    let vault = Vault::with(|options| options.keys.key = Some(right.to_base64()));
    vault.store.close().await.unwrap();
    for access in [Access::Create, Access::Write, Access::Read] {
        let wrong = |options: &mut super::harness::Options| options.keys.key = Some(MasterKey::random().unwrap().to_base64());
        assert_eq!(vault.open_again(access, wrong).unwrap_err().code(), "master_key_wrong");
        assert_eq!(vault.open_again(access, |_| {}).unwrap_err().code(), "master_key_missing");
    }
    assert_eq!(vault.place.database.run("SELECT count(*) FROM alter_vault.master_keys"), "1");
    vault.open_again(Access::Write, |options| options.keys.key = Some(right.to_base64())).unwrap();
}

#[tokio::test]
async fn a_newer_an_older_and_a_foreign_schema_are_told_apart() {
    let vault = Vault::new();
    vault.store.close().await.unwrap();
    let database = &vault.place.database;
    database.run("INSERT INTO alter_vault.schema_migrations VALUES (99, 'from the future', 0)");
    let error = vault.open_again(Access::Write, |_| {}).unwrap_err();
    assert_eq!(error.code(), "schema_too_new");
    assert!(error.to_string().contains("has schema 99"), "{error}");
    database.run("UPDATE alter_vault.schema_migrations SET version = 1 WHERE version = 99; DELETE FROM alter_vault.schema_migrations WHERE version > 1");
    assert_eq!(vault.open_again(Access::Read, |_| {}).unwrap_err().code(), "schema_too_old");
    database.run("DROP TABLE alter_vault.schema_migrations");
    assert_eq!(vault.open_again(Access::Write, |_| {}).unwrap_err().code(), "database_corrupt");
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let folder = TempDir::new().unwrap();
    let open =
        |url: &str| postgres::open(&PostgresOptions::new(PostgresUrl::parse(url).unwrap(), folder.path(), Access::Create)).unwrap_err();
    let error = open("postgres://alter:swordfish@127.0.0.1:1/vault");
    assert_eq!(error.code(), "database_unreachable");
    assert!(error.to_string().contains("postgres://alter@127.0.0.1:1/vault") && error.to_string().contains("refused"), "{error}");
    assert!(!format!("{error:?}{error}").contains("swordfish") && error.help().contains("PGPASSWORD"));
    let database = super::backend::Database::new();
    let missing = open(&database.url.to_string().replace(&database.name, "nowhere"));
    assert!(matches!(missing, OpenError::Unreachable { .. }) && missing.to_string().contains("does not exist"), "{missing}");
}

/// Audit rows are guarded in the database, too.
#[tokio::test]
async fn audit_rows_cannot_be_changed_by_mistake() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    for change in ["UPDATE alter_vault.audit_rows SET reason = ''", "DELETE FROM alter_vault.audit_rows", "TRUNCATE alter_vault.audit_rows"]
    {
        let refused = format!(
            "DO $$ BEGIN {change}; RAISE 'was allowed'; EXCEPTION WHEN raise_exception THEN
            IF SQLERRM <> 'audit rows are never changed or deleted' THEN RAISE; END IF; END $$"
        );
        vault.place.database.run(&refused);
    }
    assert!(!vault.rows(made.chain()).await.is_empty());
}

/// Nothing of a value is in the database as it was given.
#[tokio::test]
async fn no_table_holds_a_value_or_the_remains_of_a_deleted_one() {
    let vault = Vault::new();
    let made = vault.furnished("canary").await;
    let everything = || {
        let tables =
            vault.place.database.run("SELECT string_agg(quote_ident(tablename), ' ') FROM pg_tables WHERE schemaname = 'alter_vault'");
        let dump = |table: &str| vault.place.database.run(&format!("SELECT t::text FROM alter_vault.{table} t"));
        tables.split(' ').map(dump).collect::<String>()
    };
    let before = everything();
    assert!(before.contains("canary"), "the search finds what is there");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sealed = vault.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap().sealed.unwrap();
    assert!(before.contains(&hex(&sealed.fields["token"])) && before.contains(&hex(&sealed.wrapped.bytes)));
    for value in ["hunter2", "swordfish"] {
        assert!(!before.contains(value) && !before.contains(&hex(value.as_bytes())));
    }
    let delete = alter_server::store::Effect::DeleteSecret { app: made.app.id, secret: made.secret.id };
    vault.apply(made.chain(), delete).await.unwrap();
    let after = everything();
    assert!(!after.contains(&hex(&sealed.fields["token"])) && !after.contains(&hex(&sealed.wrapped.bytes)));
}
