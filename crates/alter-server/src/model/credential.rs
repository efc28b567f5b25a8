//! Credentials: OAuth logins, and keys that stand beside a managed secret's own. One credential may serve many grants.

use super::{AppId, CredentialId, Principal, SecretId, words};
use crate::clock::Timestamp;

words! {
    /// What a credential is.
    pub enum CredentialKind {
        /// Tokens of a person's login at an OAuth provider.
        Oauth = "oauth",
        /// A key of the developer's beside the managed secret's own.
        Developer = "developer",
        /// A key that one of the app's users entered.
        EndUser = "end_user",
    }
}

words! {
    /// Where a credential is in its life.
    pub enum CredentialState {
        /// Usable, or made usable by a refresh.
        Live = "live",
        /// The provider refuses its refresh token for good. A new consent brings it back, under the same id and the same grants.
        Dead = "dead",
        /// Its last live grant is gone; the tokens are erased.
        Erased = "erased",
    }
}

/// The account at the provider that a credential opens, for telling accounts apart. Not secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// The provider's stable name for it, such as an e-mail address.
    pub identifier: String,
    /// What people call it.
    pub display_name: Option<String>,
}

/// Who may exchange a credential's refresh token now. It belongs to the credential, never to a grant, so two grants of one login cannot
/// refresh it at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The fencing number: one more with every lease. A result is only taken from the holder of the newest.
    pub fence: u32,
    /// When the lease ends by itself; `None` while nobody holds it.
    pub until: Option<Timestamp>,
    /// Exchanges begun for the present generation whose answer never came. The provider may have spent the refresh token in each of them.
    pub unanswered: u32,
}

impl Lease {
    /// Whether somebody holds it at `now`.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|end| end > now)
    }
}

/// A credential without its values. Those are sealed apart ([`crate::crypto::SealedSecret`]); for a login the fields are `access_token` and,
/// where the provider gave them, `refresh_token` and `id_token`; for a key they are those of the managed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id. Values are sealed to it, so it never changes.
    pub id: CredentialId,
    /// The app it belongs to.
    pub app: AppId,
    /// What it is.
    pub kind: CredentialKind,
    /// The id of the OAuth provider, or the slug of the managed secret.
    pub provider: String,
    /// The managed secret whose rules place it; `None` exactly for a login.
    pub secret: Option<SecretId>,
    /// Who consented, or whose key it is.
    pub owner: Principal,
    /// A name that tells several keys of one secret apart.
    pub label: Option<String>,
    /// The account at the provider, where the provider tells it.
    pub account: Option<Account>,
    /// Scopes that the provider granted, in its order.
    pub scopes: Vec<String>,
    /// 1 when made, one more with every change of the values. A call judged under one generation is not released under another.
    pub generation: u32,
    /// When the access token ends; `None` if the provider did not say, or for a key.
    pub access_expires_at: Option<Timestamp>,
    /// Whether there is a refresh token among the values.
    pub refreshable: bool,
    /// Where it is in its life.
    pub state: CredentialState,
    /// Why it is dead, for the audit and the operator.
    pub dead_cause: Option<String>,
    /// Who may exchange its refresh token.
    pub lease: Lease,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its values or state last changed.
    pub updated_at: Timestamp,
}

impl Credential {
    /// A live credential of the first generation about which nothing else is known; for the rest, change its fields.
    pub fn first(id: CredentialId, app: AppId, kind: CredentialKind, provider: &str, owner: Principal, now: Timestamp) -> Self {
        Self {
            id,
            app,
            kind,
            provider: provider.to_owned(),
            secret: None,
            owner,
            label: None,
            account: None,
            scopes: Vec::new(),
            generation: 1,
            access_expires_at: None,
            refreshable: false,
            state: CredentialState::Live,
            dead_cause: None,
            lease: Lease::default(),
            created_at: now,
            updated_at: now,
        }
    }
}
