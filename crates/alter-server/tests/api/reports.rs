//! What clients report after a call.

use serde_json::{Value, json};

use crate::harness::{Signed, TestVault, token_body};

fn report(grant: &str) -> Value {
    json!({
        "grant_id": grant, "provider_id": "mail", "token_generation": null, "method": "GET",
        "url": "https://u:p@api.example.com/v1/me?key=k", "request_headers": {"authorization": "Bearer t", "accept": "*/*"},
        "request_body": null, "response_status": 200, "response_headers": {"set-cookie": "s", "content-type": "text/plain"},
        "response_body": "hello", "latency_ms": 12, "reason": "why", "context": {"tool": "x"},
    })
}

#[tokio::test]
async fn a_report_is_kept_without_credentials() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let no_scope = vault.key(json!({"scopes": ["grants:read"]})).await;
    let answer = Signed::post("/sdk/oauth/audit/api-call", &no_scope, &report(&f.grant)).send(&vault).await;
    assert!(answer.status.is_success(), "reports need no scope: {:?}", answer.json());
    let row = vault.last_row().await;
    assert_eq!((&row["action"], &row["outcome"], &row["reason"]), (&json!("call.report"), &json!("done"), &json!("why")));
    assert_eq!((&row["url"], &row["context"]), (&json!("https://api.example.com/v1/me"), &json!({"tool": "x"})));
    assert_eq!(row["report"]["response_status"], 200);
    assert_eq!(row["report"]["request_headers"], json!({"accept": "*/*"}));
    assert_eq!(row["report"]["response_headers"], json!({"content-type": "text/plain"}));
}

#[tokio::test]
async fn a_report_must_be_about_an_own_grant_and_well_formed() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let send = |body: Value| {
        let call = Signed::post("/sdk/oauth/audit/api-call", &f.key, &body);
        let vault = &vault;
        async move { call.send(vault).await.refusal() }
    };
    assert_eq!(send(report("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")).await, (404, "grant_not_found".into()));
    for (name, value) in [("method", json!("")), ("url", json!(5)), ("response_status", json!("200")), ("response_status", json!(1000))] {
        let mut bad = report(&f.grant);
        bad[name] = value;
        assert_eq!(send(bad).await, (400, "invalid_request".into()), "{name}");
    }
}

#[tokio::test]
async fn a_scope_report_marks_the_grant() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let body = json!({
        "provider_status_code": 403, "provider_error_code": "insufficient_scope", "missing_scopes": ["mail.send"],
        "raw_www_authenticate": "Bearer error=\"insufficient_scope\"", "api_endpoint": "https://api.example.com/v1?k=v",
        "detection_source": "www_authenticate_rfc6750", "sdk_correlation_id": "abcdefghijklmnopqrstuv",
    });
    let path = |grant: &str| format!("/sdk/grants/{grant}/report-scope-mismatch");
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.json()["scope_mismatch"], false);
    let answer = Signed::post(&path(&f.grant), &f.key, &body).send(&vault).await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (204, 0));
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.json()["scope_mismatch"], true);
    let grant = vault.read(&format!("/apps/demo/grants/{}", f.grant)).await;
    assert_eq!(grant["scope_mismatch"]["missing_scopes"], json!(["mail.send"]));

    let unknown = Signed::post(&path("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f"), &f.key, &body).send(&vault).await;
    assert_eq!(unknown.refusal(), (404, "grant_not_found".into()));
    let no_text = Signed::post("/sdk/grants/%FF/report-scope-mismatch", &f.key, &body).send(&vault).await;
    assert_eq!(no_text.refusal(), (404, "grant_not_found".into()));
    let mut long = body.clone();
    long["api_endpoint"] = "x".repeat(2049).into();
    assert_eq!(Signed::post(&path(&f.grant), &f.key, &long).send(&vault).await.refusal(), (422, "invalid_request".into()));
    let reader = vault.key(json!({"scopes": ["grants:read"]})).await;
    assert_eq!(Signed::post(&path(&f.grant), &reader, &body).send(&vault).await.refusal(), (403, "insufficient_scope".into()));
}
