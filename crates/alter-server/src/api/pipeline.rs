//! The order of judgement of every signed request, in one place.
//!
//! ```text
//! key digest → clock → body hash → signature → identity → source address → key scopes ∩ signed constraints → the call's own rules
//! → commit (nonce, rate limit, key and grant still in force) → answer
//! ```
//!
//! Three rules hold for all:
//!
//! * Until the key's digest is known there is nobody to account to: an unknown key is refused and logged, without an audit row.
//! * From then on every outcome is one [`Store::commit`](crate::store::Store::commit): the row, once the signature has proven it the nonce and
//!   the request's place in the count of its key, and the effects. The answer, which may hold a credential, leaves only after that commit has succeeded.
//! * The client is told what the refusal says; the real reason stands in the row.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use alter_core::client::CANCEL_MARKER;
use alter_core::key::is_valid_key;
use alter_core::signing::headers;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::Vault;
use super::acting::Acting;
use super::admission;
use super::identity::Identity;
use super::judge::request_rule::RequestRule;
use super::judge::{self, reach::Reach};
use super::proxy::Departure;
use super::refusal::Refusal;
use super::request_id::RequestId;
use super::signed::SignedHeaders;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::clock::Timestamp;
use crate::model::{Actor, ActorId, AgentStatus, ApiKey, KeyStatus, RateCount};
use crate::store::{Commit, CommitError, Declined, Effect, Entity, Nonce, RateState};

/// How long a commit may take before the request is refused.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(5);
/// How often a call is judged again because what it opens changed between judgement and commit.
const MOST_JUDGEMENTS: usize = 3;

const KEY_DEPRECATED: HeaderName = HeaderName::from_static("x-alter-key-deprecated");
const SESSION_CANCEL: HeaderName = HeaderName::from_static(CANCEL_MARKER);
const ACTOR_ID: HeaderName = HeaderName::from_static(headers::ACTOR_ID);

/// A request whose sender is proven, with what it may do.
pub struct Admitted<'a> {
    /// The key that signed it.
    pub key: &'a ApiKey,
    /// What its sender said about it.
    pub claims: Claims<'a>,
    /// Who acts.
    pub acting: Acting,
    /// What it may do.
    pub reach: Reach,
    /// The rule that it carries, if any.
    pub rule: Option<RequestRule>,
    /// Its body.
    pub body: &'a [u8],
}

/// What the sender of a request signed besides its body, and where it came from.
#[derive(Clone, Debug)]
pub struct Claims<'a> {
    /// Scopes that the request narrows its key to; empty for all.
    pub scope_constraints: &'a str,
    /// The encoded request rule; empty for none.
    pub request_rule: &'a str,
    /// Who it says it is.
    pub identity: Identity<'a>,
    /// Where it came from, if that is known.
    pub source: Option<IpAddr>,
}

impl<'a> Admitted<'a> {
    /// Finds out who acts, and what they may do.
    ///
    /// # Errors
    /// Those of scopes and constraints, the rule's shape, and the agent that acts.
    pub async fn of(vault: &Vault, key: &'a ApiKey, claims: Claims<'a>, body: &'a [u8], while_suspended: bool) -> Result<Self, Refusal> {
        let reach = Reach::of(&key.scopes, claims.scope_constraints)?;
        let rule = RequestRule::parse(claims.request_rule)?;
        let acting = Acting::of(vault, key, &reach, &claims.identity, while_suspended).await?;
        Ok(Self { key, claims, acting, reach, rule, body })
    }
}

/// What a call wants to happen: the changes, and the answer once they are durable.
pub struct Verdict {
    /// Changes that go into the commit.
    pub effects: Vec<Effect>,
    /// The answer that the commit releases.
    pub answer: Answer,
}

/// An answer of a signed call.
pub enum Answer {
    /// 200 with JSON.
    Json(Value),
    /// 201 with JSON.
    Created(Value),
    /// 202 with JSON.
    Accepted(Value),
    /// 200 with JSON about a session that the client may give up (`/sdk/oauth/connect/session/cancel`).
    Session(Value),
    /// 204.
    Empty,
    /// What the vault calls once the commit has succeeded; the endpoint then has the answer.
    Later(Box<Departure>),
}

/// One signed endpoint: its name in the audit and its own rules.
pub trait Call: Sync {
    /// `noun.verb`, as the audit names it.
    const ACTION: &'static str;
    /// What the row says when the call passes: [`Outcome::Intent`] if something is released, else [`Outcome::Done`].
    const OUTCOME: Outcome;
    /// Whether an agent that is suspended may make it.
    const WHILE_SUSPENDED: bool = false;

    /// Judges the call. Whatever is learned for the audit goes into `row` at once, so that a refusal has it as well.
    fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> impl Future<Output = Result<Verdict, Refusal>> + Send;
}

/// Takes one signed request through the whole order of judgement, and answers it.
pub async fn run<C: Call>(vault: &Vault, call: C, parts: &Parts, body: &Bytes) -> Response {
    settle(vault, call, parts, body).await.into_response()
}

/// What came of a request, with what its answer says about the sender.
pub struct Settled {
    /// The answer that the commit has released, or the refusal.
    pub outcome: Result<Answer, Refusal>,
    deprecated: bool,
    rate: Option<RateState>,
    actor: Option<ActorId>,
}

/// Takes one signed request through the whole order of judgement.
pub async fn settle<C: Call>(vault: &Vault, call: C, parts: &Parts, body: &Bytes) -> Settled {
    let (key, signed) = match recognise(vault, parts).await {
        Ok(recognised) => recognised,
        Err(refusal) => return Settled { outcome: Err(refusal), deprecated: false, rate: None, actor: None },
    };
    let mut attempt = Attempt { vault, key: &key, row: draft::<C>(&key, parts), proof: None, suspended: false, rate: None, actor: None };
    let outcome = attempt.settle(&call, &signed, parts, body).await;
    Settled { outcome, deprecated: key.status == KeyStatus::Deprecated, rate: attempt.rate, actor: attempt.actor.map(|actor| actor.id) }
}

impl IntoResponse for Settled {
    fn into_response(self) -> Response {
        let json = |status: StatusCode, json: &Value| (status, [("content-type", "application/json")], json.to_string()).into_response();
        let mut response = match self.outcome {
            Ok(Answer::Json(value)) => json(StatusCode::OK, &value),
            Ok(Answer::Created(value)) => json(StatusCode::CREATED, &value),
            Ok(Answer::Accepted(value)) => json(StatusCode::ACCEPTED, &value),
            Ok(Answer::Session(value)) => {
                let mut response = json(StatusCode::OK, &value);
                response.headers_mut().insert(SESSION_CANCEL, HeaderValue::from_static("true"));
                response
            }
            Ok(Answer::Empty) => StatusCode::NO_CONTENT.into_response(),
            // Only its own endpoint gives this answer, and takes it before it gets here.
            Ok(Answer::Later(_)) => Refusal::internal().into_response(),
            Err(refusal) => refusal.into_response(),
        };
        if self.deprecated {
            response.headers_mut().insert(KEY_DEPRECATED, HeaderValue::from_static("true"));
        }
        if let Some(state) = self.rate {
            admission::tell(response.headers_mut(), state);
        }
        if let Some(value) = self.actor.and_then(|actor| HeaderValue::from_str(&actor.to_string()).ok()) {
            response.headers_mut().insert(ACTOR_ID, value);
        }
        response
    }
}

/// Finds the key's record. Its state is judged later, where the refusal can be recorded.
async fn recognise<'a>(vault: &Vault, parts: &'a Parts) -> Result<(ApiKey, SignedHeaders<'a>), Refusal> {
    let signed = SignedHeaders::read(parts)?;
    let unknown = || {
        vault.metrics.unknown_key();
        tracing::info!("refused: unknown API key");
        Refusal::unauthorized("invalid_key", "The API key is missing, mistyped or unknown to this vault.")
    };
    if !is_valid_key(signed.api_key) {
        return Err(unknown());
    }
    let digest = vault.keys.digest(signed.api_key);
    let key = vault.store.key_by_digest(digest).await?;
    key.map(|key| (key, signed)).ok_or_else(unknown)
}

fn draft<C: Call>(key: &ApiKey, parts: &Parts) -> AuditEntry {
    let row = AuditEntry::new(ChainId::App(key.app), C::ACTION, C::OUTCOME).key(key.id).request_id(RequestId::of(parts));
    RequestId::trace_of(parts).into_iter().fold(row, AuditEntry::trace)
}

/// Adds what was learned to a row, in place.
pub fn note(row: &mut AuditEntry, add: impl FnOnce(AuditEntry) -> AuditEntry) {
    let so_far = std::mem::replace(row, AuditEntry::new(row.chain, "", row.outcome));
    *row = add(so_far);
}

/// One request of a known key on its way through judgement and commit.
struct Attempt<'a> {
    vault: &'a Vault,
    key: &'a ApiKey,
    row: AuditEntry,
    /// What a genuine request spends, until its first commit has spent it.
    proof: Option<(Nonce, Vec<RateCount>)>,
    /// Whether the agent that acts is suspended, which only a few calls allow.
    suspended: bool,
    /// What is left of the key's limit.
    rate: Option<RateState>,
    actor: Option<Actor>,
}

impl Attempt<'_> {
    /// Judges and commits. What changed in between is judged anew; the nonce is spent by the first commit.
    async fn settle<C: Call>(&mut self, call: &C, signed: &SignedHeaders<'_>, parts: &Parts, body: &Bytes) -> Result<Answer, Refusal> {
        let proven = self.prove(signed, parts, body);
        for _ in 0..MOST_JUDGEMENTS {
            let judged = match &proven {
                Ok(()) => self.judge(call, signed, parts, body).await,
                Err(refusal) => Err(refusal.clone()),
            };
            match self.commit(judged).await {
                Err(Interrupted::Changed) => {}
                Err(Interrupted::Refused(refusal)) => return Err(refusal),
                Ok(answer) => return Ok(answer),
            }
        }
        Err(Refusal::new(StatusCode::CONFLICT, "secret_changed", "The secret was changed while this call was judged. Try again."))
    }

    /// Key state, clock, body hash, signature and identity. From the signature on the nonce counts.
    fn prove(&mut self, signed: &SignedHeaders<'_>, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
        let now = self.vault.clock.now();
        judge_key(self.key, now)?;
        signed.verify(parts, body, now.as_secs())?;
        let nonce = Nonce { key: self.key.id, value: signed.nonce.to_owned() };
        self.proof = Some((nonce, self.key.rate.counts(self.key.id, self.vault.admission.usual_limit)));
        self.identify(&Identity::of(signed)?, now);
        Ok(())
    }

    fn identify(&mut self, identity: &Identity<'_>, now: Timestamp) {
        if let Some((caller_type, caller)) = identity.caller {
            let id: ActorId = self.vault.keys.actor_id(self.key.app, caller_type, caller);
            note(&mut self.row, |row| row.caller(caller_type, caller, Some(id)));
            self.actor = Some(Actor { id, app: self.key.app, caller_type, caller: caller.to_owned(), first_seen_at: now });
        }
        if let Some(context) = identity.context {
            note(&mut self.row, |row| row.context(context));
        }
    }

    /// Source address, scopes and constraints, the shape of the request rule, then the call's own rules.
    async fn judge<C: Call>(&mut self, call: &C, signed: &SignedHeaders<'_>, parts: &Parts, body: &[u8]) -> Result<Verdict, Refusal> {
        let source = self.vault.admission.source(parts);
        self.vault.admission.judge_address(self.key, source)?;
        let (scope_constraints, request_rule, identity) = (signed.scope_constraints, signed.request_rule, Identity::of(signed)?);
        let claims = Claims { scope_constraints, request_rule, identity, source };
        let admitted = Admitted::of(self.vault, self.key, claims, body, C::WHILE_SUSPENDED).await?;
        let agent = admitted.acting.agent();
        self.suspended = agent.is_some_and(|agent| agent.status != AgentStatus::Active);
        if let Some(agent) = agent {
            note(&mut self.row, |row| row.subject("agent", agent.id));
        }
        call.judge(self.vault, &admitted, &mut self.row).await
    }

    /// Makes the outcome durable. Only its success releases the answer.
    async fn commit(&mut self, judged: Result<Verdict, Refusal>) -> Result<Answer, Interrupted> {
        let (row, effects, outcome) = match judged {
            Ok(verdict) => (self.row.clone(), self.with_use(verdict.effects), Ok(verdict.answer)),
            Err(refusal) => {
                let row = self.row.clone().refused(refusal.code(), Some(refusal.reason()));
                (row, Vec::new(), Err(Interrupted::Refused(refusal)))
            }
        };
        let mut commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
        if let Some((nonce, counts)) = self.proof.take() {
            commit = commit.nonce(nonce).count(counts);
        }
        match self.vault.commit(commit, Instant::now() + COMMIT_DEADLINE).await {
            Ok(receipt) => {
                self.rate = receipt.rate.or(self.rate);
                outcome
            }
            Err(CommitError::Declined(declined)) if may_be_judged_again(declined) => Err(Interrupted::Changed),
            Err(CommitError::Declined(declined)) => {
                if let Declined::RateLimited(state) = declined {
                    self.rate = Some(state);
                }
                Err(Interrupted::Refused(declined_refusal(declined, self.vault.clock.now().as_secs())))
            }
            Err(CommitError::Store(error)) => Err(Interrupted::Refused(error.into())),
        }
    }

    /// The effects of every call that passes (the key was used, the caller was seen), then its own.
    fn with_use(&self, own: Vec<Effect>) -> Vec<Effect> {
        let seen = self.actor.clone().map(Effect::RegisterActor);
        // The store knows no suspended agent whose key may be used.
        let used = (!self.suspended).then_some(Effect::UseKey { key: self.key.id });
        used.into_iter().chain(seen).chain(own).collect()
    }
}

/// Why a commit released nothing.
enum Interrupted {
    /// What was judged is no longer what is there.
    Changed,
    /// The request was refused; the refusal is on record if the store could take it.
    Refused(Refusal),
}

/// Judges whether a key is in force.
///
/// # Errors
/// 401 `key_revoked`, `key_expired`, `key_rotated_grace_expired`.
pub fn judge_key(key: &ApiKey, now: Timestamp) -> Result<(), Refusal> {
    if key.status == KeyStatus::Revoked {
        return Err(key_revoked());
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(key_expired());
    }
    if key.works_until.is_some_and(|end| end <= now) {
        return Err(key_superseded());
    }
    Ok(())
}

fn key_revoked() -> Refusal {
    Refusal::unauthorized("key_revoked", "This API key was revoked. Use another one.")
}

fn key_expired() -> Refusal {
    Refusal::unauthorized("key_expired", "This API key has expired. Use another one.")
}

fn key_superseded() -> Refusal {
    let message = "This API key has a successor, and the time for changing over is past. Use the successor.";
    Refusal::unauthorized("key_rotated_grace_expired", message)
}

/// Whether what was judged is no longer what is there, so that a new judgement finds what to say.
pub const fn may_be_judged_again(declined: Declined) -> bool {
    matches!(
        declined,
        Declined::SecretChanged | Declined::Changed(Entity::Credential | Entity::Agent) | Declined::Exists(Entity::Agent | Entity::Ticket)
    )
}

/// What the client is told when the transaction found that the request must not be. `now` is Unix time in seconds.
pub fn declined_refusal(declined: Declined, now: i64) -> Refusal {
    match declined {
        Declined::NonceReplayed => Refusal::unauthorized(
            "nonce_replayed",
            "This request was received before. A client signs every request with a new X-Alter-Nonce.",
        ),
        Declined::NoncesFull => {
            let message = "Too many requests are within the replay window. Try again later.";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message).with("scope", "replay_window").retry_after(10)
        }
        Declined::KeyRevoked => key_revoked(),
        Declined::KeyExpired => key_expired(),
        Declined::KeySuperseded => key_superseded(),
        Declined::AgentInactive => super::acting::inactive(),
        Declined::TooManyKeys => Refusal::new(
            StatusCode::CONFLICT,
            "agent_key_limit_reached",
            "The agent has as many keys as it can have. Revoke one that is not used any more.",
        ),
        Declined::TooManyApprovals => {
            let message = "This application has as many calls waiting for people as it can have. Wait until some are decided.";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_pending_approvals", message).retry_after(30)
        }
        Declined::LastKey => {
            let message =
                "It is the agent's last key, and the agent could not act without it. Revoke it with force=true, or make another one first.";
            Refusal::new(StatusCode::CONFLICT, "last_active_key", message)
        }
        Declined::Final(Entity::Key) => Refusal::new(StatusCode::CONFLICT, "key_revoked", "The key is revoked, which is final."),
        Declined::NotFound(Entity::Agent) | Declined::Final(Entity::Agent) => super::acting::agent_not_found(),
        Declined::GrantRevoked => super::token::grant_revoked(),
        Declined::GrantExpired => super::token::grant_expired(),
        Declined::SecretDeleted | Declined::CredentialErased => super::token::grant_deleted(),
        Declined::CredentialDead => {
            Refusal::bad_request("credential_revoked", "The login behind this grant ended. It takes a new consent.")
        }
        Declined::LeaseHeld | Declined::LeaseLost => {
            let message = "The login is being refreshed by another call. Try again.";
            Refusal::new(StatusCode::CONFLICT, "token_refresh_in_progress", message).retry_after(1)
        }
        Declined::LabelTaken => Refusal::new(StatusCode::CONFLICT, "sibling_label_conflict", "Another grant of this login has the label."),
        Declined::Widens => Refusal::forbidden("grant_widens", "A grant cannot reach further than the one it comes from."),
        Declined::Changed(_) => Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", "It was changed by another call. Try again."),
        Declined::NotFound(Entity::Key) => {
            Refusal::unauthorized("invalid_key", "The API key is missing, mistyped or unknown to this vault.")
        }
        Declined::NotFound(_) => Refusal::grant_not_found(declined.to_string()),
        Declined::RateLimited(state) => admission::too_many(state, now),
        Declined::CallsFull(state) => judge::policy::too_many(state, now, None),
        Declined::SecretChanged | Declined::MasterKeyChanged | Declined::MasterKeyInUse | Declined::Exists(_) | Declined::Final(_) => {
            Refusal::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_between_judgement_and_commit_is_refused_as_if_it_had_been_judged() {
        for (declined, status, code) in [
            (Declined::NonceReplayed, 401, "nonce_replayed"),
            (Declined::NoncesFull, 429, "rate_limit_exceeded"),
            (Declined::RateLimited(RateState { limit: 1, remaining: 0, resets_at: 60 }), 429, "rate_limit_exceeded"),
            (Declined::KeyRevoked, 401, "key_revoked"),
            (Declined::KeyExpired, 401, "key_expired"),
            (Declined::NotFound(Entity::Key), 401, "invalid_key"),
            (Declined::GrantRevoked, 400, "grant_revoked"),
            (Declined::GrantExpired, 403, "grant_expired"),
            (Declined::SecretDeleted, 410, "grant_deleted"),
            (Declined::CredentialErased, 410, "grant_deleted"),
            (Declined::CredentialDead, 400, "credential_revoked"),
            (Declined::KeySuperseded, 401, "key_rotated_grace_expired"),
            (Declined::AgentInactive, 401, "agent_inactive"),
            (Declined::TooManyKeys, 409, "agent_key_limit_reached"),
            (Declined::LastKey, 409, "last_active_key"),
            (Declined::Final(Entity::Key), 409, "key_revoked"),
            (Declined::Final(Entity::Agent), 404, "agent_not_found"),
            (Declined::LeaseHeld, 409, "token_refresh_in_progress"),
            (Declined::LabelTaken, 409, "sibling_label_conflict"),
            (Declined::Widens, 403, "grant_widens"),
            (Declined::Changed(Entity::Ticket), 409, "changed_meanwhile"),
            (Declined::NotFound(Entity::Grant), 404, "grant_not_found"),
            (Declined::Exists(Entity::Grant), 500, "internal_error"),
        ] {
            let refusal = declined_refusal(declined, 0);
            assert_eq!((refusal.status().as_u16(), refusal.code()), (status, code), "{declined:?}");
        }
    }

    #[test]
    fn a_note_keeps_what_was_there() {
        let mut row = AuditEntry::new(ChainId::Vault, "token.retrieve", Outcome::Intent).reason("why");
        note(&mut row, |row| row.provider("mail"));
        assert_eq!((&*row.action, row.reason.as_deref(), row.provider.as_deref()), ("token.retrieve", Some("why"), Some("mail")));
    }
}
