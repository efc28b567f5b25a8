//! Setting, showing, testing and removing an identity provider.

use http::Method;
use serde_json::{Value, json};

use super::People;
use crate::harness::{CREDENTIAL, TestVault};

const IDP: &str = "/apps/demo/idp";

#[tokio::test]
async fn it_is_set_shown_changed_and_removed() {
    let people = People::new().await;
    let vault = &people.vault;
    let shown = vault.read(IDP).await;
    assert_eq!(
        (&shown["issuer"], &shown["client_id"], &shown["client_secret_set"]),
        (&json!(people.issuer.url), &Value::Null, &json!(false))
    );
    assert_eq!(shown["redirect_uri"], format!("{}/sign-in/callback", vault.url));
    let row = vault.last_row().await;
    assert_eq!((&row["action"], &row["provider_id"]), (&json!("idp.set"), &json!(people.issuer.url)));

    let with_secret =
        json!({"issuer": people.issuer.url, "client_id": "vault", "client_secret": CREDENTIAL, "scopes": ["openid", "groups"]});
    let changed = people.set(with_secret).await;
    assert_eq!(
        (&changed["id"], &changed["client_secret_set"], &changed["scopes"]),
        (&shown["id"], &json!(true), &json!(["openid", "groups"]))
    );
    // Without a secret the stored one stays.
    assert_eq!(people.set(json!({"issuer": people.issuer.url, "client_id": "vault"})).await["client_secret_set"], true);
    let removed = vault.admin(Method::DELETE, IDP, Value::Null).await;
    assert_eq!(removed.status, 200);
    assert_eq!(vault.last_row().await["action"], "idp.remove");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(vault.admin(method, IDP, Value::Null).await.refusal(), (404, "idp_not_found".into()));
    }
    for text in [removed.json(), changed, vault.read("/audit?limit=100").await] {
        assert!(!text.to_string().contains(CREDENTIAL), "{text}");
    }
}

#[tokio::test]
async fn a_client_secret_stays_with_the_issuer_that_it_was_set_for() {
    let people = People::new().await;
    people.set(json!({"issuer": people.issuer.url, "client_id": "vault", "client_secret": CREDENTIAL})).await;
    for change in
        [json!({"issuer": "https://evil.example", "client_id": "vault"}), json!({"issuer": people.issuer.url, "client_id": "other"})]
    {
        let mut change = change;
        change["check"] = json!(false);
        let answer = people.vault.admin(Method::PUT, IDP, change).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()));
        assert!(answer.json()["message"].as_str().is_some_and(|text| text.starts_with("client_secret is missing")), "{:?}", answer.json());
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_work_is_not_stored() {
    let people = People::new().await;
    people.vault.made("/apps", json!({"name": "second"})).await;
    people.issuer.change(|site| site.issuer = Some("https://id.example.com".into()));
    let wanted = json!({"issuer": people.issuer.url, "audiences": ["app"]});
    let put = |body: Value| people.vault.admin(Method::PUT, "/apps/second/idp", body);
    let answer = put(wanted.clone()).await;
    assert_eq!(answer.refusal(), (422, "idp_issuer_mismatch".into()));
    assert!(answer.json()["message"].as_str().is_some_and(|text| text.contains("https://id.example.com")), "{:?}", answer.json());
    assert_eq!(people.vault.admin(Method::GET, "/apps/second/idp", Value::Null).await.refusal(), (404, "idp_not_found".into()));
    let mut unchecked = wanted;
    unchecked["check"] = json!(false);
    assert_eq!(put(unchecked).await.status, 201);
}

#[tokio::test]
async fn bad_settings_name_the_member() {
    let vault = TestVault::start().await;
    vault.made("/apps", json!({"name": "demo"})).await;
    let issuer = "https://id.example.com";
    for (body, names) in [
        (json!({}), "missing field `issuer`"),
        (json!({"issuer": issuer, "colour": 1}), "unknown field `colour`"),
        (json!({"issuer": "id.example.com", "audiences": ["a"]}), "issuer "),
        (json!({"issuer": "http://id.example.com", "audiences": ["a"]}), "issuer cannot be called"),
        (json!({"issuer": format!("{issuer}/.well-known/openid-configuration"), "audiences": ["a"]}), "issuer is the issuer itself"),
        (json!({"issuer": issuer}), "audiences is missing"),
        (json!({"issuer": issuer, "audiences": ["a b"]}), "audiences[0] must"),
        (json!({"issuer": issuer, "audiences": vec!["a"; 51]}), "audiences must"),
        (json!({"issuer": issuer, "client_id": ""}), "client_id must"),
        (json!({"issuer": issuer, "audiences": ["a"], "groups_claim": ""}), "groups_claim must"),
        (json!({"issuer": issuer, "audiences": ["a"], "client_secret": CREDENTIAL}), "client_secret goes with"),
        (json!({"issuer": issuer, "client_id": "a", "client_secret": ""}), "client_secret must not"),
        (json!({"issuer": issuer, "client_id": "a", "scopes": ["a\nb"]}), "scopes[0] must"),
    ] {
        let answer = vault.admin(Method::PUT, IDP, body.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{body:.80}");
        let text = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains(names) && !text.contains(CREDENTIAL), "{body:.80}: {text}");
    }
}

#[tokio::test]
async fn a_test_says_why_a_token_is_refused() {
    let people = People::new().await;
    let test = |body: Value| people.vault.admin(Method::POST, "/apps/demo/idp/test", body);
    let plain = test(json!({})).await.json();
    assert_eq!((&plain["usable_keys"], &plain["can_sign_in"], &plain["user_token"]), (&json!(1), &json!(false), &Value::Null));
    let good = test(json!({"user_token": people.token(json!({"groups": ["staff"]}))})).await.json();
    assert_eq!(
        (&good["user_token"]["valid"], &good["user_token"]["sub"], &good["user_token"]["groups"]),
        (&json!(true), &json!("ada"), &json!(["staff"]))
    );
    let bad = test(json!({"user_token": people.token(json!({"aud": "other"}))})).await.json();
    assert_eq!((&bad["user_token"]["valid"], &bad["user_token"]["reason"]), (&json!(false), &json!("token_audience_wrong")));
    assert_eq!(people.vault.last_row().await["action"], "idp.test");
    people.issuer.change(|site| site.status = 500);
    assert_eq!(test(json!({})).await.refusal(), (422, "idp_error_status".into()));
}

#[tokio::test]
async fn an_auditor_may_look_only() {
    let people = People::new().await;
    let auditor = people.vault.made("/operators", json!({"name": "eve", "role": "auditor"})).await;
    let key = auditor["operator_key"].as_str().expect("a key");
    assert_eq!(people.vault.admin_as(key, Method::GET, IDP, Value::Null).await.status, 200);
    let body = json!({"issuer": people.issuer.url, "audiences": ["x"]});
    for (method, path) in [(Method::PUT, IDP), (Method::DELETE, IDP), (Method::POST, "/apps/demo/idp/test")] {
        let answer = people.vault.admin_as(key, method, path, body.clone()).await;
        assert_eq!(answer.refusal(), (403, "operator_role_insufficient".into()), "{path}");
    }
}
