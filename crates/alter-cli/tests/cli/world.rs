//! Running the binary and reading what it printed.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use alter_testkit::provider::{Account, Credential, Provider};
use alter_testkit::vault::Vault;
use serde_json::Value;

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_alter"))
}

/// A vault on an empty folder.
pub fn vault() -> Vault {
    Vault::start(program()).expect("the vault starts")
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The stable code and exit code of a failure printed with `--json`.
    pub fn error(&self) -> (String, i32) {
        let error = serde_json::from_str::<Value>(&self.stderr).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))["error"].take();
        assert_eq!(error["exit_code"], self.exit, "{self:?}");
        assert_eq!(self.stdout, "", "a failure prints nothing on stdout");
        (error["code"].as_str().unwrap_or_default().to_owned(), self.exit)
    }

    /// Checks that people get what happened and what to do, one line each, and nothing else.
    pub fn reads_well(&self) -> &Self {
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(self.stderr.lines().any(|line| line.starts_with("help: ")), "{self:?}");
        assert!(self.stderr.lines().all(|line| ["error: ", "cause: ", "help: "].iter().any(|start| line.starts_with(start))), "{self:?}");
        self
    }
}

/// Runs the program with arguments, variables and standard input; `ALTER_…` variables of this process are not handed on.
pub fn alter<A: AsRef<OsStr>>(arguments: &[A], variables: &[(&str, &str)], input: &str) -> Ran {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ALTER_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that reads nothing closes the pipe.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { exit: output.status.code().expect("an exit code"), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a command against a vault.
pub fn on(vault: &Vault, arguments: &[&str]) -> Ran {
    on_with(vault, arguments, &[], "")
}

/// Runs a command against a vault, with variables and standard input.
pub fn on_with(vault: &Vault, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
    let (data, url) = (vault.data(), vault.url());
    let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    all.extend(["--data-dir".as_ref(), data.as_os_str(), "--vault".as_ref(), OsStr::new(&url), "--no-input".as_ref()]);
    alter(&all, variables, input)
}

/// A vault with an app, a key, a secret for a provider on loopback, and a grant.
pub struct World {
    pub vault: Vault,
    pub provider: Provider,
    pub key: String,
    pub grant: String,
}

/// The credential of the secret `mail`. It must never be printed.
pub const CREDENTIAL: &str = "canary-5ca1ab1e";

impl World {
    /// Starts everything.
    pub fn new() -> Self {
        let (vault, provider) = (vault(), Provider::start().expect("a provider"));
        let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/v1/", Account { credentials: vec![credential], answer: None });
        let host = provider.address().to_string();
        let one = |arguments: &[&str], input: &str| vault.records(arguments, input).expect("it works").remove(0);
        one(&["app", "create", "demo"], "");
        let key = one(&["key", "create"], "")["api_key"].as_str().expect("a key").to_owned();
        one(&["secret", "create", "mail", "--bearer", "--allow-host", &host, "--stdin"], &format!("{CREDENTIAL}\n"));
        let grant = one(&["grant", "create", "--secret", "mail"], "")["grant_id"].as_str().expect("a grant").to_owned();
        Self { vault, provider, key, grant }
    }

    /// Runs `alter request` with the app's key.
    pub fn request(&self, arguments: &[&str]) -> Ran {
        let all: Vec<&str> = std::iter::once("request").chain(arguments.iter().copied()).collect();
        on_with(&self.vault, &all, &[("ALTER_API_KEY", &self.key)], "")
    }

    /// A URL of the provider.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.provider.url())
    }
}
