//! Opening a data folder: what is made, what is refused, and with which words.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use alter_core::secret::Secret;
use alter_server::clock::ManualClock;
use alter_server::crypto::{KeyOrigin, MASTER_KEY_FILE, MasterKey};
use alter_server::store::sqlite::{self, Access, DATABASE_FILE, SqliteOptions};
use alter_server::store::{OpenError, Opened};
use tempfile::TempDir;

use super::backend::options;
use super::harness::{NOON, Vault, failed, soon};

fn manual() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOON))
}

fn open(folder: &Path, access: Access) -> Result<Opened, OpenError> {
    sqlite::open(&options(folder, access, &manual()))
}

fn with_key(folder: &Path, access: Access, key: &MasterKey) -> SqliteOptions {
    let mut options = options(folder, access, &manual());
    options.keys.key = Some(key.to_base64());
    options
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_empty_folder_becomes_a_vault_that_only_its_owner_can_read() {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("a/b");
    let opened = open(&folder, Access::Create).unwrap();
    assert!(opened.created);
    assert_eq!(opened.key_origin, KeyOrigin::NewFile(folder.join(MASTER_KEY_FILE)));
    opened.store.ready(soon()).await.unwrap();
    #[cfg(unix)]
    {
        assert_eq!(mode(&folder), 0o700);
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    opened.store.close().await.unwrap();
    let again = open(&folder, Access::Create).unwrap();
    assert!(!again.created);
    assert_eq!(again.key_origin, KeyOrigin::FolderFile(folder.join(MASTER_KEY_FILE)));
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_holds_the_folder() {
    let vault = Vault::new();
    let error = open(vault.folder(), Access::Write).unwrap_err();
    assert_eq!(error.code(), "data_folder_in_use");
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains(&vault.folder().display().to_string()), "{text}");
    vault.store.close().await.unwrap();
    open(vault.folder(), Access::Write).unwrap();
}

#[tokio::test]
async fn a_store_that_is_dropped_gives_its_folder_back() {
    let Vault { store, place, .. } = Vault::new();
    drop(store);
    super::harness::eventually("the folder is free", async || open(place.folder.path(), Access::Write).is_ok()).await;
}

#[tokio::test]
async fn reading_works_beside_the_vault_and_cannot_write() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let reading = open(vault.folder(), Access::Read).unwrap();
    assert!(reading.store.app(made.app.id).await.unwrap().is_some());
    assert_eq!(failed(reading.store.commit(made.token_call(), soon()).await).code(), "store_read_only");
    let reports = alter_server::audit::verify_all(&*reading.store, &reading.audit, &[]).await.unwrap();
    assert!(reports.len() == 2 && reports.iter().all(alter_server::audit::Report::is_intact), "{reports:?}");
    reading.store.close().await.unwrap();
}

#[test]
fn a_vault_that_must_exist_is_not_made() {
    let folder = TempDir::new().unwrap();
    for access in [Access::Write, Access::Read] {
        assert_eq!(open(folder.path(), access).unwrap_err().code(), "vault_missing");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let outer = TempDir::new().unwrap();
    let file = outer.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("data"), Access::Create).unwrap_err();
    assert_eq!(error.code(), "data_folder_unusable");
    assert!(error.to_string().starts_with(&format!("cannot create {}", file.join("data").display())), "{error}");
    assert!(!error.help().is_empty());
}

#[tokio::test]
async fn a_wrong_master_key_is_told_apart_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (right, wrong) = (MasterKey::random().unwrap(), MasterKey::random().unwrap());
    let opened = sqlite::open(&with_key(folder.path(), Access::Create, &right)).unwrap();
    assert_eq!(opened.key_origin, KeyOrigin::Environment);
    assert!(!folder.path().join(MASTER_KEY_FILE).exists());
    opened.store.close().await.unwrap();

    let before = fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    for access in [Access::Create, Access::Write, Access::Read] {
        let error = sqlite::open(&with_key(folder.path(), access, &wrong)).unwrap_err();
        assert_eq!(error.code(), "master_key_wrong", "{error}");
        assert_eq!(open(folder.path(), access).unwrap_err().code(), "master_key_missing");
    }
    assert_eq!(fs::read(folder.path().join(DATABASE_FILE)).unwrap(), before);
    sqlite::open(&with_key(folder.path(), Access::Write, &right)).unwrap();
}

#[tokio::test]
async fn a_new_master_key_is_accepted_beside_the_one_before() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (MasterKey::random().unwrap(), MasterKey::random().unwrap());
    let opened = sqlite::open(&with_key(folder.path(), Access::Create, &first)).unwrap();
    let digest = opened.keys.digest("alter_rk_x");
    assert_eq!(opened.keys.master_version(), 1);
    opened.store.close().await.unwrap();

    let mut both = with_key(folder.path(), Access::Write, &second);
    both.keys.previous = Some(first.to_base64());
    for _ in 0..2 {
        let opened = sqlite::open(&both).unwrap();
        assert_eq!(opened.keys.master_version(), 2);
        assert_eq!(opened.keys.digest("alter_rk_x"), digest, "API keys outlive the master key");
        opened.store.close().await.unwrap();
    }
    // Nothing has been re-wrapped yet, so the earlier key is still needed.
    let error = sqlite::open(&with_key(folder.path(), Access::Write, &second)).unwrap_err();
    assert_eq!(error.code(), "master_key_version_missing");
    let third = MasterKey::random().unwrap();
    let mut skipping = with_key(folder.path(), Access::Write, &third);
    skipping.keys.previous = Some(first.to_base64());
    assert_eq!(sqlite::open(&skipping).unwrap_err().code(), "master_key_wrong", "only the newest key may be followed");
}

#[test]
fn a_malformed_master_key_is_named_by_its_variable_and_not_shown() {
    let folder = TempDir::new().unwrap();
    for (text, reason) in [("not base64 !", "it is not base64"), ("c2hvcnQ=", "it holds 5 bytes, not 32"), ("   ", "it is empty")] {
        let mut options = options(folder.path(), Access::Create, &manual());
        options.keys.key = Some(Secret::new(text));
        let error = sqlite::open(&options).unwrap_err();
        assert_eq!(error.code(), "master_key_malformed");
        assert_eq!(error.to_string(), format!("ALTER_MASTER_KEY is not a master key: {reason}"));
    }
    assert!(!folder.path().join(DATABASE_FILE).exists());
}

#[test]
fn a_key_file_is_read_and_two_sources_are_one_too_many() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = other.path().join("key");
    let mut named = options(folder.path(), Access::Create, &manual());
    named.keys.file = Some(file.clone());
    assert_eq!(sqlite::open(&named).unwrap_err().code(), "master_key_unreadable");
    fs::write(&file, format!("  {}\n", MasterKey::new([7; 32]).to_base64().expose())).unwrap();
    let mut ambiguous = named.clone();
    ambiguous.keys.key = Some(MasterKey::new([7; 32]).to_base64());
    assert_eq!(sqlite::open(&ambiguous).unwrap_err().code(), "master_key_ambiguous");
    assert_eq!(sqlite::open(&named).unwrap().key_origin, KeyOrigin::NamedFile(file));
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let vault = Vault::new();
    vault.store.close().await.unwrap();
    let file = vault.folder().join(MASTER_KEY_FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let error = open(vault.folder(), Access::Write).unwrap_err();
    assert_eq!(error.code(), "master_key_exposed");
    assert!(error.to_string().contains("mode 640"), "{error}");
}

#[tokio::test]
async fn a_damaged_database_is_told_apart_and_left_alone() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("not a database", |bytes| bytes[..100].fill(b'x')),
        ("overwritten in the middle", |bytes| {
            let middle = bytes.len() / 2 / 4096 * 4096;
            bytes[middle..middle + 4096].fill(0xA5);
        }),
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
    ];
    for (name, damage) in damages {
        let vault = Vault::new();
        vault.furnished("shop").await;
        vault.store.close().await.unwrap();
        let file = vault.folder().join(DATABASE_FILE);
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        let error = open(vault.folder(), Access::Create).unwrap_err();
        assert_eq!(error.code(), "database_corrupt", "{name}: {error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{name}: {error}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "{name}");
    }
}

#[tokio::test]
async fn a_newer_an_older_and_a_foreign_database_are_told_apart() {
    let vault = Vault::new();
    vault.store.close().await.unwrap();
    let file = vault.folder().join(DATABASE_FILE);
    let edit = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    edit("INSERT INTO schema_migrations VALUES (99, 'from the future', 0)");
    let error = open(vault.folder(), Access::Write).unwrap_err();
    assert_eq!(error.code(), "schema_too_new");
    assert!(error.to_string().contains("has schema 99"), "{error}");
    edit("DELETE FROM schema_migrations WHERE version > 1");
    let error = open(vault.folder(), Access::Read).unwrap_err();
    assert_eq!(error.code(), "schema_too_old", "what is only read cannot be brought forward");
    assert!(error.to_string().contains("has schema 1"), "{error}");
    edit("PRAGMA application_id = 7");
    assert_eq!(open(vault.folder(), Access::Write).unwrap_err().code(), "database_corrupt");
}

/// A start that was interrupted between making the database and filling it leaves an empty file: the next start goes on.
#[test]
fn an_empty_database_file_is_as_good_as_none() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(DATABASE_FILE), "").unwrap();
    assert_eq!(open(folder.path(), Access::Write).unwrap_err().code(), "vault_missing");
    assert!(open(folder.path(), Access::Create).unwrap().created);
}
