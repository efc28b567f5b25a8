//! The store over either database: a thread that writes, a few that read, and callers that wait on a channel with a deadline.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::database::{Database, Session};
use super::known_keys::KnownKeys;
use super::reader::Readers;
use super::writer::{Job, Message, Writer};
use super::{agents, approvals, credentials, grants, keys, master_keys, policies, registrations, rows, spans, specs, tickets, trail};
use crate::audit::{AuditKey, AuditRow, ChainId};
use crate::clock::{Clock, Timestamp};
use crate::crypto::{StoredKeys, Wrapped};
use crate::model::{
    Agent, AgentId, ApiKey, App, AppId, Approval, ApprovalId, Credential, CredentialId, DataKeyId, GateId, Grant, GrantFilter, GrantId,
    KeyDigest, KeyId, ManagedSecret, Operator, Policy, ProviderSpec, Registration, RegistrationKind, SecretId, Span, SpecId, SpecKind,
    TicketId, TicketKind,
};
use crate::openapi::Operation;
use crate::store::{
    AgentList, ApprovalFilter, AuditActivity, AuditFilter, CallCount, Commit, CommitError, CredentialFilter, DataKeyCount, Faults,
    FoundRow, GrantAccess, GrantList, Limits, Lookup, Measures, OperationList, Page, Receipt, Store, StoreError, StoreFuture,
    StoredApproval, StoredCredential, StoredHead, StoredRegistration, StoredTicket,
};

/// What a store is started from.
pub(in crate::store) struct Parts {
    /// The database, for people.
    pub(in crate::store) name: String,
    /// Connections that only read.
    pub(in crate::store) readers: Vec<Box<dyn Database + Send>>,
    /// The connection that writes; `None` for a store that only reads.
    pub(in crate::store) writer: Option<Box<dyn Session>>,
    pub(in crate::store) audit: AuditKey,
    pub(in crate::store) limits: Limits,
    pub(in crate::store) clock: Arc<dyn Clock>,
    pub(in crate::store) faults: Arc<dyn Faults>,
}

/// The store. It must be used within a tokio runtime that has timers.
pub(in crate::store) struct SqlStore {
    name: String,
    readers: Readers,
    /// `None` where another process may write: this one would not learn what changes.
    known_keys: Option<Arc<KnownKeys>>,
    /// `None` when opened for reading.
    writer: Option<SyncSender<Message>>,
    closing: Arc<AtomicBool>,
    commit_queue: usize,
    measures: Measures,
    clock: Arc<dyn Clock>,
    close_timeout: Duration,
    /// What closing has to take down; `None` once somebody has begun to.
    running: Mutex<Option<Running>>,
}

struct Running {
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Starts the threads.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub(in crate::store) fn start(parts: Parts) -> io::Result<Self> {
        let Parts { name, readers, writer, audit, limits, clock, faults } = parts;
        let alone = writer.as_ref().is_some_and(|writer| !writer.dialect().shared);
        let known_keys = alone.then(Arc::<KnownKeys>::default);
        let (closing, measures) = (Arc::<AtomicBool>::default(), Measures::default());
        let (readers, reading) = Readers::start(readers, limits.read_queue, limits.read_timeout, Arc::clone(&faults))?;
        let (mut sender, mut thread) = (None, None);
        if let Some(session) = writer {
            let writer = Writer::new(session, audit, known_keys.clone(), Arc::clone(&closing), &limits, (Arc::clone(&clock), faults))
                .measured(measures.clone());
            let (queue, messages) = sync_channel(limits.commit_queue);
            let work = move || writer.run(&messages);
            thread = Some(std::thread::Builder::new().name("alter-store-write".to_owned()).spawn(work)?);
            sender = Some(queue);
        }
        Ok(Self {
            name,
            readers,
            known_keys,
            writer: sender,
            closing,
            commit_queue: limits.commit_queue,
            measures,
            clock,
            close_timeout: limits.close_timeout,
            running: Mutex::new(Some(Running { readers: reading, writer: thread })),
        })
    }

    /// Commits, and counts what became of it.
    async fn commit_counted(&self, commit: Commit, deadline: Instant) -> Result<Receipt, CommitError> {
        let (begun, drafted) = (Instant::now(), Measures::drafted(&commit));
        let result = self.submit(Some(commit), deadline).await;
        self.measures.ended(drafted, &result, begun.elapsed());
        result
    }

    /// Hands a job to the writer and waits for it, but not past the deadline.
    async fn submit(&self, commit: Option<Commit>, deadline: Instant) -> Result<Receipt, CommitError> {
        let begun = Instant::now();
        let queue = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        let (answer, mut answered) = oneshot::channel();
        match queue.try_send(Message::Job(Box::new(Job { commit, deadline, answer }))) {
            Ok(()) => self.measures.waiting(),
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

    /// Ends the threads and waits for them. On a thread of its own: a database that hangs must not hang the caller.
    fn take_down(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, finished) = oneshot::channel();
        self.readers.close();
        self.closing.store(true, Ordering::Relaxed);
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

impl Drop for SqlStore {
    /// Without this the reading threads would wait for ever. The writer ends by itself when its queue has no sender left.
    fn drop(&mut self) {
        self.readers.close();
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl Store for SqlStore {
    fn commit(&self, commit: Commit, deadline: Instant) -> StoreFuture<'_, Receipt, CommitError> {
        Box::pin(self.commit_counted(commit, deadline))
    }

    fn measures(&self) -> &Measures {
        &self.measures
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
        let read = || self.readers.run(move |db| keys::key_by_digest(db, digest));
        let Some(known_keys) = &self.known_keys else { return read() };
        let age = match known_keys.find(digest) {
            Ok(key) => return Box::pin(std::future::ready(Ok(Some(key)))),
            Err(age) => age,
        };
        let read = read();
        Box::pin(async move {
            let found = read.await?;
            if let Some(key) = &found {
                known_keys.remember(age, key);
            }
            Ok(found)
        })
    }

    fn operator_by_digest(&self, digest: KeyDigest) -> StoreFuture<'_, Option<Operator>> {
        self.readers.run(move |db| rows::operator_by_digest(db, digest))
    }

    fn grant_access(&self, app: AppId, grant: GrantId) -> StoreFuture<'_, Lookup<GrantAccess>> {
        self.readers.run(move |db| grants::access(db, app, grant))
    }

    fn system_grants(&self, app: AppId, slug: String) -> StoreFuture<'_, Vec<GrantId>> {
        let now = self.clock.now();
        self.readers.run(move |db| grants::system_grants(db, app, &slug, now))
    }

    fn app(&self, app: AppId) -> StoreFuture<'_, Option<App>> {
        self.readers.run(move |db| rows::app(db, app))
    }

    fn app_by_name(&self, name: String) -> StoreFuture<'_, Option<App>> {
        self.readers.run(move |db| rows::app_by_name(db, &name))
    }

    fn apps(&self, page: Page<AppId>) -> StoreFuture<'_, Vec<App>> {
        self.readers.run(move |db| rows::apps(db, page))
    }

    fn operators(&self) -> StoreFuture<'_, Vec<Operator>> {
        self.readers.run(rows::operators)
    }

    fn key(&self, app: AppId, key: KeyId) -> StoreFuture<'_, Lookup<ApiKey>> {
        self.readers.run(move |db| keys::key(db, app, key))
    }

    fn keys(&self, app: AppId, page: Page<KeyId>) -> StoreFuture<'_, Vec<ApiKey>> {
        self.readers.run(move |db| keys::keys(db, app, page))
    }

    fn secret(&self, app: AppId, secret: SecretId) -> StoreFuture<'_, Lookup<ManagedSecret>> {
        self.readers.run(move |db| rows::secret(db, app, secret))
    }

    fn secret_by_slug(&self, app: AppId, slug: String) -> StoreFuture<'_, Option<ManagedSecret>> {
        self.readers.run(move |db| rows::secret_by_slug(db, app, &slug))
    }

    fn secrets(&self, app: AppId, page: Page<SecretId>) -> StoreFuture<'_, Vec<ManagedSecret>> {
        self.readers.run(move |db| rows::secrets(db, app, page))
    }

    fn grant(&self, app: AppId, grant: GrantId) -> StoreFuture<'_, Lookup<Grant>> {
        self.readers.run(move |db| grants::grant(db, app, grant))
    }

    fn grants(&self, app: AppId, filter: GrantFilter, page: Page<GrantId>) -> StoreFuture<'_, Vec<Grant>> {
        let now = self.clock.now();
        self.readers.run(move |db| grants::grants(db, app, &filter, page, now))
    }

    fn list_grants(&self, app: AppId, filter: GrantFilter, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, GrantList> {
        let now = self.clock.now();
        self.readers.run(move |db| grants::list(db, app, &filter, (limit.get(), offset), now))
    }

    fn credential(&self, app: AppId, credential: CredentialId) -> StoreFuture<'_, Lookup<StoredCredential>> {
        self.readers.run(move |db| credentials::credential(db, app, credential))
    }

    fn credentials(&self, app: AppId, filter: CredentialFilter) -> StoreFuture<'_, Vec<Credential>> {
        self.readers.run(move |db| credentials::credentials(db, app, &filter))
    }

    fn agent(&self, app: AppId, agent: AgentId) -> StoreFuture<'_, Lookup<Agent>> {
        self.readers.run(move |db| agents::agent(db, app, agent))
    }

    fn agent_by_name(&self, app: AppId, name: String) -> StoreFuture<'_, Option<Agent>> {
        self.readers.run(move |db| agents::agent_by_name(db, app, &name))
    }

    fn agents(&self, app: AppId, page: Page<AgentId>) -> StoreFuture<'_, Vec<Agent>> {
        self.readers.run(move |db| agents::agents(db, app, page))
    }

    fn agent_asked_for(&self, app: AppId, key: [u8; 32]) -> StoreFuture<'_, Option<Agent>> {
        self.readers.run(move |db| agents::agent_asked_for(db, app, key))
    }

    fn list_agents(&self, app: AppId, deleted: bool, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, AgentList> {
        self.readers.run(move |db| agents::list(db, app, deleted, (limit.get(), offset)))
    }

    fn agent_keys(&self, app: AppId, agent: AgentId) -> StoreFuture<'_, Vec<ApiKey>> {
        self.readers.run(move |db| keys::agent_keys(db, app, agent))
    }

    fn ticket_by_digest(&self, kind: TicketKind, digest: KeyDigest) -> StoreFuture<'_, Option<StoredTicket>> {
        self.readers.run(move |db| tickets::by_digest(db, kind, digest))
    }

    fn ticket(&self, ticket: TicketId) -> StoreFuture<'_, Option<StoredTicket>> {
        self.readers.run(move |db| tickets::ticket(db, ticket))
    }

    fn approval(&self, approval: ApprovalId) -> StoreFuture<'_, Option<StoredApproval>> {
        self.readers.run(move |db| approvals::approval(db, approval))
    }

    fn approval_of_gate(&self, gate: GateId) -> StoreFuture<'_, Option<StoredApproval>> {
        self.readers.run(move |db| approvals::of_gate(db, gate))
    }

    fn approvals(&self, filter: ApprovalFilter, limit: NonZeroU32) -> StoreFuture<'_, Vec<Approval>> {
        self.readers.run(move |db| approvals::approvals(db, &filter, limit.get()))
    }

    fn due_approvals(&self, lost_before: Timestamp, limit: NonZeroU32) -> StoreFuture<'_, Vec<Approval>> {
        let now = self.clock.now();
        self.readers.run(move |db| approvals::due(db, now, lost_before, limit.get()))
    }

    fn registration(&self, app: AppId, kind: RegistrationKind, name: String) -> StoreFuture<'_, Option<StoredRegistration>> {
        self.readers.run(move |db| registrations::registration(db, app, kind, &name))
    }

    fn registrations(&self, app: AppId, kind: RegistrationKind) -> StoreFuture<'_, Vec<Registration>> {
        self.readers.run(move |db| registrations::registrations(db, app, kind))
    }

    fn provider_specs(&self, app: AppId, kind: Option<SpecKind>) -> StoreFuture<'_, Vec<ProviderSpec>> {
        self.readers.run(move |db| specs::specs(db, app, kind))
    }

    fn provider_spec(&self, app: AppId, kind: SpecKind, provider: String) -> StoreFuture<'_, Option<ProviderSpec>> {
        self.readers.run(move |db| specs::spec(db, app, kind, &provider))
    }

    fn spec_operations(&self, spec: SpecId, search: Option<String>, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, OperationList> {
        self.readers.run(move |db| specs::operations(db, spec, search.as_deref(), (limit.get(), offset)))
    }

    fn outlined_operations(&self, spec: SpecId) -> StoreFuture<'_, Vec<Operation>> {
        self.readers.run(move |db| specs::outlined(db, spec))
    }

    fn spec_operation(&self, spec: SpecId, operation: String) -> StoreFuture<'_, Option<Operation>> {
        self.readers.run(move |db| specs::operation(db, spec, &operation))
    }

    fn policies(&self, app: AppId) -> StoreFuture<'_, Vec<Policy>> {
        self.readers.run(move |db| policies::policies(db, app))
    }

    fn counted_calls(&self, count: CallCount) -> StoreFuture<'_, u64> {
        let now = self.clock.now();
        self.readers.run(move |db| policies::counted(db, now, &count))
    }

    fn spans(&self, app: AppId, trace: String) -> StoreFuture<'_, Vec<Span>> {
        let now = self.clock.now();
        self.readers.run(move |db| spans::spans(db, app, &trace, now))
    }

    fn stored_keys(&self) -> StoreFuture<'_, StoredKeys> {
        self.readers.run(master_keys::stored_keys)
    }

    fn count_data_keys(&self, current: u32) -> StoreFuture<'_, DataKeyCount> {
        self.readers.run(move |db| master_keys::count_data_keys(db, current))
    }

    fn outdated_data_keys(&self, current: u32, limit: NonZeroU32) -> StoreFuture<'_, Vec<(DataKeyId, Wrapped)>> {
        self.readers.run(move |db| master_keys::outdated_data_keys(db, current, limit.get()))
    }

    fn audit_heads(&self) -> StoreFuture<'_, Vec<StoredHead>> {
        self.readers.run(trail::heads)
    }

    fn audit_rows(&self, chain: ChainId, after: u64, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.run(move |db| trail::rows_after(db, chain, after, limit.get()))
    }

    fn audit_newest(&self, chain: Option<ChainId>, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.run(move |db| trail::newest(db, chain, limit.get()))
    }

    fn audit_search(&self, filter: AuditFilter, limit: NonZeroU32) -> StoreFuture<'_, Vec<FoundRow>> {
        self.readers.run(move |db| trail::search(db, &filter, limit.get()))
    }

    fn audit_activity(&self, since: Timestamp, span: Duration) -> StoreFuture<'_, Vec<AuditActivity>> {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1);
        self.readers.run(move |db| trail::activity(db, since, span))
    }

    fn audit_of_grants(&self, app: AppId, grants: Vec<GrantId>, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.readers.run(move |db| trail::of_grants(db, app, &grants, limit.get()))
    }
}
