//! Who decides, and what a decision does.

use serde_json::{Value, json};

use super::{Waiting, text};
use crate::harness::CREDENTIAL;
use crate::proxy::body_of;

#[tokio::test]
async fn a_call_waits_is_approved_and_made_once() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({"headers": {"X-Tag": "a"}, "query_params": {"q": "canary-query"}})).await;
    assert_eq!((&asked["status"], &asked["expires_in"]), (&json!("pending"), &json!(3600)));
    let gate = text(&asked["approval_id"]);
    assert_eq!(asked["approval_url"], format!("{}/approve/{gate}", waiting.site.vault.url));
    assert_eq!(asked["gates"][0]["approval_id"], json!(gate));
    assert!(waiting.received().is_empty());
    let row = waiting.site.vault.last_row().await;
    assert_eq!((&row["action"], &row["outcome"], &row["reason"]), (&json!("approval.request"), &json!("done"), &json!("to say hello")));

    let before = waiting.status(&asked).await;
    assert_eq!((&before["status"], &before["has_result"], &before["decided_at"]), (&json!("pending"), &json!(false), &Value::Null));
    let shown = waiting.shown(&asked).await;
    let url = format!("{}/mail/send?q=canary-query", waiting.site.provider.url());
    let request = &shown["request"];
    assert_eq!((&request["method"], &request["url"], &request["body"]), (&json!("POST"), &json!(url), &json!(r#"{"to":"ada","n":1.5}"#)));
    assert_eq!(request["headers"], json!([["X-Tag", "a"], ["Content-Type", "application/json"]]));
    assert!(!shown.to_string().contains(CREDENTIAL), "who decides does not see the credential");
    assert_eq!(shown["gates"][0]["approvers"], json!(["operators"]));
    let list = waiting.site.vault.read("/approvals?app=demo").await;
    assert_eq!(list["items"][0]["approval_id"], asked["approval_group_id"]);
    assert!(!list.to_string().contains("canary-query"), "lists and the audit have no query: {list}");

    let decided = waiting.decide(&asked, "approve", json!({"reason": "she is nice"})).await;
    assert_eq!(decided.status, 200, "{:?}", decided.json());
    let done = waiting.until(&asked, "executed").await;
    assert_eq!((&done["has_result"], &done["decision_reason"]), (&json!(true), &json!("she is nice")));
    let result = waiting.get(&asked, "/result").await.json();
    assert_eq!((&result["status_code"], &result["approval_id"]), (&json!(200), &asked["approval_id"]));
    assert!(String::from_utf8(body_of(&result)).expect("text").contains("send"));
    let received = waiting.received();
    assert_eq!(
        (received.len(), received[0].authorized, received[0].request.body.as_slice()),
        (1, true, br#"{"to":"ada","n":1.5}"#.as_slice())
    );
    assert_eq!(received[0].request.query(), "q=canary-query");

    let rows = waiting.rows(&["approval.approve", "proxy.call", "proxy.answer"]).await;
    let told: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["action"], &row["outcome"])).collect();
    let (approve, call, answer) = (json!("approval.approve"), json!("proxy.call"), json!("proxy.answer"));
    assert_eq!(told, [(&approve, &json!("done")), (&call, &json!("released")), (&answer, &json!("done"))]);
    assert_eq!(rows[0]["reason"], "she is nice");
    assert!(rows.iter().all(|row| row["subject"] == json!(format!("approval:{}", text(&asked["approval_group_id"])))), "{rows:?}");
    assert!(rows[0]["operator_id"].is_string(), "{}", rows[0]);
    assert!(waiting.decide(&asked, "deny", json!({})).await.refusal().0 == 409, "a decision cannot be changed");
}

#[tokio::test]
async fn a_no_is_the_end() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let decided = waiting.decide(&asked, "deny", json!({"reason": "not today"})).await;
    assert_eq!(decided.json()["status"], "denied");
    let status = waiting.status(&asked).await;
    assert_eq!(
        (&status["status"], &status["decision_reason"], &status["gates"][0]["status"]),
        (&json!("denied"), &json!("not today"), &json!("denied"))
    );
    let result = waiting.get(&asked, "/result").await;
    assert_eq!((result.refusal(), &result.json()["message"]), ((403, "approval_denied".into()), &json!("not today")));
    assert_eq!(waiting.decide(&asked, "approve", json!({})).await.refusal(), (409, "approval_decided".into()));
    assert!(waiting.received().is_empty());
}

#[tokio::test]
async fn an_agents_approvers_and_the_grants_both_have_to_agree() {
    let waiting = Waiting::new().await;
    let (bob, carl) = (waiting.operator("bob", "approver").await, waiting.operator("carl", "admin").await);
    let auditor = waiting.operator("eve", "auditor").await;
    let policy = json!({"requires_approval": {"approvers": ["operator:bob", "ada@example.com"]}});
    let agent = waiting.site.vault.made("/apps/demo/agents", json!({"name": "planner", "policy": policy})).await;
    let id = text(&agent["agent_id"]);
    let answer = waiting.asking(json!({})).with("x-alter-caller", &id).send(&waiting.site.vault).await;
    assert_eq!(answer.status, 202, "{:?}", answer.json());
    let asked = answer.json();
    assert_eq!(asked["gates"].as_array().map(Vec::len), Some(2));
    let shown = waiting.shown(&asked).await;
    assert_eq!((&shown["agent"], shown["gates"].as_array().map(Vec::len)), (&json!("planner"), Some(2)));

    assert_eq!(waiting.decide_as(&auditor, &asked, "approve", json!({})).await.refusal(), (403, "operator_role_insufficient".into()));
    assert_eq!(waiting.decide_as(&bob, &asked, "approve", json!({"digest": "00"})).await.refusal(), (409, "approval_changed".into()));
    assert_eq!(waiting.decide_as(&bob, &asked, "approve", json!({})).await.json()["status"], "pending");
    assert_eq!(waiting.decide_as(&bob, &asked, "approve", json!({})).await.refusal(), (403, "gate_decided_by_you".into()));
    assert_eq!(waiting.status(&asked).await["status"], "pending");
    assert!(waiting.received().is_empty());
    assert_eq!(waiting.decide_as(&carl, &asked, "approve", json!({})).await.json()["status"], "approved");
    waiting.until(&asked, "executed").await;
    assert_eq!(waiting.received().len(), 1);
}

#[tokio::test]
async fn an_operator_who_is_not_named_does_not_decide_for_others() {
    let waiting = Waiting::new().await;
    let policy = json!({"requires_approval": {"approvers": ["ada@example.com"]}});
    let agent = waiting.site.vault.made("/apps/demo/agents", json!({"name": "planner", "policy": policy})).await;
    let ask = waiting.asking(json!({"grant_id": waiting.site.grant})).with("x-alter-caller", &text(&agent["agent_id"]));
    let asked = ask.send(&waiting.site.vault).await.json();
    for verb in ["approve", "deny"] {
        assert_eq!(waiting.decide(&asked, verb, json!({})).await.refusal(), (403, "not_an_approver".into()));
    }
    let row = waiting.rows(&["approval.deny"]).await.pop().expect("a row");
    assert_eq!((&row["outcome"], &row["code"]), (&json!("refused"), &json!("not_an_approver")), "who tried is on record");
    assert_eq!(waiting.status(&asked).await["status"], "pending");
}

#[tokio::test]
async fn of_many_decisions_at_once_one_counts() {
    let waiting = std::sync::Arc::new(Waiting::new().await);
    let asked = waiting.ask(json!({})).await;
    let digest = waiting.shown(&asked).await["digest"].clone();
    let mut decisions = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (waiting, asked, digest) = (std::sync::Arc::clone(&waiting), asked.clone(), digest.clone());
        let verb = if number % 2 == 0 { "approve" } else { "deny" };
        let body = if verb == "approve" { json!({"digest": digest}) } else { json!({}) };
        decisions.spawn(async move { (verb, waiting.decide(&asked, verb, body).await.status.as_u16()) });
    }
    let decided = decisions.join_all().await;
    let counted: Vec<&(&str, u16)> = decided.iter().filter(|(_, status)| *status == 200).collect();
    assert_eq!(counted.len(), 1, "{decided:?}");
    let (end, calls) = if counted[0].0 == "approve" { ("executed", 1) } else { ("denied", 0) };
    waiting.until(&asked, end).await;
    assert_eq!(waiting.received().len(), calls);
}

#[tokio::test]
async fn nobody_is_asked_about_what_is_refused_anyway() {
    let waiting = Waiting::new().await;
    let elsewhere = waiting.asked(json!({"url": "https://elsewhere.example/x"})).await;
    assert_eq!(elsewhere.refusal(), (422, "blocked_destination".into()));
    assert_eq!(waiting.asked(json!({"headers": {"authorization": "x"}})).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(waiting.site.vault.read("/approvals?all=true").await["items"], json!([]));
}

#[tokio::test]
async fn an_app_that_asks_too_much_is_told_to_wait() {
    let waiting = Waiting::new().await;
    for _ in 0..100 {
        waiting.ask(json!({})).await;
    }
    let answer = waiting.asked(json!({})).await;
    assert_eq!(answer.refusal(), (429, "too_many_pending_approvals".into()));
    assert!(answer.header("retry-after").is_some());
}
