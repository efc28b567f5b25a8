//! Reading and verifying the trail over HTTP.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Signed, TestVault, token_body};

#[tokio::test]
async fn every_change_has_its_row_in_its_chain() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.status, 200);
    let actions = |rows: Value| {
        rows["items"].as_array().expect("rows").iter().map(|row| row["action"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(actions(vault.read("/audit?app=vault").await), ["operator.create", "app.create"]);
    assert_eq!(actions(vault.read("/audit?app=demo").await), ["key.create", "secret.create", "grant.create", "token.retrieve"]);
    assert_eq!(actions(vault.read("/audit?app=demo&after=2&limit=1").await), ["grant.create"]);
    assert_eq!(actions(vault.read("/audit?limit=1").await), ["token.retrieve"]);
    assert_eq!(vault.admin(Method::GET, "/audit?after=1", Value::Null).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(vault.admin(Method::GET, "/audit?app=nope", Value::Null).await.refusal(), (404, "app_not_found".into()));
}

#[tokio::test]
async fn an_exported_head_is_expected_again() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let heads = vault.read("/audit/heads").await["items"].clone();
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.status, 200);
    let intact = |reports: &Value| reports["items"].as_array().expect("reports").iter().all(|report| report["intact"] == true);
    let reports = vault.made("/audit/verify", json!({"expected_heads": heads})).await;
    assert!(intact(&reports), "{reports}");

    let mut ahead = heads.clone();
    ahead[1]["sequence"] = json!(1000);
    let reports = vault.made("/audit/verify", json!({"expected_heads": ahead})).await;
    assert!(!intact(&reports), "a head beyond the last row means that the tail is gone");
    let mut other = heads.clone();
    other[1]["mac"] = json!("0".repeat(64));
    assert!(!intact(&vault.made("/audit/verify", json!({"expected_heads": other})).await));

    for bad in [json!([{"chain": "x", "sequence": 1, "mac": "0"}]), json!([{"chain": "vault", "sequence": 1, "mac": "zz"}])] {
        let answer = vault.admin(Method::POST, "/audit/verify", json!({"expected_heads": bad})).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()));
    }
}
