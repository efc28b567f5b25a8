//! What narrows a call: scopes of the key, rules of the grant, and the rule that a client signs into its request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Site;
use crate::harness::Signed;

fn rule(effect: &Value) -> String {
    let mut body = json!({"match": {"families": ["write"]}});
    body.as_object_mut().expect("an object").extend(effect.as_object().expect("an object").clone());
    URL_SAFE_NO_PAD.encode(json!({"rule_type": "content_match", "rule_body": body}).to_string())
}

#[tokio::test]
async fn the_key_needs_the_scope_for_it() {
    let site = Site::new().await;
    let key = site.vault.key(json!({"scopes": ["tokens:retrieve"]})).await;
    let answer = Signed::post("/sdk/proxy", &key, &site.asking("/mail/x", json!({}))).send(&site.vault).await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope".into()));
    let narrowed = site.signed("/mail/x", json!({})).with("x-alter-scope-constraints", "tokens:retrieve");
    assert_eq!(narrowed.send(&site.vault).await.refusal(), (403, "insufficient_scope".into()));
    assert!(site.provider.seen("/").is_empty());
}

#[tokio::test]
async fn a_grant_for_certain_calls_allows_those_and_no_others() {
    let site = Site::new().await;
    let policy = json!({"restrictions": {"allowed_methods": ["GET"], "allowed_endpoints": ["/mail/v1/*"]}});
    let grant = site.minted(policy).await;
    let call = async |method: &str, path: &str| site.call(path, json!({"method": method, "grant_id": grant})).await;
    assert_eq!(call("GET", "/mail/v1/me").await.json()["status_code"], 200);
    assert_eq!(call("DELETE", "/mail/v1/me").await.refusal(), (403, "method_not_allowed_by_grant".into()));
    for path in ["/mail/v2/me", "/mail/v1/me/x", "/mail/v1/%2e%2e"] {
        assert_eq!(call("GET", path).await.refusal(), (403, "endpoint_not_allowed_by_grant".into()), "{path}");
    }
    assert_eq!(site.provider.seen("/").len(), 1);
}

#[tokio::test]
async fn a_rule_of_the_client_denies_or_takes_fields_out() {
    let site = Site::new().await;
    let call = async |method: &str, effect: Value| {
        let body = json!({"method": method, "body": {"subject": "s", "ssn": "canary"}});
        site.signed("/mail/x", body).with("x-alter-request-rule", &rule(&effect)).send(&site.vault).await
    };
    assert_eq!(call("POST", json!({"effect": "deny"})).await.refusal(), (403, "request_rule_denied".into()));
    assert_eq!(call("GET", json!({"effect": "deny"})).await.json()["status_code"], 200);
    assert_eq!(call("PURGE", json!({"effect": "deny"})).await.refusal(), (400, "request_rule_not_evaluable".into()));
    assert_eq!(call("PUT", json!({"effect": "redact", "redact": {"fields": ["ssn"]}})).await.json()["status_code"], 200);
    let step_up = json!({"effect": "step_up", "step_up": {"max_session_age_seconds": 60}});
    let answer = call("POST", step_up).await;
    assert_eq!((answer.refusal(), &answer.json()["max_session_age_seconds"]), ((403, "step_up_required".into()), &json!(60)));
    let seen = site.provider.seen("/mail/");
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].request.body, br#"{"subject":"s"}"#);
}
