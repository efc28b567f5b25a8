//! Identity providers: set, show, test, remove.

use alter_testkit::http::Response;
use alter_testkit::provider::{Account, Provider};
use alter_testkit::vault::Vault;
use serde_json::{Value, json};

use crate::world::{CREDENTIAL, on, on_with, vault};

/// A vault with an app, and an issuer on loopback.
fn world() -> (Vault, Provider) {
    let (vault, issuer) = (vault(), Provider::start().expect("a provider"));
    vault.records(&["app", "create", "demo"], "").expect("made");
    let url = issuer.url();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    for (path, body) in [
        ("/.well-known/openid-configuration", json!({"issuer": url, "jwks_uri": format!("{url}/keys")})),
        ("/keys", json!({"keys": [key]})),
    ] {
        issuer.open(path, Account { credentials: Vec::new(), answer: Some(Response::json(200, &body)) });
    }
    (vault, issuer)
}

fn one(vault: &Vault, arguments: &[&str], input: &str) -> Value {
    vault.records(arguments, input).expect("it works").remove(0)
}

#[test]
fn it_is_set_shown_tested_and_removed() {
    let (vault, issuer) = world();
    let url = issuer.url();
    let set =
        one(&vault, &["idp", "set", &url, "--client-id", "alter", "--audience", "api", "--groups-claim", "groups", "--stdin"], CREDENTIAL);
    assert_eq!((&set["issuer"], &set["client_secret_set"], &set["audiences"]), (&json!(url), &json!(true), &json!(["api"])));
    let shown = one(&vault, &["idp", "show"], "");
    assert_eq!(shown, set);
    assert_eq!(shown["redirect_uri"], format!("{}/sign-in/callback", vault.url()));
    let tested = one(&vault, &["idp", "test", "--token", "--stdin"], "no.token.here");
    assert_eq!((&tested["usable_keys"], &tested["user_token"]["reason"]), (&json!(1), &json!("token_malformed")));
    assert_eq!(
        one(&vault, &["idp", "set", &url, "--client-id", "alter", "--no-secret", "--scope", "openid"], "")["scopes"],
        json!(["openid"])
    );

    let unasked = on(&vault, &["idp", "remove"]);
    assert_eq!(unasked.exit, 2);
    assert!(unasked.reads_well().stderr.contains("--yes"), "{unasked:?}");
    assert_eq!(on(&vault, &["idp", "remove", "--yes"]).exit, 0);
    assert_eq!(on(&vault, &["idp", "show", "--json"]).error(), ("idp_not_found".into(), 5));
    assert!(on(&vault, &["idp", "show"]).reads_well().stderr.contains("alter idp set"));
    for arguments in [&["audit", "tail", "--json"][..], &["idp", "test", "--json"]] {
        let ran = on(&vault, arguments);
        assert!(!format!("{ran:?}").contains(CREDENTIAL), "{ran:?}");
    }
}

#[test]
fn what_does_not_work_is_told_before_it_is_stored() {
    let (vault, issuer) = world();
    let other = format!("{}/other", issuer.url());
    assert_eq!(on(&vault, &["idp", "set", &other, "--audience", "x", "--json"]).error(), ("idp_error_status".into(), 2));
    assert_eq!(on(&vault, &["idp", "set", "http://id.example.com", "--audience", "x", "--json"]).error(), ("invalid_request".into(), 1));
    assert_eq!(on(&vault, &["idp", "set", &issuer.url(), "--client-id", "a", "--json"]).error(), ("secret_value_missing".into(), 2));
    assert_eq!(on(&vault, &["idp", "set", "--json"]).error(), ("usage".into(), 2));
    assert_eq!(on(&vault, &["idp", "show", "--json"]).error(), ("idp_not_found".into(), 5));
    let stored = on_with(&vault, &["idp", "set", &other, "--audience", "x", "--no-check"], &[], "");
    assert_eq!(stored.exit, 0, "{stored:?}");
}
