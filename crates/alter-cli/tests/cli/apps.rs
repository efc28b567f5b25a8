//! Applications: what is set for one, shown and taken back.

use serde_json::{Value, json};

use crate::world::{on, vault};

#[test]
fn return_urls_and_origins_are_added_and_taken_back() {
    let vault = vault();
    let one = |arguments: &[&str]| vault.records(arguments, "").expect("done").remove(0);
    one(&["app", "create", "demo"]);
    let (back, origin) = ("https://shop.example/back", "https://shop.example");
    let set = one(&["app", "set", "demo", "--return-url", back, "--return-url", "http://localhost:3000", "--allowed-origin", origin]);
    assert_eq!((&set["return_urls"], &set["allowed_origins"]), (&json!([back, "http://localhost:3000/"]), &json!([origin])));
    let more =
        one(&["app", "set", "demo", "--remove-return-url", back, "--return-url", "https://b.example/x", "--retrieve-delegated", "true"]);
    assert_eq!(more["return_urls"], json!(["http://localhost:3000/", "https://b.example/x"]));
    assert_eq!((&more["allowed_origins"], &more["retrieve_delegated"]), (&json!([origin]), &Value::Bool(true)));
    assert_eq!(one(&["app", "show", "demo"]), more);
    assert_eq!(one(&["app", "set", "demo", "--remove-allowed-origin", origin])["allowed_origins"], json!([]));
    let shown = on(&vault, &["app", "show", "demo"]);
    assert!(shown.stdout.contains("return_urls") && shown.stdout.contains("http://localhost:3000/, https://b.example/x"), "{shown:?}");
}

#[test]
fn mistakes_are_named() {
    let vault = vault();
    vault.records(&["app", "create", "demo"], "").expect("made");
    let error = |arguments: &[&str]| on(&vault, &[arguments, &["--json"]].concat()).error();
    assert_eq!(error(&["app", "set", "demo"]), ("nothing_to_change".into(), 2));
    assert_eq!(error(&["app", "set", "demo", "--retrieve-delegated", "maybe"]), ("usage".into(), 2));
    assert_eq!(error(&["app", "set", "nope", "--return-url", "https://a.example"]), ("app_not_found".into(), 5));
    assert_eq!(error(&["app", "set", "demo", "--return-url", "http://a.example"]), ("invalid_request".into(), 1));
    assert_eq!(error(&["app", "set", "demo", "--remove-allowed-origin", "https://a.example"]), ("entry_not_found".into(), 5));
    on(&vault, &["app", "set", "demo", "--remove-allowed-origin", "https://a.example"]).reads_well();
    let slash = on(&vault, &["app", "set", "demo", "--allowed-origin", "https://a.example/"]);
    assert!(slash.stderr.contains("'https://a.example'"), "{slash:?}");
}
