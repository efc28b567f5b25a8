//! What may be changed of an agent, and what becomes of it: the same for the wire and for operators.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::api::members::invalid;
use crate::api::refusal::Refusal;
use crate::clock::Timestamp;
use crate::model::{Agent, AgentScopes};

/// Longest scopes, in bytes of compact JSON.
const LONGEST_SCOPES: usize = 12_288;
/// Longest metadata, in bytes of JSON.
pub const LONGEST_METADATA: usize = 16_384;
/// Longest time for which what is taken away from an agent's scopes may still hold, in seconds.
pub const LONGEST_GRACE: u64 = 604_800;
/// Names of managed secrets, as they were listed before there were slugs. This vault has none stored.
const LEGACY_NAMES: &str = "managed_secrets";

/// What a request changes; `None` leaves it.
#[derive(Debug, Default)]
pub struct Change {
    /// A name for people.
    pub display_name: Option<String>,
    /// All metadata.
    pub metadata: Option<Map<String, Value>>,
    /// All scopes.
    pub scopes: Option<AgentScopes>,
    /// The whole policy.
    pub policy: Option<Map<String, Value>>,
    /// How long what is taken away from the scopes still holds.
    pub grace: Duration,
}

impl Change {
    /// The agent after the change, one version on; `None` if it is the same.
    pub fn of(self, agent: &Agent, now: Timestamp) -> Option<Agent> {
        let mut next = agent.clone();
        if let Some(name) = self.display_name {
            next.display_name = Some(name);
        }
        if let Some(metadata) = self.metadata {
            next.metadata = metadata;
        }
        if let Some(policy) = self.policy {
            next.policy = policy;
        }
        if let Some(wanted) = self.scopes {
            let target = agent.staged.as_ref().map_or(&agent.scopes, |staged| &staged.scopes);
            // What was announced already keeps its time, unless it shall come at once.
            if *target != wanted || (agent.staged.is_some() && self.grace.is_zero()) {
                (next.scopes, next.staged) = agent.scopes_at(now).replaced(wanted, now, self.grace);
            }
        }
        (next != *agent).then(|| Agent { version: agent.version + 1, updated_at: now, ..next })
    }
}

/// Checks scopes that a request brings.
///
/// # Errors
/// 400 `invalid_request`, 422 `legacy_managed_secret_name_rejected`.
pub fn checked_scopes(lists: BTreeMap<String, Vec<String>>) -> Result<AgentScopes, Refusal> {
    let plain = |text: &String| !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    if lists.contains_key(LEGACY_NAMES) {
        let message = "scopes.managed_secrets lists names, and this vault knows managed secrets by their slugs: use managed_secret_slugs.";
        return Err(Refusal::unprocessable("legacy_managed_secret_name_rejected", message));
    }
    if !lists.keys().all(plain) {
        return Err(invalid("scopes must have providers as its members, without blanks around them."));
    }
    if let Some((name, _)) = lists.iter().find(|(_, list)| list.is_empty() || !list.iter().all(plain)) {
        return Err(invalid(format!("scopes.{name} must be a list of at least one scope or slug, without blanks around them.")));
    }
    let scopes = AgentScopes::from_iter(lists);
    let length = serde_json::to_string(&scopes).map_or(usize::MAX, |text| text.len());
    if length > LONGEST_SCOPES {
        return Err(invalid(format!("scopes must have at most {LONGEST_SCOPES} bytes as JSON.")));
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AppId;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn scopes(list: &[&str]) -> AgentScopes {
        AgentScopes::from_iter([("github".to_owned(), list.iter().map(|scope| (*scope).to_owned()).collect())])
    }

    fn agent() -> Agent {
        Agent { scopes: scopes(&["repo", "user"]), ..Agent::new(AppId::random(), "planner", NOW) }
    }

    fn narrowed(agent: &Agent, list: &[&str], at: Timestamp, grace: Duration) -> Option<Agent> {
        Change { scopes: Some(scopes(list)), grace, ..Change::default() }.of(agent, at)
    }

    #[test]
    fn what_is_equal_changes_nothing() {
        let agent = agent();
        assert_eq!(Change::default().of(&agent, NOW), None);
        assert_eq!(narrowed(&agent, &["repo", "user"], NOW, DAY), None);
        let named = Change { display_name: Some("Planner".into()), ..Change::default() };
        let next = named.of(&agent, NOW.plus(DAY)).expect("changed");
        assert_eq!((next.version, next.updated_at, next.display_name.as_deref()), (2, NOW.plus(DAY), Some("Planner")));
    }

    #[test]
    fn a_narrowing_is_announced_and_comes_into_force_by_itself() {
        let staged = narrowed(&agent(), &["repo"], NOW, DAY).expect("changed");
        assert_eq!(staged.scopes_at(NOW), &scopes(&["repo", "user"]));
        assert_eq!(staged.staged_at(NOW).map(|staged| staged.applies_at), Some(NOW.plus(DAY)));
        // Said again, it keeps its time; said with no grace, it comes at once.
        assert_eq!(narrowed(&staged, &["repo"], NOW.plus(Duration::from_secs(60)), DAY), None);
        let at_once = narrowed(&staged, &["repo"], NOW, Duration::ZERO).expect("changed");
        assert_eq!((at_once.scopes_at(NOW), at_once.staged_at(NOW)), (&scopes(&["repo"]), None));
        // Taken back before its time.
        let back = narrowed(&staged, &["repo", "user"], NOW, DAY).expect("changed");
        assert_eq!((back.scopes_at(NOW.plus(DAY)), &back.staged), (&scopes(&["repo", "user"]), &None));
        // Once in force, it is what later changes begin with.
        assert_eq!(staged.scopes_at(NOW.plus(DAY)), &scopes(&["repo"]));
        let later = narrowed(&staged, &["user"], NOW.plus(DAY), DAY).expect("changed");
        assert_eq!(later.scopes_at(NOW.plus(DAY)), &scopes(&["repo", "user"]));
        assert_eq!(later.scopes_at(NOW.plus(DAY + DAY)), &scopes(&["user"]));
    }

    #[test]
    fn scopes_are_judged_by_their_shape() {
        let judge = |name: &str, list: &[&str]| {
            let list = list.iter().map(|text| (*text).to_owned()).collect();
            checked_scopes(BTreeMap::from([(name.to_owned(), list)])).map_err(|refusal| refusal.code())
        };
        assert!(judge("github", &["repo"]).is_ok() && checked_scopes(BTreeMap::new()).is_ok());
        for (name, list) in [("", &["x"][..]), (" github", &["x"]), ("github", &[]), ("github", &[""]), ("github", &["x "])] {
            assert_eq!(judge(name, list), Err("invalid_request"), "{name:?} {list:?}");
        }
        assert_eq!(judge("managed_secrets", &["Mail"]), Err("legacy_managed_secret_name_rejected"));
        assert_eq!(judge("github", &[&"x".repeat(12_288)]), Err("invalid_request"));
    }
}
