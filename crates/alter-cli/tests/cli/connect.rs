//! `alter connect`: from the command to the browser and back, and what interrupts it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alter_testkit::oauth::{CLIENT_ID, CLIENT_SECRET, OAuthServer, Rotation};
use serde_json::{Value, json};

use crate::running::{Running, made};
use crate::world::program;

/// A vault whose app is registered at a provider that consents by itself.
struct Site {
    _folder: tempfile::TempDir,
    vault: Running,
    provider: OAuthServer,
    key: String,
}

impl Site {
    fn new() -> Self {
        let (folder, data) = made();
        let vault = Running::start(&data, &[], Stdio::null());
        let provider = OAuthServer::start(Rotation::None).expect("a free port");
        let run = |arguments: &[&str], input: &str| {
            let ran = vault.alter(&[arguments, &["--json"]].concat(), &[], input);
            assert_eq!(ran.exit, 0, "{ran:?}");
            serde_json::from_str::<Value>(ran.stdout.lines().next().unwrap_or_default()).unwrap_or_default()
        };
        run(&["app", "create", "demo"], "");
        let key = run(&["key", "create", "--scope", "connect:initiate"], "")["api_key"].as_str().expect("a key").to_owned();
        let url = provider.url();
        let entry = json!({
            "id": "drive", "name": "Test Drive", "authorization": {"url": format!("{url}/authorize")}, "token": {"url": format!("{url}/token")},
            "account": {"identifier": ["/email"], "call": {"url": format!("{url}/userinfo")}}, "api": {"hosts": [provider.host()]},
        });
        let file = folder.path().join("entry.json");
        std::fs::write(&file, entry.to_string()).expect("written");
        let file = file.to_str().expect("text");
        run(&["provider", "add", "drive", "--entry", file, "--client-id", CLIENT_ID, "--stdin"], CLIENT_SECRET);
        Self { _folder: folder, vault, provider, key }
    }

    /// Starts the command, and gives it with the address that it printed.
    fn connect(&self, arguments: &[&str]) -> (Child, String) {
        let mut command = Command::new(program());
        command.args(["connect", "--no-browser", "--json", "--vault", &self.vault.url]).args(arguments).env("ALTER_API_KEY", &self.key);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut told = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = told.find_map(|line| {
            let line = line.expect("text");
            line.trim().starts_with("http").then(|| line.trim().to_owned())
        });
        // What else it says is nobody's, but it has to be able to say it.
        std::thread::spawn(move || told.for_each(drop));
        (child, address.expect("an address"))
    }

    fn actions(&self) -> Vec<String> {
        let rows = self.vault.alter(&["audit", "tail", "--limit", "100", "--json"], &[], "").stdout;
        let action = |line: &str| serde_json::from_str::<Value>(line).ok()?["action"].as_str().map(str::to_owned);
        rows.lines().filter_map(action).collect()
    }
}

/// One request; gives status, `Location` and the cookie that was set.
fn browse(method: &str, url: &str, cookie: &str, body: &str) -> (String, String, String) {
    let rest = url.strip_prefix("http://").expect("clear text");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    // Up to the empty line: the provider does not close, and the body says nothing here.
    let lines = BufReader::new(stream).lines().map(|line| line.expect("an answer"));
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let line = head.iter().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cookie = header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    (head[0].clone(), header("location"), cookie)
}

#[test]
fn a_person_connects_and_the_command_tells_the_grant() {
    let site = Site::new();
    let (child, address) = site.connect(&["drive", "--scope", "read", "--max-ttl", "2h"]);
    let (status, to_provider, cookie) = browse("POST", &format!("{address}/continue"), "", "lifetime=3600");
    assert!(status.contains("303") && to_provider.contains("scope=read"), "{status} {to_provider}");
    let (_, back, _) = browse("GET", &to_provider, "", "");
    let (status, ..) = browse("GET", &back, &cookie, "");
    assert!(status.contains("303"), "{status}");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    let grant: Value = serde_json::from_slice(&output.stdout).expect("one record");
    assert_eq!((&grant["provider_id"], &grant["account_identifier"]), (&json!("drive"), &json!("ada@example.com")));
    let listed = site.vault.alter(&["grant", "list", "--json"], &[], "").stdout;
    assert!(listed.contains(grant["grant_id"].as_str().expect("an id")), "{listed}");
    assert!(site.provider.revoked().is_empty());
}

#[test]
fn an_interrupted_command_gives_the_session_up() {
    let site = Site::new();
    let (mut child, address) = site.connect(&[]);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let end = Instant::now() + Duration::from_secs(30);
    while !site.actions().iter().any(|action| action == "connect.cancel") {
        assert!(Instant::now() < end, "the session was not given up: {:?}", site.actions());
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, ..) = browse("POST", &format!("{address}/continue"), "", "lifetime=3600");
    assert!(status.contains("303"), "back to the page that says how it ended: {status}");
}

#[test]
fn what_cannot_be_connected_is_said() {
    let site = Site::new();
    let run = |arguments: &[&str], key: &str| {
        site.vault.alter(&[&["connect", "--no-browser", "--json"], arguments].concat(), &[("ALTER_API_KEY", key)], "")
    };
    let unknown = run(&["unheard-of"], &site.key);
    assert_eq!(unknown.exit, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("provider_not_configured") && unknown.stderr.contains("alter provider add"), "{unknown:?}");
    assert_eq!(run(&["drive"], "").exit, 2);
    let narrow = site.vault.alter(&["key", "create", "--scope", "tokens:retrieve", "--json"], &[], "").stdout;
    let narrow = serde_json::from_str::<Value>(&narrow).expect("a key")["api_key"].as_str().expect("a key").to_owned();
    let narrow = run(&["drive"], &narrow);
    assert!(narrow.exit == 4 && narrow.stderr.contains("alter key create --scope"), "{narrow:?}");
    let late = run(&["drive", "--timeout", "1s"], &site.key);
    assert!(late.exit == 1 && late.stdout.is_empty(), "{late:?}");
}
