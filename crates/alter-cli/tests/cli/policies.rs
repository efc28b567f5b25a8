//! Policies: made, tried out, explained and tested by the real program.

use serde_json::json;

use crate::world::{World, on};

const NO_DELETE: &str = "// Nothing is deleted.\nforbid (principal, action, resource) when { context.method == \"DELETE\" };\n";

#[test]
fn a_policy_is_made_changed_and_deleted() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path.to_str().expect("text").to_owned()
    };
    let file = write("no-delete.cedar", NO_DELETE);
    let records = |arguments: &[&str], input: &str| world.vault.records(arguments, input).expect("done");
    let made = records(&["policy", "create", "no-delete", "--file", &file], "").remove(0);
    assert_eq!((&made["version"], &made["source"]), (&json!(1), &json!(NO_DELETE)));
    let table = on(&world.vault, &["policy", "list"]).stdout;
    assert!(table.contains("baseline") && table.contains("built in") && table.contains("no-delete"), "{table}");
    assert_eq!(on(&world.vault, &["policy", "show", "no-delete"]).stdout, NO_DELETE);
    assert!(on(&world.vault, &["policy", "show", "baseline"]).stdout.contains("permit"));
    let redact = r#"@effect("redact") @fields("ssn") forbid (principal, action, resource);"#;
    let checked = records(&["policy", "check", "--stdin"], redact).remove(0);
    assert_eq!((&checked["valid"], &checked["rules"][0]["effect"]), (&json!(true), &json!("redact")));
    assert_eq!(records(&["policy", "update", "no-delete", "--stdin", "--expected-version", "1"], redact)[0]["version"], 2);
    assert_eq!(records(&["policy", "delete", "no-delete", "--yes"], "")[0]["name"], "no-delete");
    assert_eq!(records(&["policy", "list"], "").len(), 1);
    assert!(on(&world.vault, &["policy", "schema"]).stdout.contains("entity Agent"));

    let wrong = write("wrong.cedar", "\nforbid (principal, action, resource) when { context.weather == 1 };");
    let refused = on(&world.vault, &["policy", "create", "wrong", "--file", &wrong]);
    assert!(refused.stderr.contains("Line 2") && refused.stderr.contains("weather"), "{refused:?}");
    let error = |arguments: &[&str]| on(&world.vault, &[arguments, &["--json"]].concat()).error();
    assert_eq!(error(&["policy", "create", "wrong", "--file", &wrong]), ("policy_invalid".into(), 2));
    assert_eq!(error(&["policy", "create", "x"]), ("usage".into(), 2));
    assert_eq!(error(&["policy", "create", "x", "--file", "/nonexistent"]), ("file_unusable".into(), 1));
    assert_eq!(error(&["policy", "show", "nobody"]), ("policy_not_found".into(), 5));
    assert_eq!(error(&["policy", "delete", "baseline", "--yes"]), ("policy_built_in".into(), 6));
    records(&["policy", "create", "kept", "--file", &file], "");
    assert_eq!(error(&["policy", "delete", "kept"]), ("confirmation_needed".into(), 2));
    assert_eq!(error(&["policy", "update", "kept", "--file", &file, "--expected-version", "7"]), ("policy_changed".into(), 6));
}

#[test]
fn a_call_is_explained_and_cases_are_tested() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path.to_str().expect("text").to_owned()
    };
    let file = write("no-delete.cedar", NO_DELETE);
    let url = format!("{}/x", world.provider.url());
    let call = |more: &[&str]| {
        let asked = [&["policy", "explain", "--provider", "mail", "--url", url.as_str()][..], more].concat();
        on(&world.vault, &asked)
    };
    let allowed = call(&[]);
    assert!(allowed.exit == 0 && allowed.stdout.contains("allow"), "{allowed:?}");
    let with = format!("no-delete={file}");
    let denied = call(&["--method", "DELETE", "--with", &with]);
    assert!(
        denied.stdout.contains("deny") && denied.stdout.contains("no-delete/1") && denied.stdout.contains("policy_denied"),
        "{denied:?}"
    );
    assert!(call(&["--retrieve", "--with", &with]).stdout.contains("restricted_grant_requires_proxy"));
    assert_eq!(call(&["--body", "{", "--json"]).error(), ("usage".into(), 2));

    let case =
        |method: &str, expect: &str| json!({"name": method, "call": {"provider": "mail", "method": method, "url": url}, "expect": expect});
    let policies = json!({"no-delete": NO_DELETE});
    let mut named = case("DELETE", "deny");
    named["policy"] = json!("no-delete/1");
    named["code"] = json!("policy_denied");
    let good = write("good.json", &json!({"policies": policies, "cases": [case("GET", "allow"), named]}).to_string());
    let passed = on(&world.vault, &["policy", "test", &good]);
    assert!(passed.exit == 0 && passed.stdout.lines().filter(|line| line.trim_end().ends_with("ok")).count() == 2, "{passed:?}");
    let bad = write("bad.json", &json!({"policies": policies, "cases": [case("GET", "deny"), case("DELETE", "deny")]}).to_string());
    let failed = on(&world.vault, &["policy", "test", &bad]);
    assert!(failed.exit == 1 && failed.stdout.contains("FAILED") && failed.stderr.contains("1 of 2"), "{failed:?}");
    for text in ["{}", "x", r#"{"cases":[{"expect":"deny"}]}"#, r#"{"cases":[{"call":{}}]}"#] {
        assert_eq!(
            on(&world.vault, &["policy", "test", &write("none.json", text), "--json"]).error(),
            ("cases_invalid".into(), 2),
            "{text}"
        );
    }
}
