//! Telling providers that logins have ended.
//!
//! A commit that takes a login's last live grant erases its tokens. Before that they are read ([`Revocations::before`]); once the commit is on disk, and the
//! login then really is erased, the provider is asked to revoke them ([`Revocations::after`]), in a task that no caller waits for. What came of it is an audit
//! row of its own, `credential.revoke`. [`Vault::commit`](crate::api::Vault::commit) does all three, for every way of ending a grant.
//!
//! The grant is over whatever the provider says: access is taken back first, and by the vault alone. A vault that is killed between the commit and the
//! provider's answer leaves the tokens alive at the provider, until they end there; the missing row shows it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::answer::Tokens;
use super::driver::{Driver, EXCHANGE_TIMEOUT, Held};
use super::failure::{Failure, FailureKind};
use super::login;
use super::registration::registered;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::crypto::{SealedSecret, VaultKeys};
use crate::model::{
    AgentId, AgentStatus, AppId, Credential, CredentialId, CredentialKind, CredentialState, GrantFilter, GrantId, ShownStatus, View,
};
use crate::store::{Commit, Effect, Lookup, Page, Store, StoreError};

/// How long to wait before a provider that did not act is asked once more.
const PAUSE: Duration = Duration::from_secs(1);
/// How long telling one provider may take: both requests and the pause between them.
const LONGEST: Duration = Duration::from_secs(2 * EXCHANGE_TIMEOUT.as_secs() + PAUSE.as_secs() + 1);
/// How long writing down what came of it may take.
const RECORD_DEADLINE: Duration = Duration::from_secs(5);
/// Grants that are read at once.
const PAGE: NonZeroU32 = NonZeroU32::new(500).expect("not zero");

/// Tells providers that logins have ended. Cheap to clone; one for a process.
#[derive(Clone, Debug)]
pub struct Revocations {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    keys: Arc<VaultKeys>,
    driver: Driver,
    /// What is being told now, by login and generation of the tokens: the same tokens are not revoked twice at a time.
    under_way: watch::Sender<BTreeSet<(CredentialId, u32)>>,
}

/// The logins that a commit may end, with their tokens as they were before.
#[derive(Debug, Default)]
#[must_use = "hand it to Revocations::after once the commit has succeeded"]
pub struct Endangered {
    logins: Vec<(Credential, SealedSecret)>,
}

/// How a provider took it.
enum Told {
    /// The tokens are revoked there.
    Revoked,
    /// The tokens live on until they end: the provider knows no way.
    NoWay,
    /// Nobody knows.
    Failed(Failure),
}

impl Revocations {
    /// For the logins in this store.
    pub fn new(store: Arc<dyn Store>, keys: Arc<VaultKeys>, driver: Driver) -> Self {
        Self { shared: Arc::new(Shared { store, keys, driver, under_way: watch::Sender::default() }) }
    }

    /// The logins that these effects may end. Reads nothing for effects that end no grant.
    ///
    /// # Errors
    /// The store's.
    pub async fn before(&self, effects: &[Effect]) -> Result<Endangered, StoreError> {
        let mut named = BTreeSet::new();
        for effect in effects {
            match effect {
                // What was delegated from a grant opens what the grant opens.
                Effect::RevokeGrant { app, grant } | Effect::RevokeDelegation { app, parent: grant, .. } => {
                    named.extend(self.opened_by(*app, *grant).await?);
                }
                Effect::SetAgentStatus { app, agent, status: AgentStatus::Deleted } => named.extend(self.held_by(*app, *agent).await?),
                _ => {}
            }
        }
        let mut endangered = Endangered::default();
        for (app, credential) in named {
            let found = self.shared.store.credential(app, credential).await?.found();
            let found = found.filter(|found| found.credential.kind == CredentialKind::Oauth);
            endangered.logins.extend(found.and_then(|found| Some((found.credential, found.sealed?))));
        }
        Ok(endangered)
    }

    async fn opened_by(&self, app: AppId, grant: GrantId) -> Result<Option<(AppId, CredentialId)>, StoreError> {
        let grant = self.shared.store.grant(app, grant).await?.found();
        Ok(grant.and_then(|grant| grant.opens.credential()).map(|credential| (app, credential)))
    }

    async fn held_by(&self, app: AppId, agent: AgentId) -> Result<Vec<(AppId, CredentialId)>, StoreError> {
        let filter = GrantFilter { view: View::Agent { agent, person: None }, status: Some(ShownStatus::Active), ..GrantFilter::default() };
        let mut held = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let grants = self.shared.store.grants(app, filter.clone(), page).await?;
            held.extend(grants.iter().filter_map(|grant| grant.opens.credential()).map(|credential| (app, credential)));
            match grants.last() {
                Some(last) if grants.len() >= PAGE.get() as usize => page.after = Some(last.id),
                _ => return Ok(held),
            }
        }
    }

    /// Tells the providers of those that really ended. To be called after the commit only; returns at once.
    ///
    /// `request_id` is that of the request that ended them, so that its rows are found together.
    pub fn after(&self, endangered: Endangered, request_id: Option<&str>) {
        for (credential, sealed) in endangered.logins {
            let ended = Ended { request_id: request_id.map(str::to_owned), credential, tokens: Found::Sealed(Box::new(sealed)) };
            self.begin(ended);
        }
    }

    /// Tells the provider that nobody will use these tokens: an exchange brought them after the login had ended.
    pub(super) fn left_over(&self, credential: Credential, tokens: Tokens) {
        self.begin(Ended { request_id: None, credential, tokens: Found::Open(Box::new(tokens)) });
    }

    fn begin(&self, ended: Ended) {
        let id = (ended.credential.id, ended.tokens.generation(&ended.credential));
        if !self.shared.under_way.send_if_modified(|under_way| under_way.insert(id)) {
            return;
        }
        let listed = Listed { shared: Arc::clone(&self.shared), id };
        tokio::spawn(async move { listed.shared.end(&ended).await });
    }

    /// Returns once nothing is being told. A vault that stops waits for it.
    pub async fn idle(&self) {
        // The sender lives as long as this does, so that waiting cannot fail.
        let _ = self.shared.under_way.subscribe().wait_for(BTreeSet::is_empty).await;
    }
}

/// Takes a login off the list when its task ends, however it ends.
struct Listed {
    shared: Arc<Shared>,
    id: (CredentialId, u32),
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.shared.under_way.send_if_modified(|under_way| under_way.remove(&self.id));
    }
}

/// A login that may have ended, with its last tokens.
struct Ended {
    request_id: Option<String>,
    /// As it was before.
    credential: Credential,
    tokens: Found,
}

enum Found {
    /// As they were kept.
    Sealed(Box<SealedSecret>),
    /// As they came.
    Open(Box<Tokens>),
}

impl Found {
    /// The generation of the tokens, also of those that never got to be one.
    fn generation(&self, credential: &Credential) -> u32 {
        match self {
            Self::Sealed(_) => credential.generation,
            Self::Open(_) => credential.generation.saturating_add(1),
        }
    }
}

impl Shared {
    async fn end(&self, ended: &Ended) {
        let credential = &ended.credential;
        match self.is_erased(credential).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(credential = %credential.id, code = error.code(), "nobody can tell whether a login has ended, so its provider is not told");
                return;
            }
        }
        let told = match timeout(LONGEST, self.tell(ended)).await {
            Ok(told) => told,
            Err(_) => Told::Failed(Failure::new(FailureKind::Lost, "the provider was told for too long")),
        };
        self.record(ended, told).await;
    }

    /// Whether the commit has ended it: there may be other grants of it, also such as were made meanwhile.
    async fn is_erased(&self, credential: &Credential) -> Result<bool, StoreError> {
        let found = self.store.credential(credential.app, credential.id).await.map(Lookup::found)?;
        Ok(found.is_some_and(|found| found.credential.state == CredentialState::Erased))
    }

    /// Asks once, and once more if the provider did not act: to revoke what is revoked does no harm.
    async fn tell(&self, ended: &Ended) -> Told {
        let told = self.ask(ended).await;
        match &told {
            Told::Failed(failure) if matches!(failure.kind, FailureKind::Transient | FailureKind::Lost) => {
                sleep(PAUSE).await;
                self.ask(ended).await
            }
            _ => told,
        }
    }

    async fn ask(&self, ended: &Ended) -> Told {
        match self.try_to_ask(ended).await {
            Ok(true) => Told::Revoked,
            Ok(false) => Told::NoWay,
            Err(failure) => Told::Failed(failure),
        }
    }

    async fn try_to_ask(&self, ended: &Ended) -> Result<bool, Failure> {
        let Credential { app, id, provider, .. } = &ended.credential;
        let here = |error: String| Failure::new(FailureKind::Misconfigured, error);
        let fields = match &ended.tokens {
            Found::Sealed(sealed) => self.keys.open(*app, *id, sealed).map_err(|error| here(error.to_string()))?,
            Found::Open(tokens) => login::fields(tokens, &tokens.told, Default::default()),
        };
        let registered = registered(&*self.store, &self.keys, *app, provider).await.map_err(|error| here(error.to_string()))?;
        let access_token = fields.get(login::ACCESS_TOKEN).ok_or_else(|| here("the login has no access token".to_owned()))?;
        let held = Held { access_token, refresh_token: fields.get(login::REFRESH_TOKEN), kept: &login::kept(&fields) };
        self.driver.revoke(&registered.client, &held).await
    }

    async fn record(&self, ended: &Ended, told: Told) {
        let Credential { app, id, provider, .. } = &ended.credential;
        let row = AuditEntry::new(ChainId::App(*app), "credential.revoke", Outcome::Done).subject("credential", id).provider(provider);
        let row = ended.request_id.iter().fold(row, |row, id| row.request_id(id));
        let row = match told {
            Told::Revoked => row,
            Told::NoWay => row.refused("revocation_unsupported", Some("the provider knows no way; the tokens work there until they end")),
            Told::Failed(failure) => row.refused(failure.kind.as_str(), Some(&failure.detail)),
        };
        if let Err(error) = self.store.commit(Commit::new(row), Instant::now() + RECORD_DEADLINE).await {
            tracing::warn!(credential = %id, %error, "what came of revoking a login at its provider cannot be recorded");
        }
    }
}
