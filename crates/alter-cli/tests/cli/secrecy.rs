//! A credential that was stored, served and used by the vault itself many times, and the keys around it: nowhere that an operator, a thief of the disk or a core dump
//! would find them. Every search proves that it would have.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use alter_sdk::{App, CaCertificates, Proxied, ProxyRequest, Request, WaitForApproval};
use alter_testkit::provider::{Account, Credential, Provider};
use memchr::memmem;
use serde_json::{Value, json};

use crate::memory;
use crate::running::{Running, made};
use crate::world::CREDENTIAL;

/// Calls of each run, some at a time.
const CALLS: usize = 60;
const AT_A_TIME: usize = 6;
/// How long the vault may take to notice that a connection has ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// The value that replaces [`CREDENTIAL`]: neither may stay.
const REPLACED: &str = "canary-0ddba11-replaced";

/// A vault that logs everything, and what it was told.
struct Stage {
    folder: tempfile::TempDir,
    data: PathBuf,
    vault: Running,
    provider: Provider,
    api_key: String,
    operator_key: String,
    grant: String,
    /// One whose calls people have to agree to.
    held_grant: String,
    certificate: Option<PathBuf>,
}

impl Stage {
    fn set(tls: bool) -> Self {
        let (folder, data) = made();
        let provider = Provider::start().expect("a provider");
        let mut variables = vec![("ALTER_LOG", "trace".to_owned()), ("ALTER_EGRESS_ALLOW", provider.address().to_string())];
        let certificate = tls.then(|| certify(folder.path()));
        if let Some(certificate) = &certificate {
            variables.push(("ALTER_TLS_CERT", certificate.display().to_string()));
            variables.push(("ALTER_TLS_KEY", folder.path().join("key.pem").display().to_string()));
        }
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let log = fs::File::create(folder.path().join("log")).expect("made");
        let vault = Running::start(&data, &variables, Stdio::from(log));
        let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/v1/", Account { credentials: vec![credential], answer: None });
        let operator_key = fs::read_to_string(data.join("operator.key")).expect("readable").trim().to_owned();
        let (api_key, grant, held_grant) = (String::new(), String::new(), String::new());
        let mut stage = Self { folder, data, vault, provider, api_key, operator_key, grant, held_grant, certificate };
        stage.furnish();
        stage
    }

    fn furnish(&mut self) {
        self.run(&["app", "create", "demo"], "");
        let scopes = ["--scope", "tokens:retrieve", "--scope", "proxy:execute"];
        self.api_key = self.run(&[&["key", "create"][..], &scopes].concat(), "")["api_key"].as_str().expect("a key").to_owned();
        let host = self.provider.address().to_string();
        self.run(&["secret", "create", "mail", "--bearer", "--allow-host", &host, "--stdin"], REPLACED);
        self.run(&["secret", "update", "mail", "--stdin"], CREDENTIAL);
        let grant = |more: &[&str]| {
            let made = self.run(&[&["grant", "create", "--secret", "mail"], more].concat(), "");
            made["grant_id"].as_str().expect("a grant").to_owned()
        };
        (self.grant, self.held_grant) = (grant(&[]), grant(&["--label", "held", "--requires-approval"]));
    }

    /// The first record that a command prints.
    fn run(&self, arguments: &[&str], input: &str) -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let ran = self.vault.alter(&all, self.trusted().as_slice(), input);
        assert_eq!(ran.exit, 0, "{ran:?}");
        serde_json::from_str(ran.stdout.lines().next().unwrap_or_default()).unwrap_or_default()
    }

    /// The variable that lets a command trust the vault's certificate.
    fn trusted(&self) -> Option<(&'static str, &str)> {
        self.certificate.as_ref().map(|path| ("SSL_CERT_FILE", path.to_str().expect("text")))
    }

    /// Uses the credential many times, and is refused in every way that has the credential or the key at hand.
    fn use_it(&self) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let app = self.app(&self.api_key);
            let url = format!("{}/v1/me", self.provider.url());
            for _ in 0..CALLS / AT_A_TIME {
                let calls: Vec<_> = (0..AT_A_TIME)
                    .map(|_| {
                        let (app, request) = (app.clone(), Request::get(url.clone()).grant_id(self.grant.clone()));
                        tokio::spawn(async move { app.request(request).await.map(|response| response.status) })
                    })
                    .collect();
                for call in calls {
                    assert_eq!(call.await.expect("no panic").expect("an answer"), 200);
                }
            }
            self.have_it_used(&app, &url).await;
            let elsewhere = app.request(Request::get("https://elsewhere.example/").grant_id(self.grant.clone())).await;
            assert_eq!(elsewhere.expect_err("not its host").code(), "blocked_destination");
            let stranger = alter_core::key::KeyKind::Runtime.generate().expect("random");
            assert!(self.app(stranger.expose()).request(Request::get(url).grant_id(self.grant.clone())).await.is_err());
            app.close().await;
        });
        for body in [
            json!({"slug": "bad slug", "kind": "bearer", "allowed_hosts": ["a.example"], "values": {"token": CREDENTIAL}}),
            json!({"slug": "a", "kind": "bearer", "allowed_hosts": [], "values": {"token": CREDENTIAL}}),
            json!({"slug": "a", "kind": "aws", "allowed_hosts": ["a.example"], "values": {"token": CREDENTIAL}}),
            json!({"slug": "a", "kind": "bearer", "allowed_hosts": ["a.example"], "values": [CREDENTIAL]}),
            json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["a.example"], "values": {"token": CREDENTIAL}}),
        ] {
            if self.certificate.is_none() {
                let answer = finish(self.begin(&body.to_string(), 0), &body.to_string());
                assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
                assert!(!answer.contains(CREDENTIAL), "{answer}");
            }
        }
    }

    /// Has the vault make calls itself, one of them after an operator has agreed to it.
    async fn have_it_used(&self, app: &App, url: &str) {
        for n in 0..CALLS / AT_A_TIME {
            let call = ProxyRequest::new().grant_id(self.grant.as_str()).json(json!({"n": n})).idempotency_key(format!("call-{n}"));
            let made = app.proxy_request("POST", url, call).await.expect("an answer");
            assert!(matches!(&made, Proxied::Answered(result) if result.status_code == 200), "{made:?}");
        }
        let held = app.proxy_request("GET", url, ProxyRequest::new().grant_id(self.held_grant.as_str())).await.expect("it waits");
        let Proxied::Pending(pending) = held else { panic!("nobody was asked: {held:?}") };
        self.run(&["approval", "approve", &pending.approval_id, "--yes"], "");
        let waited = app.await_approval(&pending.approval_id, WaitForApproval::new().timeout(PATIENCE)).await.expect("a result");
        assert_eq!(waited.status_code, 200);
        let elsewhere = ProxyRequest::new().grant_id(self.grant.as_str());
        let refused = app.proxy_request("GET", "https://elsewhere.example/", elsewhere).await;
        assert_eq!(refused.expect_err("not its host").code(), "blocked_destination");
    }

    fn app(&self, key: &str) -> App {
        let app = App::builder(key).base_url(self.vault.url.clone());
        let app = match &self.certificate {
            Some(path) => app.ca_certificates(CaCertificates::File(path.clone())),
            None => app,
        };
        app.build().expect("a client")
    }

    /// Begins to store a secret: the head and so many bytes of the body, in one piece. Sent in two, the vault may read the head alone, and is done with
    /// the key before the body comes: then neither the key nor its absence would prove anything.
    fn begin(&self, body: &str, bytes: usize) -> TcpStream {
        let address: SocketAddr = self.vault.url.trim_start_matches("http://").parse().expect("an address");
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let head = format!(
            "POST /admin/v1/apps/demo/secrets HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.operator_key,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body.as_bytes()[..bytes]].concat()).expect("sent");
        stream
    }

    /// Waits until the bytes are in the vault's memory, or no longer there.
    fn wait_for_memory(&self, what: &str, bytes: &[u8], there: bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let places = memory::find(self.vault.child.id(), bytes).expect("a child's memory");
            if places.is_empty() != there {
                return;
            }
            assert!(Instant::now() < end, "{what} should {}be in memory: {places:?}", if there { "" } else { "not " });
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn finish(mut stream: TcpStream, rest: &str) -> String {
    stream.write_all(rest.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// A certificate for loopback: the path of its chain; the key lies beside it.
fn certify(folder: &Path) -> PathBuf {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    fs::write(folder.join("cert.pem"), issued.cert.pem()).expect("written");
    fs::write(folder.join("key.pem"), issued.signing_key.serialize_pem()).expect("written");
    folder.join("cert.pem")
}

/// The standard base64 of the master key, and its bytes.
fn master_key(data: &Path) -> (String, Vec<u8>) {
    use base64::Engine as _;
    let text = fs::read_to_string(data.join("master.key")).expect("readable").trim().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(&text).expect("base64");
    (text, bytes)
}

/// Once the clients have gone, nothing of what they sent or got is left in the vault, and nothing of what it sent itself once the provider has gone, too: as
/// long as a connection is kept, the bytes of its last request lie in its buffer.
fn nothing_stays_in_memory(tls: bool) {
    let stage = Stage::set(tls);
    stage.use_it();
    stage.provider.hang_up();
    let (master_text, master_bytes) = master_key(&stage.data);
    // The master key is in use, in one form: the search finds it.
    stage.wait_for_memory("the master key", &master_bytes, true);
    for (what, text) in [
        ("the credential", CREDENTIAL),
        ("the replaced credential", REPLACED),
        ("the API key", &stage.api_key),
        ("the operator key", &stage.operator_key),
        ("the master key's text", &master_text),
    ] {
        stage.wait_for_memory(what, text.as_bytes(), false);
    }
}

#[test]
fn nothing_stays_in_memory_once_the_clients_have_gone() {
    nothing_stays_in_memory(false);
}

#[test]
fn nothing_stays_in_memory_over_tls() {
    nothing_stays_in_memory(true);
}

#[test]
fn a_value_is_in_memory_while_it_arrives_and_gone_when_it_is_stored() {
    let stage = Stage::set(false);
    let canary = "canary-on-its-way-b5e1";
    let body =
        json!({"slug": "late", "kind": "bearer", "allowed_hosts": ["a.example"], "values": {"token": canary}, "name": "late"}).to_string();
    let most = body.len() - 3;
    let stream = stage.begin(&body, most);
    stage.wait_for_memory("a value that arrives", canary.as_bytes(), true);
    stage.wait_for_memory("the key of a call in flight", stage.operator_key.as_bytes(), true);
    let answer = finish(stream, &body[most..]);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    stage.wait_for_memory("a value that was stored", canary.as_bytes(), false);
    stage.wait_for_memory("the key of a call that has ended", stage.operator_key.as_bytes(), false);
}

/// Fails if a secret is in the bytes, or if `must_hold` is not found by the same search: then the wrong thing was searched.
fn holds_no_secret(stage: &Stage, place: &str, bytes: &[u8], must_hold: &str) {
    assert!(memmem::find(bytes, must_hold.as_bytes()).is_some(), "{place} does not hold {must_hold:?}: not searched");
    for secret in [CREDENTIAL, REPLACED, &stage.api_key, &stage.operator_key, &master_key(&stage.data).0] {
        assert!(memmem::find(bytes, secret.as_bytes()).is_none(), "{place} holds a secret");
    }
}

/// What an operator or a thief of the disk can read, while the vault runs and after it has stopped.
fn nothing_is_written(tls: bool, in_the_log: &[&str]) {
    let mut stage = Stage::set(tls);
    stage.use_it();
    let audit = stage.vault.alter(&["audit", "tail", "--limit", "1000", "--json"], stage.trusted().as_slice(), "").stdout;
    holds_no_secret(&stage, "the audit", audit.as_bytes(), "token.retrieve");
    holds_no_secret(&stage, "the audit", audit.as_bytes(), "proxy.answer");
    // While it runs there are the write-ahead log and its index as well.
    files_hold_no_secret(&stage, &["vault.db", "vault.db-wal", "vault.db-shm"]);
    stage.vault.signal("TERM");
    assert_eq!(stage.vault.child.wait().expect("ends").code(), Some(0));
    files_hold_no_secret(&stage, &["vault.db"]);
    holds_no_secret(&stage, "the ready line", stage.vault.ready.as_bytes(), "\"event\":\"ready\"");
    let log = fs::read(stage.folder.path().join("log")).expect("a log");
    for line in in_the_log {
        holds_no_secret(&stage, "the log", &log, line);
    }
}

#[test]
fn log_audit_and_files_hold_no_secret() {
    nothing_is_written(false, &["unknown API key"]);
}

#[test]
fn log_audit_and_files_hold_no_secret_over_tls() {
    // HTTP/2 and TLS say more about what passes through them: all of it is in the log, down to the last detail.
    nothing_is_written(true, &["unknown API key", "TRACE", "h2::"]);
}

/// Searches every file of the data folder but the two that are there to hold a key.
fn files_hold_no_secret(stage: &Stage, expected: &[&str]) {
    let mut names = Vec::new();
    for file in fs::read_dir(&stage.data).expect("a folder") {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = fs::read(&path).expect("readable");
        match name.as_str() {
            "master.key" => assert!(memmem::find(&bytes, master_key(&stage.data).0.as_bytes()).is_some()),
            "operator.key" => assert!(memmem::find(&bytes, stage.operator_key.as_bytes()).is_some()),
            name => {
                // Rows stand in the write-ahead log until they are moved into the database.
                let holds_rows = name == "vault.db-wal" || (name == "vault.db" && expected.len() == 1);
                holds_no_secret(stage, name, &bytes, if holds_rows { "secret.update" } else { "" });
            }
        }
        names.push(name);
    }
    for name in expected {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
}
