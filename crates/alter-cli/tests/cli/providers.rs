//! Registering at providers: where the client secret comes from, and that nothing shows it again.

use crate::world::{World, on, on_with};

const SECRET: &str = "canary-client-secret";

#[test]
fn a_provider_is_added_with_a_secret_that_no_argument_carries() {
    let world = World::new();
    let add = ["provider", "add", "github", "--client-id", "c1", "--scope", "repo"];
    let with = |source: &[&'static str], variables: &[(&str, &str)], input: &str| {
        let arguments: Vec<&str> = add.into_iter().chain(source.iter().copied()).chain(["--json"]).collect();
        on_with(&world.vault, &arguments, variables, input)
    };
    let ran = with(&["--env", "CLIENT_SECRET"], &[("CLIENT_SECRET", SECRET)], "");
    assert!(ran.exit == 0 && ran.stdout.contains("\"registered\"") && ran.stdout.contains("/oauth/callback"), "{ran:?}");
    assert_eq!(with(&["--stdin"], &[], SECRET).exit, 0);
    assert_eq!(with(&["--public"], &[], "").exit, 0);
    assert_eq!(with(&[], &[], "").error(), ("secret_value_missing".into(), 2), "nobody can be asked");
    let shown = on(&world.vault, &["provider", "show", "github", "--json"]).stdout;
    let listed = on(&world.vault, &["provider", "list"]).stdout;
    assert!(shown.contains("\"c1\"") && listed.contains("github") && !(shown + &listed).contains("canary"));
}

#[test]
fn what_is_there_is_listed_and_taken_away() {
    let world = World::new();
    assert_eq!(on(&world.vault, &["provider", "list", "--all", "--json"]).stdout.lines().count(), 71);
    assert_eq!(on(&world.vault, &["provider", "show", "nowhere", "--json"]).error(), ("provider_not_found".into(), 5));
    assert_eq!(on(&world.vault, &["provider", "add", "github", "--client-id", "c", "--public"]).exit, 0);
    assert_eq!(on(&world.vault, &["provider", "remove", "github", "--json"]).error(), ("confirmation_needed".into(), 2));
    assert_eq!(on(&world.vault, &["provider", "remove", "github", "--yes"]).exit, 0);
    assert!(on(&world.vault, &["provider", "list", "--json"]).stdout.is_empty());
}

#[test]
fn an_entry_of_ones_own_comes_from_a_file() {
    let world = World::new();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text").to_owned();
    let add = |id: &str| on(&world.vault, &["provider", "add", id, "--entry", &path, "--client-id", "c", "--public", "--json"]);
    assert_eq!(add("crm").error(), ("entry_invalid".into(), 2));
    let entry = r#"{"id":"crm","name":"CRM","authorization":{"url":"https://id.example/a"},"token":{"url":"https://id.example/t"},
        "api":{"hosts":["api.example.com"]}}"#;
    std::fs::write(file.path(), entry).expect("writable");
    assert_eq!(add("crm").exit, 0);
    assert_eq!(add("other").error(), ("invalid_request".into(), 1));
    let discovered = on(&world.vault, &["provider", "discover", "http://127.0.0.1:1", "--json"]);
    assert_eq!(discovered.error(), ("provider_discovery_failed".into(), 1));
}
