//! Agents: made, given a key, suspended, deleted with what they hold.

use serde_json::json;

use crate::world::{World, on};

#[test]
fn an_agent_has_a_key_of_its_own_and_takes_it_with_it() {
    let world = World::new();
    let records = |arguments: &[&str]| world.vault.records(arguments, "").expect("done");
    let made = records(&["agent", "create", "planner"]).remove(0);
    assert_eq!((made["name"].as_str(), made["status"].as_str()), (Some("planner"), Some("active")));
    let key = records(&["key", "create", "--agent", "planner"]).remove(0);
    assert_eq!((&key["agent_id"], key["key_type"].as_str()), (&made["agent_id"], Some("ak")));
    assert!(key["scopes"].as_array().expect("a list").iter().all(|scope| !scope.as_str().expect("text").starts_with("agents:")));

    assert_eq!(records(&["agent", "suspend", "planner"])[0]["status"], "suspended");
    let refused = on(&world.vault, &["key", "create", "--agent", "planner", "--json"]);
    assert_eq!(refused.error(), ("agent_inactive".into(), 6));
    assert_eq!(records(&["agent", "resume", "planner"])[0]["status"], "active");
    assert_eq!(records(&["agent", "delete", "planner", "--yes"])[0]["status"], "deleted");
    assert_eq!(records(&["agent", "list"]).len(), 0);
    let keys = records(&["key", "list"]);
    let status = keys.iter().find(|listed| listed["id"] == key["id"]).map(|listed| listed["status"].clone());
    assert_eq!(status, Some("revoked".into()));
}

#[test]
fn what_an_agent_may_use_is_set_and_narrowed() {
    let world = World::new();
    let records = |arguments: &[&str]| world.vault.records(arguments, "").expect("done").remove(0);
    let made = records(&["agent", "create", "planner"]);
    assert_eq!((&made["scopes"], &made["type"]), (&json!({"*": ["*"]}), &json!("agent")), "whatever is granted to it");
    let mailer = records(&[
        "agent",
        "create",
        "mailer",
        "--type",
        "service",
        "--allow",
        "google:gmail.send",
        "--allow",
        "github",
        "--allow-secret",
        "crm",
    ]);
    assert_eq!(mailer["scopes"], json!({"github": ["*"], "google": ["gmail.send"], "managed_secret_slugs": ["crm"]}));
    assert_eq!((&mailer["type"], &mailer["version"]), (&json!("service"), &json!(1)));
    let staged = records(&["agent", "update", "mailer", "--allow", "google:gmail.send", "--grace", "1d", "--display-name", "Mailer"]);
    assert_eq!((&staged["display_name"], &staged["version"]), (&json!("Mailer"), &json!(2)));
    assert_eq!((&staged["scopes"], &staged["scopes_pending"]), (&mailer["scopes"], &json!({"google": ["gmail.send"]})));
    let at_once = records(&["agent", "update", "mailer", "--allow-nothing"]);
    assert_eq!((&at_once["scopes"], &at_once["scopes_pending"]), (&json!({}), &json!(null)), "an operator's narrowing does not wait");
    let approved = records(&["agent", "update", "mailer", "--approver", "ada@example.com"]);
    assert_eq!(approved["policy"]["requires_approval"]["approvers"], json!(["ada@example.com"]));
    assert_eq!(records(&["agent", "update", "mailer", "--no-approver"])["policy"], json!({}));
    let table = on(&world.vault, &["agent", "list"]).stdout;
    assert!(table.contains("MAY USE") && table.contains("mailer"), "{table}");
}

#[test]
fn keys_of_an_agent_are_rotated_and_deprecated() {
    let world = World::new();
    let records = |arguments: &[&str]| world.vault.records(arguments, "").expect("done");
    records(&["agent", "create", "planner"]);
    let key = records(&["key", "create", "--agent", "planner"]).remove(0)["id"].as_str().expect("an id").to_owned();
    assert_eq!(records(&["key", "deprecate", &key])[0]["status"], "deprecated");
    assert_eq!(records(&["key", "undeprecate", &key])[0]["status"], "active");
    let rotated = records(&["key", "rotate", &key, "--overlap", "2d"]).remove(0);
    assert!(rotated["api_key"].as_str().is_some_and(|key| key.starts_with("alter_ak_")));
    let listed = records(&["key", "list", "--agent", "planner"]);
    let states: Vec<_> = listed.iter().map(|key| key["status"].as_str().expect("a word")).collect();
    assert_eq!(states, ["deprecated", "active"]);
    assert!(listed[0]["works_until"].is_string());
    let plain = on(&world.vault, &["key", "rotate", &key, "--overlap", "0"]);
    assert_eq!(plain.exit, 0, "{plain:?}");
    assert!(plain.stderr.contains("not shown again"), "{plain:?}");
    assert_eq!(records(&["key", "list", "--agent", "planner"])[0]["status"], "expired");
}

#[test]
fn mistakes_are_named() {
    let world = World::new();
    let error = |arguments: &[&str]| on(&world.vault, &[arguments, &["--json"]].concat()).error();
    assert_eq!(error(&["agent", "show", "nobody"]), ("agent_not_found".into(), 5));
    assert_eq!(error(&["agent", "create", "No Good"]), ("invalid_request".into(), 1));
    assert_eq!(error(&["key", "create", "--agent", "nobody"]), ("agent_not_found".into(), 5));
    assert_eq!(error(&["key", "create", "--agent", "x", "--scope", "tokens:retrieve"]), ("usage".into(), 2));
    on(&world.vault, &["agent", "create", "planner"]);
    assert_eq!(error(&["agent", "create", "planner"]), ("agent_exists".into(), 6));
    assert_eq!(error(&["agent", "delete", "planner"]), ("confirmation_needed".into(), 2));
    assert_eq!(error(&["agent", "update", "planner"]), ("usage".into(), 2));
    assert_eq!(error(&["agent", "update", "planner", "--allow", ":x"]), ("usage".into(), 2));
    assert_eq!(error(&["agent", "update", "planner", "--allow", "github", "--grace", "8d"]), ("invalid_request".into(), 1));
    assert_eq!(error(&["agent", "update", "planner", "--approver", "ada"]), ("invalid_request".into(), 1));
    assert_eq!(error(&["agent", "create", "x", "--allow", "github", "--allow-nothing"]), ("usage".into(), 2));
    assert_eq!(error(&["key", "rotate", "nope"]), ("key_not_found".into(), 5));
    assert_eq!(error(&["key", "deprecate", "nope"]), ("key_not_found".into(), 5));
    assert_eq!(error(&["key", "list", "--agent", "nobody"]), ("agent_not_found".into(), 5));
}
