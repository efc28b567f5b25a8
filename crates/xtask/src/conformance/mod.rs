//! `cargo xtask conformance`: one scenario list, a real vault, and every client.

pub mod client;
mod compare;
mod fixtures;
mod operations;
pub mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use alter_testkit::browser::Browser;
use alter_testkit::http::{Headers, Response};
use alter_testkit::provider::{Account, Provider};
use alter_testkit::relay::{Attack, Relay};
use alter_testkit::vault::Vault;
use serde_json::{Map, json};

use crate::checks::{node, python, rust};
use crate::conformance::client::{Call, Client, Observed};
use crate::conformance::compare::Evidence;
use crate::conformance::fixtures::Fixtures;
use crate::conformance::scenario::{Scenario, Scenarios, Secret};
use crate::project::Project;
use crate::report::{Checks, Failure, Report};

/// The whole list with every client.
pub fn all(project: &Project, report: &mut Report) {
    let clients = [Client::Reference, Client::Rust, Client::Python, Client::TypeScript];
    run(project, report, &Wanted { clients: &clients, only: "", calls: false });
}

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// With which clients.
    pub clients: &'a [Client],
    /// Only the scenarios whose id begins with this.
    pub only: &'a str,
    /// Whether to print the names of the calls that ran.
    pub calls: bool,
}

/// Runs the scenarios with each client, and compares.
pub fn run(project: &Project, report: &mut Report, wanted: &Wanted<'_>) {
    if !prepare(project, report, wanted.clients) {
        return report.skip("scenarios", "a client is missing");
    }
    let mut calls = play(project, report, wanted.clients, wanted.only);
    calls.extend(operations::play(project, report, wanted.clients, wanted.only));
    if wanted.calls {
        calls.iter().for_each(|call| report.say(call));
    }
}

/// Does what a person does at an address of the vault's, for a program that opens it in a browser. Shows nothing.
pub fn browse(url: &str) -> ExitCode {
    match Browser::of("ada").visit(url, None) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Builds what the run needs.
fn prepare(project: &Project, report: &mut Report, clients: &[Client]) -> bool {
    let built = rust::programs(project, report, &["alter-cli", "alter-conformance"]);
    built
        && (!clients.contains(&Client::Python) || python::installed(project, report).is_some())
        && (!clients.contains(&Client::TypeScript) || node::installed(project, report))
}

/// Plays them, and gives the names of the calls that ran.
fn play(project: &Project, report: &mut Report, clients: &[Client], only: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let read = || Ok((Scenarios::load(&project.path("tests/conformance/scenarios.toml"))?, Checks::NONE));
    let Some(mut scenarios) = report.value("the list of calls", read) else { return calls };
    scenarios.list.retain(|scenario| scenario.id.starts_with(only));
    if scenarios.list.is_empty() {
        return calls;
    }
    let begun = report.value("a vault on an empty folder", || Ok((Stage::set(project, scenarios)?, Checks::NONE)));
    let Some(stage) = begun else { return calls };
    let mut reports = BTreeMap::new();
    for client in clients {
        let observed = report.value(&format!("{}: {} scenarios", client.title(), stage.scenarios.list.len()), || {
            let observed = stage.play(project, *client)?;
            let checks = Checks::passed(observed.len() as u64);
            Ok((observed, checks))
        });
        if let Some(observed) = observed {
            let narrowed = stage.scenarios.list.iter().any(|scenario| scenario.scopes.is_some() || scenario.rule.is_some());
            calls.extend(["request"].into_iter().chain(narrowed.then_some("with_constraints")).map(str::to_owned));
            reports.insert(*client, observed);
        }
    }
    if let Some(reference) = reports.get(&Client::Reference) {
        for (client, ours) in reports.iter().filter(|(client, _)| client.is_ours()) {
            report.step(&format!("{} and the public package agree", client.title()), || stage.agree(*client, reference, ours));
        }
    }
    report.step("the audit chain is whole", || {
        stage.vault.records(&["audit", "verify"], "")?;
        Ok(Checks::ONE)
    });
    calls
}

/// Everything that a run happens on.
struct Stage {
    scenarios: Scenarios,
    vault: Vault,
    provider: Provider,
    relay: Relay,
}

impl Stage {
    fn set(project: &Project, scenarios: Scenarios) -> Result<Self, Failure> {
        let vault = Vault::start(&project.built("alter"))?;
        let relay = Relay::start(vault.address())?;
        Ok(Self { scenarios, vault, provider: Provider::start()?, relay })
    }

    /// Makes every call with one client and judges each; the reports come back with the client's ids replaced by names.
    fn play(&self, project: &Project, client: Client) -> Result<Vec<Observed>, Failure> {
        let host = self.provider.address().to_string();
        let fixtures = Fixtures::create(&self.vault, client.name(), &host, &self.scenarios)?;
        let calls = self.scenarios.list.iter().map(|scenario| self.call(scenario, client, &fixtures)).collect::<Result<Vec<_>, _>>()?;
        let observed = client.run(project, &calls)?;
        let canaries: Vec<String> = self.scenarios.secrets.iter().flat_map(Secret::canaries).collect();
        let mut wrong = Vec::new();
        for (scenario, observed) in self.scenarios.list.iter().zip(&observed) {
            let evidence = Evidence {
                client,
                observed,
                provider: &self.provider.seen(&prefix(scenario, client)),
                token_requests: scenario.is_relayed().then(|| self.relay.token_requests(&tag(scenario, client))),
                canaries: &canaries,
            };
            wrong.extend(compare::judge(scenario, &evidence).iter().map(|problem| scenario.tell(problem)));
        }
        if !wrong.is_empty() {
            return Err(Failure::new(wrong.join("\n")));
        }
        let mut names: BTreeMap<_, _> = fixtures.grants.into_iter().map(|(name, id)| (id, format!("<grant {name}>"))).collect();
        names.insert(format!("/{}/", client.name()), "/<client>/".to_owned());
        Ok(observed.iter().map(|observed| compare::rename(observed, &names)).collect())
    }

    fn call(&self, scenario: &Scenario, client: Client, fixtures: &Fixtures) -> Result<Call, Failure> {
        let missing = |what: &str, name: &str| Failure::new(format!("scenario {}: there is no {what} {name}", scenario.id));
        let api_key = fixtures.keys.get(&scenario.key).ok_or_else(|| missing("key", &scenario.key))?;
        let base_url = if scenario.is_relayed() {
            let attack = scenario.attack.as_deref().and_then(Attack::named).unwrap_or(Attack::None);
            self.relay.url(&tag(scenario, client), attack)
        } else {
            self.vault.url()
        };
        self.open_account(scenario, client)?;
        let port = self.provider.address().port();
        let url = format!("http://{}:{port}{}v1/things", scenario.host, prefix(scenario, client));
        let mut request = Map::from_iter([("method".to_owned(), scenario.method.clone().into()), ("url".to_owned(), url.into())]);
        if let Some(name) = &scenario.grant {
            let id = fixtures.grants.get(name).ok_or_else(|| missing("grant", name))?;
            request.insert("grant_id".to_owned(), id.clone().into());
        }
        if let Some(slug) = &scenario.slug {
            request.insert("provider".to_owned(), slug.clone().into());
        }
        if let Some(json) = &scenario.json {
            request.insert("json".to_owned(), json.clone());
        }
        let (scopes, rule) = (scenario.scopes.clone(), scenario.rule.clone());
        Ok(Call { id: scenario.id.clone(), base_url, api_key: api_key.clone(), scopes, rule, request })
    }

    /// Lets the provider know which credential this call must carry, and how to answer it.
    fn open_account(&self, scenario: &Scenario, client: Client) -> Result<(), Failure> {
        let name = scenario.grant.as_ref().or(scenario.slug.as_ref());
        let secret = self.scenarios.secrets.iter().find(|secret| Some(&secret.name) == name);
        // A call that is meant to be refused by the vault has no secret; should it arrive all the same, nothing is asked of it,
        // and the count of calls shows that it arrived.
        let credentials = secret.map(|secret| secret.arrives.iter().map(scenario::Arrival::credential).collect());
        let prefix = prefix(scenario, client);
        let answer = provider_answer(&scenario.provider, &format!("{}{prefix}elsewhere", self.provider.url()))
            .ok_or_else(|| Failure::new(format!("scenario {}: the provider has no answer {:?}", scenario.id, scenario.provider)))?;
        self.provider.open(&prefix, Account { credentials: credentials.unwrap_or_default(), answer });
        Ok(())
    }

    fn agree(&self, client: Client, reference: &[Observed], ours: &[Observed]) -> Result<Checks, Failure> {
        let mut wrong = Vec::new();
        for ((scenario, theirs), ours) in self.scenarios.list.iter().zip(reference).zip(ours) {
            let differences = compare::disagreement(scenario, client, theirs, ours);
            wrong.extend(differences.iter().map(|difference| scenario.tell(difference)));
        }
        if wrong.is_empty() { Ok(Checks::passed(ours.len() as u64)) } else { Err(Failure::new(wrong.join("\n"))) }
    }
}

/// The path below which the provider serves one scenario of one client.
fn prefix(scenario: &Scenario, client: Client) -> String {
    format!("/{}/{}/", client.name(), scenario.id)
}

/// The same as one path segment, for the relay.
fn tag(scenario: &Scenario, client: Client) -> String {
    format!("{}.{}", client.name(), scenario.id.replace('/', "."))
}

/// The provider's answer of this name; the inner `None` is its usual one.
fn provider_answer(name: &str, elsewhere: &str) -> Option<Option<Response>> {
    let error = |status: u16, message: &str| Response::json(status, &json!({ "message": message }));
    let answer = match name {
        "ok" => return Some(None),
        "401" => error(401, "this token is not known here"),
        "403" => error(403, "not yours"),
        "404" => error(404, "nothing here"),
        "429" => error(429, "slow down").with_header("Retry-After", "7"),
        "500" => error(500, "we broke"),
        "challenge" => error(403, "more rights are needed")
            .with_header("WWW-Authenticate", r#"Bearer realm="things", error="insufficient_scope", scope="mail.send mail.read""#),
        "redirect" => Response { status: 302, headers: Headers::default(), body: Vec::new() }.with_header("Location", elsewhere),
        _ => return None,
    };
    Some(Some(answer))
}
