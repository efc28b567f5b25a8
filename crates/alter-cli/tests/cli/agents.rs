//! Agents: made, given a key, suspended, deleted with what they hold.

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
}
