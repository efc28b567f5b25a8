//! The idempotency key: one call, whatever happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_testkit::provider::Trouble;
use http::Method;
use serde_json::{Value, json};

use super::Site;

fn keyed(more: Value) -> Value {
    let mut body = json!({"method": "POST", "idempotency_key": "order 17", "body": {"n": 1}});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

async fn until_seen(site: &Site, count: usize) {
    let limit = Instant::now() + Duration::from_secs(30);
    while site.provider.seen("/").len() < count {
        assert!(Instant::now() < limit, "the provider saw {} calls", site.provider.seen("/").len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer() {
    let site = Site::new().await;
    let first = site.call("/mail/x", keyed(json!({"reason": "first"}))).await.json();
    // Why and for whom may be said differently, what may not.
    let again = site.call("/mail/x", keyed(json!({"reason": "again"}))).await.json();
    assert_eq!((&first["status_code"], &first), (&json!(200), &again));
    let row = &site.rows(1).await[0];
    assert_eq!((&row["action"], &row["outcome"], &row["reason"]), (&json!("proxy.call"), &json!("done"), &json!("again")), "nothing left");
    for other in [json!({"body": {"n": 2}}), json!({"method": "PUT"}), json!({"headers": {"x-a": "b"}}), json!({"query_params": {"a": 1}})]
    {
        let answer = site.call("/mail/x", keyed(other.clone())).await;
        assert_eq!(answer.refusal(), (422, "idempotency_key_reused".into()), "{other}");
    }
    assert_eq!(site.call("/mail/x", keyed(json!({"idempotency_key": "order 18"}))).await.json()["status_code"], 200);
    assert_eq!(site.provider.seen("/").len(), 2);
}

#[tokio::test]
async fn of_many_at_once_one_is_sent() {
    let site = Arc::new(Site::new().await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let site = Arc::clone(&site);
        calls.spawn(async move { site.call("/mail/x", keyed(json!({}))).await });
    }
    let answers = calls.join_all().await;
    let sent = answers.iter().filter(|answer| answer.json()["status_code"] == 200).count();
    let waiting = answers.iter().filter(|answer| answer.refusal() == (409, "call_in_progress".into())).count();
    assert!(sent >= 1 && sent + waiting == 16, "{:?}", answers.iter().map(crate::harness::Answer::json).collect::<Vec<_>>());
    assert_eq!(site.provider.seen("/").len(), 1);
}

#[tokio::test]
async fn what_is_in_doubt_is_said_and_never_sent_again() {
    let site = Site::new().await;
    site.provider.trouble("/mail/", Trouble::HangsUp);
    assert_eq!(site.call("/mail/x", keyed(json!({}))).await.refusal(), (409, "outcome_unknown".into()));
    assert_eq!(site.call("/mail/x", keyed(json!({}))).await.refusal(), (409, "outcome_unknown".into()));
    assert_eq!(site.provider.seen("/").len(), 1);

    // A vault that dies over a call leaves the key behind without an answer.
    site.provider.trouble("/mail/", Trouble::Silent);
    let under_way = site.call("/mail/x", keyed(json!({"idempotency_key": "order 18"})));
    let asked_again = async {
        until_seen(&site, 2).await;
        let soon = site.call("/mail/x", keyed(json!({"idempotency_key": "order 18"}))).await.refusal();
        site.vault.advance(120);
        let later = site.call("/mail/x", keyed(json!({"idempotency_key": "order 18"}))).await.refusal();
        (soon, later)
    };
    let (soon, later) = tokio::select! {
        answer = under_way => panic!("answered: {:?}", answer.json()),
        refusals = asked_again => refusals,
    };
    assert_eq!((soon, later), ((409, "call_in_progress".into()), (409, "outcome_unknown".into())));
    assert_eq!(site.provider.seen("/").len(), 2);
}

#[tokio::test]
async fn a_call_that_never_left_frees_its_key() {
    let site = Site::new().await;
    let closed = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        gone.local_addr().expect("an address")
    };
    let wanted = json!({"slug": "away", "kind": "bearer", "values": {"token": "t"}, "allowed_hosts": [closed.to_string()]});
    let grant = site.secret(wanted).await;
    let away = keyed(json!({"grant_id": grant, "url": format!("http://{closed}/x")}));
    assert_eq!(site.call("/", away.clone()).await.refusal(), (422, "blocked_destination".into()));
    // The key is free for any call.
    assert_eq!(site.call("/mail/x", keyed(json!({}))).await.json()["status_code"], 200);
    assert_eq!(site.call("/", away).await.refusal(), (422, "idempotency_key_reused".into()));
}

#[tokio::test]
async fn a_kept_answer_is_sealed() {
    let site = Site::new().await;
    assert_eq!(site.call("/mail/canary-answer-77", keyed(json!({}))).await.json()["status_code"], 200);
    let rows = site.vault.admin(Method::GET, "/audit?limit=1000", Value::Null).await;
    assert!(rows.status.is_success());
    let Site { vault, .. } = site;
    let folder = vault.stop().await;
    let needle = base64_of("\"resource\":\"canary-answer-77\"");
    for file in std::fs::read_dir(folder.path().join("data")).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "an answer is on the disk in clear text");
    }
}

/// The middle of the text as it stands in base64, without what depends on its neighbours.
fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text).into_bytes()[4..20].to_vec()
}
