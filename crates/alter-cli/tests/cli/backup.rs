//! `alter backup` and `alter restore`: of a running vault, on either database; nothing half, nothing changed, nothing that was ended comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alter_testkit::postgres::PostgresServer;
use alter_testkit::provider::{Account, Credential, Provider};
use serde_json::Value;

use crate::running::{Running, made};
use crate::world::{CREDENTIAL, Ran, alter, program};

/// A running vault with an app, a key, a secret and a grant, beside a place for files.
struct Site {
    folder: tempfile::TempDir,
    data: PathBuf,
    running: Option<Running>,
    provider: Provider,
    key: String,
    grant: String,
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn record(ran: &Ran) -> Value {
    assert_eq!(ran.exit, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

impl Site {
    fn new() -> Self {
        let (folder, data) = made();
        let provider = Provider::start().expect("a provider");
        let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/v1/", Account { credentials: vec![credential], answer: None });
        let running = Running::start(&data, &[], Stdio::null());
        let mut site = Self { folder, data, running: Some(running), provider, key: String::new(), grant: String::new() };
        let host = site.provider.address().to_string();
        site.one(&["app", "create", "demo"], "");
        site.one(&["secret", "create", "mail", "--bearer", "--allow-host", &host, "--stdin"], &format!("{CREDENTIAL}\n"));
        site.key = site.new_key();
        site.grant = site.new_grant();
        site
    }

    fn one(&self, arguments: &[&str], input: &str) -> Value {
        let running = self.running.as_ref().expect("it runs");
        record(&running.alter(&[arguments, &["--json"]].concat(), &[], input))
    }

    fn new_key(&self) -> String {
        self.one(&["key", "create"], "")["api_key"].as_str().expect("a key").to_owned()
    }

    fn new_grant(&self) -> String {
        self.one(&["grant", "create", "--secret", "mail"], "")["grant_id"].as_str().expect("a grant").to_owned()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn backup(&self, file: &Path, more: &[&str]) -> Ran {
        alter(&[&["backup", text(file), "--data-dir", text(&self.data)], more].concat(), &[], "")
    }

    /// An empty folder that has the vault's master key.
    fn empty(&self, name: &str) -> PathBuf {
        let folder = self.file(name);
        fs::create_dir(&folder).expect("a folder");
        fs::copy(self.data.join("master.key"), folder.join("master.key")).expect("the key");
        folder
    }

    fn stop(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.signal("TERM");
        assert!(running.child.wait().expect("it ends").success());
    }

    /// Makes a call on a vault, and gives the code of a refusal; "" if it works.
    fn call(&self, vault: &Running, key: &str, grant: &str) -> String {
        let target = format!("{}/v1/me", self.provider.url());
        let ran = vault.alter(&["request", "GET", &target, "--grant", grant, "--json"], &[("ALTER_API_KEY", key)], "");
        if ran.exit == 0 { String::new() } else { ran.error().0 }
    }
}

fn restore(file: &Path, to: &Path, more: &[&str]) -> Ran {
    alter(&[&["restore", text(file), "--data-dir", text(to)], more].concat(), &[], "")
}

const AS_IT_WAS: &[&str] = &["--without-tombstones", "--json"];

#[test]
fn a_running_vault_is_backed_up_and_serves_on_from_it() {
    let mut site = Site::new();
    let running = site.running.take().expect("it runs");
    assert_eq!(site.call(&running, &site.key, &site.grant), "");
    site.running = Some(running);
    let file = site.file("one.alter");
    let told = record(&site.backup(&file, &["--json"]));
    assert!(told["rows"].as_u64() > Some(20) && told["chains"].as_array().map(Vec::len) == Some(2), "{told}");
    let written = fs::read(&file).expect("the file");
    assert!(
        memchr::memmem::find(&written, CREDENTIAL.as_bytes()).is_none() && memchr::memmem::find(&written, site.key.as_bytes()).is_none()
    );
    assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    assert_eq!(site.backup(&file, &["--json"]).error(), ("file_exists".into(), 6));
    assert_eq!(fs::read(&file).expect("the file"), written);
    site.stop();

    let to = site.empty("to");
    let restored = record(&restore(&file, &to, AS_IT_WAS));
    assert_eq!((&restored["rows"], &restored["chains_verified"]), (&told["rows"], &2.into()));
    let again = Running::start(&to, &[], Stdio::null());
    assert_eq!(site.call(&again, &site.key, &site.grant), "");
    let operator = fs::read_to_string(site.data.join("operator.key")).expect("the first operator's key");
    let rows = again.alter(&["audit", "tail", "--app", "vault", "--json"], &[("ALTER_OPERATOR_KEY", operator.trim())], "");
    assert!(rows.stdout.contains("\"action\":\"vault.restore\""), "{rows:?}");
    let head = again.alter(&["audit", "verify", "--offline"], &[], "");
    assert!(head.exit == 0 && !head.stdout.contains("BROKEN"), "{head:?}");
    assert_eq!(restore(&file, &to, AS_IT_WAS).error(), ("data_folder_in_use".into(), 6));
    drop(again);
    assert_eq!(restore(&file, &to, AS_IT_WAS).error(), ("target_not_empty".into(), 6));
}

#[test]
fn what_was_ended_after_a_backup_stays_ended() {
    let mut site = Site::new();
    let (other_key, other_grant) = (site.new_key(), site.new_grant());
    let file = site.file("early.alter");
    record(&site.backup(&file, &["--json"]));
    let listed = site.one(&["grant", "revoke", &site.grant, "--yes"], "");
    assert_eq!(listed["status"], "revoked");
    let running = site.running.as_ref().expect("it runs");
    let keys = running.alter(&["key", "list", "--json"], &[], "");
    let prefix = |key: &Value| site.key.starts_with(key["key_prefix"].as_str().expect("a prefix").trim_end_matches('…'));
    let keys: Vec<Value> = keys.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let id = keys.iter().find(|key| prefix(key)).expect("the key")["id"].as_str().expect("an id").to_owned();
    site.one(&["key", "revoke", &id, "--yes"], "");
    let tombstones = site.file("tombstones");
    let told = record(&site.backup(&tombstones, &["--tombstones", "--json"]));
    assert_eq!(told["tombstones"], 2);
    // Written again, it takes the place of the earlier one.
    record(&site.backup(&tombstones, &["--tombstones", "--json"]));
    site.stop();

    let usage = restore(&file, &site.empty("neither"), &["--json"]);
    assert_eq!(usage.error(), ("usage".into(), 2), "somebody has to say what of later revocations");
    let with = site.empty("with");
    let restored = record(&restore(&file, &with, &["--tombstones", text(&tombstones), "--json"]));
    assert_eq!((&restored["ended"]["api_keys"], &restored["ended"]["grants"]), (&1.into(), &1.into()), "{restored}");
    let vault = Running::start(&with, &[], Stdio::null());
    assert_eq!(site.call(&vault, &site.key, &other_grant), "key_revoked");
    assert_eq!(site.call(&vault, &other_key, &site.grant), "grant_revoked");
    assert_eq!(site.call(&vault, &other_key, &other_grant), "");
    drop(vault);
    // Without them it is as it was, for whoever says that it shall be.
    let without = site.empty("without");
    record(&restore(&file, &without, AS_IT_WAS));
    let vault = Running::start(&without, &[], Stdio::null());
    assert_eq!(site.call(&vault, &site.key, &site.grant), "");

    // Only this vault's own tombstones count, and each file is taken for what it is.
    let (foreign, theirs) = (made(), site.file("theirs"));
    let wrote = alter(&["backup", text(&theirs), "--tombstones", "--data-dir", text(&foreign.1)], &[], "");
    assert_eq!(wrote.exit, 0, "{wrote:?}");
    let to = site.empty("foreign");
    assert_eq!(restore(&file, &to, &["--tombstones", text(&theirs), "--json"]).error(), ("backup_changed".into(), 7));
    assert_eq!(restore(&tombstones, &to, AS_IT_WAS).error(), ("not_a_backup".into(), 1));
    assert_eq!(restore(&file, &to, &["--tombstones", text(&file), "--json"]).error(), ("not_a_backup".into(), 1));
    assert!(!to.join("vault.db").exists());
}

#[test]
fn a_file_that_is_not_whole_makes_no_vault() {
    let mut site = Site::new();
    let file = site.file("whole.alter");
    record(&site.backup(&file, &["--json"]));
    site.stop();
    let whole = fs::read(&file).expect("the file");
    let (to, broken) = (site.empty("to"), site.file("broken.alter"));
    let try_with = |bytes: &[u8]| {
        fs::write(&broken, bytes).expect("written");
        let ran = restore(&broken, &to, AS_IT_WAS);
        assert!(!to.join("vault.db").exists() && !to.join("vault.db.restoring").exists(), "{ran:?}");
        ran.error()
    };
    let lines: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let last = lines[lines.len() - 2];
    for end in [last, last + 10, whole.len() - 1, lines[10], lines[10] + 1] {
        assert_eq!(try_with(&whole[..end]), ("backup_incomplete".into(), 7), "cut at {end} of {}", whole.len());
    }
    // A changed value, a row less, a row twice.
    let mut changed = whole.clone();
    let at = memchr::memmem::find(&changed, b"\"demo\"").expect("the app's name");
    changed[at + 1] = b'D';
    assert_eq!(try_with(&changed), ("backup_changed".into(), 7));
    let without = [&whole[..lines[8]], &whole[lines[9]..]].concat();
    assert_eq!(try_with(&without).0, "backup_changed");
    let twice = [&whole[..lines[9]], &whole[lines[8]..]].concat();
    assert_eq!(try_with(&twice).0, "backup_changed");
    assert_eq!(try_with(b"hello\n").0, "not_a_backup");
    assert_eq!(try_with(b"").0, "not_a_backup");
    assert_eq!(restore(&site.file("nothing"), &to, AS_IT_WAS).error(), ("file_unusable".into(), 1));

    // Another key opens nothing of it, and none is made up.
    fs::write(to.join("master.key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").expect("written");
    assert_eq!(restore(&file, &to, AS_IT_WAS).error(), ("master_key_wrong".into(), 7));
    fs::remove_file(to.join("master.key")).expect("removed");
    assert_eq!(restore(&file, &to, AS_IT_WAS).error(), ("master_key_missing".into(), 7));
    assert!(!to.join("vault.db").exists());
    let told = restore(&file, &to, &["--without-tombstones"]);
    told.reads_well();
}

#[test]
fn a_backup_moves_between_the_databases() {
    let mut site = Site::new();
    let file = site.file("sqlite.alter");
    let told = record(&site.backup(&file, &["--json"]));
    site.stop();
    let server = PostgresServer::shared();
    let url = server.database("restored");
    let store = [("ALTER_STORE", url.as_str())];
    let to = site.empty("to");
    let into = || alter(&["restore", text(&file), "--without-tombstones", "--json", "--data-dir", text(&to)], &store, "");
    let restored = record(&into());
    assert_eq!(restored["rows"], told["rows"]);
    assert_eq!(into().error(), ("target_not_empty".into(), 6));
    let running = Running::start(&to, &store, Stdio::null());
    assert_eq!(site.call(&running, &site.key, &site.grant), "");
    // While it serves, and more rows than the server hands out at once.
    let many = "INSERT INTO alter_vault.nonces (digest, expires_at) SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 1 FROM generate_series(1, 5000) n";
    server.run("restored", many);
    let back = site.file("postgres.alter");
    let written = record(&alter(&["backup", text(&back), "--json", "--data-dir", text(&to)], &store, ""));
    assert!(written["rows"].as_u64() > Some(5000), "{written}");
    drop(running);
    let home = site.empty("home");
    assert_eq!(record(&restore(&back, &home, AS_IT_WAS))["rows"], written["rows"]);
    let running = Running::start(&home, &[], Stdio::null());
    assert_eq!(site.call(&running, &site.key, &site.grant), "");
}

/// Starts a command and kills it as soon as `seen` says so. It must not end before.
fn killed(arguments: &[&str], seen: impl Fn() -> bool) {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let limit = Instant::now() + Duration::from_secs(60);
    while !seen() {
        assert!(Instant::now() < limit && child.try_wait().expect("it can be asked").is_none(), "it was never seen at work");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Killed in the middle, neither leaves anything that is taken for a whole; run again each does all of it.
#[test]
fn a_backup_or_restore_that_was_killed_is_run_again() {
    let (folder, data) = made();
    let connection = rusqlite::Connection::open(data.join("vault.db")).expect("the vault's database");
    let many = "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 400000)
        INSERT INTO nonces (digest, expires_at) SELECT CAST(printf('%016d', n) AS BLOB), 1 FROM numbers;
        UPDATE counters SET value = 400000 WHERE name = 'nonces'";
    connection.execute_batch(many).expect("nonces");
    drop(connection);
    let (file, to) = (folder.path().join("many.alter"), folder.path().join("to"));
    let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let backup = ["backup", text(&file), "--data-dir", text(&data)];
    killed(&backup, || length(&folder.path().join("many.alter.partial")) > 100_000);
    assert!(!file.exists(), "half a backup has its name");
    let ran = alter(&backup, &[], "");
    assert!(ran.exit == 0 && ran.stderr.contains("rows backed up: 100 %"), "{ran:?}");
    assert!(!folder.path().join("many.alter.partial").exists());

    fs::create_dir(&to).expect("a folder");
    fs::copy(data.join("master.key"), to.join("master.key")).expect("the key");
    let restore = ["restore", text(&file), "--without-tombstones", "--data-dir", text(&to)];
    killed(&restore, || length(&to.join("vault.db.restoring")) > 500_000);
    assert!(!to.join("vault.db").exists(), "half a vault has its name");
    let ran = alter(&restore, &[], "");
    assert!(ran.exit == 0 && ran.stderr.contains("rows restored: 100 %"), "{ran:?}");
    assert!(!to.join("vault.db.restoring").exists());
    let connection = rusqlite::Connection::open(to.join("vault.db")).expect("the restored database");
    let nonces: i64 = connection.query_row("SELECT count(*) FROM nonces", [], |row| row.get(0)).expect("counted");
    assert_eq!(nonces, 400_000);
}
