//! Telling an app's chat tool, or whatever else stands behind its webhook, that a call waits for people.
//!
//! A message is a `POST` as [Standard Webhooks](https://www.standardwebhooks.com) describe: `webhook-id`, `webhook-timestamp`, and in `webhook-signature`
//! HMAC-SHA256 of `id.timestamp.body`. It holds no authority: who follows its link still has to be an approver. A message that is not taken is sent again,
//! with the same id, until somebody decides.

use std::sync::Arc;
use std::time::Duration;

use alter_core::encoding::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::Request;
use serde_json::json;
use sha2::Sha256;

use super::attend::Turn;
use super::shape;
use crate::api::Vault;
use crate::api::web::record;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::egress::Limits;
use crate::model::{App, Approval, ApprovalStatus};
use crate::store::{CommitError, Effect};

/// Pauses before a message is sent again.
const PAUSES_IN_SECONDS: [u64; 5] = [10, 60, 300, 900, 3600];
/// Bounds of one message.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), answer_bytes: 64 * 1024 };
/// Before the secret, as the standard has it.
const SECRET_PREFIX: &str = "whsec_";

/// The secret that messages to an app's webhook are signed with. It follows from the vault's keys and the version: nothing more is stored.
pub fn secret(vault: &Vault, app: &App) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(key(vault, app)))
}

fn key(vault: &Vault, app: &App) -> [u8; 32] {
    vault.keys.digest(&format!("webhook\n{}\n{}", app.id, app.settings.approvals.webhook_secret_version)).0
}

/// Tells the app of an approval whose time for that has come, in a task of its own.
pub fn begin(vault: &Arc<Vault>, approval: Approval) {
    let Some(turn) = Turn::take(vault, approval.id) else { return };
    tokio::spawn(async move {
        if let Err(error) = tell(turn.vault(), approval).await {
            tracing::warn!(%error, "an app could not be told of an approval");
        }
        drop(turn);
    });
}

async fn tell(vault: &Vault, approval: Approval) -> Result<(), CommitError> {
    let app = vault.store.app(approval.app).await.map_err(CommitError::Store)?;
    let Some((app, webhook)) = app.and_then(|app| app.settings.approvals.webhook.clone().map(|webhook| (app, webhook))) else {
        return settle(vault, row(&approval).detail("the app has no webhook any more"), quiet(&approval)).await;
    };
    // The next attempt is on record before this one is made, so that a vault that stops here tells nobody twice at once.
    let attempt = approval.about.notified as usize;
    let next = PAUSES_IN_SECONDS.get(attempt).map(|pause| vault.clock.now().plus(Duration::from_secs(*pause)));
    let mut claimed = Approval { version: approval.version + 1, notify_at: next, ..approval.clone() };
    claimed.about.notified += 1;
    let intent = AuditEntry { outcome: Outcome::Intent, ..row(&approval) };
    settle(vault, intent, claimed.clone()).await?;
    let sent = match message(vault, &app, &webhook, &claimed) {
        Ok(message) => vault.egress.send(message, LIMITS).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match sent {
        Ok(answer) if answer.status().is_success() => {
            let row = row(&approval).detail(&format!("it answered {}", answer.status().as_u16()));
            match settle(vault, row.clone(), quiet(&claimed)).await {
                // Somebody was quick to decide, which ends the messages as well.
                Err(CommitError::Declined(_)) => record::settle(vault, row, Vec::new()).await,
                other => other,
            }
        }
        Ok(answer) => refused(vault, &approval, &format!("it answered {}", answer.status().as_u16())).await,
        Err(error) => refused(vault, &approval, &error).await,
    }
}

async fn refused(vault: &Vault, approval: &Approval, why: &str) -> Result<(), CommitError> {
    record::settle(vault, row(approval).refused("webhook_failed", Some(why)), Vec::new()).await
}

async fn settle(vault: &Vault, row: AuditEntry, approval: Approval) -> Result<(), CommitError> {
    record::settle(vault, row, vec![Effect::UpdateApproval { approval: Box::new(approval), sealed: None }]).await
}

fn quiet(approval: &Approval) -> Approval {
    Approval { version: approval.version + 1, notify_at: None, ..approval.clone() }
}

fn row(approval: &Approval) -> AuditEntry {
    AuditEntry::new(ChainId::App(approval.app), "approval.notify", Outcome::Done).subject("approval", approval.id).grant(approval.grant)
}

fn message(vault: &Vault, app: &App, webhook: &str, approval: &Approval) -> Result<Request<Bytes>, http::Error> {
    let about = &approval.about;
    let gates = approval.gates.iter().map(|gate| {
        json!({
            "approval_id": gate.id,
            "approval_url": shape::url(vault, gate.id),
            "approvers": gate.approvers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let now = vault.clock.now();
    let body = json!({
        "type": "approval.requested",
        "timestamp": now,
        "data": {
            "app": app.name,
            "approval_group_id": approval.id,
            "status": ApprovalStatus::Pending.as_str(),
            "method": about.method,
            "url": about.url,
            "provider_id": about.provider,
            "reason": about.reason,
            "agent": about.agent_name,
            "caller": about.caller,
            "digest": hex(&approval.digest),
            "created_at": approval.created_at,
            "expires_at": approval.expires_at,
            "gates": gates.collect::<Vec<_>>(),
        },
    })
    .to_string();
    let (id, timestamp) = (format!("approval_{}", approval.id.0.simple()), now.as_secs().to_string());
    let signature = STANDARD.encode(sign(&key(vault, app), &id, &timestamp, &body));
    Request::post(webhook)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", format!("v1,{signature}"))
        .body(Bytes::from(body))
}

fn sign(key: &[u8], id: &str, timestamp: &str, body: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's reference libraries.
    #[test]
    fn messages_are_signed_as_the_standard_says() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(STANDARD.encode(signature), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
