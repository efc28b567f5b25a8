//! What is refused when a session is made, and what happens to one that is old, foreign or given up.

use http::{Method, Request};
use serde_json::{Value, json};

use super::Site;
use crate::harness::Signed;
use crate::people::browser::Browser;

#[tokio::test]
async fn a_session_that_cannot_be_is_refused_at_once() {
    let site = Site::new().await;
    let ada = site.user("ada");
    let nobody = uuid::Uuid::new_v4().to_string();
    let wants = |mut body: Value| {
        if body.get("allowed_providers").is_none() {
            body["allowed_providers"] = json!(["test"]);
        }
        body
    };
    for (body, status, code) in [
        (json!({"allowed_providers": []}), 400, "invalid_request"),
        (json!({"allowed_providers": [" "]}), 400, "invalid_request"),
        (json!({"allowed_providers": ["unheard-of"]}), 400, "provider_not_configured"),
        (json!({"required_scopes": {"other": ["x"]}}), 400, "invalid_request"),
        (json!({"required_scopes": {"test": ["with space"]}}), 400, "invalid_request"),
        (json!({"required_scopes": {"test": "read"}}), 400, "invalid_request"),
        (json!({"direct": true, "allowed_providers": null}), 400, "invalid_request"),
        (json!({"metadata": {"referrer": "x"}}), 400, "invalid_request"),
        (json!({"grant_policy": {"max_ttl_seconds": 0}}), 422, "invalid_grant_policy"),
        (json!({"grant_policy": {"colour": "red"}}), 422, "invalid_grant_policy"),
        (json!({"requested_grant": {}}), 422, "invalid_requested_grant"),
        (json!({"requested_grant": {"label": "x", "restrictions": {"hosts": []}}}), 422, "invalid_requested_grant"),
        (json!({"requested_grant": {"label": "x".repeat(256)}}), 422, "invalid_requested_grant"),
        (json!({"agent": "planner"}), 404, "agent_not_found"),
        (json!({"scope_constraint": ["read"]}), 422, "invalid_scope_constraint"),
        (json!({"scope_constraint": ["*"]}), 422, "invalid_scope_constraint"),
        (json!({"repair_grant_id": nobody}), 404, "grant_not_found"),
        (json!({"repair_grant_id": nobody, "requested_grant": {"label": "x"}}), 400, "invalid_request"),
        (json!({"repair_grant_id": nobody, "switch_account": true}), 400, "invalid_request"),
        (json!({"repair_grant_id": nobody, "allowed_providers": null}), 400, "invalid_request"),
        (json!({"login_hint": "x".repeat(256)}), 400, "invalid_request"),
        (json!({"user_token": "nonsense"}), 401, "jwt_validation_error"),
        (json!({"colour": "red"}), 400, "invalid_request"),
    ] {
        let answer = site.people.call("/sdk/oauth/connect/session", wants(body.clone())).await;
        assert_eq!(answer.refusal(), (status, code.into()), "{body}");
    }
    site.people.vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    for (body, status, code) in [
        (json!({"agent": "planner"}), 400, "agent_requires_user_token"),
        (json!({"agent": "planner", "user_token": ada, "scope_constraint": ["delete"]}), 422, "invalid_scope_constraint"),
    ] {
        assert_eq!(site.people.call("/sdk/oauth/connect/session", wants(body.clone())).await.refusal(), (status, code.into()), "{body}");
    }
    let narrow = site.people.vault.key(json!({"scopes": ["grants:read"]})).await;
    for path in ["/sdk/oauth/connect/session", "/sdk/oauth/connect/session/poll", "/sdk/managed-secrets/connect/session"] {
        let answer = Signed::post(path, &narrow, &json!({})).send(&site.people.vault).await;
        assert_eq!(answer.refusal(), (403, "insufficient_scope".into()), "{path}");
    }
}

#[tokio::test]
async fn the_operator_says_which_scopes_may_be_asked_for() {
    let site = Site::new().await;
    let shown = site.people.vault.read("/apps/demo/providers/test").await;
    let wanted = json!({
        "client_id": shown["client_id"], "entry": shown["entry"], "scopes": ["read"], "allowed_scopes": ["read"],
    });
    let put = site.people.vault.admin(Method::PUT, "/apps/demo/providers/test", wanted).await;
    assert!(put.status.is_success(), "{:?}", put.json());
    let body = json!({"allowed_providers": ["test"], "required_scopes": {"TEST": ["write"]}});
    assert_eq!(site.people.call("/sdk/oauth/connect/session", body).await.refusal(), (400, "scope_not_allowed".into()));
    site.start(json!({"allowed_providers": ["test"], "required_scopes": {"TEST": ["read"]}})).await;
}

#[tokio::test]
async fn old_unknown_and_foreign_sessions_look_the_same() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["test"]})).await;
    let expired = json!({"status": "expired"});
    let unknown = site.people.call("/sdk/oauth/connect/session/poll", json!({"session_token": "nonsense"})).await;
    assert_eq!(unknown.json(), expired);
    site.people.vault.made("/apps", json!({"name": "other"})).await;
    let key = site.people.vault.made("/apps/other/keys", json!({"scopes": ["connect:initiate"]})).await;
    let key = key["api_key"].as_str().expect("a key");
    for (step, answer) in [("poll", expired.clone()), ("cancel", json!({"cancelled": false}))] {
        let path = format!("/sdk/oauth/connect/session/{step}");
        let foreign = Signed::post(&path, key, &json!({"session_token": started.token})).send(&site.people.vault).await;
        assert_eq!(foreign.json(), answer);
    }
    assert_eq!(site.poll(&started).await, json!({"status": "pending"}));
    site.people.vault.advance(600);
    assert_eq!(site.poll(&started).await, expired);
    let mut browser = Browser::new();
    assert_eq!(browser.get(&started.url).await.status, 410);
    assert_eq!(browser.get(&format!("{}/connect/nonsense", site.people.vault.url)).await.status, 410);
}

#[tokio::test]
async fn a_session_that_the_application_gives_up_is_over_for_the_person() {
    let site = Site::new().await;
    let answer = site.people.call("/sdk/oauth/connect/session", json!({"allowed_providers": ["test"]})).await;
    assert_eq!(answer.header("x-alter-session-cancel"), Some("true"));
    let started = super::Started::of(answer);
    let mut browser = Browser::new();
    let departure = site.agree(&mut browser, &started, &[("lifetime", "3600")]).await;
    let cancel = async || site.people.call("/sdk/oauth/connect/session/cancel", json!({"session_token": started.token})).await.json();
    assert_eq!((cancel().await, cancel().await), (json!({"cancelled": true}), json!({"cancelled": false})));
    assert_eq!(site.poll(&started).await["error"]["error_code"], "connect_cancelled");
    let back = site.provider_answer(&mut browser, &departure).await;
    assert_eq!(browser.get(&back).await.status, 410);
    assert_eq!(site.people.call("/sdk/grants/list", json!({})).await.json()["total"], 0);
}

#[tokio::test]
async fn another_sites_form_decides_nothing() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["test"]})).await;
    for step in ["continue", "refuse", "finish", "sign-in", "key", "confirm"] {
        let url = format!("{}/{step}", started.url);
        let request =
            Request::post(&url).header("origin", "https://evil.example").header("content-type", "application/x-www-form-urlencoded");
        let page = Browser::new().answer(request.body("lifetime=3600".into()).expect("a request"), &url).await;
        assert_eq!(page.status, 403, "{step}");
    }
    assert_eq!(site.poll(&started).await, json!({"status": "pending"}));
    // Pages cannot be framed, cached, or tell where one came from.
    let page = Browser::new().get(&started.url).await;
    for (name, value) in [("x-frame-options", "DENY"), ("cache-control", "no-store"), ("referrer-policy", "same-origin")] {
        assert_eq!(page.headers[name], value);
    }
}
