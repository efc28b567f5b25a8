//! Where operations are played: a vault with an app for each client, its keys, agents and secrets, and the people who use it.

use std::collections::BTreeMap;

use alter_testkit::browser::Browser;
use alter_testkit::oauth::{CLIENT_ID, CLIENT_SECRET, OAuthServer, Rotation};
use alter_testkit::provider::{Account, Credential, Provider};
use alter_testkit::vault::Vault;
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::driver::{Call, Driver, Told};
use super::judge::{judge, member};
use super::list::{Expectation, Scenario, Step};
use super::people::{APP_CLIENT, People, VAULT_CLIENT, VAULT_SECRET};
use crate::conformance::client::Client;
use crate::project::Project;
use crate::report::Failure;

/// What came of the steps of one scenario.
pub type Played = Vec<Told>;

/// Scopes of the key `main`.
const MAIN: [&str; 12] = [
    "tokens:retrieve",
    "grants:write",
    "secrets:write",
    "connect:initiate",
    "idp_users:read",
    "idp_users:write",
    "agents:admin",
    "keys:admin",
    "keys:derive",
    "providers:read",
    "proxy:execute",
    "spans:emit",
];
/// The value of the managed secrets.
const CREDENTIAL: &str = "canary";
/// The OAuth provider.
const PROVIDER: &str = "drive";
/// The people whose tokens scenarios use.
const PERSONS: [&str; 2] = ["ada", "bob"];

/// Everything that a run happens on.
pub struct Stage {
    vault: Vault,
    people: People,
    /// Consents by itself.
    _provider: OAuthServer,
    /// The API behind the secret `mail`, which the vault calls.
    api: Provider,
    /// The provider's entry, in a file.
    entry: NamedTempFile,
    /// What the API behind the secret `mail` can do, in a file.
    document: NamedTempFile,
    /// ID tokens by name.
    tokens: BTreeMap<&'static str, String>,
}

impl Stage {
    /// Starts a vault and an OpenID provider, and signs everybody in there.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn set(project: &Project) -> Result<Self, Failure> {
        let api = Provider::start()?;
        let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        api.open("/mail/", Account { credentials: vec![credential], answer: None });
        let vault = Vault::start_in(&project.built("alter"), &[("ALTER_EGRESS_ALLOW", &api.address().to_string())])?;
        let people = People::start(project, &vault.url())?;
        let tokens = PERSONS.iter().map(|name| Ok((*name, people.token(name)?))).collect::<Result<_, Failure>>()?;
        let provider = OAuthServer::start(Rotation::None)?;
        let entry = NamedTempFile::new()?;
        std::fs::write(entry.path(), entry_of(&provider).to_string())?;
        let document = NamedTempFile::new()?;
        std::fs::write(document.path(), mail_api().to_string())?;
        Ok(Self { vault, people, _provider: provider, api, entry, document, tokens })
    }

    /// Plays all scenarios with one client, and judges each step.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn play(&self, project: &Project, client: Client, list: &[Scenario]) -> Result<Vec<Played>, Failure> {
        let known = self.furnish(client.name())?;
        let mut driver = Driver::start(project, client)?;
        let (mut played, mut wrong) = (Vec::with_capacity(list.len()), Vec::new());
        for scenario in list {
            if !scenario.is_for(client) {
                played.push(Vec::new());
                continue;
            }
            let mut names = known.clone();
            let mut told = Vec::with_capacity(scenario.steps.len());
            for (index, step) in scenario.steps.iter().enumerate() {
                let place = scenario.place(index);
                let (found, problems) = self
                    .step(&mut driver, step, &names)
                    .map_err(|failure| Failure { message: format!("{place}: {}", failure.message), ..failure })?;
                wrong.extend(problems.into_iter().map(|problem| format!("{place}: {problem}")));
                if let Some(name) = &step.save {
                    names.insert(name.clone(), found.result.clone());
                }
                told.push(found);
            }
            played.push(told);
        }
        if wrong.is_empty() { Ok(played) } else { Err(Failure::new(wrong.join("\n"))) }
    }

    fn step(&self, driver: &mut Driver, step: &Step, names: &Map<String, Value>) -> Result<(Told, Vec<String>), Failure> {
        let arguments = match resolved(&Value::Object(step.arguments.clone()), names)? {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        let told = if step.is_visit() {
            let url = arguments.get("url").and_then(Value::as_str).ok_or_else(|| Failure::new("a visit needs a url"))?;
            Told { result: json!({ "status": Browser::of("ada").visit(url, None)?.status }), ..Told::default() }
        } else if step.is_decision() {
            let id = text(&arguments, "approval_id")?;
            let yes: &[&str] = if step.call == "approve" { &["--yes"] } else { &[] };
            let line = [&["approval", &step.call, &id, "--reason", "as agreed"], yes].concat();
            let decided = self.vault.records(&line, "")?.into_iter().next().unwrap_or_default();
            Told { result: json!({ "status": decided["status"] }), ..Told::default() }
        } else {
            let key = match step.key.strip_prefix('$') {
                Some(made) => text(names, made)?,
                None => text(names, &format!("key.{}", step.key))?,
            };
            let user = step.user.as_ref().map(|user| text(names, &format!("token.{user}"))).transpose()?;
            driver.call(&Call {
                base_url: &self.vault.url(),
                api_key: &key,
                agent: key.starts_with("alter_ak_"),
                user_token: user.as_deref(),
                operation: &step.call,
                arguments: &arguments,
            })?
        };
        let problems = judge(&expected(&step.expect, names)?, &told);
        Ok((told, problems))
    }

    /// An app with an identity provider, two agents, two managed secrets and keys. Gives the names that scenarios use.
    fn furnish(&self, app: &str) -> Result<Map<String, Value>, Failure> {
        let one = |line: &[&str], input: &str| -> Result<Value, Failure> {
            let records = self.vault.records(line, input)?;
            records.into_iter().next().ok_or_else(|| Failure::new(format!("`alter {}` printed nothing", line.join(" "))))
        };
        let made = one(&["app", "create", app], "")?;
        let idp = ["idp", "set", &self.people.issuer, "--app", app, "--client-id", VAULT_CLIENT, "--audience", APP_CLIENT, "--stdin"];
        let scopes = ["--groups-claim", "groups", "--scope", "openid", "--scope", "profile", "--scope", "email", "--scope", "groups"];
        one(&[&idp[..], &scopes].concat(), VAULT_SECRET)?;
        let entry = self.entry.path().to_string_lossy();
        let scopes = ["--scope", "read", "--scope", "write", "--stdin"];
        let add = ["provider", "add", PROVIDER, "--app", app, "--client-id", CLIENT_ID, "--entry", &entry];
        one(&[&add[..], &scopes].concat(), CLIENT_SECRET)?;
        let key = |scopes: &[&str]| {
            let mut line = vec!["key", "create", "--app", app];
            line.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
            one(&line, "").map(|key| key["api_key"].clone())
        };
        let mut keys = json!({ "main": key(&MAIN)?, "reader": key(&["grants:read"])? });
        let (mut agents, mut secrets, mut grants) = (json!({}), json!({}), json!({ "unknown": "00000000-0000-4000-8000-000000000000" }));
        for name in ["planner", "writer"] {
            agents[name] = one(&["agent", "create", name, "--app", app], "")?["agent_id"].clone();
            keys[name] = one(&["key", "create", "--app", app, "--agent", name], "")?["api_key"].clone();
        }
        for slug in ["mail", "crm"] {
            let api = self.api.address().to_string();
            let hosts = ["--allow-host", "api.example.com", "--allow-host", &api];
            let create = ["secret", "create", slug, "--app", app, "--bearer", "--stdin"];
            secrets[slug] = one(&[&create[..], &hosts].concat(), CREDENTIAL)?["id"].clone();
            grants[slug] = one(&["grant", "create", "--app", app, "--secret", slug], "")?["grant_id"].clone();
        }
        one(&["spec", "load", "mail", "--app", app, "--file", &self.document.path().to_string_lossy()], "")?;
        let jwks = serde_json::from_str::<Value>(&Browser::default().get(&format!("{}/.well-known/jwks.json", self.vault.url()))?.text)?;
        let names = json!({
            "app": made["id"], "vault": self.vault.url(), "jwks": jwks, "key": keys, "agent": agents, "secret": secrets, "grant": grants,
            "issuer": self.people.issuer, "token": self.tokens, "null": null, "mail_api": format!("{}/mail/emails", self.api.url()),
        });
        match names {
            Value::Object(names) => Ok(names),
            _ => Ok(Map::new()),
        }
    }
}

/// What the vault has to know of the provider.
fn entry_of(provider: &OAuthServer) -> Value {
    let url = provider.url();
    json!({
        "id": PROVIDER, "name": "Drive", "scopes": { "read": "See your files" },
        "authorization": { "url": format!("{url}/authorize") }, "token": { "url": format!("{url}/token") },
        "refresh": { "supported": true }, "revocation": { "call": { "url": format!("{url}/revoke") } },
        "account": { "identifier": ["/email"], "call": { "url": format!("{url}/userinfo") } },
        "api": { "hosts": [provider.host()] },
    })
}

/// An OpenAPI document.
fn mail_api() -> Value {
    json!({
        "openapi": "3.1.0", "info": { "title": "Mail", "version": "1" },
        "paths": {
            "/emails": { "post": { "summary": "Send an e-mail" } },
            "/emails/{id}": { "get": { "operationId": "emails/get", "parameters": [{ "name": "id", "in": "path", "required": true }] } },
        },
    })
}

/// A value in which every text that begins with `$` is what it stands for.
fn resolved(value: &Value, names: &Map<String, Value>) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) if text.starts_with('$') => named(names, &text[1..])?.clone(),
        Value::Array(items) => items.iter().map(|item| resolved(item, names)).collect::<Result<_, _>>()?,
        Value::Object(members) => {
            let pairs = members.iter().map(|(name, value)| Ok((name.clone(), resolved(value, names)?)));
            Value::Object(pairs.collect::<Result<_, Failure>>()?)
        }
        other => other.clone(),
    })
}

fn expected(expect: &Expectation, names: &Map<String, Value>) -> Result<Expectation, Failure> {
    let all = |members: &BTreeMap<String, Value>| {
        members.iter().map(|(path, value)| Ok((path.clone(), resolved(value, names)?))).collect::<Result<_, Failure>>()
    };
    Ok(Expectation { result: all(&expect.result)?, error: expect.error.clone(), attributes: all(&expect.attributes)? })
}

fn named<'a>(names: &'a Map<String, Value>, path: &str) -> Result<&'a Value, Failure> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let found = names.get(first).and_then(|value| member(value, rest));
    found.ok_or_else(|| Failure::new(format!("there is no ${path} here")))
}

fn text(names: &Map<String, Value>, path: &str) -> Result<String, Failure> {
    named(names, path)?.as_str().map(str::to_owned).ok_or_else(|| Failure::new(format!("${path} is not a text")))
}
