//! What is in SQLite's files, and what a damaged one does to the calls that meet it.

use alter_server::audit::verify;
use alter_server::store::sqlite::DATABASE_FILE;
use alter_server::store::{Commit, Effect, StoreError};

use super::harness::{Vault, failed};

/// What an operator stored is nowhere in the folder, and what was deleted is gone even as ciphertext.
#[tokio::test]
async fn no_file_holds_a_value_or_the_remains_of_a_deleted_one() {
    let vault = Vault::new();
    let made = vault.furnished("canary").await;
    let sealed = vault.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap().sealed.unwrap();
    let folder_holds = |needle: &[u8]| {
        let files = std::fs::read_dir(vault.folder()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    assert!(folder_holds(b"canary"), "the search finds what is there");
    assert!(folder_holds(&sealed.fields["token"]) && folder_holds(&sealed.wrapped.bytes));
    assert!(!folder_holds(b"hunter2") && !folder_holds(b"swordfish"));
    vault.apply(made.chain(), Effect::DeleteSecret { app: made.app.id, secret: made.secret.id }).await.unwrap();
    vault.store.close().await.unwrap();
    assert!(folder_holds(b"canary"));
    assert!(!folder_holds(&sealed.fields["token"]) && !folder_holds(&sealed.wrapped.bytes));
}

/// A damaged row is an error of the calls that need it and of nobody else, though they share a transaction.
#[tokio::test]
async fn a_damaged_row_fails_its_own_calls_only() {
    let vault = Vault::new();
    let (bad, good) = (vault.furnished("bad").await, vault.furnished("good").await);
    let file = vault.folder().join(DATABASE_FILE);
    let damage = "UPDATE grants SET status = 'bogus' WHERE app = ?1";
    rusqlite::Connection::open(file).unwrap().execute(damage, [bad.app.id.0.into_bytes()]).unwrap();

    let (failing, passing) = tokio::join!(vault.commit(bad.token_call()), vault.commit(good.token_call()));
    assert_eq!(failed(failing).code(), "store_corrupt");
    passing.unwrap();
    assert_ne!(vault.last_row(bad.chain()).await.entry.action, "token.retrieve");
    let error = vault.store.grant(bad.app.id, bad.grant.id).await.unwrap_err();
    assert_eq!(error.code(), "store_corrupt");
    assert!(error.to_string().contains("'bogus' is no word of this column"), "{error}");
}

/// A disk that is really full: the database may not grow.
#[tokio::test]
async fn a_full_disk_refuses_every_release_and_recovers() {
    let vault = Vault::with(|options| options.limits.max_pages = Some(120));
    let made = vault.furnished("shop").await;
    let filler = "x".repeat(4000);
    let mut written = 0;
    let error = loop {
        let mut row = made.intent().reason(&filler);
        row.request_id = Some(format!("r-{written}"));
        match vault.commit(Commit::new(row)).await {
            Ok(_receipt) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "120 pages of 4 KiB cannot hold this much");
    };
    assert_eq!(error, StoreError::Full.into());
    assert!(written > 5, "it was full at once: {written}");
    for _ in 0..3 {
        assert_eq!(failed(vault.commit(Commit::new(made.intent().reason(&filler))).await), StoreError::Full);
    }
    let kept = vault.rows(made.chain()).await.iter().filter(|row| row.entry.request_id.is_some()).count();
    assert_eq!(kept, written, "a row for each release, a release for each row");
    assert!(verify(&*vault.store, &vault.audit, made.chain(), None).await.unwrap().is_intact());
    assert!(vault.store.app(made.app.id).await.unwrap().is_some(), "reading still works");

    let vault = vault.restarted().await;
    vault.commit(made.token_call()).await.unwrap();
}
