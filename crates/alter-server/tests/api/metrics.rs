//! `/metrics`: who may read it, and that counts move by exactly what was done.

use std::collections::BTreeMap;

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::harness::{Answer, CREDENTIAL, Signed, TestVault, token_body};

async fn scrape_as(vault: &TestVault, key: &str) -> Answer {
    let request = Request::builder().uri(format!("{}/metrics", vault.url)).header("authorization", format!("Bearer {key}"));
    vault.send(request.body(Full::default()).expect("a request")).await
}

/// The samples by name and labels. (A parser of the Prometheus project reads the same text in `tests/openapi`.)
async fn scrape(vault: &TestVault) -> BTreeMap<String, f64> {
    let answer = scrape_as(vault, &vault.operator_key).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = String::from_utf8(answer.bytes.to_vec()).expect("text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(!text.contains(CREDENTIAL));
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| line.rsplit_once(' ').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    samples.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect()
}

/// What has changed between two scrapes, of the metrics whose names begin so.
fn moved(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, prefix: &str) -> Vec<(String, f64)> {
    let by = |(name, value): (&String, &f64)| (name.clone(), value - before.get(name).copied().unwrap_or_default());
    after.iter().filter(|(name, _)| name.starts_with(prefix)).map(by).filter(|(_, by)| *by != 0.0).collect()
}

#[tokio::test]
async fn counts_move_by_what_was_done() {
    let vault = TestVault::start().await;
    let furniture = vault.furnished().await;
    let before = scrape(&vault).await;
    for _ in 0..3 {
        assert_eq!(Signed::token(&furniture.key, &token_body(&furniture.grant)).send(&vault).await.status, StatusCode::OK);
    }
    let mut elsewhere = token_body(&furniture.grant);
    elsewhere["request"]["url"] = "https://elsewhere.example.com/?q=canary".into();
    let replayed = Signed::token(&furniture.key, &elsewhere);
    assert_eq!(replayed.send(&vault).await.refusal().0, 422);
    assert_eq!(replayed.send(&vault).await.refusal().0, 401);
    let unknown = "alter_rk_00000000000000000000000000000000000000000000";
    assert_eq!(Signed::token(unknown, &token_body(&furniture.grant)).send(&vault).await.refusal().0, 401);
    vault.made("/apps", json!({"name": "another"})).await;
    let after = scrape(&vault).await;
    let row = |action: &str, outcome: &str, code: &str| {
        format!("alter_audit_rows_total{{action=\"{action}\",outcome=\"{outcome}\",code=\"{code}\"}}")
    };
    let mut expected = vec![
        (row("token.retrieve", "released", ""), 3.0),
        (row("token.retrieve", "refused", "blocked_destination"), 1.0),
        (row("token.retrieve", "refused", "nonce_replayed"), 1.0),
        (row("app.create", "done", ""), 1.0),
    ];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(moved(&before, &after, "alter_audit_rows_total"), expected);
    assert_eq!(moved(&before, &after, "alter_unknown_api_keys_total"), [("alter_unknown_api_keys_total".to_owned(), 1.0)]);
    let commits = "alter_commit_duration_seconds_count";
    assert_eq!(moved(&before, &after, commits), [(commits.to_owned(), 6.0)]);
    let requests = moved(&before, &after, "alter_http_requests_total{method=\"POST\",route=\"/sdk/token\"");
    assert_eq!(requests.iter().map(|(_, by)| by).sum::<f64>(), 6.0, "{requests:?}");
    let route = "alter_http_request_duration_seconds_count{route=\"/sdk/token\"}";
    assert_eq!(moved(&before, &after, route), [(route.to_owned(), 6.0)]);
    assert_eq!((after["alter_store_queue_length"], after["alter_http_requests_in_flight"]), (0.0, 1.0));
}

#[tokio::test]
async fn no_label_is_anything_that_a_client_sends() {
    let vault = TestVault::start().await;
    let furniture = vault.furnished().await;
    let canary = "canary-8c5f";
    let mut wanted = token_body(canary);
    wanted["reason"] = canary.into();
    wanted["request"]["method"] = canary.into();
    Signed::token(&furniture.key, &wanted).send(&vault).await;
    Signed::post(&format!("/sdk/grants/{canary}/mint"), &furniture.key, &json!({"label": canary})).send(&vault).await;
    Signed::post(&format!("/{canary}?{canary}={canary}"), canary, &json!({})).with("x-alter-caller", canary).send(&vault).await;
    let request = Request::builder().method("CANARY-8C5F").uri(format!("{}/sdk/token", vault.url)).body(Full::default());
    vault.send(request.expect("a request")).await;
    let text = String::from_utf8(scrape_as(&vault, &vault.operator_key).await.bytes.to_vec()).expect("text");
    assert!(text.contains("route=\"unmatched\"") && text.contains("method=\"other\""), "{text}");
    assert!(!text.to_ascii_lowercase().contains(canary) && !text.contains(&furniture.grant), "{text}");
}

#[tokio::test]
async fn figures_take_an_operators_key_of_any_role() {
    let vault = TestVault::start().await;
    let furniture = vault.furnished().await;
    let auditor = vault.made("/operators", json!({"name": "prometheus", "role": "auditor"})).await;
    assert_eq!(scrape_as(&vault, auditor["operator_key"].as_str().expect("a key")).await.status, StatusCode::OK);
    for key in ["", &furniture.key, "alter_pat_unknown"] {
        assert_eq!(scrape_as(&vault, key).await.refusal(), (401, "operator_key_invalid".to_owned()), "{key}");
    }
}
