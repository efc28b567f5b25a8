//! The OpenAPI document: it names what the router has, and every answer of these tests is as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alter_server::api::{HostPolicy, Vault, router};
use alter_server::egress::{Egress, EgressOptions};
use alter_server::setup;
use alter_server::store::sqlite::{Access, SqliteOptions};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::harness::documented::{DOCUMENT, validator};
use crate::harness::{Signed, TestVault, token_body};

/// Paths of pages and of what belongs to them: they answer browsers, and are no API.
const PAGES: [&str; 7] = ["/approve/", "/assets/", "/connect/", "/oauth/", "/sign-in/", "/wallet", "/console"];

/// Path and methods of every operation.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let methods = |operations: &Value| operations.as_object().expect("an object").keys().map(|name| name.to_ascii_uppercase()).collect();
    DOCUMENT["paths"].as_object().expect("paths").iter().map(|(path, operations)| (path.clone(), methods(operations))).collect()
}

/// The router's paths. It does not tell them but for debugging; if that changes, the test says so.
async fn routed() -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let opened = setup::create_with(SqliteOptions::new(folder.path().join("data"), Access::Create)).await.expect("a new vault");
    let egress = Egress::new(EgressOptions::default()).expect("authorities");
    let vault = Vault::new(opened, egress, HostPolicy::default(), "http://127.0.0.1".to_owned());
    let shown = format!("{:?}", router(Arc::new(vault)));
    let paths = shown.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    // What matches nothing else is kept under names of the router's own, and nested routes end in a slash where their list is.
    paths.filter(|path| *path != "/" && !path.contains("__private")).map(|path| path.trim_end_matches('/').to_owned()).collect()
}

#[tokio::test]
async fn the_document_names_every_path_of_the_router_and_no_other() {
    let routed = routed().await;
    assert!(
        routed.contains("/sdk/token") && routed.contains("/admin/v1/apps/{app}/keys"),
        "the router does not tell its paths: {routed:?}"
    );
    let documented = documented();
    let missing: Vec<_> =
        routed.iter().filter(|path| !documented.contains_key(*path) && !PAGES.iter().any(|page| path.starts_with(page))).collect();
    assert!(missing.is_empty(), "in the router and not in the document: {missing:#?}");
    let invented: Vec<_> = documented.keys().filter(|path| !routed.contains(*path)).collect();
    assert!(invented.is_empty(), "in the document and not in the router: {invented:#?}");
}

#[tokio::test]
async fn the_document_names_every_method_of_each_path() {
    let vault = TestVault::start().await;
    for (path, methods) in documented() {
        let request = Request::builder()
            .method("PROPFIND")
            .uri(format!("{}{}", vault.url, path.replace(['{', '}'], "")))
            .header("authorization", format!("Bearer {}", vault.operator_key))
            .body(Full::default());
        let answer = vault.send(request.expect("a request")).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed".to_owned()), "{path}");
        let allowed = answer.header("allow").unwrap_or_default().split(',').filter(|method| *method != "HEAD").map(str::to_owned);
        assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[tokio::test]
async fn the_document_is_served_to_anybody_and_is_whole() {
    let vault = TestVault::start().await;
    let request = Request::builder().uri(format!("{}/openapi.json", vault.url)).body(Full::default()).expect("a request");
    let answer = vault.send(request).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
    assert_eq!(answer.json(), *DOCUMENT);
    let mut ids = BTreeSet::new();
    for (path, operations) in DOCUMENT["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            for (status, answer) in operation["responses"].as_object().expect("answers") {
                for (kind, media) in answer.get("content").and_then(Value::as_object).into_iter().flatten() {
                    validator(&format!("{method} {path} {status} {kind}"), &media["schema"]);
                }
            }
        }
    }
    assert!(!answer.bytes.windows(vault.operator_key.len()).any(|part| part == vault.operator_key.as_bytes()));
}

#[tokio::test]
async fn what_no_database_keeps_in_a_text_is_refused_as_the_document_says() {
    let vault = TestVault::start().await;
    let furniture = vault.furnished().await;
    for path in ["/apps/%FF", "/apps/%00", "/apps/demo/agents/%00", "/apps/demo/keys?agent=%00", "/audit?app=%ED%A0%80"] {
        assert_eq!(vault.admin(Method::GET, path, Value::Null).await.refusal(), (400, "invalid_request".to_owned()), "{path}");
    }
    let mut wanted = token_body(&furniture.grant);
    wanted["reason"] = "a\0b".into();
    assert_eq!(Signed::token(&furniture.key, &wanted).send(&vault).await.refusal(), (400, "invalid_request".to_owned()));
}
