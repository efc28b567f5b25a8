//! `alter store copy`, and the commands that work on a database.

use std::process::Stdio;

use alter_testkit::postgres::PostgresServer;
use alter_testkit::provider::{Account, Credential, Provider};
use serde_json::Value;

use crate::running::{Running, made};
use crate::world::{CREDENTIAL, alter};

fn record(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

/// A vault that has served calls, moved to a database: it serves the same grant from there, and its trail goes on.
#[test]
fn a_vault_moves_to_postgresql_and_serves_on() {
    let (_folder, data_path) = made();
    let data = data_path.to_str().expect("text");
    let url = PostgresServer::shared().database("moved");
    let copy = || alter(&["store", "copy", "--from", data, "--to", &url, "--json"], &[], "");
    let provider = Provider::start().expect("a provider");
    let credential = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
    provider.open("/v1/", Account { credentials: vec![credential], answer: None });
    let (host, target) = (provider.address().to_string(), format!("{}/v1/me", provider.url()));

    let mut before = Running::start(&data_path, &[], Stdio::null());
    let made = |arguments: &[&str], input: &str| record(&before.alter(&[arguments, &["--json"]].concat(), &[], input).stdout);
    made(&["app", "create", "demo"], "");
    let key = made(&["key", "create"], "")["api_key"].as_str().expect("a key").to_owned();
    made(&["secret", "create", "mail", "--bearer", "--allow-host", &host, "--stdin"], &format!("{CREDENTIAL}\n"));
    let grant = made(&["grant", "create", "--secret", "mail"], "")["grant_id"].as_str().expect("a grant").to_owned();
    let request = ["request", "GET", &target, "--grant", &grant];
    assert_eq!(before.alter(&request, &[("ALTER_API_KEY", &key)], "").exit, 0);
    assert_eq!(copy().error(), ("data_folder_in_use".into(), 6), "it must be stopped");
    before.signal("TERM");
    assert!(before.child.wait().expect("it ends").success());

    let copied = copy();
    assert_eq!(copied.exit, 0, "{copied:?}");
    let report = record(&copied.stdout);
    let rows = |table: &str| {
        let tables = report["tables"].as_array().expect("a list");
        tables.iter().find(|entry| entry["table"] == table).unwrap_or_else(|| panic!("{table}: {report}"))["rows"]
            .as_u64()
            .expect("a number")
    };
    assert_eq!((rows("apps"), rows("secrets"), rows("grants"), rows("sealed_fields")), (1, 1, 1, 1));
    assert!(rows("audit_rows") >= 5 && report["chains_verified"] == 2, "{report}");
    assert!(!copied.stdout.contains(CREDENTIAL));

    let again = copy();
    assert_eq!(again.error(), ("target_not_empty".into(), 6));

    let store = [("ALTER_STORE", url.as_str())];
    let verified = alter(&["audit", "verify", "--offline", "--data-dir", data], &store, "");
    assert!(verified.exit == 0 && verified.stdout.contains("intact"), "{verified:?}");
    let rotated = alter(&["key", "rotate-master", "--offline", "--yes", "--data-dir", data], &store, "");
    assert_eq!(rotated.exit, 0, "{rotated:?}");
    let rescued = alter(&["key", "create", "--operator", "rescue", "--offline", "--data-dir", data], &store, "");
    assert_eq!(rescued.exit, 0, "{rescued:?}");

    let running = Running::start(&data_path, &store, Stdio::null());
    let called = running.alter(&request, &[("ALTER_API_KEY", &key)], "");
    assert_eq!(called.exit, 0, "{called:?}");
    let tail = running.alter(&["audit", "verify"], &[], "");
    assert!(tail.exit == 0 && !tail.stdout.contains("BROKEN"), "{tail:?}");
    let shown = alter(&["config", "show", "--data-dir", data], &store, "");
    assert!(shown.stdout.contains("postgres://postgres@/moved?host=") && shown.stdout.contains("$ALTER_STORE"), "{shown:?}");
}

#[test]
fn a_password_is_not_taken_from_where_others_see_it() {
    let (_folder, data) = made();
    let data = data.to_str().expect("text");
    let copy = |to: &str, variables: &[(&str, &str)]| alter(&["store", "copy", "--from", data, "--to", to, "--json"], variables, "");
    let seen = copy("postgres://u:swordfish@127.0.0.1:1/d", &[]);
    assert_eq!(seen.error(), ("config_invalid".into(), 2));
    assert!(seen.stderr.contains("holds a password") && !seen.stderr.contains("swordfish"), "{seen:?}");
    let url = "postgres://u:swordfish@127.0.0.1:1/d";
    let unreachable = alter(&["store", "copy", "--from", data, "--json"], &[("ALTER_STORE", url)], "");
    assert_eq!(unreachable.error(), ("database_unreachable".into(), 7));
    assert!(!unreachable.stderr.contains("swordfish"), "{unreachable:?}");
    assert_eq!(copy("mysql://h/d", &[]).error(), ("config_invalid".into(), 2));
    let serving = alter(&["serve", "--data-dir", data], &[("ALTER_STORE", url)], "");
    serving.reads_well();
    assert!(serving.exit == 7 && !serving.stderr.contains("swordfish"), "{serving:?}");
}

/// Killed in the middle, a copy leaves nothing in the database; run again it does all of it.
#[test]
fn a_copy_that_was_killed_is_run_again() {
    let (_folder, data) = made();
    let data_text = data.to_str().expect("text").to_owned();
    let connection = rusqlite::Connection::open(data.join("vault.db")).expect("the vault's database");
    let many = "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 400000)
        INSERT INTO nonces (digest, expires_at) SELECT CAST(printf('%016d', n) AS BLOB), 1 FROM numbers;
        UPDATE counters SET value = 400000 WHERE name = 'nonces'";
    connection.execute_batch(many).expect("nonces");
    drop(connection);
    let server = PostgresServer::shared();
    let url = server.database("interrupted");
    let mut child = std::process::Command::new(crate::world::program())
        .args(["store", "copy", "--from", &data_text, "--to", &url, "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let writes = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'interrupted' AND query LIKE 'INSERT INTO nonces%'";
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while server.run("interrupted", writes) == "0" {
        assert!(std::time::Instant::now() < limit && child.try_wait().expect("it can be asked").is_none(), "it was never seen copying");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let tables = "SELECT count(*) FROM pg_namespace WHERE nspname = 'alter_vault'";
    let gone = || server.run("interrupted", tables) == "0" && server.run("interrupted", writes) == "0";
    while !gone() {
        assert!(std::time::Instant::now() < limit, "the interrupted copy left something");
    }
    let again = alter(&["store", "copy", "--from", &data_text, "--to", &url], &[], "");
    assert_eq!(again.exit, 0, "{again:?}");
    assert!(again.stderr.contains("rows copied: 100 %"), "{again:?}");
    assert_eq!(server.run("interrupted", "SELECT count(*) FROM alter_vault.nonces"), "400000");
}
