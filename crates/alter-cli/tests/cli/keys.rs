//! Operator and application keys, and the way back in.

use crate::world::{World, alter, on, on_with, vault};
use serde_json::{Value, json};

#[test]
fn without_an_operator_key_the_way_to_one_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let ran = alter(&["app", "list", "--data-dir", data], &[], "");
    assert_eq!(ran.exit, 4);
    assert!(ran.reads_well().stderr.contains("ALTER_OPERATOR_KEY"));
    assert_eq!(alter(&["app", "list", "--json", "--data-dir", data], &[], "").error(), ("operator_key_missing".into(), 4));
}

#[test]
fn a_wrong_operator_key_is_told_with_its_source() {
    let vault = vault();
    let ran = on_with(&vault, &["app", "list"], &[("ALTER_OPERATOR_KEY", "alter_pat_wrong")], "");
    assert_eq!(ran.exit, 4);
    assert!(ran.reads_well().stderr.contains("$ALTER_OPERATOR_KEY"), "{ran:?}");
    assert!(!ran.stderr.contains("alter_pat_wrong"));
}

#[test]
fn an_auditor_may_look_and_not_touch() {
    let world = World::new();
    let made = world.vault.records(&["key", "create", "--operator", "eve", "--role", "auditor"], "").expect("made").remove(0);
    let key = made["operator_key"].as_str().expect("a key");
    let as_eve = |arguments: &[&str]| on_with(&world.vault, arguments, &[("ALTER_OPERATOR_KEY", key)], "");
    assert_eq!(as_eve(&["grant", "list"]).exit, 0);
    assert_eq!(as_eve(&["audit", "verify"]).exit, 0);
    assert_eq!(as_eve(&["app", "create", "x", "--json"]).error(), ("operator_role_insufficient".into(), 4));
}

#[test]
fn the_way_back_in_needs_a_stopped_vault() {
    let world = World::new();
    let data = world.vault.data();
    let data = data.to_str().expect("text");
    let rescue = ["key", "create", "--operator", "rescue", "--offline", "--json", "--data-dir", data];
    assert_eq!(alter(&rescue, &[], "").error(), ("data_folder_in_use".into(), 6));

    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("v");
    let data = data.to_str().expect("text");
    let rescue = ["key", "create", "--operator", "rescue", "--offline", "--json", "--data-dir", data];
    assert_eq!(alter(&rescue, &[], "").error(), ("vault_missing".into(), 7));
    assert_eq!(alter(&["init", data], &[], "").exit, 0);
    let made = alter(&rescue, &[], "");
    let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
    assert!(made["operator_key"].as_str().is_some_and(|key| key.starts_with("alter_pat_")));
    assert_eq!(alter(&rescue, &[], "").error(), ("operator_exists".into(), 7));
}

#[test]
fn revoking_asks_first_and_works_once() {
    let world = World::new();
    let id = world.vault.records(&["key", "list"], "").expect("listed")[0]["id"].as_str().expect("an id").to_owned();
    let unasked = on(&world.vault, &["key", "revoke", &id]);
    assert_eq!(unasked.exit, 2);
    assert!(unasked.reads_well().stderr.contains("--yes"));
    assert_eq!(on(&world.vault, &["key", "revoke", &id, "--yes"]).exit, 0);
    assert_eq!(on(&world.vault, &["key", "revoke", &id, "--yes"]).exit, 0, "again is no error");
    assert_eq!(world.request(&["GET", &world.at("/v1/x"), "--grant", &world.grant, "--json"]).error(), ("key_revoked".into(), 4));
    assert_eq!(on(&world.vault, &["key", "revoke", "nope", "--yes", "--json"]).error(), ("key_not_found".into(), 5));
    assert_eq!(on(&world.vault, &["key", "revoke", "owner", "--operator", "--yes", "--json"]).error(), ("last_admin".into(), 6));
}

#[test]
fn a_key_is_bound_to_networks_and_to_a_number_of_requests() {
    let world = World::new();
    let bounds = ["key", "create", "--name", "office", "--allow-network", "192.0.2.0/24", "--rate-limit", "60"];
    let made = world.vault.records(&bounds, "").expect("made").remove(0);
    assert_eq!((&made["cidr_allowlist"], &made["rate_limit_rpm"]), (&json!(["192.0.2.0/24"]), &json!(60)));
    let key = made["api_key"].as_str().expect("a key");
    let request = ["request", "GET", &world.at("/v1/x"), "--grant", &world.grant, "--json"];
    let refused = on_with(&world.vault, &request, &[("ALTER_API_KEY", key)], "");
    assert_eq!(refused.error(), ("ip_not_allowed".into(), 4), "{refused:?}");
    let error = |arguments: &[&str]| on(&world.vault, &[arguments, &["--json"]].concat()).error();
    assert_eq!(error(&["key", "create", "--allow-network", "example.com"]), ("invalid_request".into(), 1));
    assert_eq!(error(&["key", "create", "--rate-limit", "0"]), ("invalid_request".into(), 1));
    assert_eq!(error(&["key", "create", "--operator", "eve", "--rate-limit", "5"]), ("usage".into(), 2));
}

#[test]
fn a_variable_for_the_app_does_not_disturb_operators() {
    let vault = vault();
    let ran = on_with(&vault, &["key", "list", "--operator"], &[("ALTER_APP", "demo")], "");
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.stdout.contains("owner"));
}
