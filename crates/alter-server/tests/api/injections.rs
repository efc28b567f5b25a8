//! Every kind of secret, from the operator's description to an answer that a client accepts.

use alter_core::token::TokenAnswer;
use serde_json::{Value, json};

use crate::harness::{Signed, TestVault, token_body};

/// Stores a secret, grants it, retrieves it, and reads the answer as a client does.
async fn retrieved(vault: &TestVault, key: &str, mut secret: Value) -> (Value, TokenAnswer) {
    secret["allowed_hosts"] = json!(["api.example.com"]);
    vault.made("/apps/demo/secrets", secret.clone()).await;
    let grant = vault.grant(json!({"secret": secret["slug"]})).await;
    let answer = Signed::token(key, &token_body(&grant)).send(vault).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let parsed = TokenAnswer::parse(&answer.bytes, &Value::Null).expect("a client accepts it");
    (answer.json(), parsed)
}

#[tokio::test]
async fn each_kind_is_released_as_described() {
    let vault = TestVault::start().await;
    let key = vault.furnished().await.key;

    let (_, bearer) = retrieved(&vault, &key, json!({"slug": "a", "kind": "bearer", "values": {"token": "t"}})).await;
    assert_eq!(
        (&*bearer.injection_header, &*bearer.injection_format, bearer.access_token.expose()),
        ("Authorization", "Bearer {token}", "t")
    );

    let header = json!({"slug": "b", "kind": "header", "injection": {"header": "X-API-Key"}, "values": {"token": "t"}});
    let (_, header) = retrieved(&vault, &key, header).await;
    assert_eq!((&*header.injection_header, &*header.injection_format), ("X-API-Key", "{token}"));

    let basic = json!({"slug": "c", "kind": "basic", "values": {"username": "Aladdin", "password": "open sesame"}});
    let (_, basic) = retrieved(&vault, &key, basic).await;
    assert_eq!((&*basic.injection_format, basic.access_token.expose()), ("Basic {token}", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));

    let query = json!({"slug": "d", "kind": "query", "injection": {"query": "key"}, "values": {"token": "t 1"}});
    let (json, query) = retrieved(&vault, &key, query).await;
    assert_eq!(query.credential("value").map(|value| value.expose()), Some("t 1"));
    assert_eq!((&*query.additional_injections[0].key, query.access_token.expose()), ("key", "query"));
    assert!(!json["access_token"].to_string().contains("t 1"), "the header must not carry the value");

    let aws = json!({
        "slug": "e", "kind": "aws", "injection": {"region": "eu-central-1", "service": "s3"},
        "values": {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "k", "session_token": "s"},
    });
    let (_, aws) = retrieved(&vault, &key, aws).await;
    assert!(aws.injection_format.starts_with("AWS4-HMAC-SHA256"));
    let credential = |name: &str| aws.credential(name).map(|value| value.expose().to_owned());
    let all = ["secret_key", "session_token", "region", "service"].map(credential);
    assert_eq!(all, [Some("k".into()), Some("s".into()), Some("eu-central-1".into()), Some("s3".into())]);

    let custom = json!({
        "slug": "f", "kind": "custom", "values": {"token": "t", "app": "a", "user": "u"},
        "injection": {"header": "X-Key", "format": "Key {token}", "additional_injections": [
            {"target": "header", "key": "X-App", "value_source": "additional_credentials.app"},
            {"target": "query_param", "key": "user", "value_source": "additional_credentials.user"},
        ]},
    });
    let (_, custom) = retrieved(&vault, &key, custom).await;
    assert_eq!((&*custom.injection_header, custom.additional_injections.len()), ("X-Key", 2));
}

#[tokio::test]
async fn nothing_is_stored_that_a_client_would_refuse() {
    let vault = TestVault::start().await;
    vault.furnished().await;
    let refused = |secret: Value| async {
        let mut secret = secret;
        secret["slug"] = "x".into();
        secret["allowed_hosts"] = json!(["api.example.com"]);
        let answer = vault.admin(http::Method::POST, "/apps/demo/secrets", secret).await;
        (answer.refusal(), answer.json()["field"].as_str().unwrap_or_default().to_owned(), answer.json().to_string())
    };
    let cases = [
        (json!({"kind": "header", "injection": {"header": "Host"}, "values": {"token": "t"}}), "header"),
        (json!({"kind": "header", "injection": {"header": "X", "format": "no token"}, "values": {"token": "t"}}), "format"),
        (json!({"kind": "bearer", "values": {"token": "two\nlines"}}), "values"),
        (json!({"kind": "bearer", "values": {"token": "schlüssel"}}), "values"),
        (json!({"kind": "bearer", "values": {}}), "values.token"),
        (json!({"kind": "bearer", "injection": {"query": "q"}, "values": {"token": "t"}}), "query"),
    ];
    for (secret, field) in cases {
        let (refusal, named, body) = refused(secret).await;
        assert_eq!((refusal, named.as_str()), ((400, "secret_unusable".into()), field), "{body}");
        assert!(!body.contains("schlüssel") && !body.contains("two"), "the value leaked");
    }
    let (refusal, _, body) = refused(json!({"kind": "bearer", "values": {"token": 12345}})).await;
    assert_eq!(refusal, (400, "invalid_request".into()));
    assert!(!body.contains("12345"), "the value leaked: {body}");
    assert_eq!(vault.read("/apps/demo/secrets").await["items"].as_array().map(Vec::len), Some(1));
}
