//! Calls that wait for people, decided on the command line.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alter_testkit::children::Guarded;
use alter_testkit::provider::{Account, Credential, Provider};
use alter_testkit::vault::Vault;
use serde_json::{Value, json};

use crate::world::{CREDENTIAL, on, on_with, program};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The trace that a call is part of.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A vault with a grant whose calls wait for an operator.
struct Waiting {
    vault: Vault,
    provider: Provider,
    key: String,
    grant: String,
}

impl Waiting {
    fn new() -> Self {
        let provider = Provider::start().expect("a provider");
        let host = provider.address().to_string();
        let vault = Vault::start_in(program(), &[("ALTER_EGRESS_ALLOW", &host)]).expect("the vault starts");
        let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/v1/", Account { credentials: vec![credential], answer: None });
        let one = |arguments: &[&str], input: &str| vault.records(arguments, input).expect("it works").remove(0);
        one(&["app", "create", "demo"], "");
        let key = one(&["key", "create", "--scope", "proxy:execute"], "")["api_key"].as_str().expect("a key").to_owned();
        one(&["secret", "create", "mail", "--bearer", "--allow-host", &host, "--stdin"], CREDENTIAL);
        let grant =
            one(&["grant", "create", "--secret", "mail", "--requires-approval"], "")["grant_id"].as_str().expect("a grant").to_owned();
        Self { vault, provider, key, grant }
    }

    /// Asks for a call in a process of its own, which waits.
    fn ask(&self, more: &[&str]) -> Asked {
        let (data, url, at) = (self.vault.data(), self.vault.url(), format!("{}/v1/send?q=1", self.provider.url()));
        let mut command = Command::new(program());
        command.args(["request", "POST", &at, "--grant", &self.grant, "--proxy", "--json-body", r#"{"to":"ada"}"#, "--no-input"]);
        command.args(["--reason", "to say hello"]).args(more).arg("--data-dir").arg(data).args(["--vault", &url]);
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file");
        let child = Guarded::spawn(command.env("ALTER_API_KEY", &self.key).stdin(Stdio::null()).stdout(file("out")).stderr(file("err")));
        let child = child.expect("it starts");
        let limit = Instant::now() + PATIENCE;
        loop {
            let listed = self.list(&[]);
            if let Some(approval) = listed.first() {
                return Asked { child, folder, id: approval["approval_id"].as_str().expect("an id").to_owned() };
            }
            assert!(Instant::now() < limit, "nothing waits");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        self.vault.records(&[&["approval", "list"], more].concat(), "").expect("a list")
    }

    fn run(&self, arguments: &[&str]) -> crate::world::Ran {
        on(&self.vault, arguments)
    }
}

/// A call that waits.
struct Asked {
    child: Guarded,
    folder: tempfile::TempDir,
    id: String,
}

impl Asked {
    /// Exit code and output of the process that asked.
    fn end(self) -> (i32, String, String) {
        let limit = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                break status;
            }
            assert!(Instant::now() < limit, "it does not end");
            std::thread::sleep(Duration::from_millis(50));
        };
        let text = |name: &str| fs::read_to_string(self.folder.path().join(name)).expect("text");
        (status.code().expect("a code"), text("out"), text("err"))
    }
}

#[test]
fn a_call_is_seen_agreed_to_and_made_once() {
    let waiting = Waiting::new();
    let asked = waiting.ask(&["--traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01")]);
    let table = waiting.run(&["approval", "list"]).stdout;
    assert!(table.contains("WHY") && table.contains("to say hello") && table.contains("POST") && table.contains("pending"), "{table}");
    let shown = waiting.run(&["approval", "show", &asked.id]);
    let call = format!("POST {}/v1/send?q=1\nContent-Type: application/json\n\n{{\n  \"to\": \"ada\"\n}}\n", waiting.provider.url());
    assert!(shown.stdout.ends_with(&call), "{}", shown.stdout);
    assert!(shown.stderr.contains("alter approval approve"), "{}", shown.stderr);
    assert!(!shown.stdout.contains(CREDENTIAL));

    let unsure = waiting.run(&["approval", "approve", &asked.id, "--json"]);
    assert_eq!(unsure.error(), ("confirmation_needed".into(), 2));
    let other = waiting.run(&["approval", "approve", &asked.id, "--digest", "00", "--json"]);
    assert_eq!(other.error(), ("approval_changed".into(), 6));
    let approved = waiting.run(&["approval", "approve", &asked.id, "--yes", "--reason", "she is nice", "--json"]);
    let approved: Value = serde_json::from_str(&approved.stdout).unwrap_or_else(|error| panic!("{error}: {approved:?}"));
    assert_eq!(approved["status"], "approved");
    let (exit, stdout, stderr) = asked.end();
    assert_eq!((exit, stdout.as_str()), (0, r#"{"ok":true,"method":"POST","resource":"send"}"#), "{stderr}");
    assert!(stderr.contains("/approve/") && stderr.contains("alter approval show"), "{stderr}");
    assert_eq!(waiting.provider.seen("/v1/").len(), 1);
    assert_eq!(waiting.list(&[]), Vec::<Value>::new());
    assert_eq!(waiting.list(&["--all", "--app", "demo"])[0]["status"], "executed");
    let audit = waiting.run(&["audit", "tail", "--app", "demo", "--json"]).stdout;
    let rows: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for action in ["approval.request", "proxy.call", "proxy.answer"] {
        let row = rows.iter().find(|row| row["action"] == action).unwrap_or_else(|| panic!("no row of {action}"));
        assert_eq!(row["trace_id"], TRACE, "{action}");
    }
    let decided = rows.iter().find(|row| row["action"] == "approval.approve" && row["outcome"] == "done").expect("a row");
    assert_eq!((&decided["reason"], decided["operator_id"].is_string()), (&json!("she is nice"), true));
}

#[test]
fn a_no_ends_the_wait() {
    let waiting = Waiting::new();
    let asked = waiting.ask(&["--json"]);
    let denied = waiting.run(&["approval", "deny", &asked.id, "--reason", "not today"]);
    assert!(denied.stdout.contains("denied"), "{denied:?}");
    let again = waiting.run(&["approval", "approve", &asked.id, "--yes", "--json"]);
    assert_eq!(again.error(), ("approval_decided".into(), 6));
    let (exit, stdout, stderr) = asked.end();
    let error: Value = serde_json::from_str(&stderr).unwrap_or_else(|cause| panic!("{cause}: {stderr}"));
    assert_eq!(
        (exit, stdout.as_str(), &error["error"]["code"], &error["error"]["message"]),
        (4, "", &json!("approval_denied"), &json!("not today"))
    );
    assert!(waiting.provider.seen("/").is_empty());
}

#[test]
fn mistakes_are_told() {
    let waiting = Waiting::new();
    let asked = waiting.ask(&["--wait", "1s"]);
    let (exit, _, stderr) = asked.end();
    assert!(exit == 1 && stderr.contains("help: it still waits"), "{exit}: {stderr}");
    let unknown = waiting.run(&["approval", "show", "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f", "--json"]);
    assert_eq!(unknown.error(), ("approval_not_found".into(), 5));
    waiting.run(&["approval", "show", "x"]).reads_well();
    let direct = on_with(
        &waiting.vault,
        &["request", "GET", &format!("{}/v1/x", waiting.provider.url()), "--grant", &waiting.grant, "--wait", "1s"],
        &[("ALTER_API_KEY", &waiting.key)],
        "",
    );
    assert_eq!(direct.exit, 2, "{direct:?}");
}
