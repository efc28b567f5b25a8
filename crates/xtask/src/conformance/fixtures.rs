//! What a client finds in the vault: an app of its own with secrets, grants and keys, made through the command line as an
//! operator would.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use alter_testkit::vault::Vault;
use serde_json::Value;

use crate::conformance::scenario::{Scenarios, Secret};
use crate::report::Failure;

/// Well formed, but not of any vault: from `tests/vectors/api_keys.json`.
const UNKNOWN_KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
/// The same with one wrong letter, so that its checksum does not fit.
const TYPO_KEY: &str = "alter_rk_abcdefghijklmnopqrstuw_iwpykn";
/// A grant id that no vault gives out.
const UNKNOWN_GRANT: &str = "00000000-0000-4000-8000-000000000000";
/// How long to wait for something to expire that was made to live for one second.
const EXPIRY_LIMIT: Duration = Duration::from_secs(15);

/// The keys and grants of one client, by the names that the scenarios use.
pub struct Fixtures {
    /// API keys.
    pub keys: BTreeMap<String, String>,
    /// Grant ids.
    pub grants: BTreeMap<String, String>,
}

impl Fixtures {
    /// Makes the app `app` and everything in it; `host` is where its secrets may go.
    ///
    /// # Errors
    /// When a command fails.
    pub fn create(vault: &Vault, app: &str, host: &str, scenarios: &Scenarios) -> Result<Self, Failure> {
        let operator = Operator { vault, app };
        operator.create_app()?;
        let mut keys = BTreeMap::from([
            ("main".to_owned(), operator.key(&["tokens:retrieve", "grants:read"])?),
            ("unknown".to_owned(), UNKNOWN_KEY.to_owned()),
            ("typo".to_owned(), TYPO_KEY.to_owned()),
        ]);
        keys.insert("revoked".to_owned(), operator.revoked_key()?);
        keys.insert("expired".to_owned(), operator.expired_key()?);
        keys.insert("without-tokens".to_owned(), operator.key(&["grants:read"])?);
        keys.insert("only-tokens".to_owned(), operator.key(&["tokens:retrieve"])?);
        let mut grants = BTreeMap::new();
        for secret in &scenarios.secrets {
            operator.secret(secret, host)?;
            grants.insert(secret.name.clone(), operator.grant(&secret.name, &[])?);
        }
        // On another secret than the one that scenarios address by its slug, which must have one grant only.
        grants.insert("second".to_owned(), operator.grant("header", &[])?);
        grants.insert("revoked".to_owned(), operator.revoked_grant("header")?);
        grants.insert("expired".to_owned(), operator.expired_grant("header")?);
        grants.insert("deleted".to_owned(), operator.grant_of_deleted_secret(scenarios, host)?);
        grants.insert("unknown".to_owned(), UNKNOWN_GRANT.to_owned());
        grants.insert("malformed".to_owned(), "not-a-grant".to_owned());
        grants.insert("foreign".to_owned(), Self::foreign_grant(vault, app, host, scenarios)?);
        Ok(Self { keys, grants })
    }

    fn foreign_grant(vault: &Vault, app: &str, host: &str, scenarios: &Scenarios) -> Result<String, Failure> {
        let app = format!("{app}-neighbour");
        let neighbour = Operator { vault, app: &app };
        neighbour.create_app()?;
        let secret = scenarios.secrets.first().ok_or_else(|| Failure::new("the scenario list has no secret"))?;
        neighbour.secret(secret, host)?;
        neighbour.grant(&secret.name, &[])
    }
}

/// Somebody at the command line who looks after one app.
struct Operator<'a> {
    vault: &'a Vault,
    app: &'a str,
}

impl Operator<'_> {
    fn create_app(&self) -> Result<(), Failure> {
        self.vault.records(&["app", "create", self.app], "")?;
        Ok(())
    }

    fn secret(&self, secret: &Secret, host: &str) -> Result<(), Failure> {
        let mut line = vec!["secret", "create", &secret.name, "--app", self.app, "--allow-host", host, "--stdin"];
        line.extend(secret.create.iter().map(String::as_str));
        self.vault.records(&line, &secret.value)?;
        Ok(())
    }

    fn grant(&self, secret: &str, more: &[&str]) -> Result<String, Failure> {
        self.one(&[&["grant", "create", "--app", self.app, "--secret", secret], more].concat(), "", "grant_id")
    }

    fn revoked_grant(&self, secret: &str) -> Result<String, Failure> {
        let id = self.grant(secret, &[])?;
        self.vault.records(&["grant", "revoke", &id, "--app", self.app, "--yes"], "")?;
        Ok(id)
    }

    fn expired_grant(&self, secret: &str) -> Result<String, Failure> {
        let id = self.grant(secret, &["--expires-in", "1s"])?;
        self.until_expired("grant", "grant_id", &id)?;
        Ok(id)
    }

    fn grant_of_deleted_secret(&self, scenarios: &Scenarios, host: &str) -> Result<String, Failure> {
        let template = scenarios.secrets.first().ok_or_else(|| Failure::new("the scenario list has no secret"))?;
        let secret = Secret { name: "short-lived".to_owned(), ..template.clone() };
        self.secret(&secret, host)?;
        let id = self.grant(&secret.name, &[])?;
        self.vault.records(&["secret", "delete", &secret.name, "--app", self.app, "--yes"], "")?;
        Ok(id)
    }

    /// Waits until the list of `noun` says that the one with this id has expired.
    fn until_expired(&self, noun: &str, id_member: &str, id: &str) -> Result<(), Failure> {
        let deadline = Instant::now() + EXPIRY_LIMIT;
        loop {
            let records = self.vault.records(&[noun, "list", "--app", self.app], "")?;
            let mine = records.iter().find(|record| record[id_member] == id);
            if mine.is_some_and(|record| record["status"] == "expired") {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("a {noun} made with --expires-in 1s did not expire: {mine:?}")));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn key(&self, scopes: &[&str]) -> Result<String, Failure> {
        let mut line = vec!["key", "create", "--app", self.app];
        line.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        self.one(&line, "", "api_key")
    }

    fn expired_key(&self) -> Result<String, Failure> {
        let records = self.vault.records(&["key", "create", "--app", self.app, "--expires-in", "1s"], "")?;
        self.until_expired("key", "id", &text(&records, "id")?)?;
        text(&records, "api_key")
    }

    fn revoked_key(&self) -> Result<String, Failure> {
        let records = self.vault.records(&["key", "create", "--app", self.app], "")?;
        let (key, id) = (text(&records, "api_key")?, text(&records, "id")?);
        self.vault.records(&["key", "revoke", &id, "--app", self.app, "--yes"], "")?;
        Ok(key)
    }

    fn one(&self, line: &[&str], input: &str, member: &str) -> Result<String, Failure> {
        text(&self.vault.records(line, input)?, member)
    }
}

fn text(records: &[Value], member: &str) -> Result<String, Failure> {
    let value = records.first().and_then(|record| record.get(member)).and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| Failure::new(format!("a command printed no {member}")))
}
