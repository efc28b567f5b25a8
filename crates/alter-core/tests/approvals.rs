//! Calls that the vault makes, and the wait for people who decide about them, on a scripted host with a clock of its own.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use alter_core::client::{Arg, ClientKind, Operation, Outcome, Step};
use alter_core::error::{Error, Kind};
use alter_core::given::{Args, Given};
use alter_core::host::{Leg, Patience, TransportError};
use alter_core::model::{ApprovalResult, ApprovalStatus, PendingApproval};
use common::{GRANT, Script};
use serde_json::{Value, json};

const APPROVAL: &str = "44444444-4444-4444-8444-444444444444";
const NOW: &str = "2026-01-02T03:04:05Z";

fn status(word: &str) -> Value {
    let gate = json!({ "approval_id": APPROVAL, "status": word, "expires_at": NOW });
    json!({
        "approval_id": APPROVAL, "status": word, "approval_group_id": APPROVAL, "gates": [gate], "expires_at": NOW, "has_result": false,
    })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn result(code: u16) -> Value {
    json!({ "status_code": code, "headers": { "content-type": "text/plain" }, "body_b64": "aGk=" })
}

fn get() -> Args {
    Args::new().with("method", "get").with("url", "https://api.example.com/x").with("grant_id", GRANT)
}

async fn run(script: &Script, kind: ClientKind, operation: Operation, args: Args) -> Result<Outcome, Error> {
    match script.client(kind).operation(operation, args, None)?.send().await? {
        Step::Done(outcome) => Ok(outcome),
        _ => panic!("the operation is not done"),
    }
}

async fn proxy(script: &Script, args: Args) -> Result<Outcome, Error> {
    run(script, ClientKind::App, Operation::ProxyRequest, args).await
}

async fn wait(script: &Script, args: Args) -> Result<Outcome, Error> {
    run(script, ClientKind::Agent, Operation::AwaitApproval, args.with("approval_id", APPROVAL)).await
}

fn seconds(timeout: f64, interval: f64) -> Args {
    Args::new().with("timeout", timeout).with("poll_interval", interval)
}

/// Path and query of each request.
fn targets(script: &Script) -> Vec<String> {
    script.requests(Leg::Backend).iter().map(|request| request.uri().path_and_query().unwrap().to_string()).collect()
}

#[tokio::test]
async fn the_body_has_the_contracts_order_and_the_idempotency_key_last() {
    let script = Script::default();
    script.vault(200, &[], &result(404));
    let args = Args::new()
        .with("idempotency_key", "order-7")
        .with("method", "post")
        .with("url", "https://api.example.com/{id}")
        .with("path_params", Given::from(json!({ "id": "a/b" })))
        .with("provider", "github")
        .with("account", "acc")
        .with("label", "lab")
        .with("app_user_id", "uu")
        .with("json_body", Given::from(json!({ "é": 1.0 })))
        .with("headers", Given::from(json!({ "X-A": "b" })))
        .with("query_params", Given::from(json!({ "q": [1, null, true] })))
        .with("reason", "why")
        .with("caller", "me");
    let client = script.client(ClientKind::App);
    let mut call = client.operation(Operation::ProxyRequest, args, None).unwrap();
    call.set_surrounding_context(&[("run_id".into(), "r-1".into())]).unwrap();
    assert!(call.wants_user_token());
    call.set_user_token(Arg::Value("ut".into())).unwrap();
    let Step::Done(outcome) = call.send().await.unwrap() else { panic!("it is done") };
    // A provider's refusal is an answer.
    assert_eq!(outcome.one::<ApprovalResult>().unwrap().status_code, 404);
    let request = &script.requests(Leg::Backend)[0];
    assert_eq!(
        std::str::from_utf8(request.body()).unwrap(),
        concat!(
            r#"{"method":"POST","url":"https://api.example.com/a%2Fb","provider_id":"github","account":"acc","label":"lab","user_token":"ut","#,
            r#""app_user_id":"uu","body":{"\u00e9":1.0},"headers":{"X-A":"b"},"query_params":{"q":[1,null,true]},"reason":"why","#,
            r#""idempotency_key":"order-7"}"#
        )
    );
    assert_eq!(request.headers()["x-alter-context"], r#"{"run_id":"r-1"}"#);
    assert_eq!(request.headers()["x-alter-caller"], "me");
    assert!(!request.headers().contains_key("idempotency-key"), "the key is signed with the body");
}

#[tokio::test]
async fn a_contexts_own_words_win_over_those_around_it_also_when_there_are_none() {
    let script = Script::default();
    script.vault(200, &[], &result(200)).vault(200, &[], &result(200));
    let client = script.client(ClientKind::App);
    for context in [json!({ "tool": "t" }), json!({})] {
        let mut call = client.operation(Operation::ProxyRequest, get().with("context", Given::from(context)), None).unwrap();
        call.set_surrounding_context(&[("run_id".into(), "r-1".into())]).unwrap();
        call.send().await.unwrap();
    }
    let told: Vec<_> = script.requests(Leg::Backend).iter().map(|r| r.headers().get("x-alter-context").cloned()).collect();
    assert_eq!(told, [Some(r#"{"tool":"t"}"#.parse().unwrap()), None]);
}

#[tokio::test]
async fn a_call_that_waits_for_approval_is_an_answer_and_no_error() {
    let script = Script::default();
    let gate = json!({ "approval_id": APPROVAL, "expires_at": NOW, "expires_in": 60, "approval_url": "https://v.example/a" });
    let pending = with(with(gate.clone(), "gates", json!([gate])), "approval_group_id", json!(APPROVAL));
    script.vault(202, &[], &with(pending.clone(), "status", json!("pending")));
    let pending_approval: PendingApproval = proxy(&script, get()).await.unwrap().one().unwrap();
    assert_eq!(pending_approval.gates[0].approval_url, "https://v.example/a");
    script.vault(202, &[], &with(with(pending, "status", json!("pending")), "gates", json!([])));
    let error = proxy(&script, get()).await.unwrap_err();
    assert_eq!((error.kind(), error.details()["status_code"].clone()), (Kind::Backend, json!(202)));
}

#[tokio::test]
async fn what_the_vault_refuses_has_its_class() {
    for (kind, status, code, wanted) in [
        (ClientKind::App, 404, "grant_not_found", Kind::GrantNotFound),
        (ClientKind::Agent, 404, "grant_not_found", Kind::AgentDelegationMissing),
        (ClientKind::Agent, 404, "no_delegated_grant", Kind::NoDelegatedGrant),
        (ClientKind::App, 404, "secret_not_found", Kind::ConnectConfig),
        (ClientKind::App, 409, "approval_denied", Kind::ApprovalDenied),
        (ClientKind::App, 302, "approval_expired", Kind::ApprovalExpired),
        (ClientKind::App, 403, "step_up_required", Kind::StepUpRequired),
        (ClientKind::App, 302, "", Kind::Backend),
    ] {
        let script = Script::default();
        script.vault(status, &[], &json!({ "detail": { "error": code, "message": "m" } }));
        let error = run(&script, kind, Operation::ProxyRequest, get()).await.unwrap_err();
        assert_eq!(error.kind(), wanted, "{status} {code}");
    }
}

#[tokio::test]
async fn what_is_refused_names_its_field_and_sends_nothing() {
    let script = Script::default();
    let map = |value: Value| Given::from(value);
    for (args, start) in [
        (get().with("provider", "github"), "proxy_request()"),
        (Args::new().with("method", "GET").with("url", "https://x.example"), "proxy_request()"),
        (get().with("account", "a"), "account"),
        (get().with("label", "l"), "label"),
        (get().with("app_user_id", "u"), "app_user_id"),
        (get().with("user_token", ""), "user_token"),
        (get().with("json", Given::Tuple(vec![])), "json"),
        (get().with("json", Given::List(vec![f64::NAN.into()])), "json"),
        (get().with("json", 1u64).with("json_body", 1u64), "json and json_body"),
        (get().with("headers", map(json!({}))).with("extra_headers", map(json!({}))), "extra_headers and headers"),
        (get().with("extra_headers", map(json!({ " Authorization ": "x" }))), "extra_headers sets"),
        (get().with("headers", map(json!({ "X Y": "x" }))), "headers has a name"),
        (get().with("headers", map(json!({ "X": 5 }))), "headers['X']"),
        (get().with("query_params", map(json!([]))), "query_params"),
        (get().with("path_params", map(json!({ "id": 5 }))), "path_params"),
        (get().with("reason", f64::INFINITY), "reason"),
        (get().with("caller", " me"), "caller"),
        (get().with("context", map(json!({ "a": 1 }))), "context"),
        (get().with("idempotency_key", ""), "idempotency_key"),
        (get().with("idempotency_key", "é"), "idempotency_key"),
        (get().with("idempotency_key", "k".repeat(256)), "idempotency_key"),
        (get().with("idempotency_key", 7u64), "idempotency_key"),
    ] {
        let error = proxy(&script, args).await.err().unwrap_or_else(|| panic!("{start} was accepted"));
        assert_eq!(error.kind(), Kind::AlterValue, "{error}");
        assert!(error.message().starts_with(start), "{error}");
    }
    for (args, start) in [
        (seconds(1.0, 0.0), "poll_interval"),
        (Args::new().with("timeout", true), "timeout"),
        (Args::new().with("timeout", f64::NAN), "timeout"),
    ] {
        let error = wait(&script, args).await.unwrap_err();
        assert!(error.message().starts_with(start), "{error}");
    }
    let ask = |args| run(&script, ClientKind::App, Operation::GetApprovalStatus, args);
    assert!(ask(Args::new().with("approval_id", "../x")).await.unwrap_err().message().starts_with("approval_id"));
    assert!(ask(Args::new().with("approval_id", APPROVAL).with("wait", true)).await.unwrap_err().message().starts_with("wait"));
    assert!(script.paths().is_empty());
}

#[tokio::test]
async fn a_question_is_held_as_long_as_the_program_asks_and_the_transport_is_told() {
    let script = Script::default();
    script.vault(200, &[], &status("approved")).vault(200, &[], &status("approved"));
    let ask = |wait: f64| {
        let args = Args::new().with("approval_id", Given::Id(APPROVAL.to_owned())).with("wait", wait);
        run(&script, ClientKind::App, Operation::GetApprovalStatus, args)
    };
    assert_eq!(ask(0.9).await.unwrap().one::<ApprovalStatus>().unwrap().status, "approved");
    ask(100.0).await.unwrap();
    assert_eq!(targets(&script), [format!("/sdk/approvals/{APPROVAL}"), format!("/sdk/approvals/{APPROVAL}?wait=100")]);
    let patience = |at: usize| script.requests(Leg::Backend)[at].extensions().get::<Patience>().copied();
    assert_eq!((patience(0), patience(1)), (None, Some(Patience(Duration::from_secs(40)))));
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_with_the_providers_answer_through_faults_in_between() {
    let script = Script::default();
    script
        .vault(200, &[], &status("pending"))
        .vault_raw(Err(TransportError::Failed("refused".into())))
        .vault(503, &[], &json!({}))
        .vault(200, &[], &status("executed"))
        .vault(200, &[], &with(status("executed"), "has_result", json!(true)))
        .vault(502, &[], &json!({}))
        .vault(200, &[], &with(status("executed"), "has_result", json!(true)))
        .vault(200, &[], &result(500));
    let got: ApprovalResult = wait(&script, seconds(300.0, 2.0)).await.unwrap().one().unwrap();
    assert_eq!(got.status_code, 500);
    let (question, answer) = (format!("/sdk/approvals/{APPROVAL}?wait=25"), format!("/sdk/approvals/{APPROVAL}/result"));
    let wanted = [&question, &question, &question, &question, &question, &answer, &question, &answer];
    assert_eq!(targets(&script), wanted.map(Clone::clone));
}

#[tokio::test(start_paused = true)]
async fn a_decision_against_the_call_ends_the_wait_with_its_words() {
    for (word, field, kind) in [
        ("denied", "decision_reason", Kind::ApprovalDenied),
        ("failed", "execution_error", Kind::ApprovalExecutionFailed),
        ("failed", "decision_reason", Kind::ApprovalExecutionFailed),
        ("expired", "decision_reason", Kind::ApprovalExpired),
    ] {
        let script = Script::default();
        script.vault(200, &[], &with(status(word), field, json!("too much")));
        let error = wait(&script, Args::new()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.message() == "too much", word != "expired", "{error}");
        assert_eq!((error.attribute("approval_id"), &error.details()["approval_id"]), (Some(json!(APPROVAL)), &json!(APPROVAL)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_never_outlasts_its_time() {
    let script = Script::default();
    script.answers_after(Duration::from_secs(60));
    let started = tokio::time::Instant::now();
    let error = wait(&script, seconds(10.5, 2.0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ApprovalTimeout);
    assert_eq!(started.elapsed(), Duration::from_millis(10_500), "the question under way was given up");
    assert_eq!(targets(&script), [format!("/sdk/approvals/{APPROVAL}?wait=10")]);

    let script = Script::default();
    assert_eq!(wait(&script, seconds(-1.0, 2.0)).await.unwrap_err().kind(), Kind::ApprovalTimeout);
    assert!(script.paths().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_mend_ends_the_wait_at_once() {
    for code in [401, 404, 429, 500] {
        let script = Script::default();
        script.vault(code, &[], &json!({ "error": "nope" }));
        let error = wait(&script, Args::new()).await.unwrap_err();
        assert_eq!((error.kind(), error.details()["status_code"].clone()), (Kind::Backend, json!(code)));
        assert_eq!(script.paths().len(), 1);
    }
    let script = Script::default();
    script.vault(200, &[], &with(status("executed"), "has_result", json!(true)));
    script.vault(502, &[], &json!({ "error": "approval_execution_failed", "message": "the provider hung up" }));
    assert_eq!(wait(&script, Args::new()).await.unwrap_err().kind(), Kind::ApprovalExecutionFailed);
}
