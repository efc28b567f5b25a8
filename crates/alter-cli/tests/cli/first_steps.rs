//! The first five minutes of a new user, with what the program itself says to do next.

use crate::world::{CREDENTIAL, Ran, World, on, on_with, vault};
use serde_json::Value;

/// Lines that people read; every one is checked by eye when it changes.
#[test]
fn each_step_works_and_names_the_next() {
    let vault = vault();
    let worked = |ran: Ran, hint: &str| {
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert!(ran.stderr.contains(hint), "{ran:?}");
        ran.stdout
    };
    worked(on(&vault, &["app", "list"]), "alter app create NAME");
    worked(on(&vault, &["app", "create", "demo"]), "alter key create --app demo");
    let key = worked(on(&vault, &["key", "create"]), "not shown again");
    assert!(key.contains("alter_rk_"), "{key}");
    let stored = on_with(&vault, &["secret", "create", "mail", "--bearer", "--allow-host", "api.example.com", "--stdin"], &[], CREDENTIAL);
    let stored = worked(stored, "alter grant create --secret mail");
    assert!(!stored.contains(CREDENTIAL));
    let grant = worked(on(&vault, &["grant", "create", "--secret", "mail", "--expires-in", "7d"]), "alter request GET");
    assert!(grant.contains("expires_at"));
    let table = worked(on(&vault, &["grant", "list"]), "");
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.starts_with("GRANT"), "{table}");
    worked(on(&vault, &["audit", "tail"]), "");
    worked(on(&vault, &["audit", "verify"]), "");
}

#[test]
fn the_first_start_shows_its_key_once_and_in_ten_lines() {
    let vault = vault();
    let banner = vault.printed().expect("a log");
    assert!(banner.lines().count() <= 10, "{banner}");
    let key = std::fs::read_to_string(vault.data().join("operator.key")).expect("a credential file");
    assert!(banner.contains(key.trim()), "{banner}");
    for word in ["SQLite", "master.key (new)", "http://127.0.0.1:", "alter app create"] {
        assert!(banner.contains(word), "{word}: {banner}");
    }
    assert!(!banner.contains("panicked"));
}

#[test]
fn json_is_one_object_per_line_with_the_names_of_the_api() {
    let world = World::new();
    on(&world.vault, &["grant", "create", "--secret", "mail"]);
    let listed = on(&world.vault, &["grant", "list", "--json"]);
    assert_eq!((listed.exit, listed.stderr.as_str()), (0, ""), "nothing but records");
    let grants: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(grants.len(), 2);
    for name in ["grant_id", "provider_id", "status", "label", "created_at", "expires_at", "last_used_at"] {
        assert!(grants[0].get(name).is_some(), "{name}");
    }
}

#[test]
fn grants_are_found_by_what_they_are_for() {
    let world = World::new();
    let count = |arguments: &[&str]| {
        let ran = on(&world.vault, &[&["grant", "list", "--json"], arguments].concat());
        assert_eq!(ran.exit, 0, "{ran:?}");
        ran.stdout.lines().count()
    };
    for (arguments, found) in [
        (&[][..], 1),
        (&["--secret", "mail"], 1),
        (&["--secret", "other"], 0),
        (&["--provider", "mail"], 0),
        (&["--status", "active"], 1),
        (&["--status", "revoked"], 0),
        (&["--user", "ada"], 0),
        (&["--account", "ada@example.com"], 0),
    ] {
        assert_eq!(count(arguments), found, "{arguments:?}");
    }
    assert!(on(&world.vault, &["grant", "list", "--user", "ada"]).stderr.contains("No such grants"));
    assert_eq!(on(&world.vault, &["grant", "list", "--status", "gone", "--json"]).error(), ("usage".into(), 2));
    assert_eq!(on(&world.vault, &["grant", "list", "--secret", "a", "--provider", "b", "--json"]).error(), ("usage".into(), 2));
    let shown = world.vault.records(&["grant", "show", &world.grant], "").expect("shown").remove(0);
    assert_eq!((&shown["delegations"], &shown["principal_type"]), (&serde_json::json!([]), &serde_json::json!("system")));
    let unasked = on(&world.vault, &["grant", "revoke", &world.grant]);
    assert_eq!(unasked.exit, 2);
    assert!(unasked.reads_well().stderr.contains("held by the application"), "{unasked:?}");
}

#[test]
fn the_application_is_named_when_there_are_several() {
    let world = World::new();
    on(&world.vault, &["app", "create", "other"]);
    let which = on(&world.vault, &["grant", "list"]);
    assert_eq!(which.exit, 2);
    assert!(which.reads_well().stderr.contains("demo, other"));
    assert_eq!(on(&world.vault, &["grant", "list", "--app", "demo"]).exit, 0);
    let by_variable = on_with(&world.vault, &["grant", "list", "--json"], &[("ALTER_APP", "other")], "");
    assert_eq!((by_variable.exit, by_variable.stdout.as_str()), (0, ""));
    assert_eq!(on(&world.vault, &["grant", "list", "--app", "nope", "--json"]).error(), ("app_not_found".into(), 5));
}
