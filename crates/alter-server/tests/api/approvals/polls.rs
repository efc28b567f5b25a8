//! What a client learns about its call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Waiting, text};
use crate::harness::Signed;

#[tokio::test]
async fn a_held_poll_is_answered_when_somebody_decides() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let began = Instant::now();
    let (answer, decided) = tokio::join!(waiting.get(&asked, "?wait=25"), async {
        // The poll is under way once its request has been seen; deciding a little later is deciding while it is held.
        tokio::time::sleep(Duration::from_millis(100)).await;
        waiting.decide(&asked, "deny", json!({})).await
    });
    assert_eq!((decided.status.as_u16(), &answer.json()["status"]), (200, &json!("denied")));
    assert!(began.elapsed() < Duration::from_secs(20), "it was not held to the end");
    assert_eq!(waiting.get(&asked, "?wait=25").await.json()["status"], "denied", "what has ended is told at once");
}

#[tokio::test]
async fn a_poll_without_a_decision_ends_with_how_it_stands() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let began = Instant::now();
    assert_eq!(waiting.get(&asked, "?wait=1").await.json()["status"], "pending");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(waiting.get(&asked, "/result").await.refusal(), (409, "approval_not_executed".into()));
    for (query, status) in [("?wait=26", 422), ("?wait=-1", 400), ("?wait=x", 400), ("?for=1", 400)] {
        assert_eq!(waiting.get(&asked, query).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn any_of_its_ids_names_an_approval_and_nothing_else_does() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let by_group = json!({"approval_id": asked["approval_group_id"]});
    assert_eq!(waiting.status(&by_group).await, waiting.status(&asked).await);
    for unknown in [json!(uuid::Uuid::new_v4().to_string()), json!("abc"), json!(text(&asked["approval_id"]).to_uppercase())] {
        let answer = waiting.get(&json!({"approval_id": unknown}), "").await;
        assert_eq!(answer.refusal(), (404, "approval_not_found".into()), "{unknown}");
    }
}

#[tokio::test]
async fn others_do_not_see_it() {
    let waiting = Waiting::new().await;
    let vault = &waiting.site.vault;
    let asked = waiting.ask(json!({})).await;
    let path = format!("/sdk/approvals/{}", text(&asked["approval_id"]));
    vault.made("/apps", json!({"name": "other"})).await;
    let foreign = vault.made("/apps/other/keys", json!({"scopes": ["proxy:execute"]})).await;
    let get = async |path: &str, key: &str| Signed::get(path, key).send(vault).await;
    assert_eq!(get(&path, &text(&foreign["api_key"])).await.refusal(), (404, "approval_not_found".into()));
    let unscoped = vault.key(json!({"scopes": ["tokens:retrieve"]})).await;
    assert_eq!(get(&path, &unscoped).await.refusal(), (403, "insufficient_scope".into()));
    // An agent sees what it has asked for itself.
    let agent = vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    let key = vault.made("/apps/demo/keys", json!({"agent": agent["agent_id"]})).await;
    let key = text(&key["api_key"]);
    assert_eq!(get(&path, &key).await.refusal(), (404, "approval_not_found".into()));
    assert_eq!(get(&format!("{path}/result"), &key).await.refusal(), (404, "approval_not_found".into()));
    let missing = get("/sdk/approvals/00000000-0000-4000-8000-000000000000", &key).await;
    let strip = |mut body: Value| {
        body.as_object_mut().expect("an object").remove("request_id");
        body
    };
    assert_eq!(strip(get(&path, &key).await.json()), strip(missing.json()), "what is another's looks like nothing");
}
