//! `alter audit`: reading, verifying, and finding what was done to the trail.

use std::fs;

use rusqlite::Connection;

use crate::world::{World, alter, on};

/// Opens the database as somebody who can write to the disk, past the triggers that forbid changes.
fn tampering(world: &World) -> Connection {
    let database = Connection::open(world.vault.data().join("vault.db")).expect("opens");
    let triggers: Vec<String> = {
        let mut query = database.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").expect("a query");
        query.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names")
    };
    for trigger in triggers {
        database.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).expect("dropped");
    }
    database
}

#[test]
fn an_intact_trail_verifies_running_and_offline() {
    let world = World::new();
    for arguments in [&["audit", "verify"][..], &["audit", "verify", "--offline"]] {
        let ran = on(&world.vault, arguments);
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(ran.stdout.matches("intact").count(), 2, "{}", ran.stdout);
    }
}

#[test]
fn a_changed_row_is_found() {
    let world = World::new();
    let changed = tampering(&world).execute("UPDATE audit_rows SET action = 'nothing' WHERE action = 'grant.create'", []).expect("changed");
    assert_eq!(changed, 1);
    for extra in [&[][..], &["--offline"]] {
        let arguments: Vec<&str> = ["audit", "verify"].into_iter().chain(extra.iter().copied()).collect();
        let ran = on(&world.vault, &arguments);
        assert_eq!(ran.exit, 7, "{ran:?}");
        assert!(ran.stdout.contains("BROKEN: row 3 is not as it was written"), "{}", ran.stdout);
        assert!(ran.reads_well().stderr.contains("not as it was written"));
    }
}

#[test]
fn an_exported_head_is_held_against_the_trail() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    let heads = folder.path().join("heads.json");
    let verify = |path: &std::path::Path| on(&world.vault, &["audit", "verify", "--expect-head", path.to_str().expect("text"), "--json"]);
    fs::write(&heads, on(&world.vault, &["audit", "head", "--json"]).stdout).expect("written");
    on(&world.vault, &["grant", "create", "--secret", "mail"]);
    assert_eq!(verify(&heads).exit, 0);

    let ahead = fs::read_to_string(&heads).expect("readable").replace("\"sequence\":3", "\"sequence\":9");
    fs::write(&heads, ahead).expect("written");
    let cut = verify(&heads);
    assert_eq!(cut.exit, 7, "{cut:?}");
    assert!(cut.stdout.contains("cut off"), "{}", cut.stdout);

    fs::write(&heads, "not a head\n").expect("written");
    assert_eq!(verify(&heads).exit, 2);
    assert_eq!(verify(std::path::Path::new("/nonexistent")).exit, 1);
}

#[test]
fn the_tail_is_readable_and_can_be_followed() {
    let world = World::new();
    world.request(&["GET", &world.at("/v1/x"), "--grant", &world.grant, "--reason", "look"]);
    world.request(&["GET", "https://elsewhere.example/", "--grant", &world.grant]);
    let table = on(&world.vault, &["audit", "tail"]).stdout;
    for text in ["token.retrieve", "released", "refused (blocked_destination)", "look", "→ 200"] {
        assert!(table.contains(text), "{text}: {table}");
    }
    let rows = |arguments: &[&str]| on(&world.vault, arguments).stdout.lines().count();
    assert_eq!(rows(&["audit", "tail", "-n", "2", "--json"]), 2);
    assert_eq!(rows(&["audit", "tail", "--app", "demo", "--after", "4", "--json"]), 2);
    assert_eq!(on(&world.vault, &["audit", "tail", "-n", "0", "--json"]).error(), ("usage".into(), 2));
    assert_eq!(on(&world.vault, &["audit", "tail", "--app", "nope", "--json"]).error(), ("app_not_found".into(), 5));
}

#[test]
fn offline_verification_needs_a_vault_in_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = alter(&["audit", "verify", "--offline", "--json", "--data-dir", folder.path().to_str().expect("text")], &[], "");
    assert_eq!(ran.error(), ("vault_missing".into(), 7));
}
