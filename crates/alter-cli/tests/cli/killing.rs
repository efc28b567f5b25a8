//! `kill -9` of a real vault that is written to over HTTP while its master key is rotated.

use std::collections::{BTreeMap, HashMap};
use std::io::BufReader;
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alter_core::secret::Secret;
use alter_server::model::GrantId;
use alter_server::setup;
use alter_server::store::sqlite::Access;
use alter_testkit::http::{Headers, Request, Response};
use serde_json::{Value, json};

use crate::running::{Running, made};
use crate::world::alter;

/// Rounds in the suite; `ALTER_CRASH_ROUNDS` sets another number.
const ROUNDS: u64 = 6;
const WRITERS: u64 = 3;

/// The admin plane over one connection; `None` once the vault is dead.
struct Admin<'a> {
    connection: TcpStream,
    address: &'a str,
    key: &'a str,
}

impl<'a> Admin<'a> {
    fn connect(address: &'a str, key: &'a str) -> Option<Self> {
        let connection = TcpStream::connect(address).ok()?;
        connection.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        Some(Self { connection, address, key })
    }

    fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let headers = [("host", self.address.to_owned()), ("authorization", format!("Bearer {}", self.key))];
        let headers = Headers(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        let request = Request { method: "POST".into(), target: format!("/admin/v1{path}"), headers, body: body.to_string().into_bytes() };
        request.write(&mut &self.connection).ok()?;
        let answer = Response::read(&mut BufReader::new(&self.connection)).ok()?;
        Some((answer.status, serde_json::from_slice(&answer.body).ok()?))
    }
}

/// What was acknowledged: grant → value of its secret.
type Acknowledged = Mutex<HashMap<String, String>>;

/// Stores secrets with grants until the vault is dead.
fn write(address: &str, key: &str, numbers: &AtomicU64, acknowledged: &Acknowledged) {
    let Some(admin) = Admin::connect(address, key) else { return };
    loop {
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        let (slug, value) = (format!("s{number}"), format!("value-{number}"));
        let secret = json!({"slug": slug, "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": value}});
        match admin.post("/apps/demo/secrets", &secret) {
            Some((201, _)) => {}
            Some((409, body)) if body["error"] == "master_key_changed" => continue,
            Some(other) => panic!("{other:?}"),
            None => return,
        }
        let Some((status, grant)) = admin.post("/apps/demo/grants", &json!({ "secret": slug })) else { return };
        assert_eq!(status, 201, "{grant}");
        let grant = grant["grant_id"].as_str().expect("an id").to_owned();
        acknowledged.lock().expect("no panic").insert(grant, value);
    }
}

/// Rotates again and again until the vault is dead.
fn rotate(address: &str, key: &str) {
    let Some(admin) = Admin::connect(address, key) else { return };
    let mut begin = true;
    while let Some((status, state)) = admin.post("/master-key/rotation", &json!({ "begin": begin })) {
        assert_eq!(status, 200, "{state}");
        begin = state["done"] == true;
    }
}

/// Runs a vault with writers and a rotation, and kills it once `least` more writes are acknowledged.
fn run_and_kill(data: &Path, numbers: &AtomicU64, acknowledged: &Acknowledged, least: usize) {
    let vault = Running::start(data, &[], Stdio::null());
    let address = vault.url.trim_start_matches("http://").to_owned();
    let key = std::fs::read_to_string(data.join("operator.key")).expect("readable").trim().to_owned();
    if numbers.load(Ordering::SeqCst) == 0 {
        assert_eq!(vault.alter(&["app", "create", "demo"], &[], "").exit, 0);
    }
    let count = || acknowledged.lock().expect("no panic").len();
    let (before, end) = (count(), Instant::now() + Duration::from_secs(60));
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| write(&address, &key, numbers, acknowledged));
        }
        scope.spawn(|| rotate(&address, &key));
        while count() < before + least {
            assert!(Instant::now() < end, "the writers stand still");
            std::thread::sleep(Duration::from_millis(1));
        }
        vault.kill();
    });
}

/// The trail verifies and everything that was acknowledged opens.
fn check(data: &Path, acknowledged: &Acknowledged) {
    let verified = alter(&["audit", "verify", "--offline", "--data-dir", data.to_str().expect("text")], &[], "");
    assert_eq!(verified.exit, 0, "{verified:?}");
    let opened = setup::open(data, Access::Write).expect("opens");
    let acknowledged = acknowledged.lock().expect("no panic").clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let app = opened.store.app_by_name("demo".into()).await.expect("read").expect("an app").id;
        for (grant, value) in &acknowledged {
            let found = opened.store.grant_access(app, GrantId::parse(grant).expect("an id")).await.expect("read").found();
            let access = found.unwrap_or_else(|| panic!("acknowledged and lost: {grant}"));
            let values = opened.keys.open(app, access.sealed_to(), &access.sealed.expect("sealed")).expect("opens");
            assert_eq!(values, BTreeMap::from([("token".to_owned(), Secret::new(value.as_str()))]));
        }
        opened.store.close().await.expect("closes");
    });
}

#[test]
fn a_vault_that_is_killed_while_it_writes_and_rotates_loses_nothing() {
    let rounds = std::env::var("ALTER_CRASH_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    let (_folder, data) = made();
    let (numbers, acknowledged) = (AtomicU64::new(0), Acknowledged::default());
    let (mut round, mut cut_off) = (0, 0);
    // About every second kill meets a rotation; a test in which none did would show too little.
    while round < rounds || cut_off == 0 {
        assert!(round < rounds + 50, "no kill met a rotation");
        round += 1;
        run_and_kill(&data, &numbers, &acknowledged, 5 + round as usize * 3 % 20);
        let keys = std::fs::read_to_string(data.join("master.key")).expect("readable").lines().count();
        cut_off += u32::from(keys == 2);
        check(&data, &acknowledged);
    }
    println!("{} secrets acknowledged, {cut_off} of {round} kills in a rotation", acknowledged.lock().expect("no panic").len());
    let finished = alter(&["key", "rotate-master", "--offline", "--yes", "--data-dir", data.to_str().expect("text")], &[], "");
    assert_eq!(finished.exit, 0, "{finished:?}");
    check(&data, &acknowledged);
}
