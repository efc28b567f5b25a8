//! `POST /sdk/keys/{key_id}/rotate`: a successor with the same reach, and some days for changing over.

use std::time::Duration;

use alter_core::key::KeyKind;
use http::StatusCode;

use super::make::{self, Made};
use super::{administered, shape};
use crate::api::Vault;
use crate::api::judge::bounds::{Beyond, Bounds, without_rule};
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::clock::Timestamp;
use crate::model::{ApiKey, KeyRate, KeyStatus};
use crate::store::Effect;

/// How long a key works beside its successor unless it is told, in days.
pub const USUAL_OVERLAP: u64 = 7;
/// The longest that it may, in days.
pub const LONGEST_OVERLAP: u64 = 30;
/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// The endpoint.
pub struct RotateKey {
    /// The key's id, as it stands in the path.
    pub key: String,
}

impl Call for RotateKey {
    const ACTION: &'static str = "key.rotate";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let old = administered(vault, request, &self.key).await?;
        note(row, |row| row.subject("key", old.id));
        without_rule(request.rule.as_ref())?;
        let mut members = Members::of(request.body)?;
        let days = members.whole_number("overlap_days")?.unwrap_or(USUAL_OVERLAP);
        if days > LONGEST_OVERLAP {
            return Err(members.invalid("overlap_days", &format!("must be from 0 to {LONGEST_OVERLAP}")));
        }
        members.nothing_else()?;
        judge_state(&old, vault.clock.now())?;
        let usual = vault.admission.usual_limit;
        let bounds = Bounds::of_request(request.key, &request.reach, usual);
        let bounds = bounds.succeed(&Bounds::of(&old, usual)).map_err(|beyond| beyond_reach(request, &old, beyond))?;
        let (made, effects) = successor(vault, old, &bounds, Duration::from_secs(days * DAY))?;
        let answer = Answer::Created(shape::made(vault, &made));
        Ok(Verdict { effects, answer })
    }
}

/// Makes the successor of a key with these bounds, and says what that changes. Its requests are counted with those of the key.
///
/// # Errors
/// 500 if the system has no random numbers.
pub fn successor(vault: &Vault, old: ApiKey, bounds: &Bounds, overlap: Duration) -> Result<(Made, Vec<Effect>), Refusal> {
    let rate = KeyRate { own: old.rate.own, shared: Some(old.rate.joined(old.id)) };
    let mut made = make::within(vault, old.app, old.kind, bounds, rate)?;
    made.key = ApiKey { name: old.name, agent: old.agent, metadata: old.metadata, ..made.key };
    let until = vault.clock.now().plus(overlap);
    let superseded = Effect::SupersedeKey { app: old.app, key: old.id, until };
    let effects = vec![Effect::CreateKey(Box::new(made.key.clone())), superseded];
    Ok((made, effects))
}

/// A key that does not work any more has no successor: that would bring it back.
///
/// # Errors
/// 400 for a derived key, 409 for one that has ended.
pub fn judge_state(old: &ApiKey, now: Timestamp) -> Result<(), Refusal> {
    if old.kind == KeyKind::Derived {
        return Err(Refusal::bad_request("derived_key_not_rotatable", "A derived key is not rotated. Derive another one."));
    }
    let ended = |code, what: &str| Err(Refusal::new(StatusCode::CONFLICT, code, format!("{what} Make a new one instead.")));
    if old.status == KeyStatus::Revoked {
        return ended("key_revoked", "The key is revoked.");
    }
    if old.expires_at.is_some_and(|end| end <= now) {
        return ended("key_expired", "The key has expired.");
    }
    if old.works_until.is_some_and(|end| end <= now) {
        return ended("key_rotated_grace_expired", "The key was rotated before, and its time is over.");
    }
    Ok(())
}

fn beyond_reach(request: &Admitted<'_>, old: &ApiKey, beyond: Beyond) -> Refusal {
    let why = "its successor would reach further than this request does";
    match beyond {
        Beyond::Scopes(missing) => {
            let required = Bounds::of(old, 0).scopes;
            request.reach.insufficient(format!("The key holds scopes that this request does not: {why}."), &required, &missing)
        }
        beyond => {
            let field = beyond.member();
            let message = format!("{field} of the key {}: {why}. Rotate it with a key that is not bound so.", beyond.reason());
            Refusal::forbidden("key_beyond_reach", message).with("field", field)
        }
    }
}
