//! Where an app's people may be sent back to, and what its agents may retrieve.

use http::Method;
use serde_json::{Value, json};

use crate::harness::TestVault;

const APP: &str = "/apps/demo";

async fn vault() -> TestVault {
    let vault = TestVault::start().await;
    vault.made("/apps", json!({"name": "demo"})).await;
    vault
}

#[tokio::test]
async fn settings_are_changed_one_by_one_and_shown() {
    let vault = vault().await;
    let fresh = vault.read(APP).await;
    assert_eq!((&fresh["return_urls"], &fresh["allowed_origins"], &fresh["retrieve_delegated"]), (&json!([]), &json!([]), &json!(false)));
    let patch = async |change: Value| vault.admin(Method::PATCH, APP, change).await;
    let urls = json!(["HTTPS://Shop.example:443/back", "https://shop.example/back", "http://localhost:3000"]);
    let changed = patch(json!({"return_urls": urls})).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["id"]), (200, &fresh["id"]));
    assert_eq!(
        changed.json()["return_urls"],
        json!(["https://shop.example/back", "http://localhost:3000/"]),
        "one spelling, no repetition"
    );
    let row = vault.last_row().await;
    assert_eq!((&row["action"], &row["outcome"]), (&json!("app.update"), &json!("done")));

    let more = patch(json!({"allowed_origins": ["https://shop.example"], "retrieve_delegated": true})).await.json();
    assert_eq!(more["return_urls"], changed.json()["return_urls"], "what is absent stays");
    assert_eq!(vault.read(APP).await, more);
    assert_eq!((&more["allowed_origins"], &more["retrieve_delegated"]), (&json!(["https://shop.example"]), &json!(true)));
    let less = patch(json!({"return_urls": [], "retrieve_delegated": false})).await.json();
    assert_eq!((&less["return_urls"], &less["retrieve_delegated"]), (&json!([]), &json!(false)));
    assert_eq!(vault.read("/apps").await["items"][0], less);
}

#[tokio::test]
async fn what_could_send_a_browser_astray_is_refused_by_name() {
    let vault = vault().await;
    let many = |entry: &'static str| vec![entry; 51];
    for (change, message) in [
        (json!({}), "Nothing to change"),
        (json!({"name": "other"}), "unknown field `name`"),
        (json!({"retrieve_delegated": "yes"}), "The body cannot be read"),
        (json!({"return_urls": ["https://a.example", "http://b.example/x"]}), "return_urls[1] may use http only for localhost"),
        (json!({"return_urls": ["https://a.example/x#y"]}), "return_urls[0] has a fragment"),
        (json!({"return_urls": ["https://*.example/x"]}), "return_urls[0] has a wildcard"),
        (json!({"return_urls": ["https://u:p@a.example/x"]}), "return_urls[0] holds a user name"),
        (json!({"return_urls": ["app://back"]}), "return_urls[0] must begin with https://"),
        (json!({"return_urls": many("https://a.example")}), "return_urls must have at most 50 entries"),
        (json!({"allowed_origins": ["https://a.example/"]}), "allowed_origins[0] has a path or a slash at its end"),
        (json!({"allowed_origins": ["null"]}), "allowed_origins[0] has no scheme and host"),
        (json!({"allowed_origins": many("https://a.example")}), "allowed_origins must have at most 50 entries"),
    ] {
        let answer = vault.admin(Method::PATCH, APP, change.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{change:.80}");
        let text = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains(message), "{change:.80}: {text}");
    }
    let untouched = vault.read(APP).await;
    assert_eq!((&untouched["return_urls"], &untouched["allowed_origins"]), (&json!([]), &json!([])));
    let nobody = vault.admin(Method::PATCH, "/apps/other", json!({"return_urls": []})).await;
    assert_eq!(nobody.refusal(), (404, "app_not_found".into()));
}
