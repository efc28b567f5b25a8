//! The scenario list, as `tests/conformance/scenarios.toml` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use alter_testkit::provider::Credential;
use alter_testkit::relay::Attack;
use serde::Deserialize;
use serde_json::Value;

use crate::conformance::client::Client;
use crate::report::Failure;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenarios {
    /// The managed secrets that the calls use.
    #[serde(rename = "secret")]
    pub secrets: Vec<Secret>,
    /// The calls.
    #[serde(rename = "scenario")]
    pub list: Vec<Scenario>,
}

/// A managed secret of the vault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Its name, slug, and the name of its grant.
    pub name: String,
    /// Options of `alter secret create`.
    pub create: Vec<String>,
    /// The secret itself. It must never be visible to a caller.
    pub value: String,
    /// What the provider must find in a request.
    pub arrives: Vec<Arrival>,
}

impl Secret {
    /// What no caller may see: the value, or the fields of one that is an object.
    pub fn canaries(&self) -> Vec<String> {
        match serde_json::from_str(&self.value) {
            Ok(Value::Object(fields)) => fields.values().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec![self.value.clone()],
        }
    }
}

/// One credential in a request to the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Arrival {
    /// A header.
    Header {
        /// Its name.
        header: String,
        /// Its value.
        value: String,
    },
    /// A query parameter.
    Query {
        /// Its name.
        query: String,
        /// Its value.
        value: String,
    },
    /// An AWS signature.
    Aws {
        /// The access key id in the signature.
        access_key_id: String,
        /// The region in its scope.
        region: String,
        /// The service in its scope.
        service: String,
    },
}

impl Arrival {
    /// The same, as the provider takes it.
    pub fn credential(&self) -> Credential {
        match self {
            Self::Header { header, value } => Credential::Header { name: header.clone(), value: value.clone() },
            Self::Query { query, value } => Credential::Query { name: query.clone(), value: value.clone() },
            Self::Aws { access_key_id, region, service } => {
                Credential::SigV4 { access_key_id: access_key_id.clone(), region: region.clone(), service: service.clone() }
            }
        }
    }
}

/// One call and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A unique name, `group/what`.
    pub id: String,
    /// Why it is there, where the name does not say it.
    pub about: Option<String>,
    /// The name of the API key.
    #[serde(default = "main_key")]
    pub key: String,
    /// The name of the grant, unless it is addressed by `slug`.
    pub grant: Option<String>,
    /// The slug of the secret.
    pub slug: Option<String>,
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The JSON body.
    pub json: Option<Value>,
    /// The host in the URL.
    #[serde(default = "loopback")]
    pub host: String,
    /// Scopes for `with_constraints`.
    pub scopes: Option<Vec<String>>,
    /// A rule for `with_constraints`.
    pub rule: Option<Value>,
    /// What the relay does, if the call goes through it.
    pub attack: Option<String>,
    /// How the provider answers.
    #[serde(default = "fine")]
    pub provider: String,
    /// What must come of it.
    pub expect: Expectation,
    /// Where ours is meant to differ from the public package.
    pub ours: Option<Ours>,
    /// Where ours is meant to differ from it in TypeScript only.
    pub typescript: Option<Ours>,
}

/// What must come of a call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// A response with this status, or
    pub status: Option<u16>,
    /// an exception of this class,
    pub error: Option<String>,
    /// whose public attributes have these values; a dot leads into an object.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
    /// How many calls reach the provider.
    pub calls: Option<usize>,
    /// The body that reaches it.
    pub sent_body: Option<String>,
    /// How many token requests leave the client; not counted unless it is said.
    pub vault_calls: Option<usize>,
}

impl Expectation {
    /// How many calls must reach the provider.
    pub fn provider_calls(&self) -> usize {
        self.calls.unwrap_or(usize::from(self.status.is_some()))
    }
}

/// A difference that was decided.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ours {
    /// The reason.
    pub why: String,
    /// What must come of the call with ours.
    pub expect: Expectation,
}

impl Scenario {
    /// The difference that was decided for a client, if there is one.
    pub fn difference(&self, client: Client) -> Option<&Ours> {
        let own = self.typescript.as_ref().filter(|_| client == Client::TypeScript);
        own.or(self.ours.as_ref().filter(|_| client.is_ours()))
    }

    /// Whether the call goes through the relay: to be attacked, or to be counted.
    pub fn is_relayed(&self) -> bool {
        self.attack.is_some() || self.expect.vault_calls.is_some()
    }

    /// A problem with this scenario, in one line.
    pub fn tell(&self, problem: &str) -> String {
        let about = self.about.as_ref().map_or_else(String::new, |about| format!(" ({about})"));
        format!("{}{about}: {problem}", self.id)
    }
}

fn main_key() -> String {
    "main".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

fn fine() -> String {
    "ok".to_owned()
}

impl Scenarios {
    /// Reads the list and checks it.
    ///
    /// # Errors
    /// When the file is missing, has an unknown member, or a scenario contradicts itself.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        Self::parse(&fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let scenarios: Self = toml::from_str(text)?;
        let mut ids = BTreeSet::new();
        for scenario in &scenarios.list {
            let wrong = |what: &str| Err(Failure::new(format!("scenario {}: {what}", scenario.id)));
            if !ids.insert(&scenario.id) {
                return wrong("there are two with this id");
            }
            if scenario.grant.is_some() == scenario.slug.is_some() {
                return wrong("give either grant or slug");
            }
            if scenario.attack.as_ref().is_some_and(|name| Attack::named(name).is_none()) {
                return wrong("the relay does not know this attack");
            }
            let differences = [&scenario.ours, &scenario.typescript].into_iter().flatten().map(|difference| &difference.expect);
            if differences.chain([&scenario.expect]).any(|expect| expect.status.is_some() == expect.error.is_some()) {
                return wrong("give either status or error");
            }
        }
        Ok(scenarios)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;

    #[test]
    fn the_list_is_sound() {
        let list = Scenarios::load(&Project::here().path("tests/conformance/scenarios.toml")).expect("a sound list");
        assert!(list.list.len() >= 40, "{}", list.list.len());
    }

    #[test]
    fn contradictions_are_refused() {
        let scenario = |rest: &str| Scenarios::parse(&format!("secret = []\n[[scenario]]\nid = \"a\"\n{rest}"));
        assert!(scenario("grant = \"g\"\nexpect.status = 200").is_ok());
        for (rest, named) in [
            ("expect.status = 200", "grant or slug"),
            ("grant = \"g\"\nslug = \"s\"\nexpect.status = 200", "grant or slug"),
            ("grant = \"g\"", "expect"),
            ("grant = \"g\"\nexpect.calls = 0", "status or error"),
            ("grant = \"g\"\nexpect.status = 200\nexpect.cals = 0", "cals"),
            ("grant = \"g\"\nexpect.status = 200\nexpect.error = \"E\"", "status or error"),
            ("grant = \"g\"\nexpect.status = 200\nattack = \"none-such\"", "attack"),
            ("grant = \"g\"\nexpect.status = 200\n[[scenario]]\nid = \"a\"\ngrant = \"g\"\nexpect.status = 200", "two"),
        ] {
            let failure = scenario(rest).expect_err(rest);
            assert!(failure.message.contains(named), "{}", failure.message);
        }
    }
}
