//! `kill -9` while writing: every acknowledged write is there, the chains verify, every secret opens.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroU32;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, ChainId, Outcome, verify_all};
use alter_server::clock::{Clock, SystemClock};
use alter_server::model::{
    App, AppId, Grant, GrantId, GrantStatus, ManagedSecret, Principal, SecretId, SecretInjection, SecretKind, SecretStatus,
};
use alter_server::store::sqlite::{Access, Opened, SqliteOptions, SqliteStore};
use alter_server::store::{Commit, Effect, Store};
use tempfile::TempDir;

/// Set in the child: its data folder.
const FOLDER: &str = "ALTER_CRASH_TEST_FOLDER";
const ROUNDS: u64 = 20;
const WRITERS: usize = 8;

#[test]
fn killed_while_writing_nothing_acknowledged_is_lost() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_until_killed(&PathBuf::from(folder));
    }
    let folder = TempDir::new().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..ROUNDS {
        // Spread over start, migration and the first commits as well as over steady writing.
        let lines = write_and_kill(folder.path(), Duration::from_millis(round * 7), if round % 4 == 0 { 0 } else { round * 5 });
        acknowledged.extend(lines);
        check(folder.path(), &acknowledged);
    }
    assert!(acknowledged.len() > 100, "only {} writes were acknowledged: the test shows too little", acknowledged.len());
}

/// Starts a child that writes, waits until it has acknowledged `least` writes and then a little more, kills it, and returns what it acknowledged.
fn write_and_kill(folder: &Path, longer: Duration, least: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_while_writing_nothing_acknowledged_is_lost", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // A line counts from its mark on: the test harness prints its own words before.
            if let Some((_, id)) = line.split_once("ack ") {
                sender.send(id.to_owned()).unwrap();
            }
        }
    });
    let mut acknowledged = Vec::new();
    while (acknowledged.len() as u64) < least {
        acknowledged.push(lines.recv_timeout(Duration::from_secs(30)).expect("the child writes"));
    }
    std::thread::sleep(longer);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "the child ended by itself");
    reading.join().unwrap();
    acknowledged.extend(lines.try_iter());
    acknowledged
}

/// The child: writers that each store a secret or an intent and print its id once it is acknowledged.
fn write_until_killed(folder: &Path) {
    let opened = SqliteStore::open(&SqliteOptions::new(folder, Access::Create)).unwrap();
    let (store, keys) = (opened.store as Arc<dyn Store>, Arc::new(opened.keys));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..WRITERS {
            let (store, keys) = (Arc::clone(&store), Arc::clone(&keys));
            writers.spawn(async move {
                let app = AppId::random();
                let create = Effect::CreateApp(App { id: app, name: app.to_string(), created_at: SystemClock.now() });
                acknowledge(&*store, ChainId::Vault, format!("app:{app}"), [create]).await;
                loop {
                    let (secret, grant) = secret_with_grant(app);
                    let id = format!("grant:{app}:{}", grant.id);
                    let values = BTreeMap::from([("token".to_owned(), Secret::new(id.clone()))]);
                    let sealed = keys.seal(app, secret.id, &values).unwrap();
                    let create = [Effect::CreateSecret { secret: Box::new(secret), sealed }, Effect::CreateGrant(Box::new(grant))];
                    acknowledge(&*store, ChainId::App(app), id, create).await;
                    for _ in 0..number {
                        acknowledge(&*store, ChainId::App(app), format!("intent:{}", SecretId::random()), []).await;
                    }
                }
            });
        }
        // They never end, unless one fails: then the parent misses its acknowledgements and the kill that it meant to give.
        writers.join_next().await.unwrap().unwrap();
    });
}

async fn acknowledge(store: &dyn Store, chain: ChainId, id: String, effects: impl IntoIterator<Item = Effect>) {
    let row = AuditEntry::new(chain, "crash.test", Outcome::Intent).request_id(&id);
    let commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
    store.commit(commit, Instant::now() + Duration::from_secs(20)).await.unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {id}").unwrap();
    out.flush().unwrap();
}

fn secret_with_grant(app: AppId) -> (ManagedSecret, Grant) {
    let (id, now) = (SecretId::random(), SystemClock.now());
    let secret = ManagedSecret {
        id,
        app,
        slug: id.to_string(),
        name: String::new(),
        kind: SecretKind::Bearer,
        version: 1,
        allowed_hosts: vec!["api.example.com".to_owned()],
        injection: SecretInjection { header: "Authorization".to_owned(), format: "Bearer {token}".to_owned(), additional: Vec::new() },
        parameters: BTreeMap::new(),
        status: SecretStatus::Active,
        created_at: now,
        updated_at: now,
    };
    let grant = Grant {
        id: GrantId::random(),
        app,
        secret: id,
        principal: Principal::System,
        label: None,
        parent: None,
        status: GrantStatus::Active,
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        scope_mismatch: None,
    };
    (secret, grant)
}

/// Opens what the killed child left and checks it against what it had acknowledged, in all rounds so far.
fn check(folder: &Path, acknowledged: &HashSet<String>) {
    let opened = SqliteStore::open(&SqliteOptions::new(folder, Access::Create)).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        for report in verify_all(&*opened.store, &opened.audit, &[]).await.unwrap() {
            assert!(report.is_intact(), "{report:?}");
        }
        let written = request_ids(&*opened.store).await;
        for id in acknowledged {
            assert!(written.contains(id), "acknowledged, and its row is lost: {id}");
            if let Some((app, grant)) = id.strip_prefix("grant:").and_then(|ids| ids.split_once(':')) {
                assert_opens(&opened, id, AppId::parse(app).unwrap(), GrantId::parse(grant).unwrap()).await;
            }
        }
        opened.store.close().await.unwrap();
    });
}

/// The id that each row carries.
async fn request_ids(store: &dyn Store) -> HashSet<String> {
    let rows = store.audit_newest(None, NonZeroU32::MAX).await.unwrap();
    rows.into_iter().filter_map(|row| row.entry.request_id).collect()
}

/// The secret behind an acknowledged grant opens, and is the one that was stored.
async fn assert_opens(opened: &Opened, id: &str, app: AppId, grant: GrantId) {
    let credential = opened.store.credential(app, grant).await.unwrap().found().unwrap_or_else(|| panic!("acknowledged and lost: {id}"));
    let values = opened.keys.open(app, credential.secret.id, &credential.sealed.unwrap()).unwrap();
    assert_eq!(values["token"], Secret::new(id));
}
