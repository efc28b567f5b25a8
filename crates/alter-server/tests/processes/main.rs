//! One expired login, many processes: a vault of its own, or two on one PostgreSQL database, eight processes of callers, and a vault that is
//! killed while it refreshes.
//!
//! The children are this program again: each runs the test of the parent's name and finds in its environment what it is.
#![cfg(unix)]

#[path = "../api/harness.rs"]
#[allow(dead_code, reason = "the API's tests use the rest")]
mod harness;
#[path = "../api/seed.rs"]
#[allow(dead_code, reason = "the API's tests use the rest")]
mod seed;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alter_server::clock::{Clock, SystemClock};
use alter_server::config::{Config, Flags, StorePlace};
use alter_server::crypto::MASTER_KEY_FILE;
use alter_server::serve::{Server, listen};
use alter_server::setup::{self, Location};
use alter_server::store::Access;
use alter_server::store::postgres::PostgresUrl;
use alter_testkit::oauth::{Act, OAuthServer, Rotation};
use alter_testkit::postgres::PostgresServer;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::harness::Signed;
use crate::seed::{Seeded, Wanted, seed};

/// In a child: what it is. `vault FOLDER STORE`, or `callers` with their orders as JSON.
const ROLE: &str = "ALTER_PROCESS_TEST_ROLE";
const CALLERS: usize = 8;
const CALLS_EACH: usize = 125;
/// The machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Does what a child is for, and ends it. Does nothing in the parent.
fn be_a_child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let runtime = Runtime::new().expect("a runtime");
    match role.split_once(' ') {
        Some(("vault", place)) => {
            let (folder, store) = place.split_once(' ').expect("a folder and a store");
            runtime.block_on(serve(Path::new(folder), store));
        }
        Some(("callers", orders)) => runtime.block_on(call_all(&serde_json::from_str(orders).expect("orders"))),
        _ => panic!("{role} is no role"),
    }
    std::process::exit(0);
}

async fn serve(folder: &Path, store: &str) {
    let flags = Flags { data: Some(folder.to_owned()), address: Some("127.0.0.1:0".into()), ..Flags::default() };
    let settings = |name: &str| match name {
        "ALTER_STORE" => Some(store.to_owned()),
        // A thousand callers have one key.
        "ALTER_RATE_LIMIT_RPM" => Some("1000000".to_owned()),
        _ => None,
    };
    let config = Config::load(&flags, settings).expect("valid settings");
    let listener = listen(&config).await.expect("a free port");
    let opened = setup::open(&config, Access::Write).expect("the parent made it");
    let server = Server::new(listener, None, opened, &config).expect("a server");
    tell(server.address());
    server.run(std::future::pending()).await.expect("a clean stop");
}

/// A line for the parent.
fn tell(what: impl std::fmt::Display) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "told {what}").and_then(|()| out.flush()).expect("the parent listens");
}

/// Calls with both grants at once, and tells each answer's status and token.
async fn call_all(orders: &Value) {
    let calls = orders["calls"].as_u64().expect("a number");
    let http: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let tasks: Vec<_> = (0..calls)
        .map(|n| {
            let (http, orders) = (http.clone(), orders.clone());
            tokio::spawn(async move {
                let text = |name: &str| orders[name].as_str().expect("a text").to_owned();
                let grant = &orders["grants"][usize::try_from(n % 2).expect("small")];
                let body = json!({"grant_id": grant, "request": {"method": "GET", "url": text("target")}});
                let request = Signed::token(&text("key"), &body).request_to(&text("vault"), SystemClock.now().as_secs());
                let Ok(answer) = http.request(request).await else { return (0, json!({"error": "no_answer"})) };
                let status = answer.status().as_u16();
                let body: Value =
                    serde_json::from_slice(&answer.into_body().collect().await.expect("whole").to_bytes()).unwrap_or_default();
                (status, body)
            })
        })
        .collect();
    for task in tasks {
        let (status, body) = task.await.expect("no panic");
        tell(format_args!("{status} {}", body["access_token"].as_str().or(body["error"].as_str()).unwrap_or_default()));
    }
}

fn child(test: &str, role: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("a child")
}

/// What a child tells, line by line. A line counts from its mark on: the test harness prints its own words before.
fn told(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.map_while(Result::ok).filter_map(|line| line.split_once("told ").map(|(_, said)| said.to_owned()))
}

/// A vault process, killed when dropped.
struct VaultProcess {
    child: Child,
    address: SocketAddr,
}

impl VaultProcess {
    fn start(test: &str, folder: &Path, store: &str) -> Self {
        let mut child = child(test, &format!("vault {} {store}", folder.display()));
        let address = told(&mut child).next().expect("an address").parse().expect("an address");
        Self { child, address }
    }

    /// `kill -9`.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for VaultProcess {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands for a vault's own data folder.
const FOLDER: &str = "sqlite";

/// A vault with the expired login in it, closed.
fn prepared(provider: &OAuthServer, store: &str) -> (TempDir, Seeded) {
    let folder = TempDir::new().expect("a folder");
    let store = match store {
        FOLDER => StorePlace::Folder,
        url => StorePlace::Postgres(PostgresUrl::parse(url).expect("a URL")),
    };
    let location = Location { data: folder.path().to_owned(), store };
    let seeded = Runtime::new().expect("a runtime").block_on(async {
        let opened = setup::open_or_create(location).await.expect("a new vault");
        let seeded = seed(&opened, &Wanted::expired(provider)).await;
        opened.store.close().await.expect("closed");
        seeded
    });
    (folder, seeded)
}

fn callers(test: &str, vault: &VaultProcess, provider: &OAuthServer, seeded: &Seeded, calls: usize) -> Child {
    let orders = json!({
        "vault": format!("http://{}", vault.address),
        "key": seeded.key,
        "grants": seeded.grants,
        "target": format!("{}/api/me", provider.url()),
        "calls": calls,
    });
    child(test, &format!("callers {orders}"))
}

#[test]
fn a_thousand_callers_in_eight_processes_are_one_exchange() {
    const NAME: &str = "a_thousand_callers_in_eight_processes_are_one_exchange";
    be_a_child();
    let provider = OAuthServer::start(Rotation::Replace { grace: Duration::ZERO }).expect("a free port");
    let (folder, seeded) = prepared(&provider, FOLDER);
    let vault = VaultProcess::start(NAME, folder.path(), FOLDER);
    println!("served in {:?}", assert_one_exchange(NAME, &[vault], &provider, &seeded));
}

/// The same login, shared by two vaults on machines of their own.
#[test]
fn a_thousand_callers_of_two_vaults_on_one_database_are_one_exchange() {
    const NAME: &str = "a_thousand_callers_of_two_vaults_on_one_database_are_one_exchange";
    be_a_child();
    let provider = OAuthServer::start(Rotation::Replace { grace: Duration::ZERO }).expect("a free port");
    let server = PostgresServer::start();
    let store = server.database("vault");
    let (first, seeded) = prepared(&provider, &store);
    let second = another(&first);
    let vaults = [&first, &second].map(|folder| VaultProcess::start(NAME, folder.path(), &store));
    println!("served in {:?}", assert_one_exchange(NAME, &vaults, &provider, &seeded));
}

/// The data folder of another machine: the master key and nothing else.
fn another(first: &TempDir) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::copy(first.path().join(MASTER_KEY_FILE), folder.path().join(MASTER_KEY_FILE)).expect("copied");
    folder
}

/// Eight processes call the vaults in turn; all of them are served by one exchange. Returns how long it took.
fn assert_one_exchange(test: &str, vaults: &[VaultProcess], provider: &OAuthServer, seeded: &Seeded) -> Duration {
    // Long enough that callers of every process are there while it runs.
    provider.script(&[Act::Slow(Duration::from_secs(3))]);
    let began = Instant::now();
    let mut children: Vec<Child> =
        (0..CALLERS).map(|number| callers(test, &vaults[number % vaults.len()], provider, seeded, CALLS_EACH)).collect();
    let answers: Vec<String> = children.iter_mut().flat_map(told).collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    assert_eq!((answers.len(), provider.exchanges()), (CALLERS * CALLS_EACH, 1));
    let first = &answers[0];
    assert!(first.starts_with("200 canary-access-") && answers.iter().all(|answer| answer == first), "{first} and others");
    began.elapsed()
}

#[test]
fn another_start_recovers_from_a_vault_that_was_killed_while_it_refreshed() {
    const NAME: &str = "another_start_recovers_from_a_vault_that_was_killed_while_it_refreshed";
    be_a_child();
    let provider = OAuthServer::start(Rotation::Replace { grace: Duration::from_secs(1800) }).expect("a free port");
    let (folder, seeded) = prepared(&provider, FOLDER);
    let vault = VaultProcess::start(NAME, folder.path(), FOLDER);
    let again = || VaultProcess::start(NAME, folder.path(), FOLDER);
    println!("recovered {:?} after the lease was taken", assert_recovers(NAME, vault, again, &provider, &seeded));
}

#[test]
fn another_vault_on_the_database_recovers_from_one_that_was_killed_while_it_refreshed() {
    const NAME: &str = "another_vault_on_the_database_recovers_from_one_that_was_killed_while_it_refreshed";
    be_a_child();
    let provider = OAuthServer::start(Rotation::Replace { grace: Duration::from_secs(1800) }).expect("a free port");
    let server = PostgresServer::start();
    let store = server.database("vault");
    let (first, seeded) = prepared(&provider, &store);
    let second = another(&first);
    let vault = VaultProcess::start(NAME, first.path(), &store);
    let other = VaultProcess::start(NAME, second.path(), &store);
    println!("recovered {:?} after the lease was taken", assert_recovers(NAME, vault, || other, &provider, &seeded));
}

/// Kills a vault in the middle of an exchange; the other one exchanges again once the lease is over, and not before. Returns how
/// long it took.
fn assert_recovers(
    test: &str,
    vault: VaultProcess,
    other: impl FnOnce() -> VaultProcess,
    provider: &OAuthServer,
    seeded: &Seeded,
) -> Duration {
    provider.script(&[Act::Slow(Duration::from_secs(9))]);
    let mut lost = callers(test, &vault, provider, seeded, 1);
    let limit = Instant::now() + PATIENCE;
    while provider.exchanges() == 0 {
        assert!(Instant::now() < limit, "the exchange never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let leased = Instant::now();
    vault.kill();
    assert_eq!(told(&mut lost).next().as_deref(), Some("0 no_answer"));
    lost.wait().expect("it ends");
    let vault = other();
    loop {
        let mut caller = callers(test, &vault, provider, seeded, 1);
        let answer = told(&mut caller).next().expect("an answer");
        caller.wait().expect("it ends");
        if answer.starts_with("200 canary-access-") {
            break;
        }
        // A caller is held for 20 s; the lease lasts 30.
        assert_eq!(answer, "409 token_refresh_in_progress");
        assert!(Instant::now() < limit, "never recovered");
    }
    let took = leased.elapsed();
    assert_eq!(provider.exchanges(), 2);
    assert!(took >= Duration::from_secs(25), "somebody took the lease while it was held: {took:?}");
    took
}
