//! What a token call costs the store: CPU seconds per 1000 calls, with the audit row on disk before each answer.
//!
//! ```text
//! cargo run -p alter-server --example store_cost -- [CALLERS] [SECONDS]
//! ```
//!
//! Each call reads the key by its digest and the credential by its grant, opens the secret, and commits nonce, row and uses. Run with 1,000
//! and with 100,000 grants, in a temporary folder (`TMPDIR` says on which disk).
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers that prints figures and stops at the first error")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alter_core::key::KeyKind;
use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::clock::{Clock, SystemClock};
use alter_server::crypto::VaultKeys;
use alter_server::model::{
    ApiKey, App, AppId, AppSettings, Grant, GrantId, ManagedSecret, Opens, Person, Principal, SecretId, SecretInjection, SecretKind,
    SecretStatus, display_prefix,
};
use alter_server::store::sqlite::{self, Access, SqliteOptions};
use alter_server::store::{Commit, Effect, Nonce, Store};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let callers: usize = arguments.next().map_or(16, |text| text.parse().expect("CALLERS is a number"));
    let seconds: u64 = arguments.next().map_or(4, |text| text.parse().expect("SECONDS is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    for grants in [1_000, 100_000] {
        let figures = runtime.block_on(measure(callers, Duration::from_secs(seconds), grants));
        println!("{grants:>7} grants, {callers} callers: {figures}");
    }
}

async fn measure(callers: usize, span: Duration, grants: usize) -> String {
    let folder = tempfile::TempDir::new().unwrap();
    let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Create)).unwrap();
    let (store, keys): (Arc<dyn Store>, _) = (opened.store, Arc::new(opened.keys));
    let (key, text, grants) = furnish(&*store, &keys, grants).await;
    let grants = Arc::new(grants);

    let (calls, begun, cpu) = (Arc::new(AtomicU64::new(0)), Instant::now(), cpu_seconds());
    let workers: Vec<_> = (0..callers)
        .map(|caller| {
            let (store, keys, grants) = (Arc::clone(&store), Arc::clone(&keys), Arc::clone(&grants));
            let (calls, key, text) = (Arc::clone(&calls), key.clone(), text.clone());
            tokio::spawn(async move {
                let mut number = caller;
                while begun.elapsed() < span {
                    call(&*store, &keys, &key, &text, grants[number * 7919 % grants.len()], number).await;
                    number += callers;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let (calls, wall, cpu) = (calls.load(Ordering::Relaxed) as f64, begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    store.close().await.unwrap();
    format!("{:.3} CPU s per 1000 calls, {:.0} calls a second", cpu / calls * 1000.0, calls / wall)
}

async fn call(store: &dyn Store, keys: &VaultKeys, key: &ApiKey, text: &Secret, grant: GrantId, number: usize) {
    let found = store.key_by_digest(keys.digest(text.expose())).await.unwrap().unwrap();
    let access = store.grant_access(found.app, grant).await.unwrap().found().unwrap();
    let opened = keys.open(found.app, access.sealed_to(), access.sealed.as_ref().unwrap()).unwrap();
    assert_eq!(opened.len(), 1);
    let row = AuditEntry::new(ChainId::App(found.app), "token.retrieve", Outcome::Intent)
        .key(key.id)
        .grant(grant)
        .provider(&access.secret.as_ref().unwrap().slug)
        .reason("a reason of usual length")
        .call("GET", "https://api.example.com/v1/customers/42")
        .request_id("0123456789abcdef0123456789abcdef");
    let commit = Commit::new(row)
        .nonce(Nonce { key: key.id, value: format!("{number:032x}") })
        .count(key.rate.counts(key.id, u32::MAX))
        .effect(Effect::UseKey { key: key.id })
        .effect(Effect::UseGrant { grant, judged: access.judged() });
    store.commit(commit, Instant::now() + Duration::from_secs(20)).await.unwrap();
}

/// An app with a key, ten secrets and `count` grants on them.
async fn furnish(store: &dyn Store, keys: &VaultKeys, count: usize) -> (ApiKey, Secret, Vec<GrantId>) {
    let (app, now) = (
        App { id: AppId::random(), name: "bench".to_owned(), settings: AppSettings::default(), created_at: SystemClock.now() },
        SystemClock.now(),
    );
    let text = KeyKind::Runtime.generate().unwrap();
    let key = ApiKey {
        prefix: display_prefix(text.expose()),
        scopes: vec!["tokens:retrieve".to_owned()],
        ..ApiKey::new(app.id, KeyKind::Runtime, keys.digest(text.expose()), now)
    };
    let secrets: Vec<ManagedSecret> = (0..10).map(|number| secret(app.id, number)).collect();
    let mut effects = vec![Effect::CreateApp(app.clone()), Effect::CreateKey(Box::new(key.clone()))];
    for secret in &secrets {
        let sealed = keys.seal(app.id, secret.id, &BTreeMap::from([("token".to_owned(), Secret::new("hunter2"))])).unwrap();
        effects.push(Effect::CreateSecret { secret: Box::new(secret.clone()), sealed });
    }
    let grants: Vec<Grant> = (0..count).map(|number| grant(app.id, secrets[number % secrets.len()].id, number)).collect();
    effects.extend(grants.iter().map(|grant| Effect::CreateGrant(Box::new(grant.clone()))));
    let row = AuditEntry::new(ChainId::App(app.id), "bench.furnish", Outcome::Done);
    let commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
    store.commit(commit, Instant::now() + Duration::from_secs(600)).await.unwrap();
    (key, text, grants.into_iter().map(|grant| grant.id).collect())
}

fn secret(app: AppId, number: usize) -> ManagedSecret {
    ManagedSecret {
        id: SecretId::random(),
        app,
        slug: format!("secret-{number}"),
        name: String::new(),
        kind: SecretKind::Bearer,
        version: 1,
        allowed_hosts: vec!["api.example.com".to_owned()],
        injection: SecretInjection { header: "Authorization".to_owned(), format: "Bearer {token}".to_owned(), additional: Vec::new() },
        parameters: BTreeMap::new(),
        status: SecretStatus::Active,
        created_at: SystemClock.now(),
        updated_at: SystemClock.now(),
    }
}

fn grant(app: AppId, secret: SecretId, number: usize) -> Grant {
    Grant::root(
        app,
        Opens::Secret(secret),
        Principal::User(Person { issuer: "https://id.example".to_owned(), subject: format!("user-{number}") }),
        SystemClock.now(),
    )
}

/// CPU time of this process so far, as Linux counts it: in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this program measures on Linux");
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
