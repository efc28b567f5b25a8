//! What one commit carries.

use crate::audit::AuditEntry;
use crate::clock::Timestamp;
use crate::crypto::{KeyCheck, RootKey, SealedSecret, Wrapped};
use crate::model::{
    Account, Actor, Agent, AgentId, AgentStatus, ApiKey, App, AppId, AppSettings, Approval, Credential, CredentialId, DataKeyId, Grant,
    GrantId, GrantPolicy, KeyId, KeyStatus, ManagedSecret, Operator, OperatorId, Policy, PolicyId, ProviderSpec, RateCount, Registration,
    RegistrationId, ScopeMismatch, SecretId, Span, SpecId, Ticket, TicketId,
};
use crate::openapi::Operation;

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
    counted: Vec<RateCount>,
    rows: Vec<AuditEntry>,
    effects: Vec<Effect>,
}

impl Commit {
    /// A commit that only writes a row. The first row is the one that turns into the refusal if the commit is declined.
    pub fn new(row: AuditEntry) -> Self {
        Self { nonce: None, counted: Vec::new(), rows: vec![row], effects: Vec::new() }
    }

    /// Spends a nonce. It is spent even if an effect is declined: the request was genuine and must not come again.
    #[must_use]
    pub fn nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// Counts the request against limits. It is counted whatever becomes of it, and declined if one of them is reached.
    #[must_use]
    pub fn count(mut self, counts: Vec<RateCount>) -> Self {
        self.counted = counts;
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

    /// What the request counts against.
    pub fn counted(&self) -> &[RateCount] {
        &self.counted
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
    /// A key is used. Declined unless it exists, is not revoked, has not expired, and its agent, if it has one, is active. Its `last_used_at` is kept to the second.
    UseKey {
        /// The key.
        key: KeyId,
    },
    /// A credential is released through a grant. Declined unless the grant is active and unexpired, and what it opens still there and as it was
    /// judged ([`Declined::SecretChanged`](super::Declined::SecretChanged), [`Declined::Changed`](super::Declined::Changed): read and judge
    /// again). `last_used_at` is kept to the second.
    UseGrant {
        /// The grant.
        grant: GrantId,
        /// What was judged and opened.
        judged: JudgedVersions,
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
    /// A key comes into being. Declined if the app is unknown, if the key it is derived from is revoked, and if its agent is deleted or has as many
    /// keys as it can have ([`Declined::TooManyKeys`](super::Declined::TooManyKeys)).
    CreateKey(Box<ApiKey>),
    /// A key gets a successor: it is deprecated, and works until then, or until an earlier end that it has. Declined unless it is a key of the
    /// app that is not revoked.
    SupersedeKey {
        /// The app.
        app: AppId,
        /// The key.
        key: KeyId,
        /// When it stops working.
        until: Timestamp,
    },
    /// Nothing changes. Declined with [`Declined::LastKey`](super::Declined::LastKey) if the agent has no key by now that is not revoked.
    KeepAgentKey {
        /// The app.
        app: AppId,
        /// The agent.
        agent: AgentId,
    },
    /// A key's status changes. Declined unless it is a key of the app; a revoked one cannot come back ([`Declined::Final`](super::Declined::Final)).
    /// With it, what was derived from it is revoked. One that becomes active again has no announced end any more.
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
    /// A grant comes into being. Declined unless what it opens is there, of the same app and not erased; for a delegated one, unless its parent
    /// is active, unexpired and reaches at least as far ([`Declined::Widens`](super::Declined::Widens)). Declined with
    /// [`Declined::LabelTaken`](super::Declined::LabelTaken) if another active root of the same credential and holder has its label.
    CreateGrant(Box<Grant>),
    /// A person consents anew: a root grant ends at another time, and reported scope mismatches are settled. What was delegated from it ends no
    /// later than it does. Declined unless it is a root of the app that is not revoked (one whose time is over comes back) and
    /// what it opens is still there, and as
    /// [`Declined::Changed`](super::Declined::Changed) if `policy` has other rules about single calls than the grant.
    RenewGrant {
        /// The app.
        app: AppId,
        /// The grant.
        grant: GrantId,
        /// When it ends; `None` for never.
        expires_at: Option<Timestamp>,
        /// Its policy. Only how long it may last can change.
        policy: GrantPolicy,
    },
    /// A grant is revoked, with every grant delegated from it; credentials of people that lose their last live grant are erased. Declined unless
    /// it is a grant of the app; done again, it keeps its first date.
    RevokeGrant {
        /// The app.
        app: AppId,
        /// The grant.
        grant: GrantId,
    },
    /// A login is about to reach further, and what was delegated of it shall not: each delegated grant of the credential that has no scope constraint gets
    /// this one. No grant is a reason to decline.
    NarrowDelegations {
        /// The app.
        app: AppId,
        /// The login.
        credential: CredentialId,
        /// The delegated grant that was agreed with what is new; what is delegated from it is not excepted.
        except: Option<GrantId>,
        /// What the login reached until now.
        scopes: Vec<String>,
    },
    /// What one agent holds of a grant by delegation is revoked, as by [`Effect::RevokeGrant`]. Declined unless it is a grant of the app; nothing
    /// to revoke is not a reason.
    RevokeDelegation {
        /// The app.
        app: AppId,
        /// The grant that was delegated.
        parent: GrantId,
        /// The agent.
        agent: AgentId,
    },
    /// An app's settings change. Declined if the app is unknown.
    UpdateApp {
        /// The app.
        app: AppId,
        /// All its settings.
        settings: AppSettings,
    },
    /// An agent comes into being. Declined if the app is unknown or the name taken.
    CreateAgent(Box<Agent>),
    /// An agent changes: all but its name, kind, status and times of making and use. Declined unless `version` is the stored one's successor
    /// ([`Declined::Changed`](super::Declined::Changed)), and for a deleted one.
    UpdateAgent(Box<Agent>),
    /// An agent's status changes, and its version with it. A deleted one cannot come back; deleting one revokes its keys and the grants that it
    /// holds.
    SetAgentStatus {
        /// The app.
        app: AppId,
        /// The agent.
        agent: AgentId,
        /// The new status.
        status: AgentStatus,
    },
    /// A credential comes into being at generation 1. Declined if the app, or the managed secret that places it, is unknown.
    CreateCredential {
        /// The credential.
        credential: Box<Credential>,
        /// Its values.
        sealed: SealedSecret,
    },
    /// A credential gets new values. See [`Renewal`] for when it is declined.
    RenewCredential {
        /// What changes.
        renewal: Box<Renewal>,
        /// The new values.
        sealed: SealedSecret,
    },
    /// Somebody is about to exchange a credential's refresh token. Declined unless the credential is live, at this generation, leased to nobody,
    /// and `fence` is the one after the newest. It counts as unanswered until [`Effect::EndLease`] or [`Effect::RenewCredential`] says otherwise.
    LeaseCredential {
        /// The app.
        app: AppId,
        /// The credential.
        credential: CredentialId,
        /// The generation whose refresh token is exchanged.
        generation: u32,
        /// The new fencing number.
        fence: u32,
        /// When the lease ends by itself.
        until: Timestamp,
    },
    /// The holder of a lease gives it up without new values. Declined unless its fence is the newest.
    EndLease {
        /// The app.
        app: AppId,
        /// The credential.
        credential: CredentialId,
        /// The holder's fencing number.
        fence: u32,
        /// How the exchange ended.
        ending: LeaseEnding,
    },
    /// A ticket comes into being.
    CreateTicket {
        /// The ticket.
        ticket: Box<Ticket>,
        /// Its secrets.
        sealed: Option<SealedSecret>,
    },
    /// A ticket's body, state and end change, and with `sealed` its secrets. Declined unless the version is the stored one's successor.
    UpdateTicket {
        /// The ticket as it shall be.
        ticket: Box<Ticket>,
        /// Its new secrets; `None` leaves them.
        sealed: Option<SealedSecret>,
    },
    /// A ticket is forgotten at once, with its secrets. Nothing happens if it is unknown.
    DeleteTicket {
        /// The app.
        app: AppId,
        /// The ticket.
        ticket: TicketId,
    },
    /// A call begins to wait for people. Declined unless its grant is active and unexpired, and as
    /// [`Declined::TooManyApprovals`](super::Declined::TooManyApprovals) if the app has as many under way as it can have.
    CreateApproval {
        /// The approval.
        approval: Box<Approval>,
        /// Its request.
        sealed: SealedSecret,
    },
    /// An approval changes, and with `sealed` what is sealed of it. Declined unless the version is the stored one's successor.
    UpdateApproval {
        /// The approval as it shall be. Its app, grant, asker, digest and end cannot change.
        approval: Box<Approval>,
        /// What takes the place of the sealed request; `None` leaves it.
        sealed: Option<SealedSecret>,
    },
    /// A registration comes into being. Declined if the app is unknown or has one of this kind and name.
    CreateRegistration {
        /// The registration.
        registration: Box<Registration>,
        /// Its client secret; `None` for a public client.
        sealed: Option<SealedSecret>,
    },
    /// A registration's settings change, and with `sealed` its client secret. Declined unless the version is the stored one's successor.
    UpdateRegistration {
        /// The registration as it shall be.
        registration: Box<Registration>,
        /// Its new client secret; `None` leaves it.
        sealed: Option<SealedSecret>,
    },
    /// The description of a provider's API is loaded, in the place of an earlier one of the same id. Declined if the app is unknown or has another
    /// one for the provider, and as [`Declined::Changed`](super::Declined::Changed) unless `version` is the stored one, or with other content its
    /// successor.
    PutSpec {
        /// The description.
        spec: Box<ProviderSpec>,
        /// All its operations.
        operations: Vec<Operation>,
    },
    /// The description of a provider's API is forgotten with its operations. Declined unless it is one of the app.
    DeleteSpec {
        /// The app.
        app: AppId,
        /// The description.
        spec: SpecId,
    },
    /// Spans are kept, until each is forgotten. One whose trace and id are known changes nothing.
    KeepSpans {
        /// The app.
        app: AppId,
        /// The spans, all of this app.
        spans: Vec<Span>,
    },
    /// A policy is made. Declined if the app has one of that name.
    CreatePolicy(Box<Policy>),
    /// A policy gets a new text. Declined unless its version follows the present one.
    UpdatePolicy(Box<Policy>),
    /// A policy is deleted. Declined unless it is one of the app.
    DeletePolicy {
        /// The app.
        app: AppId,
        /// The policy.
        policy: PolicyId,
    },
    /// A call takes its place in the count of a policy. Declined with [`Declined::CallsFull`](super::Declined::CallsFull) if there is none left.
    CountCall(CallCount),
    /// A registration is deleted with its client secret. Declined unless it is one of the app.
    DeleteRegistration {
        /// The app.
        app: AppId,
        /// The registration.
        registration: RegistrationId,
    },
}

impl Effect {
    /// The app whose things it changes, as far as they may be judged by another commit. `None` for what belongs to no app, for an app that comes into
    /// being, and for uses, whose commits have a row in the chain of the app.
    pub fn app(&self) -> Option<AppId> {
        match self {
            Self::UseKey { .. } | Self::UseGrant { .. } | Self::CreateApp(_) => None,
            Self::CreateOperator(_) | Self::RevokeOperator { .. } => None,
            Self::AddMasterKey { .. } | Self::Rewrap(_) | Self::KeepMasterKey { .. } => None,
            Self::RegisterActor(actor) => Some(actor.app),
            Self::CreateKey(key) => Some(key.app),
            Self::CreateSecret { secret, .. } | Self::UpdateSecret { secret, .. } => Some(secret.app),
            Self::CreateGrant(grant) => Some(grant.app),
            Self::CreateAgent(agent) | Self::UpdateAgent(agent) => Some(agent.app),
            Self::PutSpec { spec, .. } => Some(spec.app),
            Self::CreatePolicy(policy) | Self::UpdatePolicy(policy) => Some(policy.app),
            Self::CountCall(count) => Some(count.app),
            Self::CreateCredential { credential, .. } => Some(credential.app),
            Self::RenewCredential { renewal, .. } => Some(renewal.app),
            Self::CreateTicket { ticket, .. } | Self::UpdateTicket { ticket, .. } => Some(ticket.app),
            Self::CreateApproval { approval, .. } | Self::UpdateApproval { approval, .. } => Some(approval.app),
            Self::CreateRegistration { registration, .. } | Self::UpdateRegistration { registration, .. } => Some(registration.app),
            Self::FlagScopeMismatch { app, .. }
            | Self::SetKeyStatus { app, .. }
            | Self::SupersedeKey { app, .. }
            | Self::KeepAgentKey { app, .. }
            | Self::DeleteSecret { app, .. }
            | Self::RenewGrant { app, .. }
            | Self::RevokeGrant { app, .. }
            | Self::RevokeDelegation { app, .. }
            | Self::NarrowDelegations { app, .. }
            | Self::UpdateApp { app, .. }
            | Self::SetAgentStatus { app, .. }
            | Self::LeaseCredential { app, .. }
            | Self::EndLease { app, .. }
            | Self::DeleteTicket { app, .. }
            | Self::DeleteSpec { app, .. }
            | Self::DeletePolicy { app, .. }
            | Self::KeepSpans { app, .. }
            | Self::DeleteRegistration { app, .. } => Some(*app),
        }
    }
}

/// A count of calls in windows of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCount {
    /// The app.
    pub app: AppId,
    /// What is counted together, by one name for ever. Windows of another length need another name.
    pub counter: String,
    /// Calls in one window.
    pub limit: u32,
    /// Seconds of a window.
    pub window: u32,
}

impl CallCount {
    /// The number of the window in which a moment lies.
    pub(super) const fn slot(&self, now: Timestamp) -> i64 {
        now.as_secs().div_euclid(self.window as i64)
    }

    /// The state of a window that is full.
    pub const fn state(&self, now: Timestamp) -> RateState {
        RateState { limit: self.limit, remaining: 0, resets_at: (self.slot(now) + 1).saturating_mul(self.window as i64) }
    }
}

/// The versions of what a grant opens, as they were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JudgedVersions {
    /// The version of the managed secret, if the grant opens one or a key placed by one.
    pub secret: Option<u32>,
    /// The generation of the credential, if the grant opens one.
    pub generation: Option<u32>,
}

/// New values for a credential, by a refresh or by a new consent.
///
/// Declined unless the credential is of the app, not erased, and at `from_generation`. With a `fence` it is the outcome of an exchange, and
/// declined unless that is the newest; without one it is a new consent, which also brings a dead credential back and ends any lease.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The app.
    pub app: AppId,
    /// The credential.
    pub credential: CredentialId,
    /// The generation that it replaces.
    pub from_generation: u32,
    /// The fencing number of the exchange.
    pub fence: Option<u32>,
    /// When the new access token ends.
    pub access_expires_at: Option<Timestamp>,
    /// Whether there is a refresh token among the new values.
    pub refreshable: bool,
    /// The scopes that the provider granted; `None` leaves them.
    pub scopes: Option<Vec<String>>,
    /// The account; `None` leaves it.
    pub account: Option<Account>,
}

/// How an exchange of a refresh token ended that brought no new tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEnding {
    /// The provider answered and did not spend the refresh token: it may be exchanged again.
    Answered,
    /// No answer came: the provider may have spent the refresh token or not.
    Lost,
    /// The provider refuses the refresh token for good.
    Dead {
        /// Why, for the audit and the operator.
        cause: String,
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
    /// What is left of the limits that the request was counted against.
    pub rate: Option<RateState>,
}

/// What is left of a limit on requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateState {
    /// Requests a minute.
    pub limit: u32,
    /// How many more there may be in this minute.
    pub remaining: u32,
    /// When the next minute begins, in Unix seconds.
    pub resets_at: i64,
}
