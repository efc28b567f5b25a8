//! What the child writes, and whether it is there afterwards.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, ChainId, Outcome, verify_all};
use alter_server::clock::{Clock, SystemClock};
use alter_server::crypto::VaultKeys;
use alter_server::model::{
    App, AppId, AppSettings, Grant, GrantId, ManagedSecret, Opens, Principal, SecretId, SecretInjection, SecretKind, SecretStatus,
};
use alter_server::store::sqlite::{self, Access, SqliteOptions};
use alter_server::store::{Commit, CommitError, Declined, Effect, Opened, Store};
use tokio::task::JoinSet;

/// Writers that each store secrets and intents and print the id of each once it is acknowledged. They never end, unless one fails.
pub fn writers(count: usize, store: &Arc<dyn Store>, keys: &Arc<VaultKeys>) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for number in 0..count {
        let (store, keys) = (Arc::clone(store), Arc::clone(keys));
        writers.spawn(async move {
            let app = AppId::random();
            let create = || {
                [Effect::CreateApp(App { id: app, name: app.to_string(), settings: AppSettings::default(), created_at: SystemClock.now() })]
            };
            acknowledge(&*store, ChainId::Vault, format!("app:{app}"), create).await;
            loop {
                let (secret, grant) = secret_with_grant(app);
                let id = format!("grant:{app}:{}", grant.id);
                let values = BTreeMap::from([("token".to_owned(), Secret::new(id.clone()))]);
                let create = || {
                    let sealed = keys.seal(app, secret.id, &values).unwrap();
                    [Effect::CreateSecret { secret: Box::new(secret.clone()), sealed }, Effect::CreateGrant(Box::new(grant.clone()))]
                };
                acknowledge(&*store, ChainId::App(app), id.clone(), create).await;
                for _ in 0..number {
                    acknowledge(&*store, ChainId::App(app), format!("intent:{}", SecretId::random()), || []).await;
                }
            }
        });
    }
    writers
}

/// Commits and says so. A master key that was changed between sealing and storing is the one reason to seal and try again.
async fn acknowledge<const N: usize>(store: &dyn Store, chain: ChainId, id: String, effects: impl Fn() -> [Effect; N]) {
    loop {
        let row = AuditEntry::new(chain, "crash.test", Outcome::Intent).request_id(&id);
        let commit = effects().into_iter().fold(Commit::new(row), Commit::effect);
        match store.commit(commit, Instant::now() + Duration::from_secs(20)).await {
            Ok(_) => break,
            Err(CommitError::Declined(Declined::MasterKeyChanged)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    say(&id);
}

/// Prints an acknowledgement for the parent.
pub fn say(id: &str) {
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
    let grant = Grant::root(app, Opens::Secret(id), Principal::System, now);
    (secret, grant)
}

/// Opens what the killed child left and checks it against what it had acknowledged, in all rounds so far.
pub fn check(folder: &Path, acknowledged: &HashSet<String>) {
    let opened = sqlite::open(&SqliteOptions::new(folder, Access::Create)).unwrap();
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
    let access = opened.store.grant_access(app, grant).await.unwrap().found().unwrap_or_else(|| panic!("acknowledged and lost: {id}"));
    let values = opened.keys.open(app, access.sealed_to(), &access.sealed.unwrap()).unwrap();
    assert_eq!(values["token"], Secret::new(id));
}
