//! Starting and stopping: what stands in the way is told, and nothing is lost.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::running::{Running, made};
use crate::world::{CREDENTIAL, Ran, alter, on, vault};

/// A start that must fail, told to people and to scripts.
fn refused(data: &Path, arguments: &[&str], variables: &[(&str, &str)], code: &str, exit: i32) -> Ran {
    let data = data.to_str().expect("text");
    let base = ["serve", "--data-dir", data, "--address", "127.0.0.1:0"];
    let mut all: Vec<&str> = base.into_iter().chain(arguments.iter().copied()).collect();
    if arguments.contains(&"--address") {
        all.drain(3..5);
    }
    let told = alter(&all, variables, "");
    assert_eq!(told.exit, exit, "{told:?}");
    told.reads_well();
    all.push("--json");
    assert_eq!(alter(&all, variables, "").error(), (code.to_owned(), exit));
    told
}

#[test]
fn a_taken_port_is_named_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("v");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = refused(&data, &["--address", &address], &[], "port_in_use", 6);
    assert!(told.stderr.contains(&address));
    assert!(!data.exists());
}

#[test]
fn an_address_beyond_loopback_needs_a_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = refused(folder.path(), &["--address", "0.0.0.0:0"], &[], "bind_refused", 2);
    assert!(told.stderr.contains("--insecure-bind"));
    refused(folder.path(), &["--address", "192.0.2.1:0", "--insecure-bind"], &[], "address_unavailable", 1);
}

#[test]
fn a_vault_on_every_address_makes_no_link_to_it() {
    let (_folder, data) = made();
    let vault = Running::start_at(&data, &["--address", "0.0.0.0:0", "--insecure-bind"], &[], Stdio::null());
    assert!(vault.url.starts_with("http://127.0.0.1:") && vault.ready.contains("\"address\":\"0.0.0.0:"), "{}", vault.ready);
    assert_eq!(vault.alter(&["app", "create", "demo"], &[], "").exit, 0);
    let set = ["idp", "set", "https://id.example.com", "--client-id", "alter", "--no-secret", "--no-check", "--json"];
    let shown = vault.alter(&set, &[], "");
    assert!(shown.stdout.contains(&format!("{}/sign-in/callback", vault.url)), "{shown:?}");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").expect("writable");
    let told = refused(&file, &[], &[], "data_folder_unusable", 7);
    assert!(told.stderr.contains(file.to_str().expect("text")));
    assert_eq!(fs::read_to_string(&file).expect("readable"), "not a folder");
    refused(Path::new("/proc/no/such/place"), &[], &[], "data_folder_unusable", 7);
}

#[test]
fn the_master_key_must_be_the_right_one() {
    let (_folder, data) = made();
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let told = refused(&data, &[], &[("ALTER_MASTER_KEY", other)], "master_key_wrong", 7);
    assert!(!told.stderr.contains(other));
    refused(&data, &[], &[("ALTER_MASTER_KEY", "c2hvcnQ=")], "master_key_malformed", 7);
    refused(&data, &[], &[("ALTER_MASTER_KEY", other), ("ALTER_MASTER_KEY_FILE", "/x")], "master_key_ambiguous", 7);
    refused(&data, &[], &[("ALTER_MASTER_KEY_FILE", "/nonexistent")], "master_key_unreadable", 7);
    let key = data.join("master.key");
    let text = fs::read(&key).expect("readable");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    refused(&data, &[], &[], "master_key_exposed", 7);
    fs::remove_file(&key).expect("removed");
    refused(&data, &[], &[], "master_key_missing", 7);
    assert!(!key.exists(), "no new key is made over old data");
    fs::write(&key, text).expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("changed");
    assert_eq!(alter(&["audit", "verify", "--offline", "--data-dir", data.to_str().expect("text")], &[], "").exit, 0, "nothing is lost");
}

#[test]
fn a_damaged_database_is_left_as_it_is() {
    let (_folder, data) = made();
    let database = data.join("vault.db");
    fs::write(&database, vec![0x5a; 8192]).expect("written");
    let told = refused(&data, &[], &[], "database_corrupt", 7);
    assert!(told.stderr.contains("vault.db") && told.stderr.contains("backup"));
    assert_eq!(fs::read(&database).expect("readable"), vec![0x5a; 8192]);
}

#[test]
fn two_vaults_do_not_share_a_folder() {
    let vault = vault();
    let told = refused(&vault.data(), &[], &[], "data_folder_in_use", 6);
    assert!(told.stderr.contains(&vault.process().to_string()), "{told:?}");
}

#[test]
fn bad_settings_are_told_with_their_source() {
    let (_folder, data) = made();
    fs::write(data.join("alter.toml"), "adress = \"127.0.0.1:1\"\n").expect("written");
    let told = refused(&data, &[], &[], "config_invalid", 2);
    assert!(told.stderr.contains("adress") && told.stderr.contains("alter.toml"), "{told:?}");
    fs::write(data.join("alter.toml"), "public_url = \"http://vault.example.com\"\n").expect("written");
    assert!(refused(&data, &[], &[], "config_invalid", 2).stderr.contains("public_url"));
    fs::write(data.join("alter.toml"), "").expect("written");
    refused(&data, &["--address", "7117"], &[], "config_invalid", 2);
    refused(&data, &[], &[("ALTER_LOG", "no=such=level")], "config_invalid", 2);
}

#[test]
fn init_makes_a_private_folder_and_changes_nothing_the_second_time() {
    let (_folder, data) = made();
    let mode = |name: &str| fs::metadata(data.join(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("master.key"), mode("operator.key"), mode("vault.db")], [0o700, 0o600, 0o600, 0o600]);
    assert!(!fs::read_to_string(data.join("alter.toml")).expect("settings").contains("alter_pat_"));
    let before = ["master.key", "operator.key", "alter.toml"].map(|name| fs::read(data.join(name)).expect("readable"));
    let again = alter(&["init", data.to_str().expect("text"), "--json"], &[], "");
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).expect("JSON")["created"], false);
    assert_eq!(before, ["master.key", "operator.key", "alter.toml"].map(|name| fs::read(data.join(name)).expect("readable")));
}

#[test]
fn a_signal_stops_it_in_order() {
    let (_folder, data) = made();
    for signal in ["TERM", "INT"] {
        let mut vault = Running::start(&data, &[], Stdio::null());
        assert!(!vault.ready.contains("alter_pat_"));
        vault.signal(signal);
        assert_eq!(vault.child.wait().expect("ends").code(), Some(0), "{signal}");
    }
}

#[test]
fn a_start_that_was_cut_off_is_finished_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    // The credential file was written, the operator was not stored yet.
    fs::write(folder.path().join("operator.key"), "alter_pat_left_over_from_a_first_start\n").expect("written");
    let vault = Running::start(folder.path(), &[], Stdio::null());
    let listed = vault.alter(&["app", "list"], &[], "");
    assert_eq!(listed.exit, 0, "{listed:?}");
}

#[test]
fn the_log_holds_the_request_id_and_no_secret_however_much_is_logged() {
    let (folder, data) = made();
    let log = folder.path().join("log");
    let vault = Running::start(&data, &[("ALTER_LOG", "trace")], fs::File::create(&log).expect("made").into());
    assert_eq!(vault.alter(&["app", "create", "demo"], &[], "").exit, 0);
    let key: Value = serde_json::from_str(&vault.alter(&["key", "create", "--json"], &[], "").stdout).expect("JSON");
    let key = key["api_key"].as_str().expect("a key");
    let secret = ["secret", "create", "mail", "--bearer", "--allow-host", "127.0.0.1:1", "--stdin"];
    assert_eq!(vault.alter(&secret, &[], CREDENTIAL).exit, 0);
    assert_eq!(vault.alter(&["grant", "create", "--secret", "mail"], &[], "").exit, 0);
    let call = ["request", "GET", "http://127.0.0.1:1/?q=canary-query", "--provider", "mail"];
    assert_eq!(vault.alter(&call, &[("ALTER_API_KEY", key)], "").exit, 1, "the provider is not there; the credential was released");
    let stranger = alter_core::key::KeyKind::Runtime.generate().expect("random");
    assert_eq!(vault.alter(&call, &[("ALTER_API_KEY", stranger.expose())], "").exit, 4);
    let operator = fs::read_to_string(data.join("operator.key")).expect("readable");
    drop(vault);
    let log = fs::read_to_string(log).expect("readable");
    assert!(log.contains("unknown API key") && log.contains("request{id=\""), "{log}");
    for secret in [CREDENTIAL, key, stranger.expose(), operator.trim(), "canary-query"] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
}

#[test]
fn settings_are_shown_with_their_sources() {
    let (_folder, data) = made();
    fs::write(data.join("alter.toml"), "address = \"127.0.0.1:7999\"\n").expect("written");
    let shown =
        alter(&["config", "show", "--json", "--data-dir", data.to_str().expect("text")], &[("ALTER_PUBLIC_URL", "https://v.example")], "");
    let settings: Vec<Value> = shown.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |name: &str| {
        settings.iter().find(|s| s["name"] == name).map(|s| (s["value"].clone(), s["source"].as_str().unwrap_or_default().to_owned()))
    };
    assert_eq!(of("public_url"), Some(("https://v.example".into(), "$ALTER_PUBLIC_URL".into())));
    assert_eq!(of("data").map(|(_, source)| source), Some("--data-dir".into()));
    let from_variable = alter(&["config", "show", "--json"], &[("ALTER_DATA_DIR", data.to_str().expect("text"))], "");
    assert!(from_variable.stdout.contains("$ALTER_DATA_DIR") && from_variable.stdout.contains("127.0.0.1:7999"), "{from_variable:?}");
    assert!(of("address").is_some_and(|(value, source)| value == "127.0.0.1:7999" && source.ends_with("alter.toml")));
}

#[test]
fn without_a_vault_commands_say_so() {
    let (_folder, data) = made();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let arguments = ["app", "list", "--data-dir", data.to_str().expect("text"), "--vault", &format!("http://{free}")];
    let told = alter(&arguments, &[], "");
    assert_eq!(told.exit, 3);
    assert!(told.reads_well().stderr.contains("alter serve"));
    let remote =
        alter(&["app", "list", "--json", "--data-dir", data.to_str().expect("text"), "--vault", "http://vault.example.com"], &[], "");
    assert_eq!(remote.error(), ("usage".into(), 2), "the operator key is not sent in clear text");
}

#[test]
fn what_is_no_vault_is_told_apart() {
    let (_folder, data) = made();
    let provider = alter_testkit::provider::Provider::start().expect("a provider");
    let arguments = ["app", "list", "--json", "--data-dir", data.to_str().expect("text"), "--vault", &provider.url()];
    assert_eq!(alter(&arguments, &[], "").error(), ("not_a_vault".into(), 3));
}

#[test]
fn a_vault_that_is_killed_keeps_what_it_answered() {
    let (_folder, data) = made();
    let vault = Running::start(&data, &[], Stdio::null());
    assert_eq!(vault.alter(&["app", "create", "demo"], &[], "").exit, 0);
    vault.kill();
    let verified = alter(&["audit", "verify", "--offline", "--json", "--data-dir", data.to_str().expect("text")], &[], "");
    assert_eq!(verified.exit, 0, "{verified:?}");
    let rows: u64 =
        verified.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["rows"].as_u64().unwrap_or(0)).sum();
    assert_eq!(rows, 2);
}

#[test]
fn the_banner_is_not_in_the_way_of_scripts() {
    let vault = vault();
    let ran = on(&vault, &["config", "show", "--json"]);
    assert!(ran.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert_eq!(ran.stderr, "");
}
