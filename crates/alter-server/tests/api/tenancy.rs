//! Crossing tenants: every route of the wire protocol is tried with the identifiers of another application, and of nobody. The answers must not
//! differ, and nothing may get through.
//!
//! The routes are read from the source, so a new one without a case here fails the test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use alter_server::api::KNOWN_SCOPES;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, CREDENTIAL, Signed, TestVault};

/// Identifiers that a request can name.
struct Ids {
    grant: String,
    secret: String,
    agent: String,
    /// A key of the agent.
    key: String,
    /// A provider whose API is described.
    spec: String,
}

/// How to name `ids` on a route, with each of its methods. Nothing for a route that takes no identifier of a thing.
fn naming(route: &str, ids: &Ids) -> Vec<(Method, String, Value)> {
    let Ids { grant, secret, agent, key, spec } = ids;
    let post = |path: String, body: Value| vec![(Method::POST, path, body)];
    let agents_key = format!("/sdk/agents/{agent}/keys/{key}");
    match route {
        "/sdk/token" => {
            post("/sdk/token".into(), json!({"grant_id": grant, "request": {"method": "GET", "url": "https://api.example.com/v1/me"}}))
        }
        "/sdk/proxy" => post("/sdk/proxy".into(), json!({"grant_id": grant, "method": "GET", "url": "https://api.example.com/v1/me"})),
        "/sdk/oauth/audit/api-call" => post(
            "/sdk/oauth/audit/api-call".into(),
            json!({"grant_id": grant, "provider_id": "mail", "method": "GET", "url": "https://api.example.com/", "response_status": 200}),
        ),
        "/sdk/grants/{grant_id}/report-scope-mismatch" => {
            post(format!("/sdk/grants/{grant}/report-scope-mismatch"), json!({"provider_id": "mail"}))
        }
        // They take no identifier of a thing: what they are about is the caller, or stands in a token that is bound to its application (which
        // the tests of `people` try with another's).
        "/sdk/grants/list" | "/sdk/auth/session" | "/sdk/auth/poll" | "/sdk/auth/verify-token" => Vec::new(),
        // A session's token belongs to its application: the tests of `connect` try it with another's key.
        "/sdk/oauth/connect/session/poll" | "/sdk/oauth/connect/session/cancel" => Vec::new(),
        // It takes a call that waits: the tests of `approvals` ask for one with the keys of another application and of another agent.
        "/sdk/approvals/{approval_id}" | "/sdk/approvals/{approval_id}/result" => Vec::new(),
        // About the caller itself.
        "/sdk/agents" | "/sdk/agents/me" | "/sdk/keys/derive" | "/sdk/spans" => Vec::new(),
        "/sdk/scopes" | "/sdk/oauth/provider-catalog" | "/sdk/provider-specs" => Vec::new(),
        // A spec is named by its provider and not by an id; the other application has loaded one, and nobody has a provider of the last name.
        "/sdk/provider-specs/{kind}/{provider_id}" => vec![(Method::GET, format!("/sdk/provider-specs/oauth/{spec}"), Value::Null)],
        "/sdk/provider-specs/{kind}/{provider_id}/operations" => {
            vec![(Method::GET, format!("/sdk/provider-specs/oauth/{spec}/operations"), Value::Null)]
        }
        "/sdk/provider-specs/{kind}/{provider_id}/operation" => {
            vec![(Method::GET, format!("/sdk/provider-specs/oauth/{spec}/operation?operation_id=x"), Value::Null)]
        }
        "/sdk/agents/{agent_id}" => {
            let path = || format!("/sdk/agents/{agent}");
            let change = json!({"display_name": "theirs"});
            vec![(Method::GET, path(), Value::Null), (Method::PATCH, path(), change), (Method::DELETE, path(), Value::Null)]
        }
        "/sdk/agents/{agent_id}/keys" => {
            let path = || format!("/sdk/agents/{agent}/keys");
            vec![(Method::GET, path(), Value::Null), (Method::POST, path(), json!({}))]
        }
        "/sdk/agents/{agent_id}/keys/{key_id}" => vec![(Method::DELETE, agents_key, Value::Null)],
        "/sdk/agents/{agent_id}/keys/{key_id}/deprecate" => vec![(Method::PATCH, format!("{agents_key}/deprecate"), json!({}))],
        "/sdk/agents/{agent_id}/keys/{key_id}/undeprecate" => vec![(Method::PATCH, format!("{agents_key}/undeprecate"), json!({}))],
        "/sdk/keys/{key_id}" => vec![(Method::DELETE, format!("/sdk/keys/{key}"), Value::Null)],
        "/sdk/keys/{key_id}/rotate" => post(format!("/sdk/keys/{key}/rotate"), json!({})),
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
        "/sdk/grants/{grant_id}/delegations/me" => vec![(Method::DELETE, format!("/sdk/grants/{grant}/delegations/me"), Value::Null)],
        "/sdk/grants/{grant_id}/delegations/{agent_id}" => {
            vec![(Method::DELETE, format!("/sdk/grants/{grant}/delegations/{agent}"), Value::Null)]
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

/// All of them: what is refused is refused for its names, and not for a scope.
const SCOPES: &[&str] = KNOWN_SCOPES;

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
    let made = vault.made(&keys, json!({"agent": "planner"})).await;
    let (spec, document) = (format!("of-{name}"), json!({"openapi": "3.0.0", "paths": {"/x": {"get": {"operationId": "x"}}}}));
    let loaded = vault.admin(Method::PUT, &format!("/apps/{name}/specs/{spec}"), json!({"document": document})).await;
    assert_eq!(loaded.status, 201, "{:?}", loaded.json());
    let (agent_key, key) = (text(&made["api_key"]), text(&made["id"]));
    Tenant { ids: Ids { grant, secret, agent, key, spec }, app_key, agent_key }
}

fn nobody() -> Ids {
    let id = || uuid::Uuid::new_v4().to_string();
    Ids { grant: id(), secret: id(), agent: id(), key: id(), spec: id() }
}

async fn send(vault: &TestVault, key: &str, (method, path, body): (Method, String, Value)) -> Answer {
    let signed = match method {
        Method::DELETE => Signed::delete(&path, key),
        Method::GET => Signed::get(&path, key),
        Method::PATCH => Signed::patch(&path, key, &body),
        _ => Signed::post(&path, key, &body),
    };
    signed.send(vault).await
}

#[tokio::test]
async fn anothers_things_look_like_nobodys_on_every_route() {
    let vault = TestVault::start().await;
    let (ours, theirs) = (tenant(&vault, "ours").await, tenant(&vault, "theirs").await);
    for route in wire_routes() {
        for (crossing, unknown) in naming(&route, &theirs.ids).into_iter().zip(naming(&route, &nobody())) {
            for key in [&ours.app_key, &ours.agent_key] {
                let crossed = send(&vault, key, crossing.clone()).await;
                let missed = send(&vault, key, unknown.clone()).await;
                assert!(crossed.status.is_client_error(), "{route} let it through: {}", crossed.status);
                assert_eq!((crossed.status, &crossed.bytes), (missed.status, &missed.bytes), "{route} tells that it exists");
                let shown = String::from_utf8_lossy(&crossed.bytes).into_owned();
                assert!(!shown.contains(CREDENTIAL), "{route}");
            }
        }
    }
    // Nothing of theirs has changed, and nothing of it is listed here.
    let grant = vault.read(&format!("/apps/theirs/grants/{}", theirs.ids.grant)).await;
    assert_eq!((&grant["status"], &grant["scope_mismatch"]), (&json!("active"), &Value::Null));
    let agent = vault.read("/apps/theirs/agents/planner").await;
    assert_eq!((&agent["status"], &agent["display_name"], &agent["version"]), (&json!("active"), &Value::Null, &json!(1)));
    let keys = vault.read("/apps/theirs/keys").await["items"].clone();
    assert!(keys.as_array().is_some_and(|keys| keys.len() == 2 && keys.iter().all(|key| key["status"] == "active")), "{keys}");
    let agents = send(&vault, &ours.app_key, (Method::GET, "/sdk/agents?include_revoked=true".into(), Value::Null)).await.json();
    assert_eq!((&agents["total"], &agents["items"][0]["id"]), (&json!(1), &json!(ours.ids.agent)));
    let listed = send(&vault, &ours.app_key, (Method::POST, "/sdk/grants/list".into(), json!({}))).await.json();
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["grants"][0]["grant_id"], json!(ours.ids.grant));
}

#[tokio::test]
async fn an_agent_of_the_same_app_gets_no_further_than_a_stranger() {
    let vault = TestVault::start().await;
    let ours = tenant(&vault, "ours").await;
    // Its own keys an agent may administer; those of the app and of other agents it may not.
    let apps_key = vault.read("/apps/ours/keys").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let others = Ids { key: apps_key, ..ours.ids };
    for route in wire_routes() {
        // What an application reports about its own calls, anybody of it may, and what it has loaded, anybody of it may read; a list shows an agent its own grants only.
        if matches!(route.as_str(), "/sdk/oauth/audit/api-call" | "/sdk/grants/{grant_id}/report-scope-mismatch")
            || route.starts_with("/sdk/provider-specs")
        {
            continue;
        }
        for (crossing, unknown) in naming(&route, &others).into_iter().zip(naming(&route, &nobody())) {
            let crossed = send(&vault, &ours.agent_key, crossing).await;
            let missed = send(&vault, &ours.agent_key, unknown).await;
            assert!(crossed.status.is_client_error(), "{route} let it through: {}", crossed.status);
            assert_eq!((crossed.status, &crossed.bytes), (missed.status, &missed.bytes), "{route} tells that it exists");
        }
    }
}
