//! Catalogues, descriptions of providers' APIs, and spans.

use alter_server::api::KNOWN_SCOPES;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Signed, TestVault};

/// A vault with the app `demo` and a key of the app that may do everything.
async fn world() -> (TestVault, String) {
    let vault = TestVault::start().await;
    vault.furnished().await;
    let key = vault.key(json!({"scopes": KNOWN_SCOPES})).await;
    (vault, key)
}

async fn get(vault: &TestVault, key: &str, path: &str) -> Answer {
    Signed::get(path, key).send(vault).await
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Mail", "version": "2026-11"},
        "paths": {
            "/emails": {"post": {"summary": "Send an e-mail", "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}},
            "/emails/{id}": {"get": {"operationId": "emails/get", "parameters": [{"name": "id", "in": "path", "required": true}]}},
            "/domains": {"get": {"operationId": "domains_list", "summary": "100% of the domains"}},
        },
    })
}

async fn load(vault: &TestVault, path: &str, document: Value) -> Answer {
    vault.admin(Method::PUT, path, json!({"document": document, "source_url": "https://mail.example/openapi.json"})).await
}

#[tokio::test]
async fn the_scopes_that_there_are_are_told_to_any_key() {
    let (vault, _) = world().await;
    let plain = vault.key(json!({})).await;
    let scopes = get(&vault, &plain, "/sdk/scopes").await.json();
    assert_eq!((&scopes["scope_version"], &scopes["deprecated"]), (&json!(1), &json!([])));
    assert_eq!(scopes["resources"]["grants"], json!({"verbs": ["read", "write"]}));
    assert!(scopes["action_verbs"].as_array().is_some_and(|verbs| verbs.contains(&json!("retrieve"))));
    let office = vault.key(json!({"cidr_allowlist": ["192.0.2.0/24"]})).await;
    assert_eq!(get(&vault, &office, "/sdk/scopes").await.refusal(), (403, "ip_not_allowed".into()));
}

#[tokio::test]
async fn the_catalogue_has_the_providers_at_which_people_can_connect() {
    let (vault, key) = world().await;
    assert_eq!(get(&vault, &key, "/sdk/oauth/provider-catalog").await.json(), json!({"providers": {}}));
    let wanted = json!({"client_id": "x", "client_secret": "canary-secret", "scopes": ["repo"]});
    assert!(vault.admin(Method::PUT, "/apps/demo/providers/github", wanted).await.status.is_success());
    let answer = get(&vault, &key, "/sdk/oauth/provider-catalog").await;
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("canary-secret"));
    let github = answer.json()["providers"]["github"].clone();
    assert_eq!((&github["id"], &github["display_name"], &github["status"]), (&json!("github"), &json!("GitHub"), &json!("active")));
    assert_eq!((&github["supports_pkce"], &github["default_scopes"]), (&json!(true), &json!(["repo"])));
    let repo = json!({"description": "full access to repositories", "required": false, "is_default": true, "requires": []});
    assert_eq!(github["available_scopes"]["repo"], repo);
    assert_eq!(github["available_scopes"]["workflow"]["is_default"], false);
    let allowed = json!({"client_id": "x", "client_secret": "y", "scopes": ["repo"], "allowed_scopes": ["repo"]});
    vault.admin(Method::PUT, "/apps/demo/providers/github", allowed).await;
    let github = get(&vault, &key, "/sdk/oauth/provider-catalog").await.json()["providers"]["github"].clone();
    assert_eq!(github["available_scopes"].as_object().map(serde_json::Map::len), Some(1));
    let plain = vault.key(json!({})).await;
    assert_eq!(get(&vault, &plain, "/sdk/oauth/provider-catalog").await.refusal(), (403, "insufficient_scope".into()));
}

#[tokio::test]
async fn a_loaded_document_is_listed_searched_and_shown() {
    let (vault, key) = world().await;
    let loaded = load(&vault, "/apps/demo/specs/mail", document()).await;
    assert_eq!((loaded.status.as_u16(), &loaded.json()["provider_kind"]), (201, &json!("managed")), "there is a secret of this slug");
    load(&vault, "/apps/demo/specs/github", document()).await;
    let list = get(&vault, &key, "/sdk/provider-specs").await.json();
    assert_eq!((&list["total"], &list["items"][0]["provider_id"]), (&json!(2), &json!("mail")));
    assert_eq!(get(&vault, &key, "/sdk/provider-specs?kind=oauth").await.json()["items"][0]["provider_id"], "github");
    let spec = get(&vault, &key, "/sdk/provider-specs/managed/mail").await.json();
    assert_eq!((&spec["title"], &spec["spec_version"], &spec["operation_count"]), (&json!("Mail"), &json!("2026-11"), &json!(3)));
    assert_eq!((&spec["version"], &spec["source_url"]), (&json!(1), &json!("https://mail.example/openapi.json")));

    let base = "/sdk/provider-specs/managed/mail";
    let page = get(&vault, &key, &format!("{base}/operations?limit=2&offset=1")).await.json();
    assert_eq!((&page["total"], &page["has_more"], &page["spec"]), (&json!(3), &json!(false), &spec));
    assert_eq!(page["items"][0], json!({"operation_id": "emails/get", "method": "GET", "path_template": "/emails/{id}", "summary": null}));
    for (search, ids) in [
        ("SEND", json!(["post:/emails"])),
        ("domains_", json!(["domains_list"])),
        ("100%25", json!(["domains_list"])),
        ("%25", json!(["domains_list"])),
        ("_", json!(["domains_list"])),
        ("%2Femails", json!(["post:/emails", "emails/get"])),
        ("nothing", json!([])),
    ] {
        let found = get(&vault, &key, &format!("{base}/operations?limit=100&offset=0&search={search}")).await.json();
        let found: Vec<&Value> = found["items"].as_array().expect("a list").iter().map(|operation| &operation["operation_id"]).collect();
        assert_eq!(json!(found), ids, "{search}");
    }
    let one = get(&vault, &key, &format!("{base}/operation?operation_id=emails%2Fget")).await.json();
    assert_eq!((&one["method"], &one["params_schema"][0]["name"]), (&json!("GET"), &json!("id")));
    assert_eq!((&one["request_schema"], &one["spec"]["provider_id"]), (&Value::Null, &json!("mail")));
    let send = get(&vault, &key, &format!("{base}/operation?operation_id=post%3A%2Femails")).await.json();
    assert_eq!(send["request_schema"], json!({"type": "object"}));
}

#[tokio::test]
async fn a_version_grows_with_the_content_only() {
    let (vault, key) = world().await;
    load(&vault, "/apps/demo/specs/mail", document()).await;
    vault.advance(60);
    let same = load(&vault, "/apps/demo/specs/mail", document()).await;
    let shown = same.json();
    assert_eq!((same.status.as_u16(), &shown["version"]), (200, &json!(1)));
    assert_eq!((&shown["changed_at"], &shown["fetched_at"]), (&json!("2026-01-01T00:00:00.000Z"), &json!("2026-01-01T00:01:00.000Z")));
    let mut other = document();
    other["paths"].as_object_mut().expect("a map").remove("/domains");
    let changed = load(&vault, "/apps/demo/specs/mail", other).await.json();
    assert_eq!((&changed["version"], &changed["operation_count"]), (&json!(2), &json!(2)));
    assert_eq!(get(&vault, &key, "/sdk/provider-specs/managed/mail/operations").await.json()["total"], 2);
    let removed = vault.admin(Method::DELETE, "/apps/demo/specs/mail", Value::Null).await;
    assert_eq!(removed.json()["version"], 2);
    assert_eq!(get(&vault, &key, "/sdk/provider-specs").await.json()["items"], json!([]));
    assert_eq!(vault.admin(Method::DELETE, "/apps/demo/specs/mail", Value::Null).await.refusal(), (404, "spec_not_found".into()));
}

#[tokio::test]
async fn what_is_not_loaded_is_not_found_and_bad_requests_are_named() {
    let (vault, key) = world().await;
    load(&vault, "/apps/demo/specs/mail", document()).await;
    for (path, refusal) in [
        ("/sdk/provider-specs/oauth/mail", (404, "provider_spec_not_found")),
        ("/sdk/provider-specs/other/mail", (404, "provider_spec_not_found")),
        ("/sdk/provider-specs/oauth/mail/operations", (404, "provider_spec_not_found")),
        ("/sdk/provider-specs/oauth/mail/operation?operation_id=x", (404, "provider_spec_not_found")),
        ("/sdk/provider-specs/managed/mail/operation?operation_id=x", (404, "operation_not_found")),
        ("/sdk/provider-specs/managed/mail/operation", (400, "invalid_request")),
        ("/sdk/provider-specs/managed/mail/operations?limit=501", (400, "invalid_request")),
        ("/sdk/provider-specs/managed/mail/operations?search=", (400, "invalid_request")),
        ("/sdk/provider-specs?kind=other", (400, "invalid_request")),
        ("/sdk/provider-specs?colour=red", (400, "invalid_request")),
    ] {
        assert_eq!(get(&vault, &key, path).await.refusal(), (refusal.0, refusal.1.to_owned()), "{path}");
    }
    let unusable = load(&vault, "/apps/demo/specs/mail", json!({"openapi": "3.0.0", "paths": {}})).await;
    assert_eq!(unusable.refusal(), (422, "provider_spec_invalid".into()));
    assert_eq!(load(&vault, "/apps/demo/specs/A%20B", document()).await.refusal(), (400, "invalid_request".into()));
    let long = json!({"document": document(), "source_url": "x".repeat(2049)});
    assert_eq!(vault.admin(Method::PUT, "/apps/demo/specs/mail", long).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(vault.admin(Method::PUT, "/apps/demo/specs/mail", json!({})).await.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_span_is_kept_once_and_forgotten_after_a_month() {
    let (vault, key) = world().await;
    let emit = async |spans: Value| Signed::post("/sdk/spans", &key, &json!({"spans": spans})).send(&vault).await;
    let span = |id: Value| json!({"trace_id": "run-1", "name": "plan", "start_time": "2026-01-01T01:02:03.450000", "span_id": id, "attributes": {"a": "b"}});
    assert_eq!(emit(json!([span(json!("s1")), span(json!("s2")), span(json!("s1"))])).await.json(), json!({"accepted": 2}));
    assert_eq!(emit(json!([span(json!("s2")), span(Value::Null)])).await.json(), json!({"accepted": 1}), "one is known, one gets an id");
    let app = vault.store.app_by_name("demo".into()).await.expect("readable").expect("there").id;
    let kept = vault.store.spans(app, "run-1".into()).await.expect("readable");
    assert_eq!((kept.len(), kept[0].attributes["a"].as_str()), (3, "b"));
    assert_eq!(kept[0].started_at.to_string(), "2026-01-01T01:02:03.450Z");
    vault.advance(30 * 86_400);
    assert_eq!(vault.store.spans(app, "run-1".into()).await.expect("readable").len(), 0);
    assert_eq!(emit(json!([span(json!("s1"))])).await.json(), json!({"accepted": 1}));
}

#[tokio::test]
async fn spans_are_taken_from_a_paused_agent_and_judged_by_their_shape() {
    let (vault, key) = world().await;
    vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    let agents_key = vault.key(json!({"agent": "planner"})).await;
    vault.made("/apps/demo/agents/planner/suspend", json!({})).await;
    let good = json!({"trace_id": "t", "name": "n", "start_time": "2026-01-01T00:00:00Z", "attributes": {}});
    let from_agent = Signed::post("/sdk/spans", &agents_key, &json!({"spans": [good]})).send(&vault).await;
    assert_eq!(from_agent.json(), json!({"accepted": 1}));
    for (change, part) in [
        (json!({"trace_id": null}), "spans[0].trace_id is missing"),
        (json!({"name": "x".repeat(256)}), "spans[0].name must have at most 255"),
        (json!({"span_id": "x".repeat(33)}), "spans[0].span_id must have at most 32"),
        (json!({"start_time": "soon"}), "spans[0].start_time must be"),
        (json!({"attributes": {"a": 1}}), "spans[0].attributes must map"),
        (json!({"attributes": {"a": "x\u{0}"}}), "spans[0].attributes must map"),
        (json!({"colour": "red"}), "spans[0] has a member"),
    ] {
        let mut span = good.clone();
        span.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        let answer = Signed::post("/sdk/spans", &key, &json!({"spans": [span]})).send(&vault).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{change}");
        assert!(answer.json()["message"].as_str().is_some_and(|message| message.starts_with(part)), "{}", answer.json());
    }
    for spans in [json!([]), json!(vec![good.clone(); 51]), json!([5]), json!({})] {
        let answer = Signed::post("/sdk/spans", &key, &json!({ "spans": spans })).send(&vault).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{spans:.20}");
    }
    let plain = vault.key(json!({})).await;
    let refused = Signed::post("/sdk/spans", &plain, &json!({"spans": [good]})).send(&vault).await;
    assert_eq!(refused.refusal(), (403, "insufficient_scope".into()));
}
