//! Refreshing the logins of a vault: [`Keeper`] over its store, its keys and the driver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::clock::Timestamp;
use crate::crypto::{SealedSecret, VaultKeys};
use crate::model::{AppId, Credential, CredentialId, CredentialState};
use crate::store::{Commit, CommitError, Effect, LeaseEnding, Lookup, Renewal, Store, StoreError, StoredCredential};

use super::answer::Tokens;
use super::driver::Driver;
use super::failure::{Failure, FailureKind};
use super::login;
use super::refresh::state::{Ending, Login};
use super::refresh::{Keeper, KeeperFuture, Kept};
use super::registration::{Unregistered, registered};
use super::revocations::Revocations;

/// How long one record about a refresh may take. A lease has room for it.
const RECORD_DEADLINE: Duration = Duration::from_secs(5);

/// Names a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginId {
    /// The app.
    pub app: AppId,
    /// The credential.
    pub credential: CredentialId,
}

/// The logins of a vault.
#[derive(Debug)]
pub struct Logins {
    store: Arc<dyn Store>,
    keys: Arc<VaultKeys>,
    driver: Driver,
    revocations: Revocations,
}

impl Logins {
    /// Those in this store.
    pub fn new(store: Arc<dyn Store>, keys: Arc<VaultKeys>, driver: Driver, revocations: Revocations) -> Self {
        Self { store, keys, driver, revocations }
    }

    async fn find(&self, id: LoginId) -> Result<Option<StoredCredential>, StoreError> {
        self.store.credential(id.app, id.credential).await.map(Lookup::found)
    }

    /// What a change needs of the credential as it is now; `None` if it is not at this generation any more.
    async fn at(&self, id: LoginId, generation: u32) -> Result<Option<(Credential, SealedSecret)>, StoreError> {
        let found = self.find(id).await?.filter(|found| found.credential.generation == generation);
        Ok(found.and_then(|found| Some((found.credential, found.sealed?))))
    }

    async fn exchange_at(&self, id: LoginId, generation: u32) -> Result<Tokens, Failure> {
        let here = |error: StoreError| Failure::new(FailureKind::Transient, error.to_string());
        let gone = || Failure::new(FailureKind::Transient, "the login was changed before the exchange began");
        let (credential, sealed) = self.at(id, generation).await.map_err(here)?.ok_or_else(gone)?;
        let registered = registered(&*self.store, &self.keys, id.app, &credential.provider).await.map_err(|error| match error {
            Unregistered::Store(error) => here(error),
            error => Failure::new(FailureKind::Misconfigured, error.to_string()),
        })?;
        let fields =
            self.keys.open(id.app, id.credential, &sealed).map_err(|error| Failure::new(FailureKind::Misconfigured, error.to_string()))?;
        let token = fields.get(login::REFRESH_TOKEN).ok_or_else(|| Failure::new(FailureKind::Dead, "there is no refresh token"))?;
        self.driver.refresh(&registered.client, token).await
    }

    async fn renew_at(&self, id: LoginId, generation: u32, fence: Option<u32>, tokens: &Tokens) -> Result<Kept, StoreError> {
        let Some((credential, sealed)) = self.at(id, generation).await? else { return Ok(Kept::No) };
        let cannot = |error: crate::crypto::KeyError| StoreError::Failed(error.to_string());
        let before = self.keys.open(id.app, id.credential, &sealed).map_err(cannot)?;
        let fields = login::fields(tokens, &tokens.told, before);
        let sealed = self.keys.seal(id.app, id.credential, &fields).map_err(cannot)?;
        let lost: Vec<&str> = match &tokens.scopes {
            Some(granted) => credential.scopes.iter().filter(|scope| !granted.contains(scope)).map(String::as_str).collect(),
            None => Vec::new(),
        };
        let mut row = row(id, "credential.renew", Outcome::Done).provider(&credential.provider);
        if !lost.is_empty() {
            row = row.detail(&format!("the provider no longer grants {}", lost.join(" ")));
        }
        let renewal = Renewal {
            app: id.app,
            credential: id.credential,
            from_generation: generation,
            fence,
            access_expires_at: tokens.access_expires_at,
            refreshable: fields.contains_key(login::REFRESH_TOKEN),
            scopes: tokens.scopes.clone(),
            account: None,
        };
        self.record(row, Effect::RenewCredential { renewal: Box::new(renewal), sealed }).await
    }

    async fn record(&self, row: AuditEntry, effect: Effect) -> Result<Kept, StoreError> {
        match self.store.commit(Commit::new(row).effect(effect), Instant::now() + RECORD_DEADLINE).await {
            Ok(_receipt) => Ok(Kept::Yes),
            Err(CommitError::Declined(_)) => Ok(Kept::No),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}

fn row(id: LoginId, action: &'static str, outcome: Outcome) -> AuditEntry {
    AuditEntry::new(ChainId::App(id.app), action, outcome).subject("credential", id.credential)
}

impl Keeper for Logins {
    type Id = LoginId;
    type Tokens = Tokens;

    fn read(&self, id: LoginId) -> KeeperFuture<'_, Option<Login>> {
        Box::pin(async move { Ok(self.find(id).await?.and_then(|found| login_of(&found.credential))) })
    }

    fn lease(&self, id: LoginId, generation: u32, fence: u32, until: Timestamp) -> KeeperFuture<'_, Kept> {
        let effect = Effect::LeaseCredential { app: id.app, credential: id.credential, generation, fence, until };
        Box::pin(self.record(row(id, "credential.refresh", Outcome::Intent), effect))
    }

    fn exchange(&self, id: LoginId, generation: u32) -> KeeperFuture<'_, Tokens, Failure> {
        Box::pin(self.exchange_at(id, generation))
    }

    fn renew(&self, id: LoginId, generation: u32, fence: Option<u32>, tokens: Tokens) -> KeeperFuture<'_, Kept> {
        Box::pin(async move { self.renew_at(id, generation, fence, &tokens).await })
    }

    fn discard(&self, id: LoginId, tokens: Tokens) -> KeeperFuture<'_, ()> {
        Box::pin(async move {
            let ended = self.find(id).await?.filter(|found| found.credential.state == CredentialState::Erased);
            if let Some(found) = ended {
                self.revocations.left_over(found.credential, tokens);
            }
            Ok(())
        })
    }

    fn end(&self, id: LoginId, fence: u32, ending: Ending) -> KeeperFuture<'_, Kept> {
        let (action, detail, ending) = match ending {
            Ending::Answered { detail } => ("credential.refresh_fail", detail, LeaseEnding::Answered),
            Ending::Lost { detail } => ("credential.refresh_lose", detail, LeaseEnding::Lost),
            Ending::Dead { cause, detail } => {
                ("credential.die", format!("{cause}: {detail}"), LeaseEnding::Dead { cause: cause.to_owned() })
            }
        };
        let effect = Effect::EndLease { app: id.app, credential: id.credential, fence, ending };
        Box::pin(self.record(row(id, action, Outcome::Done).detail(&detail), effect))
    }
}

/// `None` if its tokens are erased.
fn login_of(credential: &Credential) -> Option<Login> {
    let dead = match credential.state {
        CredentialState::Live => None,
        CredentialState::Dead => Some(credential.dead_cause.clone().unwrap_or_else(|| "unknown".to_owned())),
        CredentialState::Erased => return None,
    };
    Some(Login {
        generation: credential.generation,
        access_expires_at: credential.access_expires_at,
        refreshable: credential.refreshable,
        dead,
        fence: credential.lease.fence,
        leased_until: credential.lease.until,
        unanswered: credential.lease.unanswered,
    })
}
