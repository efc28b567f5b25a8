//! The approved call: judged again, to the letter what was approved, at most once, whatever stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::clock::Clock;
use alter_server::model::{Approval, ApprovalId, ApprovalStatus, Decider, Decision, OperatorId};
use alter_server::store::{Commit, Effect};
use alter_testkit::provider::Trouble;
use http::Method;
use serde_json::{Value, json};

use super::{PATIENCE, Waiting, text};
use crate::harness::Signed;

/// Changes an approval behind the vault's back, as another vault on its database would.
async fn change(waiting: &Waiting, asked: &Value, change: impl FnOnce(&mut Approval)) {
    let id = ApprovalId::parse(&text(&asked["approval_group_id"])).expect("an id");
    let store = &waiting.site.vault.store;
    let mut approval = store.approval(id).await.expect("a read").expect("an approval").approval;
    change(&mut approval);
    approval.version += 1;
    let row = AuditEntry::new(ChainId::App(approval.app), "approval.approve", Outcome::Done);
    let commit = Commit::new(row).effect(Effect::UpdateApproval { approval: Box::new(approval), sealed: None });
    store.commit(commit, Instant::now() + PATIENCE).await.expect("a change");
}

fn approved(approval: &mut Approval, now: alter_server::clock::Timestamp) {
    let by = Decider::Operator { id: OperatorId::random(), name: "bob".into() };
    approval.gates[0].decision = Some(Decision { approved: true, by, at: now, reason: None });
    (approval.status, approval.decided_at) = (ApprovalStatus::Approved, Some(now));
}

#[tokio::test]
async fn what_a_stopped_vault_left_approved_is_made_by_another_once() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let now = waiting.site.vault.clock.now();
    change(&waiting, &asked, |approval| approved(approval, now)).await;
    assert_eq!(waiting.status(&asked).await["status"], "approved");
    waiting.site.vault.advance(3);
    waiting.until(&asked, "executed").await;
    assert_eq!(waiting.received().len(), 1);
}

#[tokio::test]
async fn what_a_stopped_vault_left_on_its_way_is_never_sent_again() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let now = waiting.site.vault.clock.now();
    let left = |approval: &mut Approval| {
        approved(approval, now);
        (approval.status, approval.left_at) = (ApprovalStatus::Executing, Some(now));
    };
    change(&waiting, &asked, left).await;
    waiting.site.vault.advance(36);
    let failed = waiting.until(&asked, "failed").await;
    assert!(text(&failed["execution_error"]).contains("not sent again"), "{failed}");
    assert_eq!(waiting.get(&asked, "/result").await.refusal(), (409, "approval_execution_failed".into()));
    let row = waiting.rows(&["proxy.answer"]).await.pop().expect("a row");
    assert_eq!((&row["outcome"], &row["code"]), (&json!("refused"), &json!("outcome_unknown")));
    assert!(waiting.received().is_empty());
}

#[tokio::test]
async fn time_runs_out_before_and_after_the_decision() {
    let waiting = Waiting::new().await;
    let (first, second) = (waiting.ask(json!({})).await, waiting.ask(json!({})).await);
    let now = waiting.site.vault.clock.now();
    waiting.site.vault.advance(3600);
    assert_eq!(waiting.status(&first).await["status"], "expired", "by the clock, before anybody wrote it down");
    assert_eq!(waiting.status(&first).await["gates"][0]["status"], "expired");
    assert_eq!(waiting.decide(&first, "approve", json!({})).await.refusal(), (409, "approval_over".into()));
    change(&waiting, &second, |approval| approved(approval, now)).await;
    assert_eq!(waiting.until(&second, "expired").await["has_result"], false);
    assert_eq!(waiting.get(&first, "/result").await.refusal(), (410, "approval_expired".into()));
    let limit = Instant::now() + PATIENCE;
    while waiting.rows(&["approval.expire"]).await.len() < 2 {
        assert!(Instant::now() < limit, "that time ran out is on record");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(waiting.received().is_empty());
}

#[tokio::test]
async fn an_operator_sets_how_long_people_have() {
    let waiting = Waiting::new().await;
    let set = async |value: Value| {
        let change = json!({"approval_lasts_seconds": value});
        waiting.site.vault.admin(Method::PATCH, "/apps/demo", change).await
    };
    assert_eq!(set(json!(120)).await.json()["approval_lasts_seconds"], 120);
    assert_eq!(waiting.ask(json!({})).await["expires_in"], 120);
    for wrong in [59, 604_801] {
        assert_eq!(set(json!(wrong)).await.refusal(), (400, "invalid_request".into()));
    }
    assert_eq!(set(Value::Null).await.json()["approval_lasts_seconds"], Value::Null);
    assert_eq!(waiting.ask(json!({})).await["expires_in"], 3600);
}

#[tokio::test]
async fn a_provider_that_fails_fails_the_call_and_nothing_else() {
    let waiting = Waiting::new().await;
    waiting.site.provider.trouble("/mail/send", Trouble::HangsUp);
    let asked = waiting.ask(json!({})).await;
    waiting.decide(&asked, "approve", json!({})).await;
    let failed = waiting.until(&asked, "failed").await;
    assert!(text(&failed["execution_error"]).contains("may have acted"), "{failed}");
    assert_eq!((waiting.received().len(), &failed["has_result"]), (1, &json!(false)));
    assert_eq!(waiting.get(&asked, "/result").await.refusal(), (409, "approval_execution_failed".into()));
}

#[tokio::test]
async fn a_providers_refusal_is_an_answer() {
    let waiting = Waiting::new().await;
    let bad = waiting.site.secret(json!({"slug": "stale", "kind": "bearer", "values": {"token": "stale"}})).await;
    let path = format!("/sdk/grants/{bad}/mint");
    let body = json!({"label": "x", "grant_policy": {"requires_approval": true}});
    let grant = Signed::post(&path, &waiting.site.key, &body).send(&waiting.site.vault).await.json()["grant_id"].clone();
    let asked = waiting.ask(json!({"grant_id": grant})).await;
    waiting.decide(&asked, "approve", json!({})).await;
    waiting.until(&asked, "executed").await;
    let result = waiting.get(&asked, "/result").await.json();
    assert_eq!(result["status_code"], 401);
    assert!(result["credential_hint"].is_string());
}

#[tokio::test]
async fn everything_is_judged_again_when_the_call_leaves() {
    for (how, code) in
        [("key", "key_revoked"), ("secret", "grant_deleted"), ("hosts", "blocked_destination"), ("agent", "caller_agent_unresolved")]
    {
        let waiting = Waiting::new().await;
        let vault = &waiting.site.vault;
        let agent = text(&vault.made("/apps/demo/agents", json!({"name": "planner"})).await["agent_id"]);
        let asked = waiting.asking(json!({})).with("x-alter-caller", &agent).send(vault).await.json();
        let keys = vault.read("/apps/demo/keys").await;
        let key = text(&keys["items"][0]["id"]);
        match how {
            "secret" => assert!(vault.admin(Method::DELETE, "/apps/demo/secrets/mail", Value::Null).await.status.is_success()),
            "hosts" => {
                let change = json!({"allowed_hosts": ["elsewhere.example"]});
                assert!(vault.admin(Method::PATCH, "/apps/demo/secrets/mail", change).await.status.is_success());
            }
            "agent" => {
                vault.made(&format!("/apps/demo/agents/{agent}/suspend"), json!({})).await;
            }
            _ => {
                vault.made(&format!("/apps/demo/keys/{key}/revoke"), json!({})).await;
            }
        }
        let decided = waiting.decide(&asked, "approve", json!({})).await;
        assert_eq!(decided.status, 200, "{how}: {:?}", decided.json());
        let limit = Instant::now() + PATIENCE;
        while waiting.shown(&asked).await["status"] != "failed" {
            assert!(Instant::now() < limit, "{how}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(waiting.shown(&asked).await["execution_error"].is_string());
        let row = waiting.rows(&["proxy.call"]).await.pop().expect("a row");
        assert_eq!((&row["outcome"], &row["code"]), (&json!("refused"), &json!(code)), "{how}");
        assert!(waiting.received().is_empty(), "{how}");
    }
}

#[tokio::test]
async fn revoking_the_grant_ends_what_waits_for_it() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    waiting.site.vault.made(&format!("/apps/demo/grants/{}/revoke", waiting.grant), json!({})).await;
    let status = waiting.status(&asked).await;
    assert_eq!((&status["status"], &status["decision_reason"]), (&json!("denied"), &json!("The grant was revoked.")));
    assert_eq!(waiting.decide(&asked, "approve", json!({})).await.refusal(), (409, "approval_over".into()));
    assert!(waiting.received().is_empty());
}

#[tokio::test]
async fn another_call_than_the_approved_one_does_not_leave() {
    let waiting = Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    // As if somebody could change in the database what people agree to.
    let database = rusqlite::Connection::open(waiting.site.vault.folder.path().join("data/vault.db")).expect("a database");
    database.busy_timeout(PATIENCE).expect("a timeout");
    assert_eq!(database.execute("UPDATE approvals SET digest = zeroblob(32)", []).expect("a change"), 1);
    assert_eq!(waiting.decide(&asked, "approve", json!({})).await.status, 200);
    let failed = waiting.until(&asked, "failed").await;
    assert!(text(&failed["execution_error"]).contains("not the one that was approved"), "{failed}");
    let row = waiting.rows(&["proxy.call"]).await.pop().expect("a row");
    assert_eq!(row["code"], "approval_void");
    assert!(waiting.received().is_empty());
}

#[tokio::test]
async fn a_rule_of_the_client_takes_fields_out_before_people_look() {
    let waiting = Waiting::new().await;
    let rule = json!({"rule_type": "content_match", "rule_body": {
        "match": {"families": ["write"]}, "effect": "redact", "redact": {"fields": ["ssn"]}}});
    let header = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, rule.to_string());
    let asking = waiting.asking(json!({"body": {"to": "ada", "ssn": "canary"}})).with("x-alter-request-rule", &header);
    let asked = asking.send(&waiting.site.vault).await.json();
    assert_eq!(waiting.shown(&asked).await["request"]["body"], r#"{"to":"ada"}"#);
    waiting.decide(&asked, "approve", json!({})).await;
    waiting.until(&asked, "executed").await;
    assert_eq!(waiting.received()[0].request.body, br#"{"to":"ada"}"#);
}

#[tokio::test]
async fn a_call_under_a_key_is_asked_for_once_and_told_as_it_stands() {
    let waiting = Arc::new(Waiting::new().await);
    let keyed = json!({"idempotency_key": "order 17"});
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (waiting, keyed) = (Arc::clone(&waiting), keyed.clone());
        calls.spawn(async move { waiting.ask(keyed).await });
    }
    let asked = calls.join_all().await;
    assert!(asked.iter().all(|other| other["approval_id"] == asked[0]["approval_id"]), "{asked:?}");
    assert_eq!(waiting.asked(json!({"idempotency_key": "order 17", "body": {}})).await.refusal(), (422, "idempotency_key_reused".into()));
    waiting.decide(&asked[0], "approve", json!({})).await;
    waiting.until(&asked[0], "executed").await;
    let again = waiting.asked(keyed).await;
    assert_eq!((again.status.as_u16(), &again.json()["status_code"]), (200, &json!(200)));
    assert_eq!(waiting.received().len(), 1);

    let other = json!({"idempotency_key": "order 18"});
    let denied = waiting.ask(other.clone()).await;
    waiting.decide(&denied, "deny", json!({})).await;
    assert_eq!(waiting.asked(other).await.refusal(), (403, "approval_denied".into()));
}
