//! The acts of the demo. Each does one thing and checks that what will be shown is true.

use std::net::TcpStream;
use std::time::Duration;

use alter_testkit::provider::Provider;
use alter_testkit::vault::Vault;
use serde_json::Value;

use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Failure};

/// How long one program may take for its call.
const LIMIT: Duration = Duration::from_secs(60);
/// The path that is called.
const RESOURCE: &str = "/v1/me";

/// Who makes the call.
#[derive(Debug, Clone, Copy)]
pub enum Caller {
    /// `tests/demo/quickstart.rs`
    Rust,
    /// `tests/demo/quickstart.py`
    Python,
    /// `tests/demo/quickstart.mjs`
    TypeScript,
    /// `alter request`
    CommandLine,
}

impl Caller {
    /// All of them, in the order of the demo.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::TypeScript, Self::CommandLine];

    /// The name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust (tests/demo/quickstart.rs)",
            Self::Python => "Python (tests/demo/quickstart.py)",
            Self::TypeScript => "TypeScript (tests/demo/quickstart.mjs)",
            Self::CommandLine => "command line (alter request)",
        }
    }
}

/// What the demo happens on.
pub struct Stage {
    /// Where the programs are.
    pub project: Project,
    /// The vault.
    pub vault: Vault,
    /// The provider.
    pub provider: Provider,
}

/// What an operator gave to the application.
pub struct Access {
    /// The command lines that were typed.
    pub lines: Vec<String>,
    key: String,
    grant: String,
}

/// What a call looked like from its two ends.
pub struct Call {
    /// What the program printed.
    pub application: String,
    /// The request that arrived.
    pub provider: String,
}

impl Stage {
    /// Makes an app with a key, a secret that may go to the provider only, and a grant.
    pub fn grant_access(&self, secret: &str) -> Result<(Access, Checks), Failure> {
        let mut lines = Vec::new();
        let host = self.provider.address().to_string();
        let mut alter = |line: &str, input: &str, member: &str| {
            lines.push(format!("alter {line}"));
            let words: Vec<&str> = line.split(' ').collect();
            let records = self.vault.records(&words, input)?;
            let value = records.first().and_then(|record| record.get(member)).and_then(Value::as_str);
            value.map(str::to_owned).ok_or_else(|| Failure::new(format!("`alter {line}` printed no {member}")))
        };
        alter("app create demo", "", "name")?;
        let key = alter(
            "key create --app demo --scope tokens:retrieve --scope connect:initiate --scope proxy:execute --scope agents:admin",
            "",
            "api_key",
        )?;
        alter(&format!("secret create example --app demo --bearer --allow-host {host} --stdin"), secret, "slug")?;
        let grant = alter("grant create --app demo --secret example --expires-in 1h", "", "grant_id")?;
        Ok((Access { lines, key, grant }, Checks::ONE))
    }

    /// Makes the call and looks at both of its ends.
    pub fn call(&self, caller: Caller, access: &Access, secret: &str) -> Result<(Call, Checks), Failure> {
        let before = self.provider.seen("/").len();
        let (status, printed, errors) = self.program(caller, access).separate()?;
        if !status.success() {
            return Err(Failure::new(format!("the program ended with {status}")).output(format!("{printed}{errors}")));
        }
        if !printed.contains(r#""ok":true"#) || !printed.contains(r#""resource":"v1/me""#) {
            return Err(Failure::new("the program did not print the provider's answer").output(format!("{printed}{errors}")));
        }
        if printed.contains(secret) || errors.contains(secret) {
            return Err(Failure::new("the program printed the credential"));
        }
        let seen = self.provider.seen("/");
        let [request] = &seen[before..] else {
            return Err(Failure::new(format!("{} requests reached the provider, not one", seen.len() - before)));
        };
        let authorization = request.request.headers.get("authorization").unwrap_or("nothing");
        if !request.authorized {
            return Err(Failure::new(format!("the provider saw Authorization: {authorization}")));
        }
        let provider = format!("{} {} with Authorization: {authorization}", request.request.method, request.request.target);
        Ok((Call { application: printed.trim().to_owned(), provider }, Checks::ONE))
    }

    /// Takes the grant back.
    pub fn revoke(&self, access: &Access) -> Result<Checks, Failure> {
        self.vault.records(&["grant", "revoke", &access.grant, "--app", "demo", "--yes"], "")?;
        Ok(Checks::ONE)
    }

    /// Makes a call that must be refused, and gives the program's last words.
    pub fn denied(&self, caller: Caller, access: &Access) -> Result<(String, Checks), Failure> {
        let before = self.provider.seen("/").len();
        let (status, printed, errors) = self.program(caller, access).separate()?;
        if status.success() {
            return Err(Failure::new("the call was not refused").output(printed));
        }
        if self.provider.seen("/").len() != before {
            return Err(Failure::new("a request reached the provider"));
        }
        // Python ends with the exception after its traceback, the others begin with what is wrong.
        let told = match caller {
            Caller::Python => errors.trim_end().lines().last(),
            // Node shows the line that threw before it.
            Caller::TypeScript => errors.lines().find(|line| line.contains("Error: ")),
            Caller::Rust | Caller::CommandLine => errors.lines().next(),
        };
        let told = told.unwrap_or_default().to_owned();
        if !told.to_lowercase().contains("revoked") {
            return Err(Failure::new("the error does not say that the grant was revoked").output(errors));
        }
        Ok((told, Checks::ONE))
    }

    /// Verifies the chain and gives the rows about this demo's calls.
    pub fn audit(&self, access: &Access, secret: &str) -> Result<(Vec<String>, Checks), Failure> {
        let chains = self.vault.records(&["audit", "verify"], "")?;
        let verified = chains.iter().filter(|chain| chain["intact"] == true).map(|chain| chain["rows"].as_u64().unwrap_or_default());
        let intact = format!("{} chains intact, {} rows in all", chains.len(), verified.clone().sum::<u64>());
        if chains.is_empty() || verified.count() != chains.len() {
            return Err(Failure::new(format!("the audit is not intact: {chains:?}")));
        }
        let rows = self.vault.records(&["audit", "tail", "--app", "demo"], "")?;
        if rows.iter().any(|row| row.to_string().contains(secret)) {
            return Err(Failure::new("an audit row holds the credential"));
        }
        let member = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mine: Vec<&Value> =
            rows.iter().filter(|row| member(row, "grant_id") == access.grant && member(row, "action") == "token.retrieve").collect();
        let count = |outcome: &str| mine.iter().filter(|row| member(row, "outcome") == outcome).count();
        let (released, refused) = (count("released"), count("refused"));
        let calls = Caller::ALL.len();
        if (released, refused) != (calls, calls) {
            let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
            let message = format!("{released} released and {refused} refused calls are in the audit, not {calls} and {calls}");
            return Err(Failure::new(message).output(rows.join("\n")));
        }
        let told = mine.iter().map(|row| {
            let [at, action, outcome] = ["at", "action", "outcome"].map(|name| member(row, name));
            let [code, method, url] = ["code", "method", "url"].map(|name| member(row, name));
            format!("{at}  {action}  {outcome:<8}  {code:<13}  {method} {url}")
        });
        Ok((told.chain([intact]).collect(), Checks::passed(2 * calls as u64 + 1)))
    }

    /// Stops everything and looks whether it is gone.
    pub fn leave(self) -> Result<Checks, Failure> {
        let (vault, provider, folder) = (self.vault.address(), self.provider.address(), self.vault.data());
        drop((self.vault, self.provider));
        for address in [vault, provider] {
            if TcpStream::connect(address).is_ok() {
                return Err(Failure::new(format!("something still listens on {address}")));
            }
        }
        if folder.exists() {
            return Err(Failure::new(format!("{} is still there", folder.display())));
        }
        Ok(Checks::ONE)
    }

    fn program(&self, caller: Caller, access: &Access) -> Run {
        let url = format!("{}{RESOURCE}", self.provider.url());
        let run = match caller {
            Caller::Rust => Run::new(self.project.built("alter-demo")).args([&url, &access.grant]),
            Caller::Python => Run::new(self.project.path(".venv/bin/python"))
                .arg(self.project.path("tests/demo/quickstart.py"))
                .args([&url, &access.grant]),
            Caller::TypeScript => Run::new("node").arg(self.project.path("tests/demo/quickstart.mjs")).args([&url, &access.grant]),
            Caller::CommandLine => Run::new(self.project.built("alter")).args(["request", "GET", &url, "--grant", &access.grant]),
        };
        self.surroundings(access).into_iter().fold(run, |run, (name, value)| run.env(name, value)).limit(LIMIT)
    }

    /// What an application's programs find around them. The key is the application's; the calls go to loopback, whatever proxy the machine uses for
    /// the rest.
    pub fn surroundings(&self, access: &Access) -> [(&'static str, String); 5] {
        let everywhere = || "*".to_owned();
        [
            ("ALTER_API_KEY", access.key.clone()),
            ("ALTER_BASE_URL", self.vault.url()),
            ("NO_PROXY", everywhere()),
            ("no_proxy", everywhere()),
            ("NO_COLOR", "1".to_owned()),
        ]
    }
}
