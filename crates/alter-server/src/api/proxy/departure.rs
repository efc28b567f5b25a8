//! The call itself: sent once, in a task that does not depend on the client, and written down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::once::Once;
use super::scrub::Scrub;
use crate::api::Vault;
use crate::api::approvals::Leaving;
use crate::api::pipeline::{Answer, COMMIT_DEADLINE};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::egress::{Bounded, EgressError, Limits};
use crate::store::{Commit, CommitError, Declined, Effect};

/// How long a provider may take.
pub const PROVIDER_DEADLINE: Duration = Duration::from_secs(25);
/// How long a call under way can take at most, from the commit that lets it leave to the one that records its end.
pub const LONGEST_CALL: Duration = Duration::from_secs(PROVIDER_DEADLINE.as_secs() + COMMIT_DEADLINE.as_secs() + 5);
/// How often an answer is sealed anew at most.
const MOST_SEALINGS: usize = 3;
/// Longest answer that is passed on, in bytes.
const MOST_BYTES: usize = 5 * 1024 * 1024;
/// Headers that speak of the connection to the provider, which is not the client's.
const OF_THE_CONNECTION: &[&str] = &["connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"];

/// A call that was judged and recorded, and may leave.
pub struct Departure {
    /// The request with the credential in it.
    pub request: http::Request<Bytes>,
    /// Takes the credential out of the answer.
    pub scrub: Scrub,
    /// The row of its intent, for the row of its end.
    pub row: AuditEntry,
    /// The key under which it runs.
    pub once: Option<Once>,
    /// The approval that lets it run.
    pub approval: Option<Leaving>,
}

impl Departure {
    /// Makes the call.
    ///
    /// # Errors
    /// 422 `blocked_destination` if the host's address is not to be called; 502 `provider_error`, 504 `provider_timeout`; with an idempotency key, 409
    /// `outcome_unknown` if the provider may have acted.
    pub async fn go(self: Box<Self>, vault: Arc<Vault>) -> Result<Answer, Refusal> {
        // A client that leaves must not leave a call behind of which nobody knows how it ended.
        let carried_out = tokio::spawn(async move { self.carry_out(&vault).await });
        carried_out.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a proxied call failed");
            Err(Refusal::internal())
        })
    }

    /// As [`Departure::go`], in the task of the caller.
    ///
    /// # Errors
    /// As of [`Departure::go`].
    pub async fn carry_out(self, vault: &Vault) -> Result<Answer, Refusal> {
        let Self { request, scrub, row, once, approval } = self;
        let began = Instant::now();
        let limits = Limits { timeout: PROVIDER_DEADLINE, answer_bytes: MOST_BYTES };
        let outcome = vault.outbound.send_bounded(request, limits).await;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let row = AuditEntry { action: "proxy.answer".into(), outcome: Outcome::Done, reason: None, context: None, ..row };
        match outcome {
            Ok(bounded) => {
                let (answer, repeated) = told(&bounded, &scrub, took);
                let body_bytes = bounded.answer.body().len();
                let mut report = json!({ "status_code": answer["status_code"], "duration_ms": took, "body_bytes": body_bytes });
                if repeated {
                    report["credential_removed"] = true.into();
                }
                let kept = || {
                    let of_key = once.as_ref().map(|once| once.answered(vault, &answer)).transpose()?;
                    let of_approval = approval.as_ref().map(|leaving| leaving.executed(vault, &answer)).transpose()?;
                    Ok(of_key.into_iter().chain(of_approval).collect())
                };
                record(vault, &row.report(&report.to_string()), kept).await;
                Ok(Answer::Json(answer))
            }
            Err(error) => {
                let refusal = refusal(&error, once.is_some());
                let kept = || {
                    let of_key = once.as_ref().map(|once| if error.may_have_arrived() { once.lost() } else { once.freed() });
                    let of_approval = approval.as_ref().map(|leaving| leaving.failed(refusal.message()));
                    Ok(of_key.into_iter().chain(of_approval).collect())
                };
                record(vault, &row.refused(refusal.code(), Some(&error.to_string())), kept).await;
                Err(refusal)
            }
        }
    }
}

/// Writes down how the call ended. It has ended whether that succeeds or not; the intent stands on record, and what has no end written down is in doubt.
///
/// `kept` seals anew where the master key was changed in between.
async fn record(vault: &Vault, row: &AuditEntry, kept: impl Fn() -> Result<Vec<Effect>, Refusal>) {
    for _ in 0..MOST_SEALINGS {
        let effects = match kept() {
            Ok(effects) => effects,
            Err(refusal) => return tracing::error!(reason = refusal.reason(), "how a proxied call ended cannot be sealed"),
        };
        let commit = effects.into_iter().fold(Commit::new(row.clone()), Commit::effect);
        match vault.commit(commit, Instant::now() + COMMIT_DEADLINE).await {
            Err(CommitError::Declined(Declined::MasterKeyChanged)) => {}
            Err(error) => return tracing::error!(%error, "how a proxied call ended cannot be recorded"),
            Ok(_) => return,
        }
    }
}

/// What the client is told: the contract's `ApprovalResult`, and whether the provider had repeated the credential.
fn told(bounded: &Bounded, scrub: &Scrub, took: u64) -> (Value, bool) {
    let answer = &bounded.answer;
    let status = answer.status().as_u16();
    let (body, in_body) = scrub.bytes(answer.body());
    let (headers, in_headers) = headers(answer.headers(), scrub);
    let repeated = in_body || in_headers;
    let hint = match status {
        _ if repeated => Some("The provider's answer repeated the credential, which was taken out of it."),
        401 => Some("The provider did not accept the credential: connect again, or have an operator replace the secret."),
        403 => Some("The provider knows the credential and does not allow this: its scopes or the account's rights may be too small."),
        _ => None,
    };
    let told = json!({
        "status_code": status,
        "headers": headers,
        "body_b64": STANDARD.encode(&body),
        "body_truncated": bounded.truncated,
        "duration_ms": took,
        "credential_hint": hint,
    });
    (told, repeated)
}

/// One value per name, as the contract has it, and whether the credential was in one.
fn headers<'a>(headers: &'a HeaderMap, scrub: &Scrub) -> (BTreeMap<&'a str, String>, bool) {
    let names = headers.keys().map(http::HeaderName::as_str).filter(|name| !OF_THE_CONNECTION.contains(name));
    let joined = |name: &str| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    let mut repeated = false;
    let clean = names.map(|name| {
        let value = joined(name);
        let (value, found) = scrub.text(&value);
        repeated |= found;
        (name, value.into_owned())
    });
    let clean = clean.collect();
    (clean, repeated)
}

fn refusal(error: &EgressError, keyed: bool) -> Refusal {
    let bad_gateway = |message: &str| Refusal::new(StatusCode::BAD_GATEWAY, "provider_error", message);
    match error {
        EgressError::Refused { host, reason } => Refusal::blocked_destination(format!("The vault does not call {host}: {reason}.")),
        EgressError::Unreachable { .. } => bad_gateway("The provider cannot be reached, so nothing was sent. Try again later."),
        _ if keyed => super::once::unknown_outcome(),
        EgressError::Timeout { .. } => {
            let message = "The provider did not answer in time. It may have acted on the call all the same.";
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, "provider_timeout", message)
        }
        EgressError::Broken { .. } | EgressError::TooLarge { .. } => {
            bad_gateway("The connection to the provider broke. It may have acted on the call all the same.")
        }
    }
}
