//! An agent's policy: whether people have to approve what it does.
//!
//! `{"requires_approval": {"approvers": ["ada@example.com", "operator:bob"]}}`: each call of the agent that uses a credential waits for one of them: whoever
//! the app's identity provider signs in with a verified address, or an operator by name. `{}` asks for nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::api::members::invalid;
use crate::api::refusal::Refusal;
use crate::model::{Agent, Approver};

const REQUIRES_APPROVAL: &str = "requires_approval";
const APPROVERS: &str = "approvers";
const MOST_APPROVERS: usize = 20;

/// Checks a policy that a request brings. What this vault does not know is refused: it could not be kept to.
///
/// # Errors
/// 400 `invalid_request` naming the member.
pub fn checked(policy: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    if policy.keys().any(|name| name != REQUIRES_APPROVAL) {
        return Err(invalid("policy has a member that this vault does not know; it knows requires_approval."));
    }
    let Some(wanted) = policy.get(REQUIRES_APPROVAL) else { return Ok(policy) };
    let whole = wanted.as_object().filter(|wanted| wanted.keys().all(|name| name == APPROVERS)).and_then(|wanted| wanted.get(APPROVERS));
    let listed = whole.and_then(Value::as_array).filter(|list| (1..=MOST_APPROVERS).contains(&list.len()));
    if listed.is_some_and(|list| list.iter().all(|entry| entry.as_str().and_then(Approver::parse).is_some())) {
        return Ok(policy);
    }
    let message = format!(
        "policy.requires_approval must be an object with approvers: 1 to {MOST_APPROVERS} e-mail addresses, or operators as operator:NAME."
    );
    Err(invalid(message))
}

/// The policy as clients see it: how many may approve, and not who.
pub fn shown(policy: &Map<String, Value>) -> Value {
    match approvers(policy) {
        None => json!({}),
        Some(approvers) => json!({ REQUIRES_APPROVAL: { "approvers_count": approvers.len() } }),
    }
}

/// Who has to approve what the agent does: one of these. `None` if nobody has to.
pub fn approvers_of(agent: &Agent) -> Option<BTreeSet<Approver>> {
    // An entry that cannot be read approves nothing; what stands there was checked when it was stored.
    approvers(&agent.policy).map(|list| list.into_iter().filter_map(Approver::parse).collect())
}

fn approvers(policy: &Map<String, Value>) -> Option<Vec<&str>> {
    let list = policy.get(REQUIRES_APPROVAL)?.get(APPROVERS)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: Value) -> Result<Value, String> {
        let policy = policy.as_object().cloned().expect("an object");
        checked(policy).map(|policy| shown(&policy)).map_err(|refusal| refusal.message().to_owned())
    }

    #[test]
    fn approvers_are_counted_and_not_named() {
        assert_eq!(judge(json!({})), Ok(json!({})));
        let two = json!({"requires_approval": {"approvers": ["ada@example.com", "operator:bob"]}});
        assert_eq!(judge(two), Ok(json!({"requires_approval": {"approvers_count": 2}})));
    }

    #[test]
    fn what_could_not_be_kept_to_is_refused() {
        for policy in [
            json!({"requires_approval": true}),
            json!({"requires_approval": {}}),
            json!({"requires_approval": {"approvers": []}}),
            json!({"requires_approval": {"approvers": ["ada"]}}),
            json!({"requires_approval": {"approvers": ["@b"]}}),
            json!({"requires_approval": {"approvers": ["operator:"]}}),
            json!({"requires_approval": {"approvers": ["a b@c"]}}),
            json!({"requires_approval": {"approvers": ["a@b"], "after": 1}}),
            json!({"rate": 1}),
        ] {
            assert!(judge(policy.clone()).is_err_and(|message| message.starts_with("policy")), "{policy}");
        }
    }
}
