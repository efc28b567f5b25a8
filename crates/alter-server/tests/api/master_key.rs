//! Changing the master key through the admin plane while calls go on.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{CREDENTIAL, Signed, TestVault, token_body};

const ROTATION: &str = "/master-key/rotation";

async fn step(vault: &TestVault, begin: bool) -> Value {
    let answer = vault.admin(Method::POST, ROTATION, json!({ "begin": begin })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn calls_are_served_before_during_and_after() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let call = async || {
        let answer = Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await;
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8_lossy(&answer.bytes).contains(CREDENTIAL));
    };
    assert_eq!(vault.read("/master-key").await, json!({"version": 1, "data_keys": 1, "remaining": 0, "done": true}));
    call().await;
    assert_eq!(step(&vault, true).await, json!({"version": 2, "data_keys": 1, "remaining": 1, "done": false}));
    assert_eq!(vault.read("/master-key").await["done"], false);
    call().await;
    let second = json!({"slug": "calendar", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": "other"}});
    vault.made("/apps/demo/secrets", second).await;
    let keys = || std::fs::read_to_string(vault.folder.path().join("data/master.key")).expect("readable").lines().count();
    assert_eq!(keys(), 2, "both are needed");
    assert_eq!(step(&vault, false).await, json!({"version": 2, "data_keys": 2, "remaining": 0, "done": true}));
    assert_eq!(keys(), 1);
    call().await;
    let rows = vault.read("/audit?app=vault&limit=4").await;
    let told: Vec<(&str, &str)> = rows["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            assert_eq!((row["outcome"].as_str(), row["subject"].as_str()), (Some("done"), Some("master_key:2")), "{row}");
            assert!(row["operator_id"].is_string(), "{row}");
            (row["action"].as_str().unwrap_or_default(), row["detail"].as_str().unwrap_or_default())
        })
        .collect();
    let expected =
        [("master_key.add", ""), ("master_key.rewrap", "2 root keys"), ("master_key.rewrap", "1 data keys"), ("master_key.retire", "")];
    assert_eq!(told, expected);
    assert_eq!(vault.admin(Method::POST, "/audit/verify", json!({})).await.json()["items"][0]["intact"], true);
    // The vault that starts again has one key, and opens everything.
    let folder = vault.stop().await;
    let opened = alter_server::setup::open(&folder.path().join("data"), alter_server::store::sqlite::Access::Write).expect("opens");
    assert_eq!(opened.keys.master_version(), 2);
    opened.store.close().await.expect("closes");
}

#[tokio::test]
async fn a_rotation_that_was_left_alone_is_found_and_not_begun_twice() {
    let vault = TestVault::start().await;
    vault.furnished().await;
    assert_eq!(step(&vault, true).await["version"], 2);
    assert_eq!(step(&vault, true).await["version"], 2);
    assert_eq!(step(&vault, false).await["done"], true);
    assert_eq!(step(&vault, false).await["done"], true, "nothing is left to do");
    assert_eq!(step(&vault, true).await["version"], 3, "the next one");
}

#[tokio::test]
async fn only_an_admin_may_rotate() {
    let vault = TestVault::start().await;
    let made = vault.made("/operators", json!({"name": "eve", "role": "auditor"})).await;
    let key = made["operator_key"].as_str().expect("a key");
    let refused = vault.admin_as(key, Method::POST, ROTATION, json!({"begin": true})).await;
    assert_eq!(refused.refusal(), (403, "operator_role_insufficient".into()));
    assert_eq!(vault.admin_as(key, Method::GET, "/master-key", json!({})).await.json()["version"], 1);
    assert_eq!(vault.admin(Method::POST, ROTATION, json!({"start": true})).await.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_key_that_is_given_from_outside_is_not_made_here() {
    let key = alter_server::crypto::MasterKey::random().expect("random");
    let vault = TestVault::start_with(|options| options.keys.key = Some(key.to_base64())).await;
    let refused = vault.admin(Method::POST, ROTATION, json!({"begin": true})).await;
    assert_eq!(refused.refusal(), (409, "new_master_key_missing".into()));
    assert!(refused.json()["help"].as_str().expect("help").contains("ALTER_MASTER_KEY_PREVIOUS"));
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_stops_the_rotation_and_nothing_else() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let file = vault.folder.path().join("data/master.key");
    let kept = std::fs::read(&file).expect("readable");
    for (text, code) in [("no key", "master_key_malformed"), ("", "master_key_malformed")] {
        std::fs::write(&file, text).expect("written");
        let refused = vault.admin(Method::POST, ROTATION, json!({"begin": true})).await;
        assert_eq!(refused.refusal(), (503, code.into()));
        assert!(!String::from_utf8_lossy(&refused.bytes).contains("no key"));
    }
    // Somebody's other key, with or without one more: it may not follow a key that is not there.
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    std::fs::write(&file, other.repeat(2)).expect("written");
    assert_eq!(vault.admin(Method::POST, ROTATION, json!({"begin": true})).await.refusal(), (503, "master_key_wrong".into()));
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(vault.admin(Method::POST, ROTATION, json!({"begin": true})).await.refusal(), (503, "master_key_unreadable".into()));
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.status, 200);
    std::fs::write(&file, kept).expect("written");
    step(&vault, true).await;
    assert_eq!(step(&vault, false).await["done"], true);
}
