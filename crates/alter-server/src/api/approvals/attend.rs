//! What happens to approvals by itself: their time runs out, a vault stopped between approval and call, an app has to be told.
//!
//! Nothing depends on it being in time: a status is always read by the clock, and every change is one that only one vault can make.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::trail::row;
use super::{execute, webhook};
use crate::api::Vault;
use crate::api::proxy::LONGEST_CALL;
use crate::api::web::record;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{Approval, ApprovalId, ApprovalStatus};
use crate::store::{CommitError, Effect, StoreError};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the vault that took the last decision has for letting the call leave, before others do.
const GRACE: Duration = Duration::from_secs(2);
/// Approvals that are looked at in one go.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(100).expect("not zero");

/// Which approvals this vault is busy with.
#[derive(Debug, Default)]
pub struct Attendant {
    busy: watch::Sender<BTreeSet<ApprovalId>>,
}

/// Being busy with an approval. Ends when it is dropped.
#[derive(Debug)]
pub struct Turn {
    vault: Arc<Vault>,
    id: ApprovalId,
}

impl Attendant {
    /// Whether this vault may go on with an approval now.
    fn take(&self, id: ApprovalId) -> bool {
        self.busy.send_if_modified(|busy| busy.insert(id))
    }

    fn give_back(&self, id: ApprovalId) {
        self.busy.send_if_modified(|busy| busy.remove(&id));
    }

    /// Waits until this vault is busy with none.
    pub async fn idle(&self) {
        let mut busy = self.busy.subscribe();
        // The sender is borrowed: it cannot be gone.
        drop(busy.wait_for(BTreeSet::is_empty).await);
    }

    /// Looks after the approvals of a vault, for as long as it is polled.
    pub async fn attend(vault: Arc<Vault>) {
        let mut failing = false;
        loop {
            match look(&vault).await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(code = error.code(), "approvals cannot be looked after; trying again every second");
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Turn {
    /// Begins to be busy with an approval; `None` if this vault is so already.
    pub fn take(vault: &Arc<Vault>, id: ApprovalId) -> Option<Self> {
        vault.approvals.take(id).then(|| Self { vault: Arc::clone(vault), id })
    }

    /// The vault.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.vault.approvals.give_back(self.id);
    }
}

async fn look(vault: &Arc<Vault>) -> Result<(), StoreError> {
    let now = vault.clock.now();
    for approval in vault.store.due_approvals(now.minus(LONGEST_CALL), AT_ONCE).await? {
        match (approval.status, approval.status_at(now)) {
            (_, ApprovalStatus::Expired) => expire(vault, &approval).await?,
            (ApprovalStatus::Pending, _) => webhook::begin(vault, approval),
            (ApprovalStatus::Approved, _) if approval.decided_at.is_none_or(|at| at.plus(GRACE) <= now) => {
                execute::begin(vault, approval.id);
            }
            (ApprovalStatus::Executing, _) => lose(vault, &approval).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Nobody decided in time, or the call could not leave in time.
async fn expire(vault: &Vault, approval: &Approval) -> Result<(), StoreError> {
    let expired = Approval { status: ApprovalStatus::Expired, version: approval.version + 1, notify_at: None, ..approval.clone() };
    let row = row(approval, "approval.expire", Outcome::Done);
    settle(vault, row, Effect::UpdateApproval { approval: Box::new(expired), sealed: None }).await
}

/// A vault stopped over the call. Nobody knows what the provider did, and it is not sent again.
async fn lose(vault: &Vault, approval: &Approval) -> Result<(), StoreError> {
    let message =
        "A vault stopped while the call was under way. The provider may have acted on it; it is not sent again. Look there first.";
    let row = row(approval, "proxy.answer", Outcome::Done).refused("outcome_unknown", Some(message));
    settle(vault, row, execute::failed(approval, message)).await
}

/// Records a change that another vault, or whoever decides, may have made first: then there is nothing to do.
pub(super) async fn settle(vault: &Vault, row: AuditEntry, effect: Effect) -> Result<(), StoreError> {
    match record::settle(vault, row, vec![effect]).await {
        Err(CommitError::Store(error)) => Err(error),
        Ok(()) | Err(CommitError::Declined(_)) => Ok(()),
    }
}
