use serde_json::json;

use super::*;
use crate::oauth::tests::{Script, answer, json};

const ISSUER: &str = "https://id.example.com/tenant";

fn newcomer(issuer: &str) -> Newcomer<'_> {
    Newcomer { id: "my-crm", name: "My CRM", issuer, hosts: &[] }
}

fn metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example.com/authorize?tenant=t",
        "token_endpoint": "https://id.example.com/token",
        "revocation_endpoint": "https://id.example.com/revoke",
        "userinfo_endpoint": "https://id.example.com/userinfo",
        "registration_endpoint": "https://id.example.com/register",
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "something_else": { "a": 1 },
    })
}

#[tokio::test]
async fn metadata_becomes_an_entry() {
    let (script, driver) = Script::of([json(200, &metadata())]);
    let found = driver.discover(&newcomer(ISSUER)).await.expect("metadata");
    assert_eq!(script.asked()[0].uri().to_string(), "https://id.example.com/tenant/.well-known/openid-configuration");
    let provider = found.provider;
    assert_eq!((provider.id.as_str(), provider.authorization.url.as_str()), ("my-crm", "https://id.example.com/authorize"));
    assert_eq!(provider.authorization.parameters.get("tenant").map(String::as_str), Some("t"));
    assert_eq!(provider.authorization.pkce, Some(Pkce::Supported));
    assert_eq!(provider.token.client_authentication, [ClientAuthentication::Body]);
    assert_eq!((provider.refresh.supported, provider.refresh.rotates), (Some(true), None));
    assert_eq!(provider.api.hosts, ["id.example.com"]);
    assert_eq!(found.registration_endpoint.as_deref(), Some("https://id.example.com/register"));
    // What was discovered can be kept and read again.
    let text = serde_json::to_string(&provider).expect("JSON");
    assert_eq!(serde_json::from_str::<Provider>(&text).expect("the same shape"), provider);
}

#[tokio::test]
async fn both_standards_places_are_tried() {
    let (script, driver) = Script::of([answer(404, "text/html", "no"), json(200, &metadata())]);
    driver.discover(&newcomer("https://id.example.com/tenant/")).await.expect("metadata");
    assert_eq!(script.asked()[1].uri().to_string(), "https://id.example.com/.well-known/oauth-authorization-server/tenant");
    let (_, driver) = Script::of([answer(404, "text/html", ""), answer(200, "text/html", "<html>"), json(500, &json!({}))]);
    let error = driver.discover(&newcomer(ISSUER)).await.expect_err("none").to_string();
    for part in ["openid-configuration answered 404", "oauth-authorization-server/tenant is not server metadata", "answered 500"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn metadata_that_cannot_be_used_says_why() {
    for (member, value, part) in [
        ("issuer", json!("https://evil.example"), "is for another issuer, \"https://evil.example\""),
        ("authorization_endpoint", Value::Null, "has no authorization_endpoint"),
        ("token_endpoint", Value::Null, "has no token_endpoint"),
        ("token_endpoint", json!("http://id.example.com/token"), "token.url is not a usable URL"),
        ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"]), "offers no way for a client to authenticate"),
    ] {
        let mut metadata = metadata();
        metadata[member] = value;
        let (_, driver) = Script::of([json(200, &metadata)]);
        let error = driver.discover(&newcomer(ISSUER)).await.expect_err(member).to_string();
        assert!(error.contains(part), "{member}: {error}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_none_is_refused_before_anything_is_sent() {
    for issuer in [
        "id.example.com",
        "https://",
        "https://u@id.example.com",
        "https://id.example.com/?a",
        "https://id.example.com/.well-known/openid-configuration",
    ] {
        let (_, driver) = Script::of([]);
        assert!(matches!(driver.discover(&newcomer(issuer)).await, Err(DiscoveryError::Issuer(_))), "{issuer}");
    }
}

#[tokio::test]
async fn a_client_is_registered() {
    let (script, driver) = Script::of([json(201, &json!({ "client_id": "c1", "client_secret": "CANARY", "client_secret_expires_at": 0 }))]);
    let credentials = driver.register("https://id.example.com/register", "https://vault.example.com/cb", "Alter").await.expect("a client");
    assert_eq!((credentials.id.as_str(), credentials.secret.as_ref().map(Secret::expose)), ("c1", Some("CANARY")));
    assert!(!format!("{credentials:?}").contains("CANARY"));
    let sent: Value = serde_json::from_slice(script.asked()[0].body()).expect("JSON");
    assert_eq!((sent["redirect_uris"].clone(), sent["response_types"].clone()), (json!(["https://vault.example.com/cb"]), json!(["code"])));
}

#[tokio::test]
async fn a_registration_that_fails_says_why_and_repeats_no_secret() {
    for (answer, part) in [
        (
            json(400, &json!({ "error": "invalid_redirect_uri", "error_description": "CANARY" })),
            "it answered 400 with error \"invalid_redirect_uri\"",
        ),
        (answer(403, "text/html", "<html>CANARY"), "it answered 403"),
        (json(201, &json!({ "client_secret": "CANARY" })), "its answer has no client_id"),
        (json(201, &json!({ "client_id": "c", "client_secret": "CANARY", "client_secret_expires_at": 5 })), "its client secrets expire"),
    ] {
        let (_, driver) = Script::of([answer]);
        let error = driver.register("https://id.example.com/register", "https://v/cb", "Alter").await.expect_err(part).to_string();
        assert!(error.contains(part) && !error.contains("CANARY"), "{error}");
    }
}
