//! `GET /sdk/scopes`: every scope that a key can have.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::Vault;
use crate::api::judge::reach::{KNOWN_SCOPES, ORDERED_VERBS, SCOPE_VERSION};
use crate::api::pipeline::{Admitted, Answer, Call, Verdict};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};

/// The endpoint. It needs no scope: what there is to ask for is no secret.
pub struct ListScopes;

impl Call for ListScopes {
    const ACTION: &'static str = "scope.list";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, _: &Vault, _: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(catalogue()) })
    }
}

fn catalogue() -> Value {
    let mut resources = BTreeMap::<&str, Vec<&str>>::new();
    let mut alone = BTreeSet::new();
    for (resource, verb) in KNOWN_SCOPES.iter().filter_map(|scope| scope.split_once(':')) {
        resources.entry(resource).or_default().push(verb);
        if !ORDERED_VERBS.contains(&verb) {
            alone.insert(verb);
        }
    }
    let resources: BTreeMap<&str, Value> = resources.into_iter().map(|(name, verbs)| (name, json!({ "verbs": verbs }))).collect();
    json!({ "scope_version": SCOPE_VERSION, "resources": resources, "action_verbs": alone, "deprecated": [] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_in_it_once() {
        let catalogue = catalogue();
        assert_eq!(catalogue["resources"]["agents"], json!({"verbs": ["admin", "read", "write"]}));
        assert_eq!(catalogue["resources"]["keys"], json!({"verbs": ["admin", "derive"]}));
        assert_eq!(catalogue["action_verbs"], json!(["derive", "emit", "execute", "initiate", "retrieve"]));
        let verbs =
            catalogue["resources"].as_object().expect("a map").values().map(|resource| resource["verbs"].as_array().map_or(0, Vec::len));
        assert_eq!(verbs.sum::<usize>(), KNOWN_SCOPES.len());
    }
}
