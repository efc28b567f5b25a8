//! The approved call: judged once more from the beginning, and let out at most once.
//!
//! What lets it out is one commit, which also says that it has left. Of two vaults that try, one gets that through. From then on nothing sends the call again:
//! if no end is ever written down, the approval ends as failed, and says that nobody knows what the provider did.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use serde_json::{Value, json};

use super::attend::{self, Turn};
use super::{frozen, trail};
use crate::api::Vault;
use crate::api::addressing::Wanted;
use crate::api::opening;
use crate::api::pipeline::{Admitted, COMMIT_DEADLINE, declined_refusal, judge_key, may_be_judged_again, note};
use crate::api::proxy::{Departure, OnBehalf, Once, Prepared, ProxiedUse, ProxyRequest, SCOPE, Sight, prepare};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Approval, ApprovalId, ApprovalStatus};
use crate::store::{Commit, CommitError, Declined, Effect, Entity, StoredApproval};

/// How often a call is judged again because what it opens changed between judgement and commit.
const MOST_JUDGEMENTS: usize = 3;

/// An approval whose call has left.
#[derive(Clone, Debug)]
pub struct Leaving {
    approval: Box<Approval>,
    sight: Sight,
}

impl Leaving {
    /// The change that keeps the provider's answer.
    ///
    /// # Errors
    /// 500 if it cannot be sealed.
    pub fn executed(&self, vault: &Vault, answer: &Value) -> Result<Effect, Refusal> {
        let sealed = frozen::seal_result(vault, &self.approval, &self.sight, &answer.to_string())?;
        let approval = Approval {
            status: ApprovalStatus::Executed,
            version: self.approval.version + 1,
            executed_at: Some(vault.clock.now()),
            ..Approval::clone(&self.approval)
        };
        Ok(Effect::UpdateApproval { approval: Box::new(approval), sealed: Some(sealed) })
    }

    /// The change that says why there is no answer.
    pub fn failed(&self, why: &str) -> Effect {
        failed(&self.approval, why)
    }
}

/// An approval that ends without an answer.
pub fn failed(approval: &Approval, why: &str) -> Effect {
    let mut failed = Approval { status: ApprovalStatus::Failed, version: approval.version + 1, ..approval.clone() };
    failed.about.execution_error = Some(why.to_owned());
    Effect::UpdateApproval { approval: Box::new(failed), sealed: None }
}

/// Lets an approved call leave, in a task of its own. Does nothing if this vault is at it already.
pub fn begin(vault: &Arc<Vault>, id: ApprovalId) {
    let Some(turn) = Turn::take(vault, id) else { return };
    tokio::spawn(async move {
        if let Err(refusal) = run(turn.vault(), id).await {
            // It is still approved, and is tried again until its time is over.
            tracing::warn!(approval = %id, reason = refusal.reason(), "an approved call did not leave yet");
        }
        drop(turn);
    });
}

async fn run(vault: &Vault, id: ApprovalId) -> Result<(), Refusal> {
    for _ in 0..MOST_JUDGEMENTS {
        let Some(stored) = vault.store.approval(id).await? else { return Ok(()) };
        if stored.approval.status_at(vault.clock.now()) != ApprovalStatus::Approved {
            return Ok(());
        }
        let mut row = row(&stored.approval);
        let ready = match ready(vault, &stored, &mut row).await {
            Ok(ready) => ready,
            Err(refusal) if refusal.status() == StatusCode::SERVICE_UNAVAILABLE => return Err(refusal),
            Err(refusal) => return refuse(vault, &stored.approval, row, &refusal).await,
        };
        let leaving = Approval {
            status: ApprovalStatus::Executing,
            version: stored.approval.version + 1,
            left_at: Some(vault.clock.now()),
            ..stored.approval.clone()
        };
        let own = [Effect::UpdateApproval { approval: Box::new(leaving.clone()), sealed: None }, Effect::UseKey { key: leaving.key }];
        let commit = own.into_iter().chain(ready.prepared.effects).fold(Commit::new(row.clone()), Commit::effect);
        match vault.commit(commit, Instant::now() + COMMIT_DEADLINE).await {
            Ok(_) => {
                let approval = Some(Leaving { approval: Box::new(leaving), sight: ready.sight });
                let departure = Departure { request: ready.prepared.request, scrub: ready.prepared.scrub, row, once: ready.once, approval };
                // How it ended is on record; who asked reads it there.
                drop(departure.carry_out(vault).await);
                return Ok(());
            }
            Err(CommitError::Declined(Declined::Changed(Entity::Approval))) => {}
            Err(CommitError::Declined(declined)) if may_be_judged_again(declined) => {}
            Err(CommitError::Declined(declined)) => {
                let refusal = declined_refusal(declined, vault.clock.now().as_secs());
                return refuse(vault, &stored.approval, row, &refusal).await;
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", "what the call opens keeps changing"))
}

fn row(approval: &Approval) -> AuditEntry {
    let row = trail::row(approval, "proxy.call", Outcome::Intent).key(approval.key);
    match &approval.about.reason {
        Some(reason) => row.reason(reason),
        None => row,
    }
}

/// What is ready to leave.
struct Ready {
    prepared: Prepared,
    once: Option<Once>,
    sight: Sight,
}

/// Judges the kept request as if it came now, but for the gates that it has passed.
async fn ready(vault: &Vault, stored: &StoredApproval, row: &mut AuditEntry) -> Result<Ready, Refusal> {
    let approval = &stored.approval;
    let (frozen, sight) = (frozen::request(vault, stored)?, frozen::seen(vault, stored)?);
    let gone = || Refusal::unauthorized("invalid_key", "The key that asked for this call is not there any more.");
    let key = vault.store.key(approval.app, approval.key).await?.found().ok_or_else(gone)?;
    judge_key(&key, vault.clock.now())?;
    let claims = frozen.claims();
    if let Some((kind, name)) = claims.identity.caller {
        note(row, |row| row.caller(kind, name, Some(vault.keys.actor_id(approval.app, kind, name))));
    }
    if let Some(trace) = &frozen.trace {
        note(row, |row| row.trace(trace));
    }
    if let Some(context) = claims.identity.context {
        note(row, |row| row.context(context));
    }
    vault.admission.judge_address(&key, claims.source)?;
    let request = Admitted::of(vault, &key, claims, frozen.body(), false).await?;
    let mut asked = ProxyRequest::parse(request.body)?;
    // People agreed to the use of this grant; another one that would fit by now is not the same.
    asked.wanted = Wanted::Grant(json!(approval.grant));
    request.reach.require(SCOPE)?;
    let access = asked.wanted.find(vault, &request, frozen.on_behalf.as_ref().map(OnBehalf::membership), row).await?;
    let once = Once::stored(vault, &request, &asked, approval.grant).await?;
    let usage = ProxiedUse::new(&request, &asked, frozen.on_behalf.as_ref().and_then(OnBehalf::session_age));
    let judged = opening::judge(vault, access, &asked.url.to_text(), &usage, row).await?;
    let prepared = prepare(vault, asked, judged, &usage, Some(&approval.digest)).await?;
    Ok(Ready { prepared, once, sight })
}

/// Ends an approval whose call may not leave any more.
async fn refuse(vault: &Vault, approval: &Approval, row: AuditEntry, refusal: &Refusal) -> Result<(), Refusal> {
    let row = row.refused(refusal.code(), Some(refusal.reason()));
    Ok(attend::settle(vault, row, failed(approval, refusal.message())).await?)
}
