//! `alter key rotate-master`, with a running vault and without.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::running::{Running, made};
use crate::world::{CREDENTIAL, World, alter, on};

fn record(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

#[test]
fn a_running_vault_gets_a_new_master_key_and_serves_on() {
    let world = World::new();
    let file = world.vault.data().join("master.key");
    let before = fs::read_to_string(&file).expect("readable");
    let refused = on(&world.vault, &["key", "rotate-master", "--json"]);
    assert_eq!(refused.error(), ("confirmation_needed".into(), 2));
    assert_eq!(fs::read_to_string(&file).expect("readable"), before, "nothing begins unasked");
    let rotated = on(&world.vault, &["key", "rotate-master", "--yes"]);
    assert_eq!(rotated.exit, 0, "{rotated:?}");
    assert!(rotated.stderr.contains("data keys re-wrapped: 100 %, 1 of 1"), "{rotated:?}");
    let after = fs::read_to_string(&file).expect("readable");
    assert!(after.lines().count() == 1 && after != before);
    for key in [before.trim(), after.trim()] {
        assert!(!rotated.stdout.contains(key) && !rotated.stderr.contains(key), "a master key is printed");
    }
    let answered = world.request(&["GET", &world.at("/v1/me"), "--grant", &world.grant]);
    assert_eq!(answered.exit, 0, "{answered:?}");
    assert!(!answered.stdout.contains(CREDENTIAL));
    let again = on(&world.vault, &["key", "rotate-master", "--yes", "--json"]);
    assert_eq!(
        (record(&again.stdout)["version"].as_u64(), record(&again.stdout)["data_keys"].as_u64(), again.stderr.as_str()),
        (Some(3), Some(1), "")
    );
    assert_eq!(on(&world.vault, &["audit", "verify"]).exit, 0);
    assert_eq!(on(&world.vault, &["key", "rotate-master", "--offline", "--yes", "--json"]).error(), ("data_folder_in_use".into(), 6));
}

#[test]
fn without_a_vault_it_is_done_in_the_folder() {
    let (_folder, data) = made();
    let data = data.to_str().expect("text");
    let rotated = alter(&["key", "rotate-master", "--offline", "--yes", "--json", "--data-dir", data], &[], "");
    assert_eq!((rotated.exit, record(&rotated.stdout)["version"].as_u64()), (0, Some(2)), "{rotated:?}");
    assert_eq!(alter(&["audit", "verify", "--offline", "--data-dir", data], &[], "").exit, 0);
}

#[test]
fn a_key_from_the_environment_is_rotated_after_a_start_with_both() {
    let (_folder, data) = made();
    let first = fs::read_to_string(data.join("master.key")).expect("readable");
    let first = first.trim();
    fs::remove_file(data.join("master.key")).expect("removed");
    let second = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let vault = Running::start(&data, &[("ALTER_MASTER_KEY", first)], Stdio::null());
    let refused = vault.alter(&["key", "rotate-master", "--yes"], &[], "");
    assert_eq!(refused.exit, 6, "{refused:?}");
    assert!(refused.reads_well().stderr.contains("ALTER_MASTER_KEY_PREVIOUS"));
    drop(vault);
    let vault = Running::start(&data, &[("ALTER_MASTER_KEY", second), ("ALTER_MASTER_KEY_PREVIOUS", first)], Stdio::null());
    assert_eq!(vault.alter(&["key", "rotate-master", "--yes"], &[], "").exit, 0);
    drop(vault);
    let vault = Running::start(&data, &[("ALTER_MASTER_KEY", second)], Stdio::null());
    assert_eq!(vault.alter(&["audit", "verify"], &[], "").exit, 0);
}
