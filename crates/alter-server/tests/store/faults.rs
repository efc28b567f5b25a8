//! The disk fails in every way there is: each call ends in time with its own error, and nothing is released without its row.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use alter_server::audit::{ChainId, Outcome, Standing, verify};
use alter_server::store::{Declined, Faults, Nonce, StoreError};

use super::harness::{Furnished, Vault, begin, declined, eventually, failed, soon};

/// A disk whose behaviour the test decides.
#[derive(Default)]
struct Disk {
    mode: Mutex<Mode>,
    changed: Condvar,
    hanging: AtomicUsize,
}

#[derive(Clone, Default, PartialEq)]
enum Mode {
    #[default]
    Works,
    HangsWriting,
    HangsReading,
    Fails(StoreError),
}

impl Disk {
    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
        self.changed.notify_all();
    }

    fn pass(&self, hang: &Mode) -> Result<(), StoreError> {
        let mut mode = self.mode.lock().unwrap();
        if *mode == *hang {
            self.hanging.fetch_add(1, Ordering::SeqCst);
            while *mode == *hang {
                mode = self.changed.wait(mode).unwrap();
            }
            self.hanging.fetch_sub(1, Ordering::SeqCst);
        }
        match &*mode {
            Mode::Fails(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    async fn hangs(&self, threads: usize) {
        eventually("the disk hangs", async || self.hanging.load(Ordering::SeqCst) == threads).await;
    }
}

impl Faults for Disk {
    fn before_commit(&self) -> Result<(), StoreError> {
        self.pass(&Mode::HangsWriting)
    }

    fn before_read(&self) -> Result<(), StoreError> {
        self.pass(&Mode::HangsReading)
    }
}

async fn vault_on(disk: &Arc<Disk>) -> (Vault, Furnished) {
    let disk = Arc::clone(disk);
    let vault = Vault::with(|options| {
        options.faults = disk;
        options.limits.commit_queue = 4;
        options.limits.commit_group = 4;
        options.limits.read_queue = 3;
        options.limits.readers = 1;
        options.limits.read_timeout = Duration::from_millis(400);
        options.limits.close_timeout = Duration::from_millis(100);
    });
    let made = vault.furnished("shop").await;
    (vault, made)
}

fn before_long() -> Instant {
    Instant::now() + Duration::from_millis(400)
}

async fn assert_intact(vault: &Vault, chain: ChainId) {
    let report = verify(&*vault.store, &vault.audit, chain, None).await.unwrap();
    assert!(report.is_intact(), "{report:?}");
}

#[tokio::test]
async fn a_hanging_disk_refuses_in_time_and_its_late_commit_reads_as_refused() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    let nonce = Nonce { key: made.key.id, value: "n".into() };
    disk.set(Mode::HangsWriting);
    let begun = Instant::now();
    let late = vault.store.commit(made.token_call().nonce(nonce.clone()), before_long()).await;
    assert!(matches!(failed(late), StoreError::Late { waited } if waited >= Duration::from_millis(390)));
    assert!(begun.elapsed() < Duration::from_secs(5), "it waited for the disk");
    disk.hangs(1).await;

    disk.set(Mode::Works);
    eventually("the late row is taken back", async || vault.last_row(made.chain()).await.entry.action == "intent.void").await;
    let rows = vault.rows(made.chain()).await;
    let [.., intent, void] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((intent.entry.outcome, intent.voided_by, intent.standing()), (Outcome::Intent, Some(void.sequence), Standing::Refused));
    assert_eq!((void.entry.refers_to, void.standing()), (Some(intent.sequence), Standing::Refused));
    assert_eq!(void.entry.code.as_deref(), Some("audit_unavailable"));
    assert_intact(&vault, made.chain()).await;
    assert_eq!(declined(vault.commit(made.token_call().nonce(nonce)).await), Declined::NonceReplayed, "the nonce was spent");
    vault.commit(made.token_call()).await.unwrap();
    assert_eq!(vault.last_row(made.chain()).await.standing(), Standing::Released);
}

#[tokio::test]
async fn a_caller_that_went_away_is_not_told_and_its_row_is_taken_back() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    disk.set(Mode::HangsWriting);
    let store = Arc::clone(&vault.store);
    let call = made.token_call();
    let caller = tokio::spawn(async move { store.commit(call, soon()).await });
    disk.hangs(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    disk.set(Mode::Works);
    eventually("the row is taken back", async || vault.last_row(made.chain()).await.entry.action == "intent.void").await;
}

#[tokio::test]
async fn behind_a_hanging_disk_the_queue_is_bounded_and_what_waited_too_long_is_never_written() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    let before = vault.rows(made.chain()).await.len();
    disk.set(Mode::HangsWriting);
    let commit = || vault.store.commit(made.token_call(), before_long());
    let mut first = commit();
    assert!(begin(&mut first).await.is_none());
    disk.hangs(1).await;
    let mut calls = vec![first];
    for _ in 0..4 {
        let mut waiting = commit();
        assert!(begin(&mut waiting).await.is_none());
        calls.push(waiting);
    }
    assert_eq!(failed(commit().await), StoreError::Busy { queued: 4 });
    for call in calls {
        assert_eq!(failed(call.await).code(), "store_late");
    }
    disk.set(Mode::Works);
    eventually("there is room in the queue", async || vault.commit(made.token_call()).await.is_ok()).await;
    let rows = vault.rows(made.chain()).await;
    let actions: Vec<&str> = rows[before..].iter().map(|row| row.entry.action.as_ref()).collect();
    assert_eq!(actions, ["token.retrieve", "intent.void", "token.retrieve"], "only the first had been begun");
    assert_intact(&vault, made.chain()).await;
}

#[tokio::test]
async fn a_failing_commit_refuses_its_whole_group_and_leaves_no_trace() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    let before = vault.rows(made.chain()).await.len();
    for error in [StoreError::Failed("input/output error".into()), StoreError::Full] {
        disk.set(Mode::Fails(error.clone()));
        let (one, two) = tokio::join!(vault.commit(made.token_call()), vault.commit(made.token_call()));
        assert_eq!((failed(one), failed(two)), (error.clone(), error.clone()));
        assert_eq!(vault.store.ready(soon()).await.unwrap_err(), error);
    }
    disk.set(Mode::Works);
    vault.store.ready(soon()).await.unwrap();
    assert_eq!(vault.rows(made.chain()).await.len(), before);
    let grant = vault.store.grant(made.app.id, made.grant.id).await.unwrap().found().unwrap();
    assert_eq!(grant.last_used_at, None);
    vault.commit(made.token_call()).await.unwrap();
    assert_intact(&vault, made.chain()).await;
}

#[tokio::test]
async fn rows_that_could_not_be_taken_back_are_taken_back_later() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    disk.set(Mode::HangsWriting);
    let late = vault.store.commit(made.token_call(), before_long()).await;
    assert_eq!(failed(late).code(), "store_late");
    disk.hangs(1).await;
    // The late commit itself goes through; from then on the disk is full.
    let state = Arc::clone(&disk);
    let full = StoreError::Full;
    let swap = std::thread::spawn(move || {
        state.set(Mode::Works);
        while state.hanging.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        state.set(Mode::Fails(full));
    });
    swap.join().unwrap();
    eventually("a commit fails", async || vault.commit(made.token_call()).await.is_err()).await;
    disk.set(Mode::Works);
    eventually("the late row is taken back", async || vault.rows(made.chain()).await.iter().any(|row| row.entry.action == "intent.void"))
        .await;
    let rows = vault.rows(made.chain()).await;
    assert_eq!(rows.iter().filter(|row| row.entry.action == "intent.void").count(), 1);
    assert_intact(&vault, made.chain()).await;
}

#[tokio::test]
async fn a_disk_that_hangs_while_reading_refuses_in_time() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    disk.set(Mode::HangsReading);
    let read = || vault.store.grant(made.app.id, made.grant.id);
    assert_eq!(read().await.unwrap_err().code(), "store_late");
    disk.hangs(1).await;
    let waiting: Vec<_> = (0..3).map(|_| read()).collect();
    assert_eq!(read().await.unwrap_err(), StoreError::Busy { queued: 3 });
    for read in waiting {
        assert_eq!(read.await.unwrap_err().code(), "store_late");
    }
    vault.commit(made.token_call()).await.unwrap();
    disk.set(Mode::Works);
    eventually("reading works again", async || read().await.is_ok()).await;
    disk.set(Mode::Fails(StoreError::Failed("input/output error".into())));
    assert_eq!(read().await.unwrap_err().code(), "store_failed");
}

#[tokio::test]
async fn closing_does_not_wait_for_a_hanging_disk() {
    let disk = Arc::new(Disk::default());
    let (vault, made) = vault_on(&disk).await;
    disk.set(Mode::HangsWriting);
    let late = vault.store.commit(made.token_call(), before_long()).await;
    assert_eq!(failed(late).code(), "store_late");
    assert_eq!(vault.store.close().await.unwrap_err().code(), "store_late");
    disk.set(Mode::Works);
}
