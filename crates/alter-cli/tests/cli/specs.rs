//! Descriptions of providers' APIs: loaded, listed, removed.

use serde_json::json;

use crate::world::{World, on};

#[test]
fn a_document_is_loaded_and_forgotten() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path.to_str().expect("text").to_owned()
    };
    let document = json!({"openapi": "3.1.0", "info": {"title": "Mail"}, "paths": {"/emails": {"post": {"summary": "Send"}}}});
    let file = write("mail.json", &document.to_string());
    let records = |arguments: &[&str]| world.vault.records(arguments, "").expect("done");
    let loaded = records(&["spec", "load", "mail", "--file", &file, "--source-url", "https://mail.example/openapi.json"]).remove(0);
    assert_eq!((&loaded["provider_kind"], &loaded["operation_count"]), (&json!("managed"), &json!(1)), "a secret has this slug");
    let other = records(&["spec", "load", "mail", "--kind", "oauth", "--file", &file]).remove(0);
    assert_eq!((&other["provider_kind"], &other["version"]), (&json!("oauth"), &json!(1)));
    let table = on(&world.vault, &["spec", "list"]).stdout;
    assert!(table.contains("OPERATIONS") && table.lines().count() == 3, "{table}");
    assert_eq!(records(&["spec", "show", "mail", "--kind", "managed"])[0]["title"], "Mail");
    assert_eq!(records(&["spec", "remove", "mail", "--kind", "oauth", "--yes"])[0]["provider_kind"], "oauth");
    assert_eq!(records(&["spec", "list"]).len(), 1);

    let error = |arguments: &[&str]| on(&world.vault, &[arguments, &["--json"]].concat()).error();
    assert_eq!(error(&["spec", "show", "nobody"]), ("spec_not_found".into(), 5));
    assert_eq!(error(&["spec", "remove", "mail"]), ("confirmation_needed".into(), 2));
    assert_eq!(error(&["spec", "load", "mail"]), ("usage".into(), 2));
    assert_eq!(error(&["spec", "load", "mail", "--file", "/nonexistent"]), ("file_unusable".into(), 1));
    assert_eq!(error(&["spec", "load", "mail", "--file", &write("a.yaml", "openapi: 3.1.0")]), ("document_invalid".into(), 2));
    assert_eq!(error(&["spec", "load", "mail", "--file", &write("b.json", "{}")]), ("provider_spec_invalid".into(), 2));
    assert_eq!(error(&["spec", "load", "No Good", "--file", &file]), ("invalid_request".into(), 1));
}
