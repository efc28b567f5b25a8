//! Agents, keys, proxied calls and approvals through the SDK, over real sockets.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use alter_sdk::model::UserSpan;
use alter_sdk::{App, DeriveKey, Kind, ListOperations, NewAgent, Proxied, ProxyRequest, UpdateAgent, WaitForApproval};
use common::{GRANT, KEY, Server, http};
use serde_json::{Value, json};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOW: &str = "2026-01-02T03:04:05Z";

/// A vault that answers by the request's target; anything else is not found.
async fn vault(answers: &'static [(&'static str, u16)], body: fn(&str) -> Value) -> Server {
    Server::start(move |request| {
        let found = answers.iter().find(|(target, _)| request.target().starts_with(target));
        Some(match found {
            Some((target, status)) => http(*status, "", body(target).to_string().as_bytes()),
            None => http(404, "", b"{}"),
        })
    })
    .await
}

fn app(vault: &Server) -> App {
    App::builder(KEY).base_url(vault.url()).build().unwrap()
}

fn bodies(vault: &Server) -> Vec<Value> {
    vault.arrived().iter().map(|request| serde_json::from_slice(&request.body).unwrap_or_default()).collect()
}

fn agent() -> Value {
    json!({ "id": GRANT, "name": "bot", "type": "agent", "status": "active", "version": 7, "created_at": NOW })
}

#[tokio::test]
async fn an_agent_is_made_and_changed_at_the_version_that_was_read() {
    let vault = vault(&[("/sdk/agents?name", 200), ("/sdk/agents/", 200), ("/sdk/agents", 201)], |target| match target {
        "/sdk/agents" => {
            let mut created = agent();
            created["api_key"] = "alter_ak_canary".into();
            created["key_id"] = GRANT.into();
            created
        }
        "/sdk/agents/" => agent(),
        _ => json!({ "items": [] }),
    })
    .await;
    let app = app(&vault);
    let created = app.agents().create("bot", NewAgent::new().scopes(json!({ "google": ["a"] })).idempotency_key("k")).await.unwrap();
    assert_eq!(created.api_key.as_deref(), Some("alter_ak_canary"));
    assert!(!format!("{created:?}").contains("canary"));
    let changed = app.agents().update(GRANT, UpdateAgent::new().scopes(json!({}))).await.unwrap();
    assert_eq!(changed.version, 7);
    assert!(app.agents().get_by_name("nobody").await.unwrap().is_none());
    let arrived = vault.arrived();
    assert_eq!(arrived[0].header("idempotency-key"), Some("k"));
    assert_eq!(arrived[2].target(), format!("/sdk/agents/{GRANT}?expected_version=7"));
}

#[tokio::test]
async fn a_key_is_derived_and_refused_before_anything_is_sent() {
    let vault = vault(&[("/sdk/keys/derive", 201)], |_| {
        json!({ "id": GRANT, "name": "k", "key_prefix": "p", "key_type": "dk", "scopes": ["a"], "scope_version": 1, "created_at": NOW,
            "api_key": "alter_dk_canary" })
    })
    .await;
    let app = app(&vault);
    let minted = app.keys().derive(&["a"], 60, DeriveKey::new().rate_limit_rpm(5)).await.unwrap();
    assert_eq!((minted.api_key.as_str(), minted.key.key_type.as_str()), ("alter_dk_canary", "dk"));
    assert_eq!(app.keys().derive(&["keys:derive"], 60, DeriveKey::new()).await.unwrap_err().kind(), Kind::AlterValue);
    let unknown = app.list_operations("oauth", "github", ListOperations::new().search("repos")).await.unwrap_err();
    assert_eq!(unknown.kind(), Kind::GrantNotFound);
    assert_eq!(bodies(&vault)[0], json!({ "scopes": ["a"], "expires_in": 60, "rate_limit_rpm": 5 }));
}

#[tokio::test]
async fn a_call_that_waits_for_approval_is_waited_for() {
    let vault = vault(
        &[("/sdk/proxy", 202), (concat!("/sdk/approvals/", "7a1e6f0e-2222-4333-8444-555566667777", "/result"), 200), ("/sdk/approvals/", 200)],
        |target| {
            let gate = json!({ "approval_id": GRANT, "expires_at": NOW, "expires_in": 60, "approval_url": "https://v.example/a", "status": "pending" });
            match target {
                "/sdk/proxy" => {
                    let mut pending = gate.clone();
                    pending["approval_group_id"] = GRANT.into();
                    pending["gates"] = json!([gate]);
                    pending
                }
                "/sdk/approvals/" => json!({ "approval_id": GRANT, "status": "executed", "approval_group_id": GRANT, "gates": [gate],
                    "expires_at": NOW, "has_result": true }),
                _ => json!({ "status_code": 200, "body_b64": "aGk=" }),
            }
        },
    )
    .await;
    let app = app(&vault);
    let call = ProxyRequest::new().grant_id(GRANT).json(json!({ "amount": 5 })).idempotency_key("order-7").traceparent(TRACEPARENT);
    let Proxied::Pending(pending) = app.proxy_request("post", "https://api.example.com/x", call).await.unwrap() else {
        panic!("it waits for approval")
    };
    let status = app.get_approval_status(&pending.approval_id, Duration::from_secs(2)).await.unwrap();
    assert!(status.has_result);
    let result = app.await_approval(&pending.approval_id, WaitForApproval::new().timeout(Duration::from_secs(20))).await.unwrap();
    assert_eq!(Proxied::Answered(result).body().as_deref(), Some(&b"hi"[..]));
    let sent = json!({ "method": "POST", "url": "https://api.example.com/x", "grant_id": GRANT, "body": { "amount": 5 }, "idempotency_key": "order-7" });
    assert_eq!(bodies(&vault)[0], sent);
    assert_eq!(vault.arrived()[0].header("traceparent"), Some(TRACEPARENT));
}

#[tokio::test]
async fn spans_are_told_as_they_are() {
    let vault = vault(&[("/sdk/spans", 200)], |_| json!({ "accepted": 1 })).await;
    let span = UserSpan {
        trace_id: "t".into(),
        name: "plan".into(),
        start_time: NOW.into(),
        span_id: None,
        parent_span_id: None,
        end_time: None,
        attributes: serde_json::Map::new(),
    };
    assert_eq!(app(&vault).emit_spans(&[span]).await.unwrap().accepted, 1);
    let sent = json!({ "spans": [{ "trace_id": "t", "name": "plan", "start_time": NOW, "attributes": {} }] });
    assert_eq!(bodies(&vault)[0], sent);
}
