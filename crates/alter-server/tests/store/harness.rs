//! A vault to test on, and the things to put into it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_core::key::KeyKind;
use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, AuditKey, AuditRow, ChainId, Outcome};
use alter_server::clock::{Clock, ManualClock, Timestamp};
use alter_server::crypto::{KeySettings, VaultKeys};
use alter_server::model::{
    ApiKey, App, AppId, AppSettings, Grant, ManagedSecret, Opens, Person, Principal, SecretId, SecretInjection, SecretKind, SecretStatus,
    display_prefix,
};
use alter_server::store::{
    Access, Commit, CommitError, Effect, Faults, JudgedVersions, Limits, NoFaults, OpenError, Opened, Receipt, Store,
};
use tempfile::TempDir;

use super::backend::Database;

pub const NOON: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// What tests change about how a vault is opened, on every backend.
pub struct Options {
    pub access: Access,
    pub keys: KeySettings,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub faults: Arc<dyn Faults>,
}

/// Where a vault keeps its things.
pub struct Place {
    pub folder: TempDir,
    pub database: Database,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), database: Database::new() }
    }

    /// Opens the vault that is there, or makes one, with changed options.
    pub fn open(&self, access: Access, clock: &Arc<ManualClock>, change: impl FnOnce(&mut Options)) -> Result<Opened, OpenError> {
        let mut options = Options {
            access,
            keys: KeySettings::default(),
            limits: Limits::default(),
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            faults: Arc::new(NoFaults),
        };
        change(&mut options);
        self.database.open(self.folder.path(), options)
    }
}

/// An open vault in a place of its own, with a clock that the test moves.
pub struct Vault {
    pub store: Arc<dyn Store>,
    pub keys: VaultKeys,
    pub audit: AuditKey,
    pub clock: Arc<ManualClock>,
    pub place: Place,
}

impl Vault {
    /// A new vault on the backend of this program.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A new vault with changed options.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let (place, clock) = (Place::new(), Arc::new(ManualClock::at(NOON)));
        let Opened { store, keys, audit, .. } = place.open(Access::Create, &clock, change).unwrap();
        Self { store, keys, audit, clock, place }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.place.folder.path()
    }

    /// The same vault opened once more, as by another process.
    pub fn open_again(&self, access: Access, change: impl FnOnce(&mut Options)) -> Result<Opened, OpenError> {
        self.place.open(access, &self.clock, change)
    }

    /// The same vault after a restart, with default bounds.
    pub async fn restarted(self) -> Self {
        self.store.close().await.unwrap();
        let Opened { store, keys, audit, .. } = self.open_again(Access::Write, |_| {}).unwrap();
        Self { store, keys, audit, ..self }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Commits with time enough.
    pub async fn commit(&self, commit: Commit) -> Result<Receipt, CommitError> {
        self.store.commit(commit, soon()).await
    }

    /// Commits one effect with a row that says it was done.
    pub async fn apply(&self, chain: ChainId, effect: Effect) -> Result<Receipt, CommitError> {
        self.commit(Commit::new(AuditEntry::new(chain, "test.apply", Outcome::Done)).effect(effect)).await
    }

    /// An app with a key, a secret with the value `hunter2`, and a system grant.
    pub async fn furnished(&self, name: &str) -> Furnished {
        let app = App { id: AppId::random(), name: name.to_owned(), settings: AppSettings::default(), created_at: self.now() };
        self.apply(ChainId::Vault, Effect::CreateApp(app.clone())).await.unwrap();
        let key = self.api_key(app.id);
        let secret = self.secret(app.id, "github");
        let fields = BTreeMap::from([("token".to_owned(), Secret::new("hunter2")), ("extra".to_owned(), Secret::new("swordfish"))]);
        let sealed = self.keys.seal(app.id, secret.id, &fields).unwrap();
        let grant = self.grant(app.id, secret.id);
        let row = AuditEntry::new(ChainId::App(app.id), "test.furnish", Outcome::Done);
        let commit = Commit::new(row)
            .effect(Effect::CreateKey(Box::new(key.clone())))
            .effect(Effect::CreateSecret { secret: Box::new(secret.clone()), sealed })
            .effect(Effect::CreateGrant(Box::new(grant.clone())));
        self.commit(commit).await.unwrap();
        Furnished { app, key, secret, grant }
    }

    pub fn api_key(&self, app: AppId) -> ApiKey {
        let key = KeyKind::Runtime.generate().unwrap();
        ApiKey {
            name: "test".to_owned(),
            prefix: display_prefix(key.expose()),
            scopes: vec!["tokens:retrieve".to_owned()],
            ..ApiKey::new(app, KeyKind::Runtime, self.keys.digest(key.expose()), self.now())
        }
    }

    pub fn secret(&self, app: AppId, slug: &str) -> ManagedSecret {
        ManagedSecret {
            id: SecretId::random(),
            app,
            slug: slug.to_owned(),
            name: slug.to_uppercase(),
            kind: SecretKind::Bearer,
            version: 1,
            allowed_hosts: vec!["api.github.com".to_owned()],
            injection: SecretInjection { header: "Authorization".to_owned(), format: "Bearer {token}".to_owned(), additional: Vec::new() },
            parameters: BTreeMap::from([("region".to_owned(), "eu-west-1".to_owned())]),
            status: SecretStatus::Active,
            created_at: self.now(),
            updated_at: self.now(),
        }
    }

    pub fn grant(&self, app: AppId, secret: SecretId) -> Grant {
        Grant::root(app, Opens::Secret(secret), Principal::System, self.now())
    }

    /// A grant of one of the app's users.
    pub fn users_grant(&self, app: AppId, secret: SecretId, subject: &str) -> Grant {
        Grant::root(app, Opens::Secret(secret), user(subject), self.now())
    }

    /// All rows of a chain, the oldest first.
    pub async fn rows(&self, chain: ChainId) -> Vec<AuditRow> {
        self.store.audit_rows(chain, 0, many()).await.unwrap()
    }

    /// The newest row of a chain.
    pub async fn last_row(&self, chain: ChainId) -> AuditRow {
        self.store.audit_newest(Some(chain), NonZeroU32::MIN).await.unwrap().remove(0)
    }
}

/// What [`Vault::furnished`] made.
pub struct Furnished {
    pub app: App,
    pub key: ApiKey,
    pub secret: ManagedSecret,
    pub grant: Grant,
}

impl Furnished {
    pub fn chain(&self) -> ChainId {
        ChainId::App(self.app.id)
    }

    /// The row of a token call.
    pub fn intent(&self) -> AuditEntry {
        AuditEntry::new(self.chain(), "token.retrieve", Outcome::Intent).key(self.key.id).grant(self.grant.id)
    }

    /// A token call's commit without a nonce.
    pub fn token_call(&self) -> Commit {
        Commit::new(self.intent()).effect(Effect::UseKey { key: self.key.id }).effect(Effect::UseGrant {
            grant: self.grant.id,
            judged: JudgedVersions { secret: Some(self.secret.version), generation: None },
        })
    }
}

/// A deadline that is only reached if something hangs.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

pub fn many() -> NonZeroU32 {
    NonZeroU32::new(100_000).unwrap()
}

/// The refusal of a commit that must have been declined.
pub fn declined(result: Result<Receipt, CommitError>) -> alter_server::store::Declined {
    match result {
        Err(CommitError::Declined(declined)) => declined,
        other => panic!("expected a declined commit, got {other:?}"),
    }
}

/// The error of a commit that the store must have failed.
pub fn failed(result: Result<Receipt, CommitError>) -> alter_server::store::StoreError {
    match result {
        Err(CommitError::Store(error)) => error,
        other => panic!("expected a failure of the store, got {other:?}"),
    }
}

/// Waits until the condition holds; fails the test if it never does.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = soon();
    while !holds().await {
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Polls a future once: a call of the store is queued by its first poll. `Some` if it was ready at once.
pub async fn begin<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// A person at the issuer of these tests.
pub fn person(subject: &str) -> Person {
    Person { issuer: "https://id.example".to_owned(), subject: subject.to_owned() }
}

/// That person as a principal.
pub fn user(subject: &str) -> Principal {
    Principal::User(person(subject))
}
