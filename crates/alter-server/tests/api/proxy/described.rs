//! Rules about what a call does, judged by the description that an operator has loaded for the provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};

use super::Site;
use crate::harness::Answer;

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "paths": {
            "/mail/messages": {"get": {"operationId": "mail.list"}, "post": {"operationId": "mail.send"}},
            "/mail/drafts/{id}": {"put": {"operationId": "drafts.put"}},
        },
    })
}

impl Site {
    async fn describe(&self, families: Value) {
        let loaded = json!({"document": document(), "families": families});
        let answer = self.vault.admin(Method::PUT, "/apps/demo/specs/mail", loaded).await;
        assert!(answer.status.is_success(), "{:?}", answer.json());
    }

    /// A call under a rule.
    async fn ruled(&self, path: &str, more: Value, rule: Value) -> Answer {
        let rule = URL_SAFE_NO_PAD.encode(json!({"rule_type": "content_match", "rule_body": rule}).to_string());
        self.signed(path, more).with("x-alter-request-rule", &rule).send(&self.vault).await
    }
}

#[tokio::test]
async fn a_rule_about_operations_is_judged_once_the_provider_is_described() {
    let site = Site::new().await;
    let rule = || json!({"match": {"operations": ["mail.send"]}, "effect": "deny"});
    let send = || json!({"method": "POST", "body": {"to": "ada@example.com"}});
    let ask = async |path: &str, more: Value| site.ruled(path, more, rule()).await;
    assert_eq!(ask("/mail/messages", send()).await.refusal(), (400, "request_rule_not_evaluable".into()));
    site.describe(json!({})).await;
    let denied = ask("/mail/messages", send()).await;
    assert_eq!(denied.refusal(), (403, "request_rule_denied".into()));
    assert_eq!(denied.json()["details"], json!({"operations": ["mail.send"], "families": [], "params": []}));
    assert_eq!(ask("/mail/messages", json!({})).await.json()["status_code"], 200);
    assert_eq!(ask("/mail/messages/", send()).await.refusal(), (400, "request_rule_not_evaluable".into()), "no operation of the document");
    assert_eq!(ask("/mail/drafts/%2e%2e", json!({"method": "PUT"})).await.refusal(), (400, "request_rule_not_evaluable".into()));
    site.vault.admin(Method::DELETE, "/apps/demo/specs/mail", json!(null)).await;
    assert_eq!(ask("/mail/messages", send()).await.refusal(), (400, "request_rule_not_evaluable".into()), "the description is gone");
    assert_eq!(site.provider.seen("/mail/").len(), 1);
}

#[tokio::test]
async fn what_an_operation_does_is_the_operators_word() {
    let site = Site::new().await;
    let rule = json!({"match": {"families": ["send"]}, "effect": "redact", "redact": {"fields": ["ssn"]}});
    let call = async |path: &str| site.ruled(path, json!({"method": "POST", "body": {"n": 1.5, "ssn": "x"}}), rule.clone()).await;
    site.describe(json!({})).await;
    assert_eq!(call("/mail/messages").await.refusal(), (400, "request_rule_not_evaluable".into()), "nobody has said what it does");
    site.describe(json!({"mail.send": ["send"], "*": []})).await;
    assert_eq!(call("/mail/messages").await.json()["status_code"], 200);
    let drafted = site.ruled("/mail/drafts/1", json!({"method": "PUT", "body": {"ssn": "x"}}), rule.clone()).await;
    assert_eq!(drafted.json()["status_code"], 200);
    let seen = site.provider.seen("/mail/");
    assert_eq!(seen[0].request.body, br#"{"n":1.5}"#);
    assert_eq!(seen[1].request.body, br#"{"ssn":"x"}"#);
    let wrong = json!({"document": document(), "families": {"mail.fly": ["send"]}});
    let answer = site.vault.admin(Method::PUT, "/apps/demo/specs/mail", wrong).await;
    assert_eq!(answer.refusal(), (422, "provider_spec_invalid".into()));
}

#[tokio::test]
async fn conditions_on_parameters_hold_for_what_is_sent() {
    let site = Site::new().await;
    site.describe(json!({})).await;
    let outside = json!({"match": {"operations": ["mail.send"]}, "params": [{"name": "to", "op": "not_subset_of", "value": ["*@example.com"]}], "effect": "deny"});
    let send = async |body: Value| site.ruled("/mail/messages", json!({"method": "POST", "body": body}), outside.clone()).await;
    assert_eq!(send(json!({"to": ["ada@example.com"]})).await.json()["status_code"], 200);
    assert_eq!(send(json!({"to": ["ada@example.com", "eve@evil.example"]})).await.refusal(), (403, "request_rule_denied".into()));
    assert_eq!(send(json!({"to": [{"email": "ada@example.com"}]})).await.refusal(), (400, "request_rule_not_evaluable".into()));
    let query = json!({"method": "POST", "body": {"to": "ada@example.com"}, "query_params": {"to": "eve@evil.example"}});
    assert_eq!(site.ruled("/mail/messages", query, outside.clone()).await.refusal(), (400, "request_rule_not_evaluable".into()));
    assert_eq!(site.provider.seen("/mail/").len(), 1);
}
