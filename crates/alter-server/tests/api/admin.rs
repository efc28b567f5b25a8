//! The admin plane: who may use it, what it refuses, and what stands in the audit.

mod app_settings;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{CREDENTIAL, TestVault};

#[tokio::test]
async fn only_a_live_operator_key_opens_it() {
    let vault = TestVault::start().await;
    for key in ["", "alter_pat_wrong", "nonsense"] {
        let answer = vault.admin_as(key, Method::GET, "/apps", Value::Null).await;
        assert_eq!(answer.refusal(), (401, "operator_key_invalid".into()), "{key}");
    }
    let ada = vault.made("/operators", json!({"name": "ada"})).await;
    let key = ada["operator_key"].as_str().expect("a key");
    assert_eq!(vault.admin_as(key, Method::GET, "/whoami", Value::Null).await.json()["name"], "ada");
    vault.made("/operators/ada/revoke", json!({})).await;
    assert_eq!(vault.admin_as(key, Method::GET, "/whoami", Value::Null).await.refusal(), (401, "operator_key_invalid".into()));
    vault.made("/operators", json!({"name": "ada"})).await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    let vault = TestVault::start().await;
    let last = vault.admin(Method::POST, "/operators/owner/revoke", json!({})).await;
    assert_eq!(last.refusal(), (409, "last_admin".into()));
    vault.made("/operators", json!({"name": "reader", "role": "auditor"})).await;
    assert_eq!(vault.admin(Method::POST, "/operators/owner/revoke", json!({})).await.refusal(), (409, "last_admin".into()));
    vault.made("/operators", json!({"name": "second"})).await;
    vault.made("/operators/owner/revoke", json!({})).await;
}

#[tokio::test]
async fn an_auditor_reads_and_verifies_and_changes_nothing() {
    let vault = TestVault::start().await;
    vault.furnished().await;
    let auditor = vault.made("/operators", json!({"name": "eve", "role": "auditor"})).await;
    let key = auditor["operator_key"].as_str().expect("a key");
    for path in ["/apps", "/apps/demo/secrets", "/audit", "/audit/heads"] {
        assert_eq!(vault.admin_as(key, Method::GET, path, Value::Null).await.status, 200, "{path}");
    }
    assert_eq!(vault.admin_as(key, Method::POST, "/audit/verify", json!({})).await.status, 200);
    let changes = [
        (Method::POST, "/apps", json!({"name": "x"})),
        (Method::POST, "/apps/demo/keys", json!({})),
        (Method::PATCH, "/apps/demo", json!({"retrieve_delegated": true})),
        (Method::DELETE, "/apps/demo/secrets/mail", Value::Null),
        (Method::POST, "/operators", json!({"name": "x"})),
    ];
    for (method, path, body) in changes {
        assert_eq!(vault.admin_as(key, method, path, body).await.refusal(), (403, "operator_role_insufficient".into()), "{path}");
    }
}

#[tokio::test]
async fn bad_input_names_the_member() {
    let vault = TestVault::start().await;
    vault.furnished().await;
    let secret = |change: Value| {
        let mut body = json!({"slug": "x", "kind": "bearer", "allowed_hosts": ["a.example"], "values": {"token": CREDENTIAL}});
        body.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        body
    };
    let cases = [
        ("/apps", json!({"name": "Demo"}), "name must"),
        ("/apps", json!({"name": "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f"}), "name must"),
        ("/apps", json!({}), "missing field `name`"),
        ("/apps", json!({"name": "x", "colour": "red"}), "unknown field `colour`"),
        ("/apps/demo/keys", json!({"scopes": []}), "scopes must not be empty"),
        ("/apps/demo/keys", json!({"scopes": ["*"]}), "scopes holds one that does not exist"),
        ("/apps/demo/keys", json!({"expires_in": 0}), "expires_in must"),
        ("/apps/demo/keys", json!({"name": "x\u{7}"}), "name must"),
        ("/apps/demo/grants", json!({"secret": "mail", "expires_in": u64::MAX}), "expires_in must"),
        ("/apps/demo/grants", json!({"secret": "mail", "label": " x"}), "label must"),
        ("/apps/demo/secrets", secret(json!({"allowed_hosts": []})), "allowed_hosts needs"),
        ("/apps/demo/secrets", secret(json!({"allowed_hosts": ["https://a.example/x"]})), "allowed_hosts[0] is not a host"),
        ("/apps/demo/secrets", secret(json!({"allowed_hosts": ["a.example", "*.com"]})), "allowed_hosts[1] is too wide"),
        ("/apps/demo/secrets", secret(json!({"slug": "A B"})), "slug must"),
        ("/apps/demo/secrets", secret(json!({"kind": "magic"})), "unknown variant `magic`"),
        ("/operators", json!({"name": "Ada Lovelace"}), "name must"),
    ];
    for (path, body, message) in cases {
        let answer = vault.admin(Method::POST, path, body.clone()).await;
        let text = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{path} {body}");
        assert!(text.contains(message), "{path} {body}: {text}");
        assert!(!text.contains(CREDENTIAL), "the value leaked");
    }
    assert_eq!(vault.admin(Method::PATCH, "/apps/demo/secrets/mail", json!({})).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(vault.admin(Method::GET, "/apps?limit=0", Value::Null).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(vault.admin(Method::GET, "/apps?limit=many", Value::Null).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(vault.admin(Method::GET, "/audit?after=x&app=demo", Value::Null).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(vault.admin(Method::GET, "/apps?after=x", Value::Null).await.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_there_is_not_made_twice() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    for (path, code) in [
        ("/apps/nope", "app_not_found"),
        ("/apps/nope/keys", "app_not_found"),
        ("/apps/demo/secrets/nope", "secret_not_found"),
        ("/apps/demo/grants/nope", "grant_not_found"),
        ("/apps/demo/grants/8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f", "grant_not_found"),
        ("/nothing", "not_found"),
    ] {
        assert_eq!(vault.admin(Method::GET, path, Value::Null).await.refusal(), (404, code.into()), "{path}");
    }
    vault.made("/apps", json!({"name": "other"})).await;
    let foreign = vault.admin(Method::GET, &format!("/apps/other/grants/{}", f.grant), Value::Null).await;
    assert_eq!(foreign.refusal(), (404, "grant_not_found".into()));
    assert_eq!(vault.admin(Method::POST, "/apps", json!({"name": "demo"})).await.refusal(), (409, "app_exists".into()));
    let again = json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["a.example"], "values": {"token": "t"}});
    assert_eq!(vault.admin(Method::POST, "/apps/demo/secrets", again.clone()).await.refusal(), (409, "secret_exists".into()));
    assert_eq!(vault.admin(Method::POST, "/operators", json!({"name": "owner"})).await.refusal(), (409, "operator_exists".into()));
    assert_eq!(vault.admin(Method::DELETE, "/apps/demo/secrets/mail", Value::Null).await.status, 200);
    vault.made("/apps/demo/secrets", again).await;
}

#[tokio::test]
async fn nothing_secret_comes_out_again() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    for path in [
        "/apps",
        "/apps/demo/keys",
        "/apps/demo/secrets",
        "/apps/demo/secrets/mail",
        "/apps/demo/grants",
        "/operators",
        "/audit?limit=1000",
    ] {
        let text = vault.read(path).await.to_string();
        for secret in [CREDENTIAL, &f.key, &vault.operator_key] {
            assert!(!text.contains(secret), "{path}");
        }
    }
}

#[tokio::test]
async fn listings_are_paged() {
    let vault = TestVault::start().await;
    vault.furnished().await;
    for _ in 0..4 {
        vault.grant(json!({"secret": "mail"})).await;
    }
    let mut seen = Vec::new();
    let mut path = "/apps/demo/grants?limit=2".to_owned();
    loop {
        let page = vault.read(&path).await;
        let items = page["items"].as_array().cloned().expect("a list");
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|grant| grant["grant_id"].to_string()));
        match page["next"].as_str() {
            Some(next) => path = format!("/apps/demo/grants?limit=2&after={next}"),
            None => break,
        }
    }
    let count = seen.len();
    seen.dedup();
    assert_eq!((count, seen.len()), (5, 5));
}

#[tokio::test]
async fn revoking_twice_changes_nothing() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let path = format!("/apps/demo/grants/{}/revoke", f.grant);
    let first = vault.made(&path, json!({})).await;
    let rows = vault.last_row().await["sequence"].clone();
    vault.advance(60);
    assert_eq!(vault.made(&path, json!({})).await["revoked_at"], first["revoked_at"]);
    assert_eq!(vault.last_row().await["sequence"], rows);
}
