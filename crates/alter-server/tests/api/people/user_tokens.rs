//! Verifying user tokens: what the client is told, and what stands in the audit.

use serde_json::{Value, json};

use super::People;
use crate::harness::{Signed, TestVault};
use crate::issuer::{NOW, Pair, base64url};

const VERIFY: &str = "/sdk/auth/verify-token";

#[tokio::test]
async fn a_valid_token_tells_its_subject_and_nothing_else() {
    let people = People::new().await;
    let token = people.token(json!({"email": "ada@example.com", "groups": ["staff"]}));
    let answer = people.call(VERIFY, json!({"token": token})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"sub": "ada"})));
    let row = people.vault.last_row().await;
    assert_eq!((&row["action"], &row["subject"], &row["outcome"]), (&json!("user_token.verify"), &json!("user:ada"), &json!("done")));
}

#[tokio::test]
async fn every_refusal_looks_the_same_outside_and_has_its_reason_inside() {
    let people = People::new().await;
    let claims = people.issuer.claims(&json!({}));
    let rsa = |header: Value| Pair::rsa(0).token(&header, &claims);
    let hs256 = format!("{}.{}.AA", base64url(r#"{"alg":"HS256","kid":"k"}"#), base64url(claims.to_string()));
    let none = format!("{}.{}.", base64url(r#"{"alg":"none"}"#), base64url(claims.to_string()));
    for (token, reason) in [
        (people.token(json!({"exp": NOW - 100})), "token_expired: "),
        (people.token(json!({"nbf": NOW + 100})), "token_not_yet_valid: "),
        (people.token(json!({"aud": "other"})), "token_audience_wrong: "),
        (people.token(json!({"iss": "https://id.example.com"})), "token_issuer_wrong: "),
        (none, "token_algorithm_refused: "),
        (hs256, "token_algorithm_refused: "),
        (rsa(json!({"alg": "RS256", "kid": "other"})), "token_key_unknown: "),
        (rsa(json!({"alg": "RS256", "kid": "k", "typ": "logout+jwt"})), "token_type_refused: "),
        (Pair::rsa(1).token(&json!({"alg": "RS256", "kid": "k"}), &claims), "token_signature_bad: "),
        (Pair::p256().token(&json!({"alg": "ES256", "kid": "k"}), &claims), "token_key_unfit: "),
        ("x".repeat(20_000), "token_too_long: "),
        ("nonsense".to_owned(), "token_malformed: "),
    ] {
        let answer = people.call(VERIFY, json!({"token": token})).await;
        assert_eq!(answer.refusal(), (401, "jwt_validation_error".into()), "{reason}");
        assert!(!answer.json().to_string().contains(reason.trim_end_matches(": ")), "the client was told: {:?}", answer.json());
        let row = people.vault.last_row().await;
        assert_eq!(
            (&row["action"], &row["outcome"], &row["code"]),
            (&json!("user_token.verify"), &json!("refused"), &json!("jwt_validation_error"))
        );
        let detail = row["detail"].as_str().expect("a detail");
        assert!(detail.starts_with(reason), "{detail}");
        assert!(!row.to_string().contains(&token), "the token is in the audit");
    }
}

#[tokio::test]
async fn a_rotated_key_is_unknown_until_the_issuer_is_asked_again() {
    let people = People::new().await;
    people.issuer.change(|site| site.keys = vec![Pair::rsa(1).jwk("new")]);
    let token = || Pair::rsa(1).token(&json!({"alg": "RS256", "kid": "new"}), &people.issuer.claims(&json!({})));
    assert_eq!(people.call(VERIFY, json!({"token": token()})).await.status, 401);
    let detail = people.vault.last_row().await["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.starts_with("token_key_unknown: ")), "{detail}");
    people.vault.advance(30);
    assert_eq!(people.call(VERIFY, json!({"token": token()})).await.status, 200);
    let old = people.call(VERIFY, json!({"token": people.token(json!({}))})).await;
    assert_eq!(old.refusal(), (401, "jwt_validation_error".into()));
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_no_verdict() {
    let people = People::new().await;
    people.issuer.change(|site| site.status = 500);
    people.vault.advance(2 * 60 * 60);
    people.issuer.clock.advance(std::time::Duration::from_secs(2 * 60 * 60));
    let answer = people.call(VERIFY, json!({"token": people.token(json!({}))})).await;
    assert_eq!(answer.refusal(), (503, "service_unavailable".into()));
    assert!(answer.header("retry-after").is_some());
    let detail = people.vault.last_row().await["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.starts_with("idp_error_status: ")), "{detail}");
}

#[tokio::test]
async fn without_an_identity_provider_nobody_is_anybody() {
    let vault = TestVault::start().await;
    vault.made("/apps", json!({"name": "demo"})).await;
    let key = vault.key(json!({"scopes": ["idp_users:write"]})).await;
    for (path, body) in [
        (VERIFY, json!({"token": "x"})),
        ("/sdk/auth/session", json!({})),
        ("/sdk/identity/resolve", json!({"include_profile": false, "user_token": "x"})),
        ("/sdk/identity/assert", json!({"include_profile": false, "user_token": "x", "audience": "urn:x"})),
    ] {
        let answer = Signed::post(path, &key, &body).send(&vault).await;
        assert_eq!(answer.refusal(), (400, "idp_signin_not_configured".into()), "{path}");
    }
}

#[tokio::test]
async fn each_call_needs_its_scope() {
    let people = People::new().await;
    let reader = people.vault.key(json!({"scopes": ["idp_users:read"]})).await;
    let other = people.vault.key(json!({"scopes": ["tokens:retrieve", "connect:initiate", "grants:write"]})).await;
    for (path, writes) in [
        ("/sdk/auth/session", true),
        ("/sdk/auth/poll", false),
        (VERIFY, false),
        ("/sdk/identity/resolve", false),
        ("/sdk/identity/assert", false),
    ] {
        let refused = |answer: crate::harness::Answer| answer.refusal() == (403, "insufficient_scope".to_owned());
        assert!(refused(Signed::post(path, &other, &json!({})).send(&people.vault).await), "{path}");
        assert_eq!(refused(Signed::post(path, &reader, &json!({})).send(&people.vault).await), writes, "{path}");
    }
}

#[tokio::test]
async fn bad_input_names_the_member() {
    let people = People::new().await;
    for (path, body, names) in [
        (VERIFY, json!({}), "token is missing"),
        (VERIFY, json!({"token": ""}), "token must"),
        (VERIFY, json!({"token": 5}), "token must"),
        (VERIFY, json!({"token": "x", "more": 1}), "a member that this vault does not know"),
        ("/sdk/auth/session", json!({"x": 1}), "a member that this vault does not know"),
        ("/sdk/auth/poll", json!({}), "session_token is missing"),
        ("/sdk/auth/poll", json!({"session_token": "x", "wait_ms": -1}), "wait_ms must"),
        ("/sdk/identity/resolve", json!({"include_profile": "yes"}), "include_profile must"),
        ("/sdk/identity/resolve", json!({"user_token": "x".repeat(8193)}), "user_token must"),
        ("/sdk/identity/resolve", json!({"app_user_id": "ada"}), "app_user_id alone"),
        ("/sdk/identity/assert", json!({"audience": "urn:x", "ttl_seconds": 9}), "ttl_seconds must"),
    ] {
        let answer = people.call(path, body.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{path} {body:.60}");
        assert!(answer.json()["message"].as_str().is_some_and(|text| text.contains(names)), "{path}: {:?}", answer.json());
    }
    for audience in [json!(null), json!("memory"), json!("x".repeat(513))] {
        let answer = people.call("/sdk/identity/assert", json!({"audience": audience})).await;
        assert_eq!(answer.refusal(), (422, "invalid_audience".into()), "{audience:.40}");
    }
    let text = Signed::post(VERIFY, &people.key, &json!({})).body(b"[").send(&people.vault).await;
    assert_eq!(text.refusal(), (400, "invalid_request".into()));
}
