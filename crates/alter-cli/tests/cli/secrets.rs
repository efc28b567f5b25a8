//! Storing secrets: where values come from, what is refused, and that nothing shows them again.

use crate::world::{CREDENTIAL, World, on, on_with};

fn create<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    ["secret", "create", "x", "--allow-host", "api.example.com"].into_iter().chain(arguments.iter().copied()).collect()
}

#[test]
fn a_value_comes_from_a_pipe_a_file_or_a_variable() {
    let world = World::new();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "from-a-file\n").expect("writable");
    let path = file.path().to_str().expect("text").to_owned();
    let update = |source: &[&str], variables: &[(&str, &str)], input: &str| {
        let arguments: Vec<&str> = ["secret", "update", "mail"].into_iter().chain(source.iter().copied()).collect();
        on_with(&world.vault, &arguments, variables, input)
    };
    assert_eq!(update(&["--file", &path], &[], "").exit, 0);
    assert_eq!(update(&["--env", "MY_TOKEN"], &[("MY_TOKEN", CREDENTIAL)], "").exit, 0);
    assert_eq!(world.request(&["GET", &world.at("/v1/x"), "--grant", &world.grant, "--fail"]).exit, 0, "the last value is in force");
    assert_eq!(update(&["--stdin"], &[], "other").exit, 0);
    assert_eq!(world.request(&["GET", &world.at("/v1/x"), "--grant", &world.grant, "--fail"]).exit, 1);

    assert_eq!(update(&["--env", "NOT_SET", "--json"], &[], "").error(), ("secret_value_missing".into(), 2));
    assert_eq!(update(&["--stdin", "--json"], &[], "\n").error(), ("secret_value_missing".into(), 2));
    assert_eq!(update(&["--file", "/nonexistent", "--json"], &[], "").error(), ("file_unusable".into(), 1));
    assert_eq!(update(&["--value", "--json"], &[], "").error(), ("secret_value_missing".into(), 2), "nobody can be asked");
    assert_eq!(update(&["--json"], &[], "").error(), ("usage".into(), 2));
}

#[test]
fn every_kind_can_be_described() {
    let world = World::new();
    let kinds: [(&str, &[&str], &str); 7] = [
        ("a", &["--bearer"], "t"),
        ("b", &["--header", "X-API-Key"], "t"),
        ("c", &["--header", "Authorization", "--format", "token {token}"], "t"),
        ("d", &["--basic", "--username", "ada"], "pw"),
        ("e", &["--query", "api_key"], "t"),
        ("f", &["--aws", "--access-key-id", "AKIAIOSFODNN7EXAMPLE", "--region", "eu-central-1", "--service", "s3"], "k"),
        ("g", &["--template", "Key {token}", "--inject", "header:X-App=app", "--fields"], r#"{"token":"t","app":"a"}"#),
    ];
    for (slug, how, value) in kinds {
        let arguments: Vec<&str> =
            ["secret", "create", slug, "--allow-host", "h.example", "--stdin"].into_iter().chain(how.iter().copied()).collect();
        let ran = on_with(&world.vault, &arguments, &[], value);
        assert_eq!(ran.exit, 0, "{slug}: {ran:?}");
    }
    assert_eq!(on(&world.vault, &["secret", "list", "--json"]).stdout.lines().count(), 8);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_field() {
    let world = World::new();
    let cases: [(&[&str], &str, &str, i32); 7] = [
        (&["--bearer", "--stdin"], "two\nlines", "secret_unusable", 1),
        (&["--header", "Host", "--stdin"], "t", "secret_unusable", 1),
        (&["--basic", "--stdin"], "pw", "usage", 2),
        (&["--aws", "--stdin"], "k", "usage", 2),
        (&["--bearer", "--username", "x", "--stdin"], "t", "usage", 2),
        (&["--bearer", "--fields", "--stdin"], "canary-not-json", "usage", 2),
        (&["--bearer", "--allow-host", "*.com", "--stdin"], "t", "invalid_request", 1),
    ];
    for (how, value, code, exit) in cases {
        let mut arguments = create(how);
        arguments.push("--json");
        let ran = on_with(&world.vault, &arguments, &[], value);
        assert_eq!(ran.error(), (code.to_owned(), exit), "{how:?}");
        assert!(!ran.stderr.contains("canary-not-json") && !ran.stderr.contains("two"), "the value leaked: {ran:?}");
    }
    let taken =
        on_with(&world.vault, &["secret", "create", "mail", "--bearer", "--allow-host", "h.example", "--stdin", "--json"], &[], "t");
    assert_eq!(taken.error(), ("secret_exists".into(), 6));
}

#[test]
fn nothing_shows_a_value_and_deleting_ends_its_grants() {
    let world = World::new();
    for arguments in
        [&["secret", "list"][..], &["secret", "show", "mail"], &["secret", "show", "mail", "--json"], &["audit", "tail", "--json"]]
    {
        let ran = on(&world.vault, arguments);
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert!(!ran.stdout.contains(CREDENTIAL));
    }
    assert!(!world.vault.printed().expect("a log").contains(CREDENTIAL));
    assert_eq!(on(&world.vault, &["secret", "delete", "mail", "--json"]).error(), ("confirmation_needed".into(), 2));
    assert_eq!(on(&world.vault, &["secret", "delete", "mail", "--yes"]).exit, 0);
    assert_eq!(world.request(&["GET", &world.at("/v1/x"), "--grant", &world.grant, "--json"]).error(), ("grant_deleted".into(), 5));
    assert_eq!(on(&world.vault, &["secret", "show", "mail", "--json"]).error(), ("secret_not_found".into(), 5));
}
