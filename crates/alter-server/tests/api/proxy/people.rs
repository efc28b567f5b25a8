//! Calls with logins that people have given: how far they reach, and how lately the person has shown who they are.

use http::Method;
use serde_json::{Value, json};

use crate::connect::Site;
use crate::harness::{Answer, Signed};
use crate::people::browser::Browser;

const SCOPES: [&str; 5] = ["agents:admin", "connect:initiate", "grants:write", "proxy:execute", "tokens:retrieve"];

/// A site whose key may have the vault make calls.
async fn site() -> Site {
    let mut site = Site::new().await;
    site.people.key = site.people.vault.key(json!({"scopes": SCOPES})).await;
    site
}

/// What ada gives, with more wishes of the session.
async fn given(site: &Site, more: Value) -> String {
    let mut wanted = json!({"allowed_providers": ["test"], "user_token": site.user("ada")});
    wanted.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    let started = site.start(wanted).await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, &started, "ada").await;
    site.connect(&mut browser, &started).await;
    site.grant(&started).await["grant_id"].as_str().expect("an id").to_owned()
}

async fn call(site: &Site, key: &str, mut body: Value) -> Answer {
    let path = body["url"].as_str().expect("a path").to_owned();
    body["url"] = json!(format!("{}{path}", site.provider.url()));
    Signed::post("/sdk/proxy", key, &body).send(&site.people.vault).await
}

#[tokio::test]
async fn an_agent_with_some_scopes_makes_the_calls_that_need_no_others() {
    let site = site().await;
    let vault = &site.people.vault;
    vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    let agent = vault.key(json!({"agent": "planner"})).await;
    given(&site, json!({"agent": "planner", "scope_constraint": ["read"]})).await;
    let held = Signed::post("/sdk/grants/list", &agent, &json!({"status": "active"})).send(vault).await.json();
    let grant = held["grants"][0]["grant_id"].clone();
    let get = || json!({"method": "GET", "url": "/api/files", "grant_id": grant});
    let post = || json!({"method": "POST", "url": "/api/files", "grant_id": grant});
    assert_eq!(call(&site, &agent, get()).await.refusal(), (400, "scope_constraint_not_evaluable".into()), "nobody has said what it needs");

    let needs = |scope: &str| json!([{"oauth": [scope]}]);
    let document = json!({
        "openapi": "3.1.0",
        "components": {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {}}}},
        "paths": {"/api/files": {
            "get": {"operationId": "files.list", "security": needs("read")},
            "post": {"operationId": "files.put", "security": needs("write")},
        }},
    });
    let loaded = vault.admin(Method::PUT, "/apps/demo/specs/test", json!({"document": document})).await;
    assert!(loaded.status.is_success(), "{:?}", loaded.json());
    let answer = call(&site, &agent, get()).await;
    assert_eq!(answer.json()["status_code"], 200, "{:?}", answer.json());
    let refused = call(&site, &agent, post()).await;
    assert_eq!(refused.refusal(), (403, "scope_not_allowed_by_grant".into()));
    assert_eq!((&refused.json()["required_any_of"], &refused.json()["granted"]), (&json!([["write"]]), &json!(["read"])));
    let undescribed = call(&site, &agent, json!({"method": "GET", "url": "/api/other", "grant_id": grant})).await;
    assert_eq!(undescribed.refusal(), (400, "scope_constraint_not_evaluable".into()));
}

#[tokio::test]
async fn a_policy_wants_a_person_who_has_shown_lately_who_they_are() {
    let site = site().await;
    let grant = given(&site, json!({})).await;
    let source =
        r#"@effect("step_up") @max_session_age_seconds("300") forbid (principal, action, resource) when { context.method == "DELETE" };"#;
    site.people.vault.made("/apps/demo/policies", json!({"name": "fresh", "source": source})).await;
    let now = site.people.vault.now();
    let deleting = async |claims: Value| {
        let mut body = json!({"method": "DELETE", "url": "/api/files/1", "grant_id": grant});
        if !claims.is_null() {
            body["user_token"] = json!(site.people.token(claims));
        }
        call(&site, &site.people.key, body).await
    };
    for claims in [Value::Null, json!({"sub": "ada"}), json!({"sub": "ada", "auth_time": now - 301})] {
        assert_eq!(deleting(claims.clone()).await.refusal(), (403, "step_up_required".into()), "{claims}");
    }
    let fresh = deleting(json!({"sub": "ada", "auth_time": now - 299})).await;
    assert_eq!(fresh.json()["status_code"], 200, "{:?}", fresh.json());
    let reading = call(&site, &site.people.key, json!({"method": "GET", "url": "/api/files", "grant_id": grant})).await;
    assert_eq!(reading.json()["status_code"], 200, "the policy is not about it: {:?}", reading.json());
    let other = deleting(json!({"sub": "bob", "auth_time": now})).await;
    assert!(other.status.is_client_error(), "{:?}", other.json());
}
