//! What one commit carries.

use crate::audit::AuditEntry;
use crate::crypto::{KeyCheck, RootKey, SealedSecret, Wrapped};
use crate::model::{
    Actor, ApiKey, App, AppId, DataKeyId, Grant, GrantId, KeyId, KeyStatus, ManagedSecret, Operator, OperatorId, ScopeMismatch, SecretId,
};

/// A nonce that a signed request spends. Unique per key, kept [`Nonce::LIFETIME`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// The key that signed.
    pub key: KeyId,
    /// The nonce as the request gave it. Only a hash of it is stored, so its length does not matter.
    pub value: String,
}

impl Nonce {
    /// How long a nonce is remembered: the clock window of 300 s on both sides, so a request that could still pass the clock check is never
    /// forgotten.
    pub const LIFETIME: std::time::Duration = std::time::Duration::from_secs(600);
}

/// Everything that becomes durable together. See [`Store::commit`](super::Store::commit).
///
/// ```
/// use alter_server::audit::{AuditEntry, ChainId, Outcome};
/// use alter_server::model::OperatorId;
/// use alter_server::store::{Commit, Effect};
///
/// let gone = OperatorId::random();
/// let row = AuditEntry::new(ChainId::Vault, "operator.revoke", Outcome::Done).subject("operator", gone);
/// let commit = Commit::new(row).effect(Effect::RevokeOperator { operator: gone });
/// assert_eq!(commit.effects().len(), 1);
/// ```
#[derive(Debug)]
pub struct Commit {
    nonce: Option<Nonce>,
    rows: Vec<AuditEntry>,
    effects: Vec<Effect>,
}

impl Commit {
    /// A commit that only writes a row. The first row is the one that turns into the refusal if the commit is declined.
    pub fn new(row: AuditEntry) -> Self {
        Self { nonce: None, rows: vec![row], effects: Vec::new() }
    }

    /// Spends a nonce. It is spent even if an effect is declined: the request was genuine and must not come again.
    #[must_use]
    pub fn nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Adds an effect; effects are applied in the order given, all or none.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Adds a row that is only written if the commit is accepted.
    #[must_use]
    pub fn row(mut self, row: AuditEntry) -> Self {
        self.rows.push(row);
        self
    }

    /// The nonce, if one is spent.
    pub const fn spent_nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref()
    }

    /// The rows, the deciding one first. Never empty.
    pub fn rows(&self) -> &[AuditEntry] {
        &self.rows
    }

    /// The effects.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }
}

/// A change, together with the condition under which it may happen. The condition is judged inside the transaction.
///
/// Times in here (`created_at`, `updated_at`, …) are the caller's; times of use and revocation are taken from the store's clock.
#[derive(Debug)]
pub enum Effect {
    /// A key is used. Declined unless it exists, is not revoked and has not expired. Its `last_used_at` is kept to the second.
    UseKey {
        /// The key.
        key: KeyId,
    },
    /// A credential is released through a grant. Declined unless the grant is active and unexpired, and the secret active and still at the
    /// version that was judged ([`Declined::SecretChanged`](super::Declined::SecretChanged): read and judge again). `last_used_at` is kept to the second.
    UseGrant {
        /// The grant.
        grant: GrantId,
        /// The version of its secret that was judged and opened.
        secret_version: u32,
    },
    /// A caller is remembered. Does nothing if it is known.
    RegisterActor(Actor),
    /// A scope-mismatch report is put on a grant, over an earlier one. Declined unless it is a grant of the app.
    FlagScopeMismatch {
        /// The app that reports.
        app: AppId,
        /// The grant.
        grant: GrantId,
        /// What was reported.
        mismatch: ScopeMismatch,
    },
    /// An app comes into being. Declined if its name is taken.
    CreateApp(App),
    /// An operator comes into being. Declined if the name belongs to one that is not revoked.
    CreateOperator(Operator),
    /// An operator is revoked. Declined if unknown; done again, it keeps its first date.
    RevokeOperator {
        /// The operator.
        operator: OperatorId,
    },
    /// A key comes into being. Declined if the app is unknown.
    CreateKey(Box<ApiKey>),
    /// A key's status changes. Declined unless it is a key of the app; a revoked one cannot come back ([`Declined::Final`](super::Declined::Final)).
    SetKeyStatus {
        /// The app.
        app: AppId,
        /// The key.
        key: KeyId,
        /// The new status.
        status: KeyStatus,
    },
    /// A managed secret comes into being at version 1. Declined if the app is unknown or the slug taken.
    CreateSecret {
        /// The secret.
        secret: Box<ManagedSecret>,
        /// Its values.
        sealed: SealedSecret,
    },
    /// A managed secret changes. `secret.version` is one above the version that was read, else declined as `SecretChanged`. `sealed` replaces all
    /// values and erases the old ones; `None` keeps them.
    UpdateSecret {
        /// The secret as it shall be. Its app cannot change; `created_at` and `status` are ignored.
        secret: Box<ManagedSecret>,
        /// New values, or `None`.
        sealed: Option<SealedSecret>,
    },
    /// A managed secret is deleted and its values erased. Declined unless it is an active secret of the app. Its grants stay and answer "gone".
    DeleteSecret {
        /// The app.
        app: AppId,
        /// The secret.
        secret: SecretId,
    },
    /// A version of the master key comes into use. Declined unless it follows the newest.
    AddMasterKey {
        /// The version.
        version: u32,
        /// The key's fingerprint.
        check: KeyCheck,
    },
    /// Keys are wrapped anew. One that was re-wrapped or erased meanwhile is left as it is.
    Rewrap(Vec<Rewrap>),
    /// Every version of the master key but one is forgotten. Declined while another one still wraps anything.
    KeepMasterKey {
        /// The version that stays.
        version: u32,
    },
    /// A grant comes into being. Declined unless its secret is an active one of the same app.
    CreateGrant(Box<Grant>),
    /// A grant is revoked. Declined unless it is a grant of the app; done again, it keeps its first date.
    RevokeGrant {
        /// The app.
        app: AppId,
        /// The grant.
        grant: GrantId,
    },
}

/// A key and its new wrap.
#[derive(Debug)]
pub struct Rewrap {
    /// Which key.
    pub key: WrappedKey,
    /// The version of the master key that wrapped it so far.
    pub from: u32,
    /// The new wrap.
    pub to: Wrapped,
}

/// A key that is stored wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrappedKey {
    /// A root key.
    Root(RootKey),
    /// A data key.
    Data(DataKeyId),
}

/// Proof of a commit that succeeded in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Sequence of the first row in its chain.
    pub sequence: u64,
}
