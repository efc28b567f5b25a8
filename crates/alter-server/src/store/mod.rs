//! The vault's storage: one trait, implemented once in SQL, on SQLite ([`sqlite`]) and on PostgreSQL ([`postgres`]).
//!
//! # The contract
//!
//! *Everything that changes the vault is a [`Commit`]*, and every commit carries at least one audit row. There is no other way to write, so
//! nothing can be changed or released without its row.
//!
//! A token call goes like this:
//!
//! 1. Read: [`Store::key_by_digest`], then [`Store::grant_access`]. Judge. Reads may be a moment old.
//! 2. [`Store::commit`] with the nonce, the [`Outcome::Intent`] row and the effects [`Effect::UseKey`] and
//!    [`Effect::UseGrant`]. These two look again, inside the transaction, whether what was judged still holds (not revoked, not expired, the
//!    same version of the secret), so a revocation that was answered is never followed by a release.
//! 3. `Ok` means that nonce, row and effects are on disk: release. *Any* `Err` means: release nothing.
//!
//! A refusal is a commit, too: the row drafted with [`AuditEntry::refused`](crate::audit::AuditEntry::refused), the nonce, no effects.
//!
//! # Deadlines
//!
//! [`Store::commit`] returns by its deadline, whatever the disk does. A commit whose deadline has passed before it was begun is not written
//! at all. One that was begun and finished late stays: its row then reads as a refused intent, because the store writes a second row after
//! it (action `intent.void`, `refers_to` the first; see [`Standing`](crate::audit::Standing)), and its other effects stay too (the nonce is
//! used up, a revocation is in force). Reads return within the store's own read time-out.
//!
//! # Several processes
//!
//! Nothing here may be answered from one process's memory. Nonces, chain heads and compare-and-set on versions are settled in the
//! database, so that two processes on one database behave as one vault. (SQLite allows one process and refuses the second at start; so its
//! store may remember what it reads, as long as it forgets with the commit that changes it.)

pub mod backup;
mod commit;
mod copy;
mod error;
mod faults;
mod folder;
mod measures;
mod options;
pub mod postgres;
mod sql;
pub mod sqlite;

use std::future::Future;
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use commit::{CallCount, Commit, Effect, JudgedVersions, LeaseEnding, Nonce, RateState, Receipt, Renewal, Rewrap, WrappedKey};
pub use copy::{Copied, CopyError, copy};
pub use error::{CommitError, Declined, Entity, OpenError, StoreError};
pub use faults::{Faults, NoFaults};
pub use measures::Measures;
pub use options::{Access, Limits};

use self::postgres::PostgresOptions;
use self::sqlite::SqliteOptions;

use crate::audit::{AuditKey, AuditRow, ChainId, Head, Outcome, RowMac};
use crate::clock::{Clock, Timestamp};
use crate::crypto::{KeyHome, KeyOrigin, SealedSecret, SealedTo, StoredKeys, VaultKeys, Wrapped};
use crate::model::{
    Agent, AgentId, ApiKey, App, AppId, Approval, ApprovalId, Credential, CredentialId, DataKeyId, GateId, Grant, GrantFilter, GrantId,
    KeyDigest, KeyId, ListedGrant, ManagedSecret, Opens, Operator, Policy, Principal, ProviderSpec, Registration, RegistrationKind,
    SecretId, Span, SpecId, SpecKind, Ticket, TicketId, TicketKind,
};
use crate::openapi::Operation;

/// How to open a vault, on either database.
#[derive(Clone, Debug)]
pub enum StoreOptions {
    /// In a data folder.
    Sqlite(SqliteOptions),
    /// In a database on a server.
    Postgres(PostgresOptions),
}

impl StoreOptions {
    /// Opens it. Blocks for some milliseconds: call it at start, not from a handler.
    ///
    /// # Errors
    /// [`OpenError`], each with a code and what to do.
    pub fn open(&self) -> Result<Opened, OpenError> {
        match self {
            Self::Sqlite(options) => sqlite::open(options),
            Self::Postgres(options) => postgres::open(options),
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Sqlite(options) => &options.folder,
            Self::Postgres(options) => &options.folder,
        }
    }

    /// The clock that the store judges by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Sqlite(options) => Arc::clone(&options.clock),
            Self::Postgres(options) => Arc::clone(&options.clock),
        }
    }
}

impl From<SqliteOptions> for StoreOptions {
    fn from(options: SqliteOptions) -> Self {
        Self::Sqlite(options)
    }
}

impl From<PostgresOptions> for StoreOptions {
    fn from(options: PostgresOptions) -> Self {
        Self::Postgres(options)
    }
}

/// A vault that was opened: its store, and the keys to use it with.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
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

/// What every method of [`Store`] returns.
///
/// Boxed, so that the trait is object safe: which store it is, is decided at start by the configuration (`Arc<dyn Store>`), and a generic
/// parameter would spread through every handler for the price of one small allocation a call.
pub type StoreFuture<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// The vault's storage. See the [module](self) for the contract that every implementation keeps.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Makes nonce, audit rows and effects durable in one transaction, or none of them.
    ///
    /// Concurrent calls share a transaction (group commit), each judged by itself: one that is declined changes nothing for the others.
    ///
    /// # Errors
    /// [`CommitError::Declined`] when the transaction found that it must not be: the refusal has then been recorded durably in place of the
    /// first row (outcome `refused`, code [`Declined::code`]) with the nonce, without effects and without the other rows. If the first row was a
    /// refusal already, it is recorded as it was drafted unless the nonce was declined.
    /// [`CommitError::Store`] when nothing can be said to be recorded: late, full, failing, overloaded, closed.
    fn commit(&self, commit: Commit, deadline: Instant) -> StoreFuture<'_, Receipt, CommitError>;

    /// Whether a commit would succeed now: takes part in a group commit with an empty write. For `/readyz`.
    ///
    /// # Errors
    /// The error that a commit would get.
    fn ready(&self, deadline: Instant) -> StoreFuture<'_, ()>;

    /// What this process has counted and timed.
    fn measures(&self) -> &Measures;

    /// Finishes what is queued, refuses what comes after with [`StoreError::Closed`], and gives up locks and files. Calling it again does nothing.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the last writes could not be finished.
    fn close(&self) -> StoreFuture<'_, ()>;

    /// The API key with this digest, whatever its status. Its `last_used_at` may be older than the one that [`Store::key`] gives.
    fn key_by_digest(&self, digest: KeyDigest) -> StoreFuture<'_, Option<ApiKey>>;

    /// The operator with this digest, revoked or not.
    fn operator_by_digest(&self, digest: KeyDigest) -> StoreFuture<'_, Option<Operator>>;

    /// A grant with what it opens, in one consistent read: the token path.
    ///
    /// Returned whatever their status and expiry, for the caller to judge in its order.
    fn grant_access(&self, app: AppId, grant: GrantId) -> StoreFuture<'_, Lookup<GrantAccess>>;

    /// The active, unexpired system grants of an app for the secret with this slug: at most two, since what counts is none, one, or several.
    fn system_grants(&self, app: AppId, slug: String) -> StoreFuture<'_, Vec<GrantId>>;

    /// An app by its id.
    fn app(&self, app: AppId) -> StoreFuture<'_, Option<App>>;

    /// An app by its name.
    fn app_by_name(&self, name: String) -> StoreFuture<'_, Option<App>>;

    /// All apps, oldest first.
    fn apps(&self, page: Page<AppId>) -> StoreFuture<'_, Vec<App>>;

    /// All operators, revoked ones too, oldest first. There are few: the list is whole.
    fn operators(&self) -> StoreFuture<'_, Vec<Operator>>;

    /// A key of an app.
    fn key(&self, app: AppId, key: KeyId) -> StoreFuture<'_, Lookup<ApiKey>>;

    /// The keys of an app, oldest first.
    fn keys(&self, app: AppId, page: Page<KeyId>) -> StoreFuture<'_, Vec<ApiKey>>;

    /// A managed secret of an app, deleted or not.
    fn secret(&self, app: AppId, secret: SecretId) -> StoreFuture<'_, Lookup<ManagedSecret>>;

    /// The managed secret of an app with this slug that is not deleted.
    fn secret_by_slug(&self, app: AppId, slug: String) -> StoreFuture<'_, Option<ManagedSecret>>;

    /// The managed secrets of an app that are not deleted, oldest first.
    fn secrets(&self, app: AppId, page: Page<SecretId>) -> StoreFuture<'_, Vec<ManagedSecret>>;

    /// A grant of an app.
    fn grant(&self, app: AppId, grant: GrantId) -> StoreFuture<'_, Lookup<Grant>>;

    /// The grants of an app that the filter lets through, oldest first.
    fn grants(&self, app: AppId, filter: GrantFilter, page: Page<GrantId>) -> StoreFuture<'_, Vec<Grant>>;

    /// The grants of an app that the filter lets through, oldest first, each with what it opens; and how many there are in all.
    ///
    /// By position, as the wire protocol pages; a grant that is made meanwhile appears at the end.
    fn list_grants(&self, app: AppId, filter: GrantFilter, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, GrantList>;

    /// A credential of an app with its sealed values.
    fn credential(&self, app: AppId, credential: CredentialId) -> StoreFuture<'_, Lookup<StoredCredential>>;

    /// The credentials of an app that the filter lets through and that are not erased, oldest first. One owner has few of one provider: the
    /// list is whole.
    fn credentials(&self, app: AppId, filter: CredentialFilter) -> StoreFuture<'_, Vec<Credential>>;

    /// An agent of an app, deleted or not.
    fn agent(&self, app: AppId, agent: AgentId) -> StoreFuture<'_, Lookup<Agent>>;

    /// The agent of an app with this name that is not deleted.
    fn agent_by_name(&self, app: AppId, name: String) -> StoreFuture<'_, Option<Agent>>;

    /// The agents of an app that are not deleted, oldest first.
    fn agents(&self, app: AppId, page: Page<AgentId>) -> StoreFuture<'_, Vec<Agent>>;

    /// The agent of an app, deleted or not, that the request with this digest of its idempotency key has made.
    fn agent_asked_for(&self, app: AppId, key: [u8; 32]) -> StoreFuture<'_, Option<Agent>>;

    /// The agents of an app, oldest first, with deleted ones only if asked for; and how many there are in all.
    ///
    /// By position, as the wire protocol pages; an agent that is made meanwhile appears at the end.
    fn list_agents(&self, app: AppId, deleted: bool, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, AgentList>;

    /// The keys of an agent of an app, revoked ones too, but none that was derived; oldest first. There are few: the list is whole.
    fn agent_keys(&self, app: AppId, agent: AgentId) -> StoreFuture<'_, Vec<ApiKey>>;

    /// The ticket of a kind with this digest, ended or not.
    fn ticket_by_digest(&self, kind: TicketKind, digest: KeyDigest) -> StoreFuture<'_, Option<StoredTicket>>;

    /// A ticket by its id.
    fn ticket(&self, ticket: TicketId) -> StoreFuture<'_, Option<StoredTicket>>;

    /// An approval by its id, with what is sealed of it.
    fn approval(&self, approval: ApprovalId) -> StoreFuture<'_, Option<StoredApproval>>;

    /// The approval that one of its gates names, with what is sealed of it.
    fn approval_of_gate(&self, gate: GateId) -> StoreFuture<'_, Option<StoredApproval>>;

    /// The approvals that the filter lets through, newest first: at most `limit`.
    fn approvals(&self, filter: ApprovalFilter, limit: NonZeroU32) -> StoreFuture<'_, Vec<Approval>>;

    /// Approvals with which something has to be done, oldest first: undecided ones whose time is over or of which the app is to be told, approved ones,
    /// and those whose call left before `lost_before` and of which nothing was heard. At most `limit`.
    fn due_approvals(&self, lost_before: Timestamp, limit: NonZeroU32) -> StoreFuture<'_, Vec<Approval>>;

    /// An app's registration of a kind and name.
    fn registration(&self, app: AppId, kind: RegistrationKind, name: String) -> StoreFuture<'_, Option<StoredRegistration>>;

    /// All registrations of an app of a kind, by name. There are few: the list is whole.
    fn registrations(&self, app: AppId, kind: RegistrationKind) -> StoreFuture<'_, Vec<Registration>>;

    /// The descriptions of providers' APIs that are loaded for an app, of one kind or of both, by kind and provider. There are few: the list is whole.
    fn provider_specs(&self, app: AppId, kind: Option<SpecKind>) -> StoreFuture<'_, Vec<ProviderSpec>>;

    /// The description of one provider's API.
    fn provider_spec(&self, app: AppId, kind: SpecKind, provider: String) -> StoreFuture<'_, Option<ProviderSpec>>;

    /// The operations of a description in the order of its document, without their schemas; with `search` those in whose id, path or summary it
    /// stands, in any case. And how many there are in all.
    fn spec_operations(&self, spec: SpecId, search: Option<String>, limit: NonZeroU32, offset: u64) -> StoreFuture<'_, OperationList>;

    /// All operations of a description in the order of its document, with what calls are classified by: neither summary nor schemas of bodies.
    fn outlined_operations(&self, spec: SpecId) -> StoreFuture<'_, Vec<Operation>>;

    /// One operation with its schemas.
    fn spec_operation(&self, spec: SpecId, operation: String) -> StoreFuture<'_, Option<Operation>>;

    /// All policies of an app, by name.
    fn policies(&self, app: AppId) -> StoreFuture<'_, Vec<Policy>>;

    /// How many calls have been counted in the present window of time.
    fn counted_calls(&self, count: CallCount) -> StoreFuture<'_, u64>;

    /// The spans of a trace that are not forgotten, by their beginning.
    fn spans(&self, app: AppId, trace: String) -> StoreFuture<'_, Vec<Span>>;

    /// What is stored about master and root keys.
    fn stored_keys(&self) -> StoreFuture<'_, StoredKeys>;

    /// How many data keys there are, and how many of them another version of the master key than `current` wraps.
    fn count_data_keys(&self, current: u32) -> StoreFuture<'_, DataKeyCount>;

    /// Some data keys that another version of the master key than `current` wraps, in no order: at most `limit`.
    fn outdated_data_keys(&self, current: u32, limit: NonZeroU32) -> StoreFuture<'_, Vec<(DataKeyId, Wrapped)>>;

    /// The heads of all chains, with the MAC that each head was stored under.
    fn audit_heads(&self) -> StoreFuture<'_, Vec<StoredHead>>;

    /// Rows of a chain with a sequence above `after`, lowest first: at most `limit`. Start with 0.
    fn audit_rows(&self, chain: ChainId, after: u64, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>>;

    /// The newest rows of a chain, or of all of them, newest first: at most `limit`.
    fn audit_newest(&self, chain: Option<ChainId>, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>>;

    /// The rows that the filter lets through, newest first: at most `limit`.
    fn audit_search(&self, filter: AuditFilter, limit: NonZeroU32) -> StoreFuture<'_, Vec<FoundRow>>;

    /// How many rows there are of each action and outcome in each span of time since a moment.
    fn audit_activity(&self, since: Timestamp, span: Duration) -> StoreFuture<'_, Vec<AuditActivity>>;

    /// The newest rows of an app's chain about any of some grants, newest first: at most `limit`.
    fn audit_of_grants(&self, app: AppId, grants: Vec<GrantId>, limit: NonZeroU32) -> StoreFuture<'_, Vec<AuditRow>>;
}

/// The answer of a read that names an app and an id within it.
///
/// An id of another app must look to the client exactly like an unknown one, but the audit is told the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// It is this app's.
    Found(T),
    /// It exists, and belongs to another app. Nothing of it is read.
    Foreign,
    /// There is no such id.
    Unknown,
}

impl<T> Lookup<T> {
    /// The thing, if it is this app's.
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(thing) => Some(thing),
            Self::Foreign | Self::Unknown => None,
        }
    }
}

/// A grant and what it opens.
#[derive(Clone, Debug)]
pub struct GrantAccess {
    /// The grant.
    pub grant: Grant,
    /// The managed secret, without values; `None` for a login.
    pub secret: Option<ManagedSecret>,
    /// The credential, without values; `None` for a managed secret's own.
    pub credential: Option<Credential>,
    /// Whether its app has policies.
    pub has_policies: bool,
    /// The sealed values; `None` once they are erased. Open them with [`VaultKeys::open`](crate::crypto::VaultKeys::open) and
    /// [`GrantAccess::sealed_to`].
    pub sealed: Option<SealedSecret>,
}

impl GrantAccess {
    /// What the values are sealed to.
    pub fn sealed_to(&self) -> SealedTo {
        match self.grant.opens {
            Opens::Secret(secret) => secret.into(),
            Opens::Key { credential, .. } | Opens::Login(credential) => credential.into(),
        }
    }

    /// The versions that a release is judged by.
    pub fn judged(&self) -> JudgedVersions {
        JudgedVersions {
            secret: self.secret.as_ref().map(|secret| secret.version),
            generation: self.credential.as_ref().map(|credential| credential.generation),
        }
    }
}

/// A credential with its sealed values.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// The credential.
    pub credential: Credential,
    /// Its values; `None` once they are erased.
    pub sealed: Option<SealedSecret>,
}

/// A ticket with its sealed secrets.
#[derive(Clone, Debug)]
pub struct StoredTicket {
    /// The ticket.
    pub ticket: Ticket,
    /// Its secrets, if it has any.
    pub sealed: Option<SealedSecret>,
}

/// A registration with its sealed client secret.
#[derive(Clone, Debug)]
pub struct StoredRegistration {
    /// The registration.
    pub registration: Registration,
    /// Its client secret; `None` for a public client.
    pub sealed: Option<SealedSecret>,
}

/// An approval with its sealed request and, once there is one, the sealed answer.
#[derive(Clone, Debug)]
pub struct StoredApproval {
    /// The approval.
    pub approval: Approval,
    /// What is sealed.
    pub sealed: Option<SealedSecret>,
}

/// Which approvals to list; `None` means any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// Only those of this app.
    pub app: Option<AppId>,
    /// Only those that are under way.
    pub only_open: bool,
    /// Only those made before this one.
    pub before: Option<ApprovalId>,
}

/// Which audit rows to find; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those of this chain.
    pub chain: Option<ChainId>,
    /// Only those of this action.
    pub action: Option<String>,
    /// Only those that were written with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those about this grant.
    pub grant: Option<GrantId>,
    /// Only those in whose URL, reason, caller, provider, subject, code or request id this stands, in any case.
    pub text: Option<String>,
    /// Only those from this moment on.
    pub from: Option<Timestamp>,
    /// Only those before this moment.
    pub until: Option<Timestamp>,
    /// Only those below this position.
    pub before: Option<i64>,
}

/// An audit row and its place among all rows of the database, by which pages follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRow {
    /// The row.
    pub row: AuditRow,
    /// Its place.
    pub position: i64,
}

/// What happened in one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditActivity {
    /// Which span: 0 for the first.
    pub place: u32,
    /// The action.
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
    /// How long providers took on average, in milliseconds; of answers to proxied calls only.
    pub mean_duration_ms: Option<i64>,
}

/// Which credentials to list; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialFilter {
    /// Only those of this provider, or placed by the managed secret with this slug.
    pub provider: Option<String>,
    /// Only keys placed by this managed secret.
    pub secret: Option<SecretId>,
    /// Only those of this owner.
    pub owner: Option<Principal>,
}

/// A part of a list of grants.
#[derive(Clone, Debug, Default)]
pub struct GrantList {
    /// The part.
    pub grants: Vec<ListedGrant>,
    /// How many there are in all.
    pub total: u64,
}

/// A part of a list of agents.
#[derive(Clone, Debug, Default)]
pub struct AgentList {
    /// The part.
    pub agents: Vec<Agent>,
    /// How many there are in all.
    pub total: u64,
}

/// A part of a list of operations.
#[derive(Clone, Debug, Default)]
pub struct OperationList {
    /// The part.
    pub operations: Vec<Operation>,
    /// How many there are in all.
    pub total: u64,
}

/// One page of a list that is ordered by age. Entries made meanwhile appear at the end, so following pages never skip or repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<I> {
    /// The last id of the page before; `None` for the first page. An id that does not exist gives an empty page.
    pub after: Option<I>,
    /// Most entries to return.
    pub limit: NonZeroU32,
}

impl<I> Page<I> {
    /// The first page.
    pub const fn first(limit: NonZeroU32) -> Self {
        Self { after: None, limit }
    }
}

/// A count of data keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataKeyCount {
    /// All of them.
    pub all: u64,
    /// Those that wait for being wrapped anew.
    pub outdated: u64,
}

/// A chain's head as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredHead {
    /// The head.
    pub head: Head,
    /// [`ChainKey::head`](crate::audit::ChainKey::head) of it, made when it was written.
    pub head_mac: RowMac,
}
