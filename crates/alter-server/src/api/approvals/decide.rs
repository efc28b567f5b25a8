//! Who may decide, and what a decision does.

use std::sync::Arc;

use alter_core::encoding::hex;
use http::StatusCode;
use serde_json::json;

use super::{execute, trail};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::api::web::record;
use crate::audit::{AuditEntry, Outcome};
use crate::clock::Timestamp;
use crate::model::{Approval, ApprovalId, ApprovalStatus, Decider, Decision, GateId};
use crate::store::{CommitError, Declined, Effect, Entity};

/// How often a decision is judged anew because somebody else decided in between.
const MOST_ATTEMPTS: usize = 5;
/// The longest note that is kept, in characters.
const LONGEST_REASON: usize = 1000;

/// What somebody decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Yes, to the call with this digest, in hexadecimal digits.
    Approve {
        /// The digest that they were shown.
        digest: String,
    },
    /// No.
    Deny,
}

/// A decision that somebody brings.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Which gate; `None` for the first that is theirs.
    pub gate: Option<GateId>,
    /// Who they are.
    pub by: Decider,
    /// What they decide.
    pub choice: Choice,
    /// What they note.
    pub reason: Option<String>,
}

/// Why a decision does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// It is over.
    Over(ApprovalStatus),
    /// The gate was decided before.
    DecidedBefore,
    /// They are no approver of it.
    NotAnApprover,
    /// They asked for the call themselves.
    OwnRequest,
    /// They have decided another gate of it.
    DecidedAnother,
    /// They were shown another call.
    AnotherCall,
}

/// The approval after a decision.
fn after(approval: &Approval, decided: &Decided, now: Timestamp) -> Result<Approval, Idle> {
    let status = approval.status_at(now);
    let place = place(approval, decided)?;
    if status != ApprovalStatus::Pending {
        return Err(Idle::Over(status));
    }
    if matches!(&decided.choice, Choice::Approve { digest } if *digest != hex(&approval.digest)) {
        return Err(Idle::AnotherCall);
    }
    let approved = matches!(decided.choice, Choice::Approve { .. });
    let reason = decided.reason.as_ref().map(|reason| reason.chars().take(LONGEST_REASON).collect::<String>());
    let mut after = approval.clone();
    after.version += 1;
    after.about.decision_reason = reason.clone().or(after.about.decision_reason);
    after.gates[place].decision = Some(Decision { approved, by: decided.by.clone(), at: now, reason });
    let open = after.gates.iter().any(|gate| gate.decision.is_none());
    after.status = match (approved, open) {
        (false, _) => ApprovalStatus::Denied,
        (true, true) => ApprovalStatus::Pending,
        (true, false) => ApprovalStatus::Approved,
    };
    if after.status != ApprovalStatus::Pending {
        (after.decided_at, after.notify_at) = (Some(now), None);
    }
    Ok(after)
}

/// The gate that a decision is about: the one that is named, or the first open one that is theirs.
fn place(approval: &Approval, decided: &Decided) -> Result<usize, Idle> {
    let by = &decided.by;
    if matches!((by, &approval.about.person), (Decider::Person { person, .. }, Some(asker)) if person == asker) {
        return Err(Idle::OwnRequest);
    }
    let mut theirs = approval.gates.iter().enumerate().filter(|(_, gate)| decided.gate.is_none_or(|id| gate.id == id));
    let mut known = theirs.by_ref().filter(|(_, gate)| by.is_among(&gate.approvers)).peekable();
    if known.peek().is_none() {
        return Err(Idle::NotAnApprover);
    }
    let open = known.find(|(_, gate)| gate.decision.is_none()).map(|(place, _)| place).ok_or(Idle::DecidedBefore)?;
    let decisions = approval.gates.iter().filter_map(|gate| gate.decision.as_ref());
    if decisions.into_iter().any(|decision| decision.by.is_same(by)) {
        return Err(Idle::DecidedAnother);
    }
    Ok(open)
}

/// Makes a decision, and lets the call leave if it was the last one that was missing. Returns the approval after it.
///
/// # Errors
/// 404 `approval_not_found`; 409 `approval_decided`, `approval_over`, `approval_changed`; 403 `not_an_approver`, `own_request`, `gate_decided_by_you`; 503 if it
/// cannot be recorded.
pub async fn decide(vault: &Arc<Vault>, id: ApprovalId, decided: &Decided, request_id: &str) -> Result<Approval, Refusal> {
    for _ in 0..MOST_ATTEMPTS {
        let stored = vault.store.approval(id).await?.ok_or_else(not_found)?;
        let row = row(&stored.approval, decided, request_id);
        let approval = match after(&stored.approval, decided, vault.clock.now()) {
            Ok(approval) => approval,
            Err(idle) => {
                let refusal = refusal(idle);
                record::commit(vault, row.refused(refusal.code(), Some(refusal.message())), Vec::new()).await?;
                return Err(refusal);
            }
        };
        let effect = Effect::UpdateApproval { approval: Box::new(approval.clone()), sealed: None };
        match record::settle(vault, row, vec![effect]).await {
            Ok(()) => {
                if approval.status == ApprovalStatus::Approved {
                    execute::begin(vault, id);
                }
                return Ok(approval);
            }
            Err(CommitError::Declined(Declined::Changed(Entity::Approval))) => {}
            Err(error) => return Err(record::refusal(error)),
        }
    }
    Err(Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", "Others keep deciding about this call. Look at it again."))
}

fn row(approval: &Approval, decided: &Decided, request_id: &str) -> AuditEntry {
    let action = if matches!(decided.choice, Choice::Deny) { "approval.deny" } else { "approval.approve" };
    let report = json!({ "by": decided.by.shown_name(), "gate": decided.gate, "digest": hex(&approval.digest) });
    let row = trail::row(approval, action, Outcome::Done).report(&report.to_string()).request_id(request_id);
    let row = match &decided.by {
        Decider::Operator { id, .. } => row.operator(*id),
        Decider::Person { .. } => row,
    };
    match &decided.reason {
        Some(reason) => row.reason(reason),
        None => row,
    }
}

/// 404: nothing waits there.
pub fn not_found() -> Refusal {
    let message = "There is no such approval. It may have ended more than a day ago; the audit still has it.";
    Refusal::new(StatusCode::NOT_FOUND, "approval_not_found", message)
}

fn refusal(idle: Idle) -> Refusal {
    let conflict = |code, message: &str| Refusal::new(StatusCode::CONFLICT, code, message);
    match idle {
        Idle::Over(status) => {
            let message = match status {
                ApprovalStatus::Expired => "The time for deciding is over. Nothing was sent.",
                ApprovalStatus::Denied => "Somebody has said no already. Nothing was sent.",
                _ => "This was approved already, and a decision cannot be changed.",
            };
            conflict("approval_over", message).with("status", status.as_str())
        }
        Idle::DecidedBefore => conflict("approval_decided", "Somebody else has decided this already, and a decision cannot be changed."),
        Idle::NotAnApprover => Refusal::forbidden("not_an_approver", "You are not one of those who may decide this."),
        Idle::OwnRequest => {
            Refusal::forbidden("own_request", "This call is made in your name at your request. Somebody else has to decide.")
        }
        Idle::DecidedAnother => {
            Refusal::forbidden("gate_decided_by_you", "You have decided your part of this already. Somebody else has to decide the rest.")
        }
        Idle::AnotherCall => {
            conflict("approval_changed", "What you were shown is not the call that waits. Look at it again before you decide.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{About, AppId, Approver, Gate, GrantId, KeyId, OperatorId, Person};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1000);

    fn person(name: &str) -> Person {
        Person { issuer: "https://id.example".into(), subject: name.into() }
    }

    fn ada() -> Decider {
        Decider::Person { person: person("ada"), email: Some("ada@example.com".into()) }
    }

    fn bob() -> Decider {
        Decider::Operator { id: OperatorId(uuid::Uuid::from_u128(1)), name: "bob".into() }
    }

    fn approval(gates: &[&[Approver]]) -> Approval {
        let gate = |approvers: &&[Approver]| Gate { id: GateId::random(), approvers: approvers.iter().cloned().collect(), decision: None };
        Approval {
            id: ApprovalId::random(),
            app: AppId::random(),
            grant: GrantId::random(),
            key: KeyId::random(),
            agent: None,
            status: ApprovalStatus::Pending,
            gates: gates.iter().map(gate).collect(),
            about: About::default(),
            digest: [1; 32],
            version: 1,
            created_at: NOW,
            expires_at: Timestamp::from_millis(2000),
            decided_at: None,
            left_at: None,
            executed_at: None,
            notify_at: Some(NOW),
        }
    }

    fn says(by: Decider, choice: Choice) -> Decided {
        Decided { gate: None, by, choice, reason: None }
    }

    fn yes() -> Choice {
        Choice::Approve { digest: hex(&[1; 32]) }
    }

    fn mail(address: &str) -> Approver {
        Approver::Email { address: address.into() }
    }

    #[test]
    fn every_gate_takes_somebody_else() {
        let both = approval(&[&[Approver::Operators], &[mail("ada@example.com"), Approver::Operators]]);
        let first = after(&both, &says(bob(), yes()), NOW).expect("the first gate");
        assert_eq!((first.status, first.version, first.decided_at), (ApprovalStatus::Pending, 2, None));
        assert_eq!(after(&first, &says(bob(), yes()), NOW), Err(Idle::DecidedAnother));
        let second = after(&first, &says(ada(), yes()), NOW).expect("the second gate");
        assert_eq!((second.status, second.decided_at, second.notify_at), (ApprovalStatus::Approved, Some(NOW), None));
        assert_eq!(after(&second, &says(ada(), Choice::Deny), NOW), Err(Idle::DecidedBefore));
    }

    #[test]
    fn one_no_ends_it() {
        let both = approval(&[&[Approver::Operators], &[mail("ada@example.com")]]);
        let mut no = says(ada(), Choice::Deny);
        no.reason = Some("too much".into());
        let denied = after(&both, &no, NOW).expect("a decision");
        assert_eq!((denied.status, denied.about.decision_reason.as_deref()), (ApprovalStatus::Denied, Some("too much")));
        assert_eq!(after(&denied, &says(bob(), yes()), NOW), Err(Idle::Over(ApprovalStatus::Denied)));
    }

    #[test]
    fn who_asks_does_not_decide_and_strangers_do_not_either() {
        let mut own = approval(&[&[mail("ada@example.com"), Approver::Operators]]);
        own.about.person = Some(person("ada"));
        assert_eq!(after(&own, &says(ada(), yes()), NOW), Err(Idle::OwnRequest));
        assert_eq!(after(&own, &says(ada(), Choice::Deny), NOW), Err(Idle::OwnRequest));
        let others = approval(&[&[mail("eve@example.com")]]);
        assert_eq!(after(&others, &says(ada(), yes()), NOW), Err(Idle::NotAnApprover));
        assert_eq!(after(&others, &says(bob(), yes()), NOW), Err(Idle::NotAnApprover), "an operator is not everybody");
        let named = Decided { gate: Some(GateId::random()), ..says(bob(), yes()) };
        assert_eq!(after(&own, &named, NOW), Err(Idle::NotAnApprover), "a gate of another approval");
    }

    #[test]
    fn a_yes_is_to_one_call_and_in_time() {
        let one = approval(&[&[Approver::Operators]]);
        let other = Choice::Approve { digest: hex(&[2; 32]) };
        assert_eq!(after(&one, &says(bob(), other), NOW), Err(Idle::AnotherCall));
        assert_eq!(after(&one, &says(bob(), yes()), one.expires_at), Err(Idle::Over(ApprovalStatus::Expired)));
    }

    proptest! {
        /// Whoever says whatever in whatever order: an approved call was agreed to at each gate, by one of its approvers each, all different, and not by who asked.
        #[test]
        fn nothing_is_approved_without_somebody_at_each_gate(
            gates in prop::collection::vec(prop::collection::btree_set(0..4_usize, 1..4), 1..4),
            asker in prop::option::of(0..2_usize),
            moves in prop::collection::vec((0..4_usize, any::<bool>(), 0..4_usize, 900..2100_i64), 0..24),
        ) {
            let people = [ada(), Decider::Person { person: person("eve"), email: None }, bob(), Decider::Operator {
                id: OperatorId(uuid::Uuid::from_u128(2)),
                name: "carl".into(),
            }];
            let approvers = [mail("ada@example.com"), Approver::Person(person("eve")), Approver::Operator { name: "bob".into() }, Approver::Operators];
            let sets: Vec<Vec<Approver>> = gates.iter().map(|set| set.iter().map(|n| approvers[*n].clone()).collect()).collect();
            let mut now = approval(&sets.iter().map(Vec::as_slice).collect::<Vec<_>>());
            now.about.person = asker.map(|n| person(["ada", "eve"][n]));
            let mut refused = false;
            for (who, agrees, gate, at) in moves {
                let choice = if agrees { yes() } else { Choice::Deny };
                let decided = Decided { gate: now.gates.get(gate).map(|gate| gate.id), by: people[who].clone(), choice, reason: None };
                if let Ok(next) = after(&now, &decided, Timestamp::from_millis(at)) {
                    prop_assert!(at < 2000 && !refused, "nothing is decided late, or after a no");
                    refused = !agrees;
                    now = next;
                }
            }
            if now.status == ApprovalStatus::Approved {
                prop_assert!(!refused);
                let deciders: Vec<&Decider> = now.gates.iter().map(|gate| &gate.decision.as_ref().expect("decided").by).collect();
                for (gate, decider) in now.gates.iter().zip(&deciders) {
                    prop_assert!(decider.is_among(&gate.approvers));
                    prop_assert_eq!(deciders.iter().filter(|other| other.is_same(decider)).count(), 1);
                    if let Decider::Person { person, .. } = decider {
                        prop_assert_ne!(Some(person), now.about.person.as_ref());
                    }
                }
            }
        }
    }
}
