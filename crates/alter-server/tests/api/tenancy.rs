//! Crossing tenants: every route of the wire protocol is tried with the identifiers of another application, and of nobody. The answers must not
//! differ, and nothing may get through.
//!
//! The routes are read from the source, so a new one without a case here fails the test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, CREDENTIAL, Signed, TestVault};

/// Identifiers that a request can name.
struct Ids {
    grant: String,
    secret: String,
    agent: String,
}

/// How to name `ids` on a route. `None` for a route that takes no identifier of a thing.
fn naming(route: &str, ids: &Ids) -> Option<(Method, String, Value)> {
    let Ids { grant, secret, agent } = ids;
    let post = |path: String, body: Value| Some((Method::POST, path, body));
    match route {
        "/sdk/token" => {
            post("/sdk/token".into(), json!({"grant_id": grant, "request": {"method": "GET", "url": "https://api.example.com/v1/me"}}))
        }
        "/sdk/oauth/audit/api-call" => post(
            "/sdk/oauth/audit/api-call".into(),
            json!({"grant_id": grant, "provider_id": "mail", "method": "GET", "url": "https://api.example.com/", "response_status": 200}),
        ),
        "/sdk/grants/{grant_id}/report-scope-mismatch" => {
            post(format!("/sdk/grants/{grant}/report-scope-mismatch"), json!({"provider_id": "mail"}))
        }
        // They take no identifier of a thing: what they are about is the caller, or stands in a token that is bound to its application (which
        // the tests of `people` try with another's).
        "/sdk/grants/list" | "/sdk/auth/session" | "/sdk/auth/poll" | "/sdk/auth/verify-token" => None,
        // A session's token belongs to its application: the tests of `connect` try it with another's key.
        "/sdk/oauth/connect/session/poll" | "/sdk/oauth/connect/session/cancel" => None,
        "/sdk/oauth/connect/session" => {
            post("/sdk/oauth/connect/session".into(), json!({"allowed_providers": ["mail"], "repair_grant_id": grant}))
        }
        "/sdk/managed-secrets/connect/session" => {
            post("/sdk/managed-secrets/connect/session".into(), json!({"provider": "mail", "user_token": "x", "delegated_agent_id": agent}))
        }
        "/sdk/identity/resolve" => post("/sdk/identity/resolve".into(), json!({"app_user_id": agent})),
        "/sdk/identity/assert" => {
            post("/sdk/identity/assert".into(), json!({"app_user_id": agent, "audience": "https://memory.example.com"}))
        }
        "/sdk/grants/{grant_id}/mint" => post(format!("/sdk/grants/{grant}/mint"), json!({"label": "x"})),
        "/sdk/grants/{grant_id}/delegate" => post(format!("/sdk/grants/{grant}/delegate"), json!({"to_agent_id": agent})),
        "/sdk/grants/{grant_id}/delegations/me" => Some((Method::DELETE, format!("/sdk/grants/{grant}/delegations/me"), Value::Null)),
        "/sdk/grants/{grant_id}/delegations/{agent_id}" => {
            Some((Method::DELETE, format!("/sdk/grants/{grant}/delegations/{agent}"), Value::Null))
        }
        "/sdk/oauth/grants/{grant_id}/revoke" => post(format!("/sdk/oauth/grants/{grant}/revoke"), json!({})),
        "/sdk/managed-secrets/{secret_id}/grants" => {
            post(format!("/sdk/managed-secrets/{secret}/grants"), json!({"principal": {"type": "system", "label": null}}))
        }
        other => panic!("the route {other} has no case here: say how a request names somebody else's things on it"),
    }
}

/// Every route under `/sdk` that the source of the API declares.
fn wire_routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api"), &mut routes);
    assert!(routes.len() >= 10, "the source was not found: {routes:?}");
    routes
}

fn collect(folder: &Path, routes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, routes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            let declared = text.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
            routes.extend(declared.filter(|route| route.starts_with("/sdk/")).map(str::to_owned));
        }
    }
}

const SCOPES: [&str; 8] =
    ["agents:admin", "audit:emit", "connect:initiate", "grants:read", "grants:write", "idp_users:read", "secrets:write", "tokens:retrieve"];

/// An application with a secret, a grant, an agent, and keys of both.
struct Tenant {
    ids: Ids,
    app_key: String,
    agent_key: String,
}

async fn tenant(vault: &TestVault, name: &str) -> Tenant {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    vault.made("/apps", json!({"name": name})).await;
    let secret = json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": CREDENTIAL}});
    let secret = text(&vault.made(&format!("/apps/{name}/secrets"), secret).await["id"]);
    let grant = text(&vault.made(&format!("/apps/{name}/grants"), json!({"secret": "mail"})).await["grant_id"]);
    let agent = text(&vault.made(&format!("/apps/{name}/agents"), json!({"name": "planner"})).await["agent_id"]);
    let keys = format!("/apps/{name}/keys");
    let app_key = text(&vault.made(&keys, json!({"scopes": SCOPES})).await["api_key"]);
    let agent_key = text(&vault.made(&keys, json!({"agent": "planner"})).await["api_key"]);
    Tenant { ids: Ids { grant, secret, agent }, app_key, agent_key }
}

fn nobody() -> Ids {
    let id = || uuid::Uuid::new_v4().to_string();
    Ids { grant: id(), secret: id(), agent: id() }
}

async fn send(vault: &TestVault, key: &str, (method, path, body): (Method, String, Value)) -> Answer {
    let signed = if method == Method::DELETE { Signed::delete(&path, key) } else { Signed::post(&path, key, &body) };
    signed.send(vault).await
}

#[tokio::test]
async fn anothers_things_look_like_nobodys_on_every_route() {
    let vault = TestVault::start().await;
    let (ours, theirs) = (tenant(&vault, "ours").await, tenant(&vault, "theirs").await);
    for route in wire_routes() {
        let (Some(crossing), Some(unknown)) = (naming(&route, &theirs.ids), naming(&route, &nobody())) else { continue };
        for key in [&ours.app_key, &ours.agent_key] {
            let crossed = send(&vault, key, crossing.clone()).await;
            let missed = send(&vault, key, unknown.clone()).await;
            assert!(crossed.status.is_client_error(), "{route} let it through: {}", crossed.status);
            assert_eq!((crossed.status, &crossed.bytes), (missed.status, &missed.bytes), "{route} tells that it exists");
            let shown = String::from_utf8_lossy(&crossed.bytes).into_owned();
            assert!(!shown.contains(CREDENTIAL), "{route}");
        }
    }
    // Nothing of theirs has changed, and nothing of it is listed here.
    let grant = vault.read(&format!("/apps/theirs/grants/{}", theirs.ids.grant)).await;
    assert_eq!((&grant["status"], &grant["scope_mismatch"]), (&json!("active"), &Value::Null));
    let listed = send(&vault, &ours.app_key, (Method::POST, "/sdk/grants/list".into(), json!({}))).await.json();
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["grants"][0]["grant_id"], json!(ours.ids.grant));
}

#[tokio::test]
async fn an_agent_of_the_same_app_gets_no_further_than_a_stranger() {
    let vault = TestVault::start().await;
    let ours = tenant(&vault, "ours").await;
    for route in wire_routes() {
        // What an application reports about its own calls, anybody of it may; a list shows an agent its own grants only.
        if matches!(route.as_str(), "/sdk/oauth/audit/api-call" | "/sdk/grants/{grant_id}/report-scope-mismatch") {
            continue;
        }
        let (Some(crossing), Some(unknown)) = (naming(&route, &ours.ids), naming(&route, &nobody())) else { continue };
        let crossed = send(&vault, &ours.agent_key, crossing).await;
        let missed = send(&vault, &ours.agent_key, unknown).await;
        assert!(crossed.status.is_client_error(), "{route} let it through: {}", crossed.status);
        assert_eq!((crossed.status, &crossed.bytes), (missed.status, &missed.bytes), "{route} tells that it exists");
    }
}
