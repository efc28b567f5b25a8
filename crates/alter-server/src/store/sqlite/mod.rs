//! The store on SQLite: one file, one process, nothing to install.
//!
//! A thread of its own writes (`writer`), a few others read (`reader`); callers only ever wait on a channel with a deadline. The database
//! runs with a write-ahead log and full synchronisation: an answered commit survives a power cut.

mod agents;
mod columns;
mod credentials;
mod effects;
mod grants;
mod known_keys;
mod lock;
mod master_keys;
mod nonces;
mod open;
mod options;
mod reader;
mod registrations;
mod rows;
mod schema;
mod sealed;
mod tickets;
mod trail;
mod uses;
mod writer;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use open::DATABASE_FILE;
pub use options::{Access, Limits, SqliteOptions};

use self::known_keys::KnownKeys;
use self::reader::Readers;
use self::writer::{Job, Message, Writer};
use super::{
    Commit, CommitError, CredentialFilter, DataKeyCount, GrantAccess, GrantList, Lookup, OpenError, Page, Receipt, Store, StoreError,
    StoreFuture, StoredCredential, StoredHead, StoredRegistration, StoredTicket,
};
use crate::audit::{AuditKey, AuditRow, ChainId};
use crate::clock::Clock;
use crate::crypto::{KeyHome, KeyOrigin, StoredKeys, VaultKeys, Wrapped};
use crate::model::{
    Agent, AgentId, ApiKey, App, AppId, Credential, CredentialId, DataKeyId, Grant, GrantFilter, GrantId, KeyDigest, KeyId, ManagedSecret,
    Operator, Registration, RegistrationKind, SecretId, TicketId, TicketKind,
};

/// A vault that was opened: its store, and the keys to use it with.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<SqliteStore>,
    /// Digests, and opening and sealing of secrets.
    pub keys: VaultKeys,
    /// For [`audit::verify`](crate::audit::verify()).
    pub audit: AuditKey,
    /// Where the master key came from.
    pub key_origin: KeyOrigin,
    /// Where a new master key goes.
    pub key_home: KeyHome,
    /// Whether the vault was made just now.
    pub created: bool,
}

/// The store on SQLite. Open it with [`SqliteStore::open`]; it must be used within a tokio runtime that has timers.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    /// Empty for good when opened for reading: then another process may write.
    known_keys: Arc<KnownKeys>,
    /// `None` when opened for reading.
    writer: Option<SyncSender<Message>>,
    commit_queue: usize,
    clock: Arc<dyn Clock>,
    close_timeout: Duration,
    /// What closing has to take down; `None` once somebody has begun to.
    running: Mutex<Option<Running>>,
}

struct Running {
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the vault in a data folder: takes its lock, brings its schema forward, unlocks its keys and starts its threads.
    ///
    /// Blocks on the disk for some milliseconds: call it at start, not from a handler.
    ///
    /// # Errors
    /// [`OpenError`], each with a code and what to do. An existing database is not changed by a failed start.
    pub fn open(options: &SqliteOptions) -> Result<Opened, OpenError> {
        let ready = open::open(options)?;
        let spawn_failed = |source| OpenError::Io { action: "start a thread for", path: ready.path.clone(), source };
        let connections = (0..options.limits.readers.max(1)).map(|_| open::connect(&ready.path, options)).collect::<Result<Vec<_>, _>>()?;
        let limits = &options.limits;
        let (readers, reading) =
            Readers::start(connections, limits.read_queue, limits.read_timeout, Arc::clone(&options.faults)).map_err(spawn_failed)?;
        let known_keys = Arc::<KnownKeys>::default();
        let (mut sender, mut thread) = (None, None);
        if options.access != Access::Read {
            let writer = Writer::new(ready.connection, ready.lock, ready.unlocked.audit.clone(), Arc::clone(&known_keys), options);
            let (queue, messages) = sync_channel(limits.commit_queue);
            let work = move || writer.run(&messages);
            thread = Some(std::thread::Builder::new().name("alter-store-write".to_owned()).spawn(work).map_err(spawn_failed)?);
            sender = Some(queue);
        }
        let store = Self {
            path: ready.path,
            readers,
            known_keys,
            writer: sender,
            commit_queue: limits.commit_queue,
            clock: Arc::clone(&options.clock),
            close_timeout: limits.close_timeout,
            running: Mutex::new(Some(Running { readers: reading, writer: thread })),
        };
        Ok(Opened {
            store: Arc::new(store),
            keys: ready.unlocked.keys,
            audit: ready.unlocked.audit,
            key_home: ready.masters.home(),
            key_origin: ready.masters.origin,
            created: ready.created,
        })
    }

    /// Hands a job to the writer and waits for it, but not past the deadline.
    async fn submit(&self, commit: Option<Commit>, deadline: Instant) -> Result<Receipt, CommitError> {
        let begun = Instant::now();
        let queue = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        let (answer, mut answered) = oneshot::channel();
        match queue.try_send(Message::Job(Box::new(Job { commit, deadline, answer }))) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreError::Busy { queued: self.commit_queue }.into()),
            Err(TrySendError::Disconnected(_)) => return Err(StoreError::Closed.into()),
        }
        match tokio::time::timeout_at(deadline.into(), &mut answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StoreError::Closed.into()),
            Err(_) => {
                // Closing decides the race with the writer: either its answer is in there already and counts, or it learns that it came too late.
                answered.close();
                answered.try_recv().unwrap_or_else(|_| Err(StoreError::Late { waited: begun.elapsed() }.into()))
            }
        }
    }

    /// Ends the threads and waits for them. On a thread of its own: a disk that hangs must not hang the caller.
    fn take_down(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, finished) = oneshot::channel();
        self.readers.close();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let queue = self.writer.clone();
        std::thread::spawn(move || {
            if let Some(queue) = queue {
                // An error says that the writer has ended already.
                drop(queue.send(Message::Close));
            }
            // Nobody listens when the caller's time ran out.
            drop(done.send(running.map_or(Ok(()), Running::join)));
        });
        finished
    }
}

impl Running {
    fn join(self) -> Result<(), StoreError> {
        let panicked = || StoreError::Failed("a thread of the store panicked".to_owned());
        let written = self.writer.map_or(Ok(()), |thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        for thread in self.readers {
            thread.join().map_err(|_| panicked())?;
        }
        written
    }
}

impl Drop for SqliteStore {
    /// Without this the reading threads would wait for ever. The writer ends by itself when its queue has no sender left.
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl Store for SqliteStore {
    fn commit(&self, commit: Commit, deadline: Instant) -> StoreFuture<'_, Receipt, CommitError> {
        Box::pin(self.submit(Some(commit), deadline))
    }

    fn ready(&self, deadline: Instant) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            match self.submit(None, deadline).await {
                Ok(_) => Ok(()),
                Err(CommitError::Store(error)) => Err(error),
                Err(CommitError::Declined(declined)) => Err(StoreError::Failed(declined.to_string())),
            }
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            match tokio::time::timeout(self.close_timeout, self.take_down()).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(StoreError::Failed("the closing thread of the store panicked".to_owned())),
                Err(_) => Err(StoreError::Late { waited: self.close_timeout }),
            }
        })
    }

    fn key_by_digest(&self, digest: KeyDigest) -> StoreFuture<'_, Option<ApiKey>> {
        let age = match self.known_keys.find(digest) {
            Ok(key) => return Box::pin(std::future::ready(Ok(Some(key)))),
            Err(age) => age,
        };
        let read = self.readers.run(move |connection| rows::key_by_digest(connection, digest));
        Box::pin(async move {
            let found = read.await?;
            // Without a writer of its own this process does not learn what changes.
            if let (Some(key), Some(_)) = (&found, &self.writer) {
                self.known_keys.remember(age, key);
            }
            Ok(found)
        })
    }

    fn operator_by_digest(&self, digest: KeyDigest) -> StoreFuture<'_, Option<Operator>> {
        self.readers.run(move |connection| rows::operator_by_digest(connection, digest))
    }

    fn grant_access(&self, app: AppId, grant: GrantId) -> StoreFuture<'_, Lookup<GrantAccess>> {
        self.readers.run(move |connection| grants::access(connection, app, grant))
    }

    fn system_grants(&self, app: AppId, slug: String) -> StoreFuture<'_, Vec<GrantId>> {
        let now = self.clock.now();
        self.readers.run(move |connection| grants::system_grants(connection, app, &slug, now))
    }

    fn app(&self, app: AppId) -> StoreFuture<'_, Option<App>> {
        self.readers.run(move |connection| rows::app(connection, app))
    }

    fn app_by_name(&self, name: String) -> StoreFuture<'_, Option<App>> {
        self.readers.run(move |connection| rows::app_by_name(connection, &name))
    }

    fn apps(&self, page: Page<AppId>) -> StoreFuture<'_, Vec<App>> {
        self.readers.run(move |connection| rows::apps(connection, page))
    }

    fn operators(&self) -> StoreFuture<'_, Vec<Operator>> {
        self.readers.run(rows::operators)
    }

    fn key(&self, app: AppId, key: KeyId) -> StoreFuture<'_, Lookup<ApiKey>> {
        self.readers.run(move |connection| rows::key(connection, app, key))
    }

    fn keys(&self, app: AppId, page: Page<KeyId>) -> StoreFuture<'_, Vec<ApiKey>> {
        self.readers.run(move |connection| rows::keys(connection, app, page))
    }

    fn secret(&self, app: AppId, secret: SecretId) -> StoreFuture<'_, Lookup<ManagedSecret>> {
        self.readers.run(move |connection| rows::secret(connection, app, secret))
    }

    fn secret_by_slug(&self, app: AppId, slug: String) -> StoreFuture<'_, Option<ManagedSecret>> {
        self.readers.run(move |connection| rows::secret_by_slug(connection, app, &slug))
    }

    fn secrets(&self, app: AppId, page: Page<SecretId>) -> StoreFuture<'_, Vec<ManagedSecret>> {
        self.readers.run(move |connection| rows::secrets(connection, app, page))
    }

    fn grant(&self, app: AppId, grant: GrantId) -> StoreFuture<'_, Lookup<Grant>> {
        self.readers.run(move |connection| grants::grant(connection, app, grant))
    }

    fn grants(&self, app: AppId, filter: GrantFilter, page: Page<GrantId>) -> StoreFuture<'_, Vec<Grant>> {
        let now = self.clock.now();
        self.readers.run(move |connection| grants::grants(connection, app, &filter, page, now))
    }

    fn list_grants(&self, app: AppId, filter: GrantFilter, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, GrantList> {
        let now = self.clock.now();
        self.readers.run(move |connection| grants::list(connection, app, &filter, (limit.get(), offset), now))
    }

    fn credential(&self, app: AppId, credential: CredentialId) -> StoreFuture<'_, Lookup<StoredCredential>> {
        self.readers.run(move |connection| credentials::credential(connection, app, credential))
    }

    fn credentials(&self, app: AppId, filter: CredentialFilter) -> StoreFuture<'_, Vec<Credential>> {
        self.readers.run(move |connection| credentials::credentials(connection, app, &filter))
    }

    fn agent(&self, app: AppId, agent: AgentId) -> StoreFuture<'_, Lookup<Agent>> {
        self.readers.run(move |connection| agents::agent(connection, app, agent))
    }

    fn agent_by_name(&self, app: AppId, name: String) -> StoreFuture<'_, Option<Agent>> {
        self.readers.run(move |connection| agents::agent_by_name(connection, app, &name))
    }

    fn agents(&self, app: AppId, page: Page<AgentId>) -> StoreFuture<'_, Vec<Agent>> {
        self.readers.run(move |connection| agents::agents(connection, app, page))
    }

    fn ticket_by_digest(&self, kind: TicketKind, digest: KeyDigest) -> StoreFuture<'_, Option<StoredTicket>> {
        self.readers.run(move |connection| tickets::by_digest(connection, kind, digest))
    }

    fn ticket(&self, ticket: TicketId) -> StoreFuture<'_, Option<StoredTicket>> {
        self.readers.run(move |connection| tickets::ticket(connection, ticket))
    }

    fn registration(&self, app: AppId, kind: RegistrationKind, name: String) -> StoreFuture<'_, Option<StoredRegistration>> {
        self.readers.run(move |connection| registrations::registration(connection, app, kind, &name))
    }

    fn registrations(&self, app: AppId, kind: RegistrationKind) -> StoreFuture<'_, Vec<Registration>> {
        self.readers.run(move |connection| registrations::registrations(connection, app, kind))
    }

    fn stored_keys(&self) -> StoreFuture<'_, StoredKeys> {
        self.readers.run(master_keys::stored_keys)
    }

    fn count_data_keys(&self, current: u32) -> StoreFuture<'_, DataKeyCount> {
        self.readers.run(move |connection| master_keys::count_data_keys(connection, current))
    }

    fn outdated_data_keys(&self, current: u32, limit: NonZeroU32) -> StoreFuture<'_, Vec<(DataKeyId, Wrapped)>> {
        self.readers.run(move |connection| master_keys::outdated_data_keys(connection, current, limit.get()))
    }

    fn audit_heads(&self) -> StoreFuture<'_, Vec<StoredHead>> {
        self.readers.run(trail::heads)
    }

    fn audit_rows(&self, chain: ChainId, after: u64, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.run(move |connection| trail::rows_after(connection, chain, after, limit.get()))
    }

    fn audit_newest(&self, chain: Option<ChainId>, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.run(move |connection| trail::newest(connection, chain, limit.get()))
    }

    fn audit_of_grants(&self, app: AppId, grants: Vec<GrantId>, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.run(move |connection| trail::of_grants(connection, app, &grants, limit.get()))
    }
}
