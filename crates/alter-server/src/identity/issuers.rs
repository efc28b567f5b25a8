//! The issuers that apps trust: their metadata and keys, fetched when needed and kept for a while.
//!
//! | | |
//! |---|---|
//! | kept | [`FRESH_FOR`] without asking again |
//! | an unknown `kid` | asks at once, but not more often than every [`RETRY_AFTER`]: a forged token cannot make the vault hammer an issuer |
//! | an outage | the last good keys serve for [`LAST_GOOD_FOR`], about the life of a token, while one caller asks again every [`RETRY_AFTER`] |
//! | many callers | one fetch at a time for each issuer; those with keys that still serve do not wait for it |
//!
//! This is a cache of public documents in one process's memory. Two processes may be a fetch apart; neither decides anything the other does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};

use super::claims::{Trust, Verified};
use super::compact::Unverified;
use super::fault::{ProviderTrouble, TokenFault, TokenRefused, VerifyError};
use super::jwk::{Jwk, KeySet};
use super::metadata::{DISCOVERY, Metadata};
use crate::clock::{Clock, Timestamp};
use crate::egress::{Egress, Limits};

/// How long metadata and keys are used without asking again.
pub const FRESH_FOR: Duration = Duration::from_secs(5 * 60);
/// How long the last good ones serve while the issuer cannot be asked.
pub const LAST_GOOD_FOR: Duration = Duration::from_secs(60 * 60);
/// The shortest time between two attempts to ask an issuer.
pub const RETRY_AFTER: Duration = Duration::from_secs(30);

const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), answer_bytes: 256 * 1024 };
/// Most issuers that are remembered. An operator sets one for each app, so this only bounds the memory of a vault with very many apps.
const MOST_ISSUERS: usize = 10_000;

/// All issuers. One for the whole vault.
#[derive(Debug)]
pub struct Issuers {
    egress: Egress,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
}

/// One issuer: what is known about it, and the lock that whoever asks it holds.
#[derive(Debug, Default)]
struct Issuer {
    current: RwLock<State>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct State {
    good: Option<Good>,
    /// When it was last asked, and what went wrong if it did.
    asked: Option<(Timestamp, Option<ProviderTrouble>)>,
}

/// Metadata and keys that belong together.
#[derive(Clone, Debug)]
struct Good {
    metadata: Arc<Metadata>,
    keys: Arc<KeySet>,
    at: Timestamp,
}

impl Issuers {
    /// Knows nobody yet.
    pub fn new(egress: Egress, clock: Arc<dyn Clock>) -> Self {
        Self { egress, clock, known: Mutex::default() }
    }

    /// The client that issuers are asked with.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// The time by which tokens are judged.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Verifies a token of an app's issuer.
    ///
    /// # Errors
    /// [`VerifyError::Refused`] with the rule that the token broke; [`VerifyError::Unavailable`] if the issuer's keys cannot be had.
    pub async fn verify(&self, trust: &Trust, token: &str) -> Result<Verified, VerifyError> {
        let unverified = Unverified::parse(token)?;
        // Before any key is fetched: a stranger's token is no reason to ask an issuer.
        trust.judge_issuer(unverified.claimed_issuer())?;
        let key = self.key(&trust.issuer, &unverified).await?;
        let claims = unverified.verified_with(&key.key)?;
        Ok(trust.judge(&claims, self.clock.now())?)
    }

    /// What an issuer says about itself.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn metadata(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderTrouble> {
        Ok(self.serving(&self.issuer(issuer), issuer).await?.metadata)
    }

    /// Asks an issuer anew, whatever is known about it, and gives its metadata and the number of its usable keys: what an operator's test does.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn probe(&self, issuer: &str) -> Result<(Arc<Metadata>, usize), ProviderTrouble> {
        let known = self.issuer(issuer);
        let _asking = known.asking.lock().await;
        self.ask(&known, issuer).await.map(|good| (good.metadata, good.keys.len()))
    }

    async fn key(&self, issuer: &str, token: &Unverified<'_>) -> Result<Jwk, VerifyError> {
        let known = self.issuer(issuer);
        let good = self.serving(&known, issuer).await?;
        let find = |keys: &KeySet| keys.find(token.kid.as_deref(), token.algorithm).cloned();
        match find(&good.keys) {
            // Its keys may have been rotated since.
            Err(TokenRefused { fault: TokenFault::KeyUnknown, .. }) => Ok(find(&self.newer(&known, issuer, good).await.keys)?),
            found => Ok(found?),
        }
    }

    /// What is known, if it is not too old; else what the issuer says now.
    async fn serving(&self, known: &Issuer, issuer: &str) -> Result<Good, ProviderTrouble> {
        if let Some(good) = self.known_for(known, FRESH_FOR) {
            return Ok(good);
        }
        let still_good = self.known_for(known, LAST_GOOD_FOR);
        let _asking = match &still_good {
            // Somebody else is asking: what is there serves until they know more.
            Some(good) => match known.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(good.clone()),
            },
            None => known.asking.lock().await,
        };
        if let Some(good) = self.known_for(known, FRESH_FOR) {
            return Ok(good);
        }
        let asked = match self.recently_asked(known) {
            Some(Some(trouble)) => Err(trouble),
            _ => self.ask(known, issuer).await,
        };
        asked.or_else(|trouble| still_good.ok_or(trouble))
    }

    /// Asks again unless it was asked a moment ago; `seen` if that gives nothing.
    async fn newer(&self, known: &Issuer, issuer: &str, seen: Good) -> Good {
        let _asking = known.asking.lock().await;
        if let Some(good) = self.known_for(known, LAST_GOOD_FOR).filter(|good| good.at > seen.at) {
            return good;
        }
        if self.recently_asked(known).is_some() {
            return seen;
        }
        self.ask(known, issuer).await.unwrap_or(seen)
    }

    fn issuer(&self, issuer: &str) -> Arc<Issuer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ISSUERS && !known.contains_key(issuer) {
            known.clear();
        }
        Arc::clone(known.entry(issuer.to_owned()).or_default())
    }

    fn known_for(&self, known: &Issuer, span: Duration) -> Option<Good> {
        let state = known.current.read().unwrap_or_else(PoisonError::into_inner);
        state.good.clone().filter(|good| good.at.plus(span) > self.clock.now())
    }

    /// Whether it was asked a moment ago, and what went wrong then.
    fn recently_asked(&self, known: &Issuer) -> Option<Option<ProviderTrouble>> {
        let state = known.current.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        // A clock that was set back must not silence the vault: an attempt in the future counts as none.
        state.asked.clone().filter(|(at, _)| *at <= now && at.plus(RETRY_AFTER) > now).map(|(_, trouble)| trouble)
    }

    /// Fetches both documents and remembers the outcome. The caller holds `asking`.
    async fn ask(&self, known: &Issuer, issuer: &str) -> Result<Good, ProviderTrouble> {
        let asked = self.fetch_both(issuer).await;
        let at = self.clock.now();
        let mut state = known.current.write().unwrap_or_else(PoisonError::into_inner);
        state.asked = Some((at, asked.as_ref().err().cloned()));
        match asked {
            Ok((metadata, keys)) => {
                let good = Good { metadata: Arc::new(metadata), keys: Arc::new(keys), at };
                state.good = Some(good.clone());
                Ok(good)
            }
            Err(trouble) => {
                tracing::warn!(issuer, code = trouble.code(), %trouble, "an identity provider cannot be used");
                Err(trouble)
            }
        }
    }

    async fn fetch_both(&self, issuer: &str) -> Result<(Metadata, KeySet), ProviderTrouble> {
        let document = self.fetch(DISCOVERY, Metadata::location(issuer)?).await?;
        let metadata = Metadata::parse(&self.egress, issuer, &document)?;
        let what = "key set";
        let keys = self.fetch(what, metadata.jwks_uri.clone()).await?;
        let keys = KeySet::parse(&keys).map_err(|reason| ProviderTrouble::Invalid { what, reason: reason.to_owned() })?;
        if keys.is_empty() {
            return Err(ProviderTrouble::Invalid { what, reason: "it has no key that can verify signatures".to_owned() });
        }
        Ok((metadata, keys))
    }

    async fn fetch(&self, what: &'static str, uri: Uri) -> Result<Bytes, ProviderTrouble> {
        let request = Request::get(uri).header(header::ACCEPT, "application/json").body(Bytes::new());
        let request = request.map_err(|_| ProviderTrouble::Invalid { what, reason: "its URL cannot be asked for".to_owned() })?;
        let answer = self.egress.send(request, LIMITS).await.map_err(|cause| ProviderTrouble::Unreachable { what, cause })?;
        if answer.status() != StatusCode::OK {
            return Err(ProviderTrouble::Status { what, status: answer.status().as_u16() });
        }
        Ok(answer.into_body())
    }
}
