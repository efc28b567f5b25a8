//! How grants of logins look in lists: whose they are, which account they open, and where its API is.

use alter_server::model::{Person, Principal};
use alter_testkit::oauth::Rotation;
use serde_json::{Value, json};

use crate::harness::Signed;
use crate::logins::Site;

async fn place(api: Value, fields: &'static [(&'static str, &'static str)]) -> (Value, Value) {
    let site = Site::with(Rotation::None, |wanted| (wanted.api, wanted.fields) = (api, fields)).await;
    let key = site.vault.key(json!({"scopes": ["grants:read", "grants:write"]})).await;
    let list = Signed::post("/sdk/grants/list", &key, &json!({"grant_kind": "oauth"})).send(&site.vault).await.json();
    assert_eq!(list["total"], 2, "{list}");
    let path = format!("/sdk/grants/{}/mint", site.seeded.grants[0]);
    let minted = Signed::post(&path, &key, &json!({"label": "third"})).send(&site.vault).await.json();
    (list["grants"][1]["api_base_url"].clone(), minted["api_base_url"].clone())
}

#[tokio::test]
async fn the_place_of_the_api_is_told_where_it_is_known() {
    let both = |url: &str| (json!(url), json!(url));
    let told = json!({"hosts": ["*.api.example.com"], "base_url_from": {"source": "token", "pointer": "/instance_url"}});
    assert_eq!(place(json!({}), &[]).await, (Value::Null, Value::Null));
    assert_eq!(
        place(json!({"hosts": ["api.example.com"], "base_url": "https://api.example.com"}), &[]).await,
        both("https://api.example.com")
    );
    assert_eq!(place(told.clone(), &[("base_url", "https://eu1.api.example.com")]).await, both("https://eu1.api.example.com"));
    assert_eq!(place(told.clone(), &[]).await, (Value::Null, Value::Null));
    assert_eq!(place(told, &[("base_url", "https://evil.example")]).await, (Value::Null, Value::Null));
}

#[tokio::test]
async fn an_operator_finds_a_persons_grants() {
    let ada = Principal::User(Person { issuer: "https://id.example.com".to_owned(), subject: "ada".to_owned() });
    let site = Site::with(Rotation::None, |wanted| (wanted.owner, wanted.account) = (ada, Some("ada@example.com"))).await;
    site.vault
        .made("/apps/demo/secrets", json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["a.example"], "values": {"token": "t"}}))
        .await;
    let secrets = site.vault.grant(json!({"secret": "mail"})).await;
    let found = async |query: &str| {
        let list = site.vault.read(&format!("/apps/demo/grants?{query}")).await;
        let ids = list["items"].as_array().expect("a list").iter().map(|grant| grant["grant_id"].as_str().expect("an id").to_owned());
        ids.collect::<Vec<_>>()
    };
    let logins = &site.seeded.grants;
    for query in ["app_user_id=ada", "provider_id=test", "grant_kind=oauth", "account=ada@example.com", "status=active&provider_id=test"] {
        assert_eq!(found(query).await, *logins, "{query}");
    }
    assert_eq!(found("grant_kind=managed_secret").await, [secrets]);
    for query in ["app_user_id=bob", "status=revoked", "account=x", "provider_id=test&grant_kind=managed_secret"] {
        assert_eq!(found(query).await, Vec::<String>::new(), "{query}");
    }
    let shown = site.vault.read(&format!("/apps/demo/grants/{}", logins[0])).await;
    for (name, value) in [
        ("principal_type", json!("user")),
        ("app_user_id", json!("ada")),
        ("external_group_id", Value::Null),
        ("account_identifier", json!("ada@example.com")),
        ("scopes", json!(["read", "write"])),
        ("delegations", json!([])),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    for query in ["status=asleep", "grant_kind=group"] {
        let answer = site.vault.admin(http::Method::GET, &format!("/apps/demo/grants?{query}"), Value::Null).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{query}");
    }
}
