//! Why a store call failed. No text here holds a credential; every error has a stable code.

use std::path::PathBuf;
use std::time::Duration;

use super::RateState;
use crate::crypto::KeyError;

/// Why nothing was committed, or why nothing may be released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Judged inside the transaction and declined; the refusal is on record.
    #[error(transparent)]
    Declined(#[from] Declined),
    /// The store could not do it; nothing is known to be on record.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Kinds of things in the store, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    /// An app.
    App,
    /// An operator.
    Operator,
    /// An API key.
    Key,
    /// A managed secret.
    Secret,
    /// A grant.
    Grant,
    /// An agent.
    Agent,
    /// A credential.
    Credential,
    /// A ticket.
    Ticket,
    /// A registration.
    Registration,
    /// The description of a provider's API.
    Spec,
    /// An approval.
    Approval,
    /// A policy.
    Policy,
}

impl Entity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Operator => "operator",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Grant => "grant",
            Self::Agent => "agent",
            Self::Credential => "credential",
            Self::Ticket => "ticket",
            Self::Registration => "registration",
            Self::Spec => "spec",
            Self::Approval => "approval",
            Self::Policy => "policy",
        }
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a transaction found that speaks against the commit. Recorded as the refusal's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Declined {
    /// The key has used this nonce within its lifetime.
    #[error("the nonce was used before")]
    NonceReplayed,
    /// The table of nonces is at its cap; no live nonce is given up for a new one. The client may try again.
    #[error("too many requests are remembered for replay protection")]
    NoncesFull,
    /// The key was revoked meanwhile.
    #[error("the key is revoked")]
    KeyRevoked,
    /// The key expired meanwhile.
    #[error("the key has expired")]
    KeyExpired,
    /// The key has a successor, and the time for changing over has passed meanwhile.
    #[error("the time in which the key works beside its successor has passed")]
    KeySuperseded,
    /// The key has made as many requests as one minute may have.
    #[error("{} requests were made in this minute, which is the limit", .0.limit)]
    RateLimited(RateState),
    /// As many calls were made as a policy lets pass in one window of time.
    #[error("{} calls were made in this window of time, which is what a policy lets pass", .0.limit)]
    CallsFull(RateState),
    /// The agent has as many keys as it can have.
    #[error("the agent has as many keys as it can have")]
    TooManyKeys,
    /// The app has as many approvals under way as it can have.
    #[error("the app has as many approvals under way as it can have")]
    TooManyApprovals,
    /// The agent would be without a key.
    #[error("it is the last key of its agent")]
    LastKey,
    /// The grant was revoked meanwhile.
    #[error("the grant is revoked")]
    GrantRevoked,
    /// The grant expired meanwhile.
    #[error("the grant has expired")]
    GrantExpired,
    /// The secret has another version than the one judged.
    #[error("the secret was changed meanwhile")]
    SecretChanged,
    /// The secret is deleted.
    #[error("the secret is deleted")]
    SecretDeleted,
    /// The agent whose key it is, is suspended or deleted.
    #[error("the agent is not active")]
    AgentInactive,
    /// The credential's login is dead: it takes a new consent.
    #[error("the credential is dead")]
    CredentialDead,
    /// The credential's values are erased.
    #[error("the credential is erased")]
    CredentialErased,
    /// Somebody else is exchanging the credential's refresh token.
    #[error("the credential is being refreshed")]
    LeaseHeld,
    /// Somebody else has taken the lease meanwhile: what this holder brings does not count.
    #[error("the refresh lease was lost")]
    LeaseLost,
    /// A grant may not reach further, or last longer, than the one that it comes from.
    #[error("the grant would reach further than the one it comes from")]
    Widens,
    /// Another active grant of the same credential and holder has this label.
    #[error("another grant of this credential has the label")]
    LabelTaken,
    /// It has another version than the one that was read.
    #[error("the {0} was changed meanwhile")]
    Changed(Entity),
    /// The values were sealed, or a key wrapped, with a version of the master key that is not in use any more.
    #[error("the master key was changed meanwhile; try again")]
    MasterKeyChanged,
    /// A version of the master key that shall be forgotten still wraps something.
    #[error("an earlier master key is still in use")]
    MasterKeyInUse,
    /// The thing does not exist, or not in this app.
    #[error("there is no such {0}")]
    NotFound(Entity),
    /// The name or id is taken.
    #[error("there is such a {0} already")]
    Exists(Entity),
    /// Its state is final and cannot change again.
    #[error("the {0} has reached its final state")]
    Final(Entity),
}

impl Declined {
    /// The stable code, as the audit row shows it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NonceReplayed => "nonce_replayed",
            Self::NoncesFull => "nonce_table_full",
            Self::KeyRevoked => "key_revoked",
            Self::KeyExpired => "key_expired",
            Self::KeySuperseded => "key_rotated_grace_expired",
            Self::RateLimited(_) | Self::CallsFull(_) => "rate_limit_exceeded",
            Self::TooManyKeys => "agent_key_limit_reached",
            Self::TooManyApprovals => "too_many_pending_approvals",
            Self::LastKey => "last_active_key",
            Self::GrantRevoked => "grant_revoked",
            Self::GrantExpired => "grant_expired",
            Self::SecretChanged => "secret_changed",
            Self::SecretDeleted => "secret_deleted",
            Self::MasterKeyChanged => "master_key_changed",
            Self::MasterKeyInUse => "master_key_in_use",
            Self::AgentInactive => "agent_inactive",
            Self::CredentialDead => "credential_revoked",
            Self::CredentialErased => "credential_erased",
            Self::LeaseHeld => "token_refresh_in_progress",
            Self::LeaseLost => "lease_lost",
            Self::Widens => "grant_widens",
            Self::LabelTaken => "sibling_label_conflict",
            Self::Changed(Entity::Credential) => "credential_changed",
            Self::Changed(Entity::Agent) => "agent_concurrent_update",
            Self::Changed(Entity::Ticket) => "ticket_changed",
            Self::Changed(Entity::Registration) => "registration_changed",
            Self::Changed(Entity::Spec) => "spec_changed",
            Self::Changed(Entity::Approval) => "approval_changed",
            Self::Changed(Entity::Policy) => "policy_changed",
            Self::Changed(_) => "changed",
            Self::NotFound(Entity::App) => "app_not_found",
            Self::NotFound(Entity::Operator) => "operator_not_found",
            Self::NotFound(Entity::Key) => "key_not_found",
            Self::NotFound(Entity::Secret) => "secret_not_found",
            Self::NotFound(Entity::Grant) => "grant_not_found",
            Self::NotFound(Entity::Agent) => "agent_not_found",
            Self::NotFound(Entity::Credential) => "credential_not_found",
            Self::NotFound(Entity::Ticket) => "ticket_not_found",
            Self::NotFound(Entity::Registration) => "registration_not_found",
            Self::NotFound(Entity::Spec) => "spec_not_found",
            Self::NotFound(Entity::Approval) => "approval_not_found",
            Self::NotFound(Entity::Policy) => "policy_not_found",
            Self::Exists(Entity::App) => "app_exists",
            Self::Exists(Entity::Operator) => "operator_exists",
            Self::Exists(Entity::Key) => "key_exists",
            Self::Exists(Entity::Secret) => "secret_exists",
            Self::Exists(Entity::Grant) => "grant_exists",
            Self::Exists(Entity::Agent) => "agent_exists",
            Self::Exists(Entity::Credential) => "credential_exists",
            Self::Exists(Entity::Ticket) => "ticket_exists",
            Self::Exists(Entity::Registration) => "registration_exists",
            Self::Exists(Entity::Spec) => "spec_exists",
            Self::Exists(Entity::Approval) => "approval_exists",
            Self::Exists(Entity::Policy) => "policy_exists",
            Self::Final(Entity::Key) => "key_revoked",
            Self::Final(_) => "final_state",
        }
    }
}

/// Why the store could not do what was asked, while it is open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The deadline passed first.
    #[error("the store did not answer within {} ms", .waited.as_millis())]
    Late {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The queue is full.
    #[error("the store has {queued} calls waiting, which is its limit")]
    Busy {
        /// How many calls are waiting.
        queued: usize,
    },
    /// The disk, or the limit set for the database, is full.
    #[error("the disk of the store is full")]
    Full,
    /// The database said no in some other way; the text is its own and names no stored value.
    #[error("the store failed: {0}")]
    Failed(String),
    /// What was read cannot be what was written.
    #[error("the store holds damaged data: {0}")]
    Corrupt(String),
    /// The store was opened for reading only.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Late { .. } => "store_late",
            Self::Busy { .. } => "store_busy",
            Self::Full => "store_full",
            Self::Failed(_) => "store_failed",
            Self::Corrupt(_) => "store_corrupt",
            Self::ReadOnly => "store_read_only",
            Self::Closed => "store_closed",
        }
    }
}

/// Why a store cannot be opened. The message says what was found, [`OpenError::help`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the data folder open.
    #[error("the data folder {} is in use by process {}", .folder.display(), .pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()))]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds the lock, if its lock file says so.
        pid: Option<u32>,
    },
    /// A file or folder cannot be made, read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried: `create`, `open`, `write`, …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no vault where one must be.
    #[error("there is no vault in {place}")]
    Missing {
        /// The data folder, or the database's URL without a password.
        place: String,
    },
    /// The database server does not answer, or does not let this vault in.
    #[error("cannot reach the database {database}: {reason}")]
    Unreachable {
        /// Its URL without a password.
        database: String,
        /// What happened.
        reason: String,
    },
    /// The database was written by a newer version.
    #[error("the database {database} has schema {found}, this version knows up to {known}")]
    Newer {
        /// Its file, or its URL without a password.
        database: String,
        /// Its schema version.
        found: u32,
        /// The newest schema that this binary knows.
        known: u32,
    },
    /// The database was written by an older version and is opened for reading only, so it cannot be brought forward.
    #[error("the database {database} has schema {found}, this version reads {known}")]
    Older {
        /// Its file, or its URL without a password.
        database: String,
        /// Its schema version.
        found: u32,
        /// The schema that this binary reads.
        known: u32,
    },
    /// The file is not a database of ours, or is damaged.
    #[error("the database {database} is damaged or is not an Alter database: {reason}")]
    Corrupt {
        /// Its file, or its URL without a password.
        database: String,
        /// What was found.
        reason: String,
    },
    /// The master key is missing, malformed, or not the one of this database.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database said no in some other way.
    #[error("cannot open the database {database}: {reason}")]
    Failed {
        /// Its file, or its URL without a password.
        database: String,
        /// What it said.
        reason: String,
    },
}

impl OpenError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "data_folder_in_use",
            Self::Io { .. } => "data_folder_unusable",
            Self::Missing { .. } => "vault_missing",
            Self::Unreachable { .. } => "database_unreachable",
            Self::Newer { .. } => "schema_too_new",
            Self::Older { .. } => "schema_too_old",
            Self::Corrupt { .. } => "database_corrupt",
            Self::Key(error) => error.code(),
            Self::Failed { .. } => "store_failed",
        }
    }

    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "stop the other vault, or use another data folder",
            Self::Io { .. } => "check that the folder exists, that its disk has room, and that this user may write there",
            Self::Missing { .. } => "run `alter init`, or name the right data folder",
            Self::Unreachable { .. } => {
                "check that the server runs and the URL is right; the password comes from the URL in ALTER_STORE, PGPASSWORD or ~/.pgpass"
            }
            Self::Newer { .. } => "use a version of alter that is at least as new as the one that wrote it",
            Self::Older { .. } => "start the vault once with this version: `alter serve` brings the schema forward",
            Self::Corrupt { .. } => "restore the data folder from a backup; nothing in it has been changed",
            Self::Key(error) => error.help(),
            Self::Failed { .. } => "check the disk, and what this user may do with the database",
        }
    }
}
