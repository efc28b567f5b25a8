//! `kill -9` while writing, and while the master key is rotated: every acknowledged write is there, the chains verify, every secret opens.
//!
//! `ALTER_CRASH_ROUNDS=50 cargo test -p alter-server --test crash` kills more often than the suite has time for.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod killing;
mod writing;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::rotation::{Rotation, Subject};
use alter_server::store::Opened;
use alter_server::store::sqlite::{self, Access, SqliteOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::killing::{folder_of_child, rounds, run_and_kill};
use crate::writing::{check, say, writers};

#[test]
fn killed_while_writing_nothing_acknowledged_is_lost() {
    if let Some(folder) = folder_of_child() {
        return write_until_killed(&folder);
    }
    let folder = TempDir::new().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..rounds(20) {
        // Spread over start, migration and the first commits as well as over steady writing.
        let (longer, least) = (Duration::from_millis(round * 7), if round % 4 == 0 { 0 } else { round * 5 });
        acknowledged.extend(run_and_kill("killed_while_writing_nothing_acknowledged_is_lost", folder.path(), longer, least));
        check(folder.path(), &acknowledged);
    }
    println!("{} writes acknowledged", acknowledged.len());
    assert!(acknowledged.len() > 100, "only {} writes were acknowledged: the test shows too little", acknowledged.len());
}

fn open(folder: &Path) -> Opened {
    sqlite::open(&SqliteOptions::new(folder, Access::Create)).unwrap()
}

fn write_until_killed(folder: &Path) {
    let opened = open(folder);
    let (store, keys) = (opened.store, Arc::new(opened.keys));
    Runtime::new().unwrap().block_on(async {
        // One that fails ends the child: then the parent misses its acknowledgements and the kill that it meant to give.
        writers(8, &store, &keys).join_next().await.unwrap().unwrap();
    });
}

#[test]
fn killed_while_rotating_the_master_key_nothing_is_lost() {
    if let Some(folder) = folder_of_child() {
        return rotate_until_killed(&folder);
    }
    let folder = TempDir::new().unwrap();
    let (mut acknowledged, mut rotations, mut cut_off) = (HashSet::new(), 0, 0);
    for round in 0..rounds(15) {
        // From the first writes of the key file on: the shorter rounds end in the first rotation, the longer ones in a later one.
        let (longer, least) = (Duration::from_millis(round * 5 % 60), round % 7 * 8);
        let said = run_and_kill("killed_while_rotating_the_master_key_nothing_is_lost", folder.path(), longer, least);
        let (rotated, written): (Vec<_>, Vec<_>) = said.into_iter().partition(|id| id == ROTATED);
        rotations += rotated.len();
        acknowledged.extend(written);
        cut_off += u32::from(keys_in_file(folder.path()) > 1);
        check(folder.path(), &acknowledged);
    }
    println!("{} writes acknowledged, {rotations} rotations finished, {cut_off} cut off", acknowledged.len());
    assert!(
        acknowledged.len() > 100 && cut_off > 2,
        "{} writes, {cut_off} rotations cut off: the test shows too little",
        acknowledged.len()
    );
    finish(folder.path());
    check(folder.path(), &acknowledged);
}

const ROTATED: &str = "rotated";

/// Writes, and rotates again and again.
fn rotate_until_killed(folder: &Path) {
    let opened = open(folder);
    let rotation = Rotation::new(opened.key_home).batch(NonZeroU32::new(16).unwrap());
    let (store, keys) = (opened.store, Arc::new(opened.keys));
    Runtime::new().unwrap().block_on(async {
        let mut writing = writers(4, &store, &keys);
        let rotating = async {
            loop {
                rotate(&rotation, Subject { store: &*store, keys: &keys }).await;
                say(ROTATED);
            }
        };
        tokio::select! {
            failed = writing.join_next() => failed.unwrap().unwrap(),
            () = rotating => {}
        }
    });
}

async fn rotate(rotation: &Rotation, subject: Subject<'_>) {
    let row = |action| AuditEntry::new(ChainId::Vault, action, Outcome::Done);
    rotation.begin(subject, &row).await.unwrap();
    while !rotation.step(subject, &row).await.unwrap().done {}
}

/// Ends the rotation that the last kill cut off: afterwards there is one key, and everything is wrapped by it.
fn finish(folder: &Path) {
    let opened = open(folder);
    Runtime::new().unwrap().block_on(async {
        let subject = Subject { store: &*opened.store, keys: &opened.keys };
        rotate(&Rotation::new(opened.key_home.clone()), subject).await;
        let stored = opened.store.stored_keys().await.unwrap();
        let version = opened.keys.master_version();
        assert_eq!(stored.masters.keys().collect::<Vec<_>>(), [&version]);
        assert_eq!(opened.store.count_data_keys(version).await.unwrap().outdated, 0);
        opened.store.close().await.unwrap();
    });
    assert_eq!(keys_in_file(folder), 1);
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("next")), "{left:?}");
}

fn keys_in_file(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("master.key")).map_or(0, |text| text.lines().count())
}
