//! Registering an application at OAuth providers: from the catalogue, from an issuer's metadata, from an entry of the operator's own.

use alter_testkit::oauth::{CLIENT_ID, OAuthServer, Rotation};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, TestVault};

async fn put(vault: &TestVault, id: &str, body: Value) -> Answer {
    vault.admin(Method::PUT, &format!("/apps/demo/providers/{id}"), body).await
}

async fn started() -> TestVault {
    let vault = TestVault::start().await;
    vault.made("/apps", json!({"name": "demo"})).await;
    vault
}

fn client() -> Value {
    json!({"client_id": "c1", "client_secret": "canary-client-secret"})
}

#[tokio::test]
async fn the_catalogue_is_listed_with_how_sure_it_is() {
    let vault = started().await;
    let items = vault.read("/catalogue").await["items"].as_array().expect("a list").clone();
    assert_eq!(items.len(), 71);
    assert!(items.iter().all(|item| item["confidence"].is_string() && item["documentation_url"].is_string()));
    let github = vault.read("/apps/demo/providers/github").await;
    assert_eq!(
        (&github["status"], &github["entry"]["token"]["url"]),
        (&json!("available"), &json!("https://github.com/login/oauth/access_token"))
    );
}

#[tokio::test]
async fn a_provider_of_the_catalogue_is_added_changed_and_removed() {
    let vault = started().await;
    let added = put(&vault, "github", client()).await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.json());
    let body = added.json();
    assert_eq!((&body["status"], &body["own_entry"], &body["version"]), (&json!("registered"), &json!(false), &json!(1)));
    assert_eq!(body["redirect_uri"], format!("{}/oauth/callback", vault.url));
    let row = vault.last_row().await;
    assert_eq!((&row["action"], &row["provider_id"]), (&json!("provider.add"), &json!("github")));

    let changed = json!({"client_id": "c2", "scopes": ["repo"], "allowed_scopes": ["repo", "read:user"]});
    let changed = put(&vault, "github", changed).await;
    assert_eq!((changed.status, &changed.json()["version"], &changed.json()["client_id"]), (StatusCode::OK, &json!(2), &json!("c2")));
    assert_eq!(vault.read("/apps/demo/providers").await["items"][0]["scopes"], json!(["repo"]));

    assert_eq!(vault.admin(Method::DELETE, "/apps/demo/providers/github", Value::Null).await.json()["status"], "removed");
    assert_eq!(vault.read("/apps/demo/providers").await["items"], json!([]));
    let again = vault.admin(Method::DELETE, "/apps/demo/providers/github", Value::Null).await;
    assert_eq!(again.refusal(), (404, "provider_not_found".into()));
}

#[tokio::test]
async fn a_client_secret_never_comes_back() {
    let vault = started().await;
    let mut seen = put(&vault, "github", client()).await.json().to_string();
    for path in ["/apps/demo/providers", "/apps/demo/providers/github", "/audit?app=demo&limit=100"] {
        seen += &vault.read(path).await.to_string();
    }
    assert!(seen.contains("github") && !seen.contains("canary"), "{seen}");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_member() {
    let vault = started().await;
    let own = |change: fn(&mut Value)| {
        let mut entry = json!({
            "id": "crm", "name": "CRM", "authorization": {"url": "https://id.example/a"}, "token": {"url": "https://id.example/t"},
            "api": {"hosts": ["api.example.com"]},
        });
        change(&mut entry);
        json!({"client_id": "c", "entry": entry})
    };
    for (id, body, code, part) in [
        ("github", json!({}), "invalid_request", "client_id is missing"),
        ("github", json!({"client_id": ""}), "invalid_request", "client_id must be"),
        ("github", json!({"client_id": "c", "client_secret": ""}), "invalid_request", "client_secret is empty"),
        ("github", json!({"client_id": "c", "scopes": ["a b"]}), "invalid_request", "scopes must be"),
        ("github", json!({"client_id": "c", "scopes": ["x"], "allowed_scopes": ["y"]}), "invalid_request", "which allowed_scopes does not"),
        ("github", json!({"client_id": "c", "settings": {"host": "x"}}), "provider_unusable", "Settings.host is not a setting of github."),
        ("github", json!({"client_id": "c", "register": true}), "invalid_request", "register needs issuer"),
        ("github", json!({"client_id": "c", "allowed_hosts": ["x.example"]}), "invalid_request", "go with issuer"),
        ("github", json!({"client_id": "c", "redirect_uri": "a b"}), "invalid_request", "redirect_uri must be"),
        ("rippling", json!({"client_id": "c"}), "provider_unusable", "Settings.app_name is missing"),
        ("ebay", json!({"client_id": "c"}), "invalid_request", "redirect_uri is missing"),
        ("crm", json!({"client_id": "c"}), "provider_not_found", "The catalogue has no provider"),
        ("crm", json!({"client_id": "c", "issuer": "https://i.example", "entry": own(|_| ())["entry"]}), "invalid_request", "not both"),
        ("other", own(|_| ()), "invalid_request", "entry.id"),
        ("crm", own(|entry| entry["token"]["url"] = "http://id.example/t".into()), "provider_unusable", "Token.url is not a usable URL"),
        ("crm", own(|entry| entry["surprise"] = true.into()), "invalid_request", "surprise"),
    ] {
        let answer = put(&vault, id, body.clone()).await;
        let refusal = answer.json();
        assert!(answer.refusal().1 == code && refusal["message"].as_str().is_some_and(|text| text.contains(part)), "{body}: {refusal}");
    }
    assert_eq!(put(&vault, "crm", own(|_| ())).await.json()["own_entry"], true);
}

#[tokio::test]
async fn an_issuer_is_discovered_and_added_by_its_metadata() {
    let vault = started().await;
    let provider = OAuthServer::start(Rotation::None).expect("a free port");
    let found = vault.made("/providers/discover", json!({"id": "crm", "issuer": provider.url()})).await;
    assert_eq!(
        (&found["registers_clients"], &found["entry"]["token"]["url"]),
        (&json!(false), &json!(format!("{}/token", provider.url())))
    );
    assert_eq!(found["api_hosts"], json!([provider.host()]));

    let body = json!({"issuer": provider.url(), "name": "The CRM", "client_id": CLIENT_ID, "allowed_hosts": ["api.crm.example"]});
    let added = put(&vault, "crm", body).await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.json());
    assert_eq!((&added.json()["name"], &added.json()["api_hosts"]), (&json!("The CRM"), &json!(["api.crm.example"])));

    let unregistered = put(&vault, "crm", json!({"issuer": provider.url(), "register": true})).await;
    assert_eq!(unregistered.refusal(), (400, "provider_registration_failed".into()));
    let nobody = put(&vault, "crm", json!({"issuer": "http://127.0.0.1:1", "client_id": "c"})).await;
    assert_eq!(nobody.refusal(), (400, "provider_discovery_failed".into()));
}

#[tokio::test]
async fn an_auditor_reads_and_changes_nothing() {
    let vault = started().await;
    let made = vault.made("/operators", json!({"name": "eve", "role": "auditor"})).await;
    let key = made["operator_key"].as_str().expect("a key");
    assert_eq!(vault.admin_as(key, Method::GET, "/apps/demo/providers", Value::Null).await.status, StatusCode::OK);
    for (method, path) in [
        (Method::PUT, "/apps/demo/providers/github"),
        (Method::DELETE, "/apps/demo/providers/github"),
        (Method::POST, "/providers/discover"),
    ] {
        let answer = vault.admin_as(key, method, path, client()).await;
        assert_eq!(answer.refusal(), (403, "operator_role_insufficient".into()), "{path}");
    }
}
