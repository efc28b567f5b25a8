//! An app is told that a call waits.

use std::time::{Duration, Instant};

use alter_testkit::provider::{Account, Provider, Trouble};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use super::{PATIENCE, Waiting, text};
use crate::harness::CREDENTIAL;

async fn set(waiting: &Waiting, change: Value) -> Value {
    let answer = waiting.site.vault.admin(Method::PATCH, "/apps/demo", change).await;
    assert!(answer.status.is_success(), "{:?}", answer.json());
    answer.json()
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn hook() -> Provider {
    let hook = Provider::start().expect("a free port");
    hook.open("/", Account { credentials: Vec::new(), answer: None });
    hook
}

#[tokio::test]
async fn a_message_is_signed_and_says_what_waits() {
    let (waiting, hook) = (Waiting::new().await, hook());
    let shown = set(&waiting, json!({"approval_webhook": format!("{}/hook", hook.url())})).await;
    let secret = text(&shown["approval_webhook_secret"]);
    assert!(waiting.site.vault.read("/apps/demo").await["approval_webhook_secret"].is_null(), "it is told once");
    let asked = waiting.ask(json!({"query_params": {"q": "canary-query"}})).await;
    until("told", async || hook.seen("/hook").len() == 1).await;
    let request = hook.seen("/hook").remove(0).request;
    let body = String::from_utf8(request.body.clone()).expect("text");
    let message: Value = serde_json::from_str(&body).expect("JSON");
    let data = &message["data"];
    assert_eq!((&message["type"], &data["approval_group_id"]), (&json!("approval.requested"), &asked["approval_group_id"]));
    assert_eq!((&data["reason"], &data["gates"][0]["approval_url"]), (&json!("to say hello"), &asked["approval_url"]));
    assert!(!body.contains("canary-query") && !body.contains(CREDENTIAL) && !body.contains("ada"), "neither query nor body: {body}");

    let header = |name| request.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let mac = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key), signed.as_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac)));
    until("on record", async || waiting.rows(&["approval.notify"]).await.len() == 2).await;
    waiting.site.vault.advance(10);
    waiting.decide(&asked, "approve", json!({})).await;
    waiting.until(&asked, "executed").await;
    assert_eq!(hook.seen("/hook").len(), 1, "it was taken, so it is not sent again");
}

#[tokio::test]
async fn a_message_that_is_not_taken_comes_again_until_somebody_decides() {
    let (waiting, hook) = (Waiting::new().await, hook());
    set(&waiting, json!({"approval_webhook": format!("{}/hook", hook.url())})).await;
    hook.trouble("/hook", Trouble::HangsUp);
    let asked = waiting.ask(json!({})).await;
    let refused = async |count: usize| {
        let rows = waiting.rows(&["approval.notify"]).await;
        rows.iter().filter(|row| row["outcome"] == "refused").count() == count
    };
    until("refused", async || refused(1).await).await;
    waiting.site.vault.advance(10);
    until("refused again", async || refused(2).await).await;
    let ids: Vec<Option<String>> =
        hook.seen("/hook").iter().map(|seen| seen.request.headers.get("webhook-id").map(str::to_owned)).collect();
    assert!(ids.len() == 2 && ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
    waiting.decide(&asked, "deny", json!({})).await;
    waiting.site.vault.advance(600);
    let second = waiting.ask(json!({})).await;
    until("the other one is told", async || hook.seen("/hook").len() == 3).await;
    assert_ne!(second["approval_id"], asked["approval_id"]);
}

#[tokio::test]
async fn where_it_is_told_is_checked_and_secrets_are_replaced() {
    let waiting = Waiting::new().await;
    let patch = async |change: Value| waiting.site.vault.admin(Method::PATCH, "/apps/demo", change).await;
    for wrong in ["http://chat.example/hook", "ftp://x", "/hook", ""] {
        let answer = patch(json!({"approval_webhook": wrong})).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{wrong}");
        assert!(text(&answer.json()["message"]).starts_with("approval_webhook "), "{:?}", answer.json());
    }
    assert_eq!(patch(json!({"new_webhook_secret": true})).await.refusal(), (400, "invalid_request".into()));
    let first = set(&waiting, json!({"approval_webhook": "https://chat.example/hook"})).await;
    let moved = set(&waiting, json!({"approval_webhook": "https://chat.example/other"})).await;
    assert!(moved["approval_webhook_secret"].is_null(), "one that is moved keeps its secret");
    let second = set(&waiting, json!({"new_webhook_secret": true})).await;
    assert_ne!(first["approval_webhook_secret"], second["approval_webhook_secret"]);
    set(&waiting, json!({"approval_webhook": null})).await;
    let third = set(&waiting, json!({"approval_webhook": "https://chat.example/hook"})).await;
    assert!(![&first, &second].iter().any(|other| other["approval_webhook_secret"] == third["approval_webhook_secret"]));
}
