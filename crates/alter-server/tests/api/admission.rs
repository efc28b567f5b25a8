//! Who gets in: key, clock, body, signature, nonce, scopes and constraints, in this order.

use std::time::{Duration, Instant};

use alter_core::signing::headers;
use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::model::{KeyId, KeyStatus};
use alter_server::store::{Commit, Effect};
use base64::Engine as _;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use crate::harness::{CREDENTIAL, Signed, TestVault, token_body};

#[tokio::test]
async fn a_known_key_with_a_good_signature_gets_the_credential() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let answer = Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    assert_eq!(answer.json()["access_token"], CREDENTIAL);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 36));
    assert_eq!(answer.header("x-alter-actor-id"), None, "nobody was named");
}

#[tokio::test]
async fn an_unknown_key_is_refused_without_a_row() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let before = vault.last_row().await["sequence"].clone();
    let stranger = alter_core::key::KeyKind::Runtime.generate().expect("random");
    for key in [stranger.expose(), "alter_rk_mistyped", "", "alter_pat_x"] {
        let answer = Signed::token(key, &token_body(&f.grant)).send(&vault).await;
        assert_eq!(answer.refusal(), (401, "invalid_key".into()), "{key}");
    }
    assert_eq!(vault.last_row().await["sequence"], before);
}

#[tokio::test]
async fn a_revoked_and_an_expired_key_are_refused_with_a_row() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let short = vault.key(json!({"expires_in": 60})).await;
    assert_eq!(Signed::token(&short, &token_body(&f.grant)).send(&vault).await.status, 200);
    vault.advance(60);
    assert_eq!(Signed::token(&short, &token_body(&f.grant)).send(&vault).await.refusal(), (401, "key_expired".into()));
    let id = vault.read("/apps/demo/keys").await["items"][0]["id"].as_str().expect("an id").to_owned();
    vault.made(&format!("/apps/demo/keys/{id}/revoke"), json!({})).await;
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.refusal(), (401, "key_revoked".into()));
    let row = vault.last_row().await;
    assert_eq!((&row["outcome"], &row["code"], &row["key_id"]), (&json!("refused"), &json!("key_revoked"), &json!(id)));
}

#[tokio::test]
async fn clock_body_and_signature_are_judged_in_this_order() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let good = Signed::token(&f.key, &token_body(&f.grant));

    let mut late = good.clone().at(vault.now() - 301).request(&vault);
    late.headers_mut().insert(headers::CONTENT_SHA256, HeaderValue::from_static("00"));
    assert_eq!(vault.send(late).await.refusal(), (401, "timestamp_out_of_window".into()));

    let mut other_body = good.request(&vault);
    *other_body.body_mut() = "{}".into();
    other_body.headers_mut().insert(headers::SIGNATURE, HeaderValue::from_static("00"));
    assert_eq!(vault.send(other_body).await.refusal(), (401, "content_hash_mismatch".into()));

    let mut forged = good.request(&vault);
    forged.headers_mut().insert(headers::SIGNATURE, HeaderValue::from_static("00"));
    assert_eq!(vault.send(forged).await.refusal(), (401, "signature_invalid".into()));

    let mut moved = good.request(&vault);
    *moved.uri_mut() = format!("{}/sdk/token?x=1", vault.url).parse().expect("a URI");
    assert_eq!(vault.send(moved).await.refusal(), (401, "signature_invalid".into()));
    assert_eq!(vault.last_row().await["code"], "signature_invalid");

    assert_eq!(good.send(&vault).await.status, 200, "none of these refusals spent the nonce");
}

#[tokio::test]
async fn a_request_counts_once_whatever_became_of_it() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let released = Signed::token(&f.key, &token_body(&f.grant));
    assert_eq!(released.send(&vault).await.status, 200);
    let again = released.send(&vault).await;
    assert_eq!(again.refusal(), (401, "nonce_replayed".into()));
    assert!(!String::from_utf8_lossy(&again.bytes).contains(CREDENTIAL));

    let refused = Signed::token(&f.key, &token_body("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f"));
    assert_eq!(refused.send(&vault).await.status, 404);
    assert_eq!(refused.send(&vault).await.refusal(), (401, "nonce_replayed".into()));
    assert_eq!(vault.last_row().await["code"], "nonce_replayed");

    let other_key = vault.key(json!({})).await;
    let mut same_nonce = Signed::token(&other_key, &token_body(&f.grant));
    same_nonce.clone_nonce(&released);
    assert_eq!(same_nonce.send(&vault).await.status, 200, "nonces are counted per key");
}

#[tokio::test]
async fn a_full_nonce_table_turns_new_requests_away() {
    let vault = TestVault::start_with(|options| options.limits.nonces = 2).await;
    let f = vault.furnished().await;
    let call = || Signed::token(&f.key, &token_body(&f.grant));
    assert_eq!(call().send(&vault).await.status, 200);
    assert_eq!(call().send(&vault).await.status, 200);
    let full = call().send(&vault).await;
    assert_eq!(full.refusal(), (429, "rate_limit_exceeded".into()));
    assert!(full.header("retry-after").is_some());
    vault.advance(601);
    assert_eq!(call().send(&vault).await.status, 200, "what has aged out makes room");
}

#[tokio::test]
async fn scopes_and_constraints_only_narrow() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let reader = vault.key(json!({"scopes": ["grants:read"]})).await;
    let answer = Signed::token(&reader, &token_body(&f.grant)).send(&vault).await;
    assert_eq!(answer.refusal(), (403, "insufficient_scope".into()));
    assert_eq!((&answer.json()["required"], &answer.json()["granted"]), (&json!(["tokens:retrieve"]), &json!(["grants:read"])));

    let wide = vault.key(json!({"scopes": ["tokens:retrieve", "grants:write"]})).await;
    let call = |constraints: &str| Signed::token(&wide, &token_body(&f.grant)).with(headers::SCOPE_CONSTRAINTS, constraints);
    assert_eq!(call("tokens:retrieve").send(&vault).await.status, 200);
    assert_eq!(call("grants:read").send(&vault).await.refusal(), (403, "insufficient_scope".into()));
    assert_eq!(call("tokens:retrieve,agents:admin").send(&vault).await.refusal(), (400, "constraint_not_narrowing".into()));
    assert_eq!(call("*").send(&vault).await.refusal(), (400, "invalid_constraint".into()));
    assert_eq!(call("tokens:retrieve:mail").send(&vault).await.refusal(), (400, "constraint_unsupported".into()));
}

#[tokio::test]
async fn a_request_rule_denies_or_is_refused_but_never_ignored() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let call = |rule: &Value| {
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rule.to_string());
        Signed::token(&f.key, &token_body(&f.grant)).with(headers::REQUEST_RULE, &text)
    };
    let rule = |body: Value| json!({"rule_type": "content_match", "rule_body": body});
    let deny_reads = rule(json!({"match": {"families": ["read"]}, "effect": "deny"}));
    assert_eq!(call(&deny_reads).send(&vault).await.refusal(), (403, "request_rule_denied".into()));
    let deny_sends = rule(json!({"match": {"families": ["send"]}, "effect": "deny"}));
    assert_eq!(call(&deny_sends).send(&vault).await.refusal(), (400, "request_rule_not_evaluable".into()));
    assert_eq!(
        call(&json!({"rule_type": "json_match", "rule_body": {}})).send(&vault).await.refusal(),
        (400, "request_rule_unsupported".into())
    );
    let malformed = Signed::token(&f.key, &token_body(&f.grant)).with(headers::REQUEST_RULE, "%%%");
    assert_eq!(malformed.send(&vault).await.refusal(), (400, "invalid_request_rule".into()));
}

#[tokio::test]
async fn a_caller_gets_an_id_that_stays() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let call = |caller: &str, kind: &str| {
        Signed::token(&f.key, &token_body(&f.grant)).with(headers::CALLER, caller).with(headers::CALLER_TYPE, kind)
    };
    let first = call("mail bot", "agent").with(headers::CONTEXT, r#"{"tool":"send"}"#).send(&vault).await;
    let id = first.header("x-alter-actor-id").expect("an id").to_owned();
    let row = vault.last_row().await;
    assert_eq!((&row["caller"], &row["caller_type"], &row["actor_id"]), (&json!("mail bot"), &json!("agent"), &json!(id)));
    assert_eq!(row["context"], json!({"tool": "send"}));

    let again = call("mail bot", "agent").with(headers::ACTOR_ID, &id).send(&vault).await;
    assert_eq!(again.header("x-alter-actor-id"), Some(&*id));
    assert_ne!(call("other", "agent").send(&vault).await.header("x-alter-actor-id"), Some(&*id));
    assert_ne!(call("mail bot", "service").send(&vault).await.header("x-alter-actor-id"), Some(&*id));
    let refused = Signed::token(&f.key, &token_body("x")).with(headers::CALLER, "mail bot").with(headers::CALLER_TYPE, "agent");
    assert_eq!(refused.send(&vault).await.header("x-alter-actor-id"), Some(&*id), "errors carry it, too");
    let agent = call("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f", "agent").send(&vault).await;
    assert_eq!(agent.refusal(), (404, "caller_agent_unresolved".into()));
    assert_eq!(call("x", "robot").send(&vault).await.refusal(), (400, "invalid_caller".into()));
    assert_eq!(
        Signed::token(&f.key, &token_body(&f.grant)).with(headers::CONTEXT, "[]").send(&vault).await.refusal(),
        (400, "invalid_context".into())
    );
}

#[tokio::test]
async fn a_deprecated_key_works_and_says_so() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let fresh = Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await;
    assert_eq!(fresh.header("x-alter-key-deprecated"), None);
    let app = vault.store.app_by_name("demo".into()).await.expect("readable").expect("there").id;
    let id = vault.read("/apps/demo/keys").await["items"][0]["id"].as_str().and_then(KeyId::parse).expect("an id");
    let row = AuditEntry::new(ChainId::App(app), "key.deprecate", Outcome::Done);
    let commit = Commit::new(row).effect(Effect::SetKeyStatus { app, key: id, status: KeyStatus::Deprecated });
    let receipt = vault.store.commit(commit, Instant::now() + Duration::from_secs(5)).await;
    assert!(receipt.is_ok(), "{receipt:?}");
    for grant in [f.grant.as_str(), "abc"] {
        let answer = Signed::token(&f.key, &token_body(grant)).send(&vault).await;
        assert_eq!(answer.header("x-alter-key-deprecated"), Some("true"), "errors say it, too");
    }
}

#[tokio::test]
async fn operators_are_not_clients_and_clients_are_not_operators() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let as_client = Signed::token(&vault.operator_key, &token_body(&f.grant)).send(&vault).await;
    assert_eq!(as_client.refusal(), (401, "invalid_key".into()));
    let as_operator = vault.admin_as(&f.key, Method::GET, "/apps", Value::Null).await;
    assert_eq!(as_operator.refusal(), (401, "operator_key_invalid".into()));
}
