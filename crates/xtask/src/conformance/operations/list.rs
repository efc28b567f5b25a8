//! The list of operations, as `tests/conformance/operations.toml` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::conformance::client::Client;
use crate::report::Failure;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// The scenarios, in the order in which they are played.
    #[serde(rename = "scenario")]
    pub list: Vec<Scenario>,
}

/// Calls that belong together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A unique name, `operation/what`.
    pub id: String,
    /// Why it is there, where the name does not say it.
    pub about: Option<String>,
    /// The clients that have its calls by now; without it all of them.
    pub clients: Option<Vec<Client>>,
    /// The calls, one after the other.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// One call and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The method, in snake case, `agents.create` for one of a namespace. Or what a person does: with `visit` they open the address `url` and do what its
    /// pages ask for, with `approve` and `deny` an operator decides about the call `approval_id`.
    pub call: String,
    /// The name of the API key; with `$` one that an earlier step has made, `$made.api_key`.
    #[serde(default = "main_key")]
    pub key: String,
    /// The person whose token the client's getter gives.
    pub user: Option<String>,
    /// The arguments by name. A text that begins with `$` stands for something: `$grant.mail`, `$agent.planner.id`, `$token.ada`, and with the
    /// name of an earlier step's result for a member of it, `$minted.grant_id`.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// The name under which later steps of the scenario find the result.
    pub save: Option<String>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expectation,
}

/// What must come of a call: a result unless an error is named.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Members of the result, by paths such as `grants.0.status`; an empty path is the whole result. `$` as for arguments.
    #[serde(default)]
    pub result: BTreeMap<String, Value>,
    /// The class of the exception.
    pub error: Option<String>,
    /// Members of its public attributes.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
}

impl Scenario {
    /// Whether a client plays it.
    pub fn is_for(&self, client: Client) -> bool {
        self.clients.as_ref().is_none_or(|clients| clients.contains(&client))
    }

    /// Names a step in a message.
    pub fn place(&self, index: usize) -> String {
        let about = self.about.as_ref().map_or_else(String::new, |about| format!(" ({about})"));
        let call = self.steps.get(index).map_or("?", |step| &step.call);
        format!("{}{about}, step {} {call}", self.id, index + 1)
    }
}

impl Step {
    /// Whether a person opens an address.
    pub fn is_visit(&self) -> bool {
        self.call == "visit"
    }

    /// Whether an operator decides.
    pub fn is_decision(&self) -> bool {
        matches!(self.call.as_str(), "approve" | "deny")
    }
}

fn main_key() -> String {
    "main".to_owned()
}

impl Operations {
    /// Reads the list and checks it.
    ///
    /// # Errors
    /// When the file is missing, has an unknown member, or a scenario contradicts itself.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        Self::parse(&fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let operations: Self = toml::from_str(text)?;
        let mut ids = BTreeSet::new();
        for scenario in &operations.list {
            let wrong = |what: &str| Err(Failure::new(format!("scenario {}: {what}", scenario.id)));
            if !ids.insert(&scenario.id) {
                return wrong("there are two with this id");
            }
            if scenario.steps.is_empty() {
                return wrong("it has no steps");
            }
            for step in &scenario.steps {
                match &step.expect.error {
                    Some(_) if !step.expect.result.is_empty() => return wrong("give either a result or an error"),
                    None if !step.expect.attributes.is_empty() => return wrong("attributes are an error's"),
                    _ => {}
                }
            }
        }
        Ok(operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    /// Every operation that both packages have and the vault serves.
    const COVERED: [&str; 42] = [
        "agents.create",
        "agents.delete",
        "agents.deprecate_key",
        "agents.get",
        "agents.get_by_name",
        "agents.list",
        "agents.list_keys",
        "agents.mint_key",
        "agents.resume",
        "agents.revoke_key",
        "agents.suspend",
        "agents.undeprecate_key",
        "agents.update",
        "assert_identity",
        "authenticate",
        "connect",
        "create_auth_session",
        "create_connect_session",
        "create_connect_session_for_error",
        "create_managed_secret_connect_session",
        "create_managed_secret_grant",
        "delegate",
        "keys.derive",
        "keys.revoke",
        "keys.rotate",
        "list_grants",
        "me",
        "mint_grant",
        "oauth_providers.list",
        "poll_auth_session",
        "poll_connect_session",
        "provider_specs.get",
        "provider_specs.get_operation",
        "provider_specs.list",
        "provider_specs.list_operations",
        "resolve_identity",
        "revoke_delegation",
        "revoke_grant",
        "scopes.list",
        "spans.emit",
        "verify_identity_assertion",
        "verify_user_token",
    ];

    #[test]
    fn the_list_is_sound_and_leaves_nothing_out() {
        let list = Operations::load(&Project::here().path("tests/conformance/operations.toml")).expect("a sound list").list;
        let called: BTreeSet<&str> = list.iter().flat_map(|scenario| &scenario.steps).map(|step| step.call.as_str()).collect();
        let missing: Vec<_> = COVERED.iter().filter(|name| !called.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn contradictions_are_refused() {
        let one = |rest: &str| Operations::parse(&format!("[[scenario]]\nid = \"a\"\n[[scenario.step]]\ncall = \"list_grants\"\n{rest}"));
        assert!(one("expect.result = { total = 1 }").is_ok() && one("").is_ok());
        for (rest, named) in [
            ("expect.error = \"E\"\nexpect.result = { total = 1 }", "either"),
            ("expect.attributes = { a = 1 }", "an error's"),
            ("expect.results = { total = 1 }", "results"),
            ("[[scenario]]\nid = \"a\"\n[[scenario.step]]\ncall = \"x\"", "two"),
            ("[[scenario]]\nid = \"b\"\nstep = []", "no steps"),
        ] {
            let failure = one(rest).expect_err(rest);
            assert!(failure.message.contains(named), "{}", failure.message);
        }
    }
}
