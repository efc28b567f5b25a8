//! Two vaults on one database, and what they call.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use alter_testkit::children::Guarded;
use alter_testkit::postgres::PostgresServer;
use alter_testkit::provider::{Account, Credential, Provider};
use serde_json::Value;
use tempfile::TempDir;

use crate::Failed;

/// How long a vault may take to become ready on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const DATABASE: &str = "soak";
/// The credential that the vaults put in. No program may ever see it.
pub const CREDENTIAL: &str = "canary-50ac";

/// Everything that a run happens on.
pub struct Vaults {
    // Before the folder and the database, so that the processes have ended when those go.
    instances: [Instance; 2],
    /// The database.
    pub database: PostgresServer,
    /// The API behind the secret.
    pub provider: Provider,
    program: PathBuf,
    store: String,
    _folder: TempDir,
    /// A key with every scope that the load needs.
    pub key: String,
    /// A grant whose calls are made at once.
    pub grant: String,
    /// A grant whose calls wait for an operator.
    pub asks: String,
}

struct Instance {
    data: PathBuf,
    address: SocketAddr,
    child: Mutex<Option<Guarded>>,
}

impl Vaults {
    /// Makes the database and an app, and starts both.
    pub fn start(program: &Path) -> Result<Self, Failed> {
        let (database, provider, folder) = (PostgresServer::start(), Provider::start()?, tempfile::tempdir()?);
        let bearer = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/", Account { credentials: vec![bearer], answer: None });
        let store = database.database(DATABASE);
        let instance = |name: &str| -> io::Result<Instance> {
            let data = folder.path().join(name);
            Ok(Instance { data, address: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?, child: Mutex::new(None) })
        };
        let instances = [instance("one")?, instance("two")?];
        let mut vaults = Self {
            instances,
            database,
            provider,
            program: program.to_owned(),
            store,
            _folder: folder,
            key: String::new(),
            grant: String::new(),
            asks: String::new(),
        };
        vaults.start_one(0)?;
        // One master key, and the operator's key for the command line.
        fs::create_dir_all(&vaults.instances[1].data)?;
        for file in ["master.key", "operator.key"] {
            fs::copy(vaults.instances[0].data.join(file), vaults.instances[1].data.join(file))?;
        }
        vaults.start_one(1)?;
        vaults.furnish()?;
        Ok(vaults)
    }

    fn furnish(&mut self) -> Result<(), Failed> {
        let host = self.provider.address().to_string();
        let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
        self.alter(0, &["app", "create", "soak"], "")?;
        let scopes = ["--scope", "proxy:execute", "--scope", "tokens:retrieve", "--scope", "grants:write"];
        self.key = text(&self.alter(0, &[&["key", "create", "--app", "soak"][..], &scopes].concat(), "")?, "api_key");
        self.alter(0, &["secret", "create", "api", "--app", "soak", "--bearer", "--allow-host", &host, "--stdin"], CREDENTIAL)?;
        self.grant = text(&self.alter(0, &["grant", "create", "--app", "soak", "--secret", "api"], "")?, "grant_id");
        let asks = ["grant", "create", "--app", "soak", "--secret", "api", "--label", "asks", "--requires-approval"];
        self.asks = text(&self.alter(0, &asks, "")?, "grant_id");
        Ok(())
    }

    /// The URL of one of the two.
    pub fn url(&self, which: usize) -> String {
        format!("http://{}", self.instances[which % 2].address)
    }

    /// A URL of the API.
    pub fn api(&self, path: &str) -> String {
        format!("{}{path}", self.provider.url())
    }

    /// Kills one with SIGKILL, and starts it again.
    pub fn kill_and_start(&self, which: usize) -> Result<(), Failed> {
        drop(self.child(which).take());
        self.start_one(which)
    }

    fn child(&self, which: usize) -> std::sync::MutexGuard<'_, Option<Guarded>> {
        self.instances[which % 2].child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_one(&self, which: usize) -> Result<(), Failed> {
        let instance = &self.instances[which % 2];
        let printed = fs::File::create(instance.data.with_extension("log"))?;
        let mut command = self.command();
        command.args(["serve", "--address"]).arg(instance.address.to_string()).arg("--data-dir").arg(&instance.data);
        command.env("ALTER_EGRESS_ALLOW", self.provider.address().to_string()).env("ALTER_RATE_LIMIT_RPM", "10000000");
        command.stdin(Stdio::null()).stdout(printed.try_clone()?).stderr(printed);
        let child = Guarded::spawn(&mut command)?;
        let limit = Instant::now() + READY_LIMIT;
        while !is_ready(instance.address) {
            if Instant::now() > limit || child.try_wait()?.is_some() {
                let log = fs::read_to_string(instance.data.with_extension("log"))?;
                return Err(format!("a vault does not start\n{log}").into());
            }
            thread::sleep(PAUSE);
        }
        *self.child(which) = Some(child);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ALTER_")) {
            command.env_remove(name);
        }
        command.env("ALTER_STORE", &self.store);
        command
    }

    /// Runs the command line against one of the two, and gives the first record that it prints.
    pub fn alter(&self, which: usize, line: &[&str], input: &str) -> Result<Value, Failed> {
        Ok(self.records(which, line, input)?.into_iter().next().unwrap_or_default())
    }

    fn records(&self, which: usize, line: &[&str], input: &str) -> Result<Vec<Value>, Failed> {
        let mut command = self.command();
        command.args(line).args(["--json", "--no-input", "--vault", &self.url(which), "--data-dir"]).arg(&self.instances[which % 2].data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads nothing closes the pipe.
            drop(stdin.write_all(input.as_bytes()));
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(format!("`alter {}`: {}", line.join(" "), String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// The ids of all grants.
    pub fn grants(&self) -> Result<BTreeSet<String>, Failed> {
        let grants = self.records(0, &["grant", "list", "--app", "soak"], "")?;
        Ok(grants.iter().filter_map(|grant| grant["grant_id"].as_str()).map(str::to_owned).collect())
    }

    /// What verifying each chain of the audit says.
    pub fn verified(&self) -> Result<Vec<Value>, Failed> {
        self.records(0, &["audit", "verify"], "")
    }

    /// One number from the database.
    pub fn count(&self, sql: &str) -> Result<u64, Failed> {
        Ok(self.database.run(DATABASE, sql).parse()?)
    }
}

/// Whether a vault says that it can serve.
fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(READY_LIMIT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
