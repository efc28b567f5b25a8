//! The server goes away: each call ends in time with an answer that is true, and whatever was acknowledged is there when it is back.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alter_server::audit::{AuditEntry, Outcome, Standing, verify_all};
use alter_server::store::{Access, Commit, CommitError, Faults, StoreError};
use alter_testkit::postgres::PostgresServer;
use tempfile::TempDir;

use super::backend::Database;
use super::harness::{NOON, Place, Vault, eventually, soon};

/// A vault on a server of its own.
fn vault_on(server: &PostgresServer, change: impl FnOnce(&mut super::harness::Options)) -> Vault {
    let place = Place { folder: TempDir::new().unwrap(), database: Database::on(server) };
    let clock = Arc::new(alter_server::clock::ManualClock::at(NOON));
    let opened = place.open(Access::Create, &clock, change).unwrap();
    Vault { store: opened.store, keys: opened.keys, audit: opened.audit, clock, place }
}

async fn assert_intact(vault: &Vault) {
    for report in verify_all(&*vault.store, &vault.audit, &[]).await.unwrap() {
        assert!(report.is_intact(), "{report:?}");
    }
}

/// Writers that never stop, and a server that is killed under them again and again.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_writing_nothing_acknowledged_is_lost() {
    let server = PostgresServer::start();
    let vault = vault_on(&server, |_| {});
    let made = vault.furnished("shop").await;
    let (acknowledged, refused) = (Arc::new(Mutex::new(HashSet::new())), Arc::new(Mutex::new(HashSet::new())));
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (store, chain) = (Arc::clone(&vault.store), made.chain());
            let (acknowledged, refused) = (Arc::clone(&acknowledged), Arc::clone(&refused));
            let (stop, next) = (Arc::clone(&stop), Arc::clone(&next));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let id = format!("r-{}", next.fetch_add(1, Ordering::Relaxed));
                    let row = AuditEntry::new(chain, "test.write", Outcome::Intent).request_id(&id);
                    match store.commit(Commit::new(row), Instant::now() + Duration::from_secs(5)).await {
                        Ok(_) => acknowledged.lock().unwrap().insert(id),
                        Err(CommitError::Store(_)) => refused.lock().unwrap().insert(id),
                        Err(CommitError::Declined(declined)) => panic!("{declined}"),
                    };
                }
            })
        })
        .collect();
    for _ in 0..5 {
        let before = acknowledged.lock().unwrap().len();
        eventually("some are acknowledged", async || acknowledged.lock().unwrap().len() >= before + 50).await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.start_again();
        });
    }
    let before = acknowledged.lock().unwrap().len();
    eventually("it works again", async || acknowledged.lock().unwrap().len() >= before + 50).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    vault.store.ready(soon()).await.unwrap();
    assert_intact(&vault).await;
    let rows = vault.rows(made.chain()).await;
    let standing = |id: &String| {
        let mut found = rows.iter().filter(|row| row.entry.action == "test.write" && row.entry.request_id.as_ref() == Some(id));
        let row = found.next().map(|row| row.standing());
        assert!(found.next().is_none(), "{id} is there twice");
        row
    };
    let (acknowledged, refused) = (acknowledged.lock().unwrap(), refused.lock().unwrap());
    for id in acknowledged.iter() {
        assert_eq!(standing(id), Some(Standing::Released), "{id} was acknowledged");
    }
    for id in refused.iter() {
        assert_ne!(standing(id), Some(Standing::Released), "{id} was refused");
    }
    println!("{} acknowledged, {} refused over five crashes", acknowledged.len(), refused.len());
}

/// Ends the server between the last statement of a transaction and its COMMIT, or just after that was sent.
struct Crash {
    server: Arc<PostgresServer>,
    armed: AtomicBool,
    /// Whether the server comes back by itself.
    back: bool,
}

impl Faults for Crash {
    fn before_commit(&self) -> Result<(), StoreError> {
        if self.armed.swap(false, Ordering::SeqCst) {
            self.server.kill();
            if self.back {
                self.server.start_again();
            }
        }
        Ok(())
    }
}

fn crashing(back: bool) -> (Arc<PostgresServer>, Arc<Crash>, Vault) {
    let server = Arc::new(PostgresServer::start());
    let crash = Arc::new(Crash { server: Arc::clone(&server), armed: AtomicBool::new(false), back });
    let faults = Arc::clone(&crash) as Arc<dyn Faults>;
    let vault = vault_on(&server, |options| options.faults = faults);
    (server, crash, vault)
}

/// The connection is gone when COMMIT is sent: the store finds that nothing was stored, and does it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_end_was_not_heard_is_looked_for_and_done_once() {
    let (_server, crash, vault) = crashing(true);
    let made = vault.furnished("shop").await;
    let before = vault.rows(made.chain()).await.len();
    crash.armed.store(true, Ordering::SeqCst);
    vault.commit(made.token_call()).await.unwrap();
    assert_eq!(vault.rows(made.chain()).await.len(), before + 1);
    assert_eq!(vault.last_row(made.chain()).await.standing(), Standing::Released);
    assert_intact(&vault).await;
}

/// While it cannot be known, callers are refused by their deadlines; once it is, the row tells the same.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_calls_are_refused_in_time() {
    let (server, crash, vault) = crashing(false);
    let made = vault.furnished("shop").await;
    crash.armed.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let late = vault.store.commit(made.token_call(), Instant::now() + Duration::from_millis(500)).await;
    assert!(matches!(late, Err(CommitError::Store(_))), "{late:?}");
    assert!(begun.elapsed() < Duration::from_secs(15), "it waited for the server");
    assert!(vault.store.grant(made.app.id, made.grant.id).await.is_err(), "there is nobody to ask");
    tokio::task::block_in_place(|| server.start_again());
    eventually("it works again", async || vault.store.ready(soon()).await.is_ok()).await;
    let released = vault
        .rows(made.chain())
        .await
        .iter()
        .filter(|row| row.standing() == Standing::Released && row.entry.outcome == Outcome::Intent)
        .count();
    assert_eq!(released, 0);
    vault.commit(made.token_call()).await.unwrap();
    assert_intact(&vault).await;
}

/// What the server ends of its own accord (as when it restarts in good order) is tried again unnoticed.
#[tokio::test]
async fn a_connection_that_the_server_ended_is_made_anew() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    for _ in 0..3 {
        let end = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            vault.place.database.name
        );
        assert_ne!(vault.place.database.run(&end), "0");
        assert!(vault.store.grant(made.app.id, made.grant.id).await.unwrap().found().is_some());
        vault.commit(made.token_call()).await.unwrap();
    }
    assert_intact(&vault).await;
}
