//! Operations besides `request()`, on a scripted host: bodies, the user's token, waiting, giving up.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alter_core::client::{Arg, CANCEL_MARKER, ClientKind, Operation, Outcome, PreparedOperation, Step};
use alter_core::error::{Error, Kind};
use alter_core::given::{Args, Given};
use alter_core::host::{Leg, Level, Patience, TransportError};
use alter_core::model::{ConnectSession, UnifiedGrantListResult};
use common::{GRANT, Script};
use serde_json::{Value, json};

const POLL: &str = "/sdk/oauth/connect/session/poll";
const CANCEL: &str = "/sdk/oauth/connect/session/cancel";

fn prepare(script: &Script, kind: ClientKind, operation: Operation, args: Args) -> Result<PreparedOperation<Script>, Error> {
    script.client(kind).operation(operation, args, None)
}

async fn run(script: &Script, operation: Operation, args: Args) -> Result<Outcome, Error> {
    finish(prepare(script, ClientKind::App, operation, args)?).await
}

/// Bindings run operations on threads of their own.
fn movable<F: Future + Send>(work: F) -> F {
    work
}

async fn finish(call: PreparedOperation<Script>) -> Result<Outcome, Error> {
    match movable(call.send()).await? {
        Step::Done(outcome) => Ok(outcome),
        _ => panic!("the operation is not done"),
    }
}

/// The one request that was sent, as text.
fn body(script: &Script) -> String {
    let requests = script.requests(Leg::Backend);
    assert_eq!(requests.len(), 1);
    String::from_utf8(requests[0].body().to_vec()).unwrap()
}

fn session() -> Value {
    json!({ "session_token": "SESSION", "connect_url": "https://v.example/c#SESSION", "expires_in": 600, "expires_at": "x" })
}

fn completed() -> Value {
    json!({ "status": "completed", "grants": [{ "grant_id": GRANT, "provider_id": "google" }] })
}

fn seconds(timeout: f64, interval: f64) -> Args {
    Args::new().with("session_token", "SESSION").with("timeout", timeout).with("poll_interval", interval)
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    for operation in Operation::ALL {
        assert_eq!(Operation::named(operation.name()), Some(*operation));
    }
    assert_eq!(Operation::named("request"), None);
}

#[tokio::test]
async fn a_body_has_the_contracts_order_and_the_users_token_in_its_place() {
    let script = Script::default();
    script.vault(200, &[], &json!({}));
    let args = Args::new().with("audience", "https://a.example").with("ttl_seconds", 60u64).with("include_profile", true);
    let mut call = prepare(&script, ClientKind::App, Operation::AssertIdentity, args).unwrap();
    assert!(call.wants_user_token());
    call.set_user_token(Arg::Value("jwt é".into())).unwrap();
    let _malformed = call.send().await;
    assert_eq!(body(&script), r#"{"include_profile":true,"user_token":"jwt \u00e9","audience":"https://a.example","ttl_seconds":60}"#);
}

#[tokio::test]
async fn the_getter_is_asked_only_where_its_token_would_be_sent() {
    let script = Script::default();
    let wants = |kind, operation, args: Args| prepare(&script, kind, operation, args).unwrap().wants_user_token();
    let grant = || Args::new().with("grant_id", GRANT);
    assert!(wants(ClientKind::App, Operation::ListGrants, Args::new()));
    assert!(!wants(ClientKind::App, Operation::ListGrants, Args::new().with("end_user_token", "jwt")));
    assert!(!wants(ClientKind::Agent, Operation::ListGrants, Args::new()));
    assert!(wants(ClientKind::App, Operation::RevokeGrant, grant()));
    assert!(wants(ClientKind::Agent, Operation::CreateConnectSession, Args::new()));
    assert!(!wants(ClientKind::Agent, Operation::ResolveIdentity, Args::new()));
    assert!(!wants(ClientKind::Agent, Operation::RevokeDelegation, grant()));
    let mut call = prepare(&script, ClientKind::App, Operation::ListGrants, Args::new()).unwrap();
    for token in [Arg::Absent, Arg::Value(String::new()), Arg::Wrong("int".into())] {
        assert_eq!(call.set_user_token(token).unwrap_err().kind(), Kind::AlterSdk);
    }
    let mut call = prepare(&script, ClientKind::App, Operation::ResolveIdentity, Args::new()).unwrap();
    let error = call.set_user_token(Arg::Value("x".repeat(8193))).unwrap_err();
    assert_eq!(error.kind(), Kind::AlterValue);
    assert!(!error.message().contains("xxx"));
}

#[tokio::test]
async fn what_is_refused_names_its_field_and_sends_nothing() {
    let script = Script::default();
    let null = || Given::Null;
    for (operation, args, field) in [
        (Operation::ListGrants, Args::new().with("limit", 1001u64), "limit"),
        (Operation::ListGrants, Args::new().with("limit", true), "limit"),
        (Operation::ListGrants, Args::new().with("offset", Given::Whole(-1)), "offset"),
        (Operation::ListGrants, Args::new().with("grant_kind", "both"), "grant_kind"),
        (Operation::MintGrant, Args::new().with("source_grant_id", "../x").with("label", "l"), "source_grant_id"),
        (Operation::RevokeGrant, Args::new().with("grant_id", GRANT).with("reason", 5u64), "reason"),
        (Operation::RevokeDelegation, Args::new().with("grant_id", GRANT).with("agent_id", "me"), "agent_id"),
        (Operation::CreateConnectSession, Args::new().with("direct", true), "direct"),
        (Operation::CreateConnectSession, Args::new().with("return_url", f64::NAN), "return_url"),
        (Operation::CreateConnectSession, Args::new().with("metadata", Given::from(json!({"x": "y"}))), "metadata"),
        (Operation::CreateManagedSecretConnectSession, Args::new().with("user_token", "jwt"), "provider"),
        (Operation::PollConnectSession, Args::new().with("session_token", " "), "session_token"),
        (Operation::PollConnectSession, seconds(0.0, 1.0), "timeout"),
        (Operation::PollAuthSession, seconds(1.0, f64::INFINITY), "poll_interval"),
        (Operation::AssertIdentity, Args::new().with("audience", "nobody"), "audience"),
        (Operation::AssertIdentity, Args::new().with("audience", null()), "audience"),
        (Operation::Connect, Args::new().with("scopes", Given::from(json!(["a"]))), "scopes"),
    ] {
        let error = prepare(&script, ClientKind::App, operation, args).err().unwrap_or_else(|| panic!("{field} was accepted"));
        assert_eq!(error.kind(), Kind::AlterValue, "{error}");
        assert!(error.message().starts_with(field), "{error}");
    }
    let error = prepare(&script, ClientKind::App, Operation::Delegate, Args::new()).err().unwrap();
    assert_eq!(error.code(), "operation_not_offered");
    assert!(script.paths().is_empty());
}

#[tokio::test]
async fn an_agent_makes_grants_of_secrets_for_itself_only() {
    let script = Script::default();
    script.vault(422, &[], &json!({}));
    let grant = |principal: Value| Args::new().with("managed_secret_id", GRANT).with("principal", Given::from(principal));
    for kind in [ClientKind::Agent, ClientKind::Impersonation] {
        for principal in [json!({ "type": "system" }), json!({ "type": "user", "user_token": "jwt", "label": "l" })] {
            let error = prepare(&script, kind, Operation::CreateManagedSecretGrant, grant(principal)).err().unwrap();
            assert_eq!(error.kind(), Kind::AlterValue);
            assert!(error.message().starts_with("principal"), "{error}");
        }
        let own = prepare(&script, kind, Operation::CreateManagedSecretGrant, grant(json!({ "type": "agent" }))).unwrap();
        let _refused_by_the_vault = own.send().await;
    }
    let sent = script.bodies(&format!("/sdk/managed-secrets/{GRANT}/grants"));
    assert_eq!(sent[0]["principal"], json!({ "type": "agent", "label": null }));
}

#[tokio::test(start_paused = true)]
async fn a_span_is_counted_in_the_callers_unit() {
    let script = Script::default();
    for _ in 0..4 {
        script.vault(200, &[], &json!({ "status": "pending" }));
    }
    let milliseconds = |timeout: f64| {
        let args = Args::new().with("session_token", "SESSION").with("timeout_ms", timeout).with("poll_interval_ms", 1000.0);
        prepare(&script, ClientKind::App, Operation::PollConnectSession, args)
    };
    let refused = milliseconds(-1.0).err().unwrap();
    assert_eq!(refused.message(), "timeout must be a positive number of milliseconds.");
    let error = finish(milliseconds(2500.0).unwrap()).await.unwrap_err();
    assert_eq!(error.details()["timeout"], json!(2500.0));
    // At 0, 1 and 2 seconds, and once more when the time is over.
    assert_eq!(script.bodies(POLL).len(), 4);
}

#[tokio::test]
async fn one_bad_grant_fails_the_list_and_the_error_holds_no_value() {
    let script = Script::default();
    let item = json!({ "grant_kind": "managed_secret", "grant_id": "SECRET", "status": "active" });
    script.vault(200, &[], &json!({ "grants": [item], "total": 1, "limit": 100, "offset": 0, "has_more": false }));
    let error = run(&script, Operation::ListGrants, Args::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Backend);
    assert_eq!(error.details()["validation_errors"], json!([{ "field": "grants.0.managed_secret_id", "problem": "is missing" }]));
    assert!(!format!("{error:?}").contains("SECRET"));
}

#[tokio::test]
async fn an_empty_page_is_a_page() {
    let script = Script::default();
    script.vault(200, &[], &json!({ "grants": [], "total": "0", "limit": 100.0, "offset": false, "has_more": "no" }));
    let page: UnifiedGrantListResult = run(&script, Operation::ListGrants, Args::new()).await.unwrap().one().unwrap();
    assert_eq!((page.total, page.limit, page.offset, page.has_more), (0, 100, 0, false));
}

#[tokio::test]
async fn a_redirect_revokes_nothing() {
    let script = Script::default();
    script.vault(302, &[("location", "/login")], &json!({}));
    let args = Args::new().with("grant_id", GRANT);
    let call = prepare(&script, ClientKind::Agent, Operation::RevokeDelegation, args).unwrap();
    assert_eq!(finish(call).await.unwrap_err().attribute("status_code"), Some(json!(302)));
    assert_eq!(script.paths(), [format!("/sdk/grants/{GRANT}/delegations/me")]);
}

#[tokio::test]
async fn a_repair_that_finds_no_grant_becomes_a_new_session_for_which_the_getter_is_asked_again() {
    let script = Script::default();
    script.vault(404, &[], &json!({ "error": "grant_not_found" })).vault(200, &[], &session());
    let error = Given::from(json!({ "provider_id": "google", "agent_id": null, "grant_id": GRANT,
        "classes": ["CredentialRevokedError", "ReAuthRequiredError", "BackendError", "AlterSDKError"] }));
    let mut call = prepare(&script, ClientKind::App, Operation::CreateConnectSessionForError, Args::new().with("error", error)).unwrap();
    call.set_user_token(Arg::Value("first".into())).unwrap();
    let Step::Again(mut again) = call.send().await.unwrap() else { panic!("there is no second session") };
    assert!(again.wants_user_token());
    again.set_user_token(Arg::Value("second".into())).unwrap();
    let made: ConnectSession = finish(again).await.unwrap().one().unwrap();
    assert_eq!(made.session_token, "SESSION");
    assert!(!format!("{made:?}").contains("SESSION"));
    let sent = script.bodies("/sdk/oauth/connect/session");
    assert_eq!((&sent[0]["repair_grant_id"], &sent[0]["user_token"]), (&json!(GRANT), &json!("first")));
    assert_eq!((sent[1].get("repair_grant_id"), &sent[1]["user_token"]), (None, &json!("second")));
}

#[tokio::test(start_paused = true)]
async fn a_wait_asks_first_and_once_more_at_its_end() {
    for (timeout, interval, polls) in [(1.0, 0.2, 6), (0.05, 5.0, 2), (3.0, 2.0, 3)] {
        let script = Script::default();
        for _ in 0..polls {
            script.vault(200, &[], &json!({ "status": "pending" }));
        }
        let error = run(&script, Operation::PollConnectSession, seconds(timeout, interval)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::ConnectTimeout);
        assert_eq!(error.details()["reason"], "poll_deadline_elapsed");
        assert_eq!(error.details()["timeout"], json!(timeout));
        assert_eq!(script.paths().len(), polls);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_end_is_not_the_last_word() {
    for operation in [Operation::PollConnectSession, Operation::PollAuthSession] {
        let script = Script::default();
        script.answers_after(Duration::from_millis(700));
        let pending = json!({ "status": "pending" });
        let mut done = completed();
        done["user_token"] = json!("JWT");
        script.vault(200, &[], &pending).vault(200, &[], &pending).vault(200, &[], &done);
        run(&script, operation, seconds(1.0, 0.2)).await.unwrap();
        assert_eq!(script.paths().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_vaults_hint_lengthens_a_pause_and_a_limit_to_the_end_is_told() {
    let script = Script::default();
    let limited = json!({ "error": "rate_limit_exceeded" });
    script.vault(429, &[("retry-after", "7")], &limited).vault(200, &[], &completed());
    let started = tokio::time::Instant::now();
    let done = run(&script, Operation::PollConnectSession, seconds(60.0, 2.0)).await.unwrap();
    assert!(matches!(done, Outcome::Many(_, grants) if grants.len() == 1));
    assert_eq!(started.elapsed(), Duration::from_secs(7));

    let script = Script::default();
    script.vault(429, &[("retry-after", "90")], &limited).vault(429, &[("retry-after", "90")], &limited);
    let error = run(&script, Operation::PollConnectSession, seconds(5.0, 2.0)).await.unwrap_err();
    assert_eq!((&error.details()["reason"], &error.details()["retry_after"]), (&json!("rate_limited"), &json!(90)));

    let script = Script::default();
    script.vault(429, &[], &json!({ "error": "quota_exceeded" }));
    let error = run(&script, Operation::PollConnectSession, seconds(5.0, 2.0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::QuotaExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_told_once_and_stands_in_the_time_out() {
    let script = Script::default();
    let declined = json!([{ "provider_id": "slack", "error_code": "access_denied" }, { "provider_id": 5 }, "x"]);
    let pending = json!({ "status": "pending", "declined_providers": declined });
    script.vault(200, &[], &pending).vault(200, &[], &pending).vault(200, &[], &json!({ "status": "expired" }));
    let mut call = prepare(&script, ClientKind::App, Operation::PollConnectSession, seconds(60.0, 1.0)).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&events);
    call.on_event(move |event| told.lock().unwrap().push(Value::Object(event.0)));
    let error = finish(call).await.unwrap_err();
    assert_eq!(error.details()["reason"], "session_expired");
    assert_eq!(error.details()["declined_providers"], json!(["slack"]));
    let denial = json!({ "type": "provider_declined", "provider_id": "slack", "error_code": "access_denied", "declined_at": null });
    assert_eq!(*events.lock().unwrap(), [denial]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_unknown_from_the_start_is_no_time_out() {
    let script = Script::default();
    script.vault(200, &[], &json!({ "status": "expired" }));
    let error = run(&script, Operation::PollConnectSession, seconds(60.0, 1.0)).await.unwrap_err();
    assert_eq!((error.kind(), error.details().len()), (Kind::ConnectFlow, 0));
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_ends_a_wait() {
    let script = Script::default();
    script.vault(200, &[], &json!({ "status": "pending" }));
    let client = script.client(ClientKind::App);
    let call = client.operation(Operation::PollConnectSession, seconds(60.0, 1.0), None).unwrap();
    let (ended, ()) = tokio::join!(finish(call), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.close().await;
    });
    assert_eq!(ended.unwrap_err().code(), "client_closed");
}

/// A connection whose session was made by a vault with these headers, and the wait for it.
async fn connecting(script: &Script, headers: &[(&str, &str)]) -> PreparedOperation<Script> {
    script.vault(200, headers, &session());
    let args = Args::new().with("timeout", 5.0).with("poll_interval", 1.0);
    let call = prepare(script, ClientKind::App, Operation::Connect, args).unwrap();
    let Step::Visit(visit) = call.send().await.unwrap() else { panic!("there is no address to visit") };
    assert_eq!((visit.url.as_str(), visit.open_browser), ("https://v.example/c#SESSION", true));
    visit.then
}

/// Lets background work run.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn cancellations(script: &Script) -> usize {
    script.bodies(CANCEL).iter().inspect(|body| assert_eq!(**body, json!({ "session_token": "SESSION" }))).count()
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_given_up_is_cancelled_once_where_the_vault_takes_it() {
    for (headers, cancelled) in [(&[(CANCEL_MARKER, "true")][..], 1), (&[][..], 0), (&[(CANCEL_MARKER, "1")][..], 0)] {
        let script = Script::default();
        let waiting = connecting(&script, headers).await;
        let abandon = waiting.abandon();
        assert_eq!(abandon.is_some(), cancelled == 1);
        drop(waiting);
        if let Some(abandon) = abandon {
            abandon.now();
        }
        settle().await;
        assert_eq!(cancellations(&script), cancelled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_in_the_middle_is_cancelled_and_closing_waits_for_that() {
    let script = Script::default();
    let waiting = connecting(&script, &[(CANCEL_MARKER, "true")]).await;
    script.vault(200, &[], &json!({ "status": "pending" }));
    let given_up = tokio::time::timeout(Duration::from_millis(500), waiting.send()).await;
    assert!(given_up.is_err());
    settle().await;
    assert_eq!(cancellations(&script), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_by_itself_is_not_cancelled_and_one_that_was_waited_for_in_vain_is() {
    for (answers, cancelled) in [
        (vec![completed()], 0),
        (vec![json!({ "status": "error", "error": { "error_code": "connect_denied", "error_message": "no" } })], 0),
        (vec![json!({ "status": "pending" }); 6], 1),
    ] {
        let script = Script::default();
        let waiting = connecting(&script, &[(CANCEL_MARKER, "true")]).await;
        for answer in &answers {
            script.vault(200, &[], answer);
        }
        let _result = waiting.send().await;
        settle().await;
        assert_eq!(script.bodies(POLL).len(), answers.len());
        assert_eq!(cancellations(&script), cancelled, "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_is_held_by_the_vault_and_short_faults_are_waited_out() {
    let script = Script::default();
    script.vault(503, &[], &json!({})).vault_raw(Err(TransportError::Timeout)).vault(200, &[], &json!({ "status": "pending" })).vault(
        200,
        &[],
        &json!({ "status": "completed", "user_token": "JWT", "user_info": { "sub": "u" } }),
    );
    let done = run(&script, Operation::PollAuthSession, seconds(30.0, 2.0)).await.unwrap();
    let Outcome::One(_, fields) = done else { panic!("{done:?}") };
    assert_eq!(fields["user_token"], "JWT");
    let holds: Vec<Value> = script.bodies("/sdk/auth/poll").iter().map(|body| body["wait_ms"].clone()).collect();
    assert_eq!(holds, [25000, 25000, 25000, 24000]);
    let patience = script.requests(Leg::Backend)[0].extensions().get::<Patience>().copied();
    assert_eq!(patience, Some(Patience(Duration::from_secs(40))));
}

#[tokio::test(start_paused = true)]
async fn a_refused_sign_in_poll_ends_at_once_and_a_slow_person_in_a_time_out() {
    let script = Script::default();
    script.vault(404, &[], &json!({ "error": "nope" }));
    let error = run(&script, Operation::PollAuthSession, seconds(30.0, 2.0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::GrantNotFound);
    let script = Script::default();
    for _ in 0..3 {
        script.vault(200, &[], &json!({ "status": "pending" }));
    }
    let error = run(&script, Operation::PollAuthSession, seconds(3.0, 2.0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ConnectTimeout);
    assert_eq!(script.bodies("/sdk/auth/poll")[2].get("wait_ms"), None);
}

#[tokio::test]
async fn a_token_that_cannot_be_verified_counts_as_refused_and_only_the_log_tells_why() {
    for (status, answer, sub, warned) in [
        (200, json!({ "sub": "u" }), Some("u"), false),
        (200, json!({ "sub": " " }), None, false),
        (401, json!({}), None, false),
        (503, json!({}), None, true),
        (202, json!({ "sub": "u" }), None, true),
    ] {
        let script = Script::default();
        script.vault(status, &[], &answer);
        let told = run(&script, Operation::VerifyUserToken, Args::new().with("token", "JWT")).await.unwrap().text().unwrap();
        assert_eq!(told.as_deref(), sub);
        let warnings = script.events().iter().filter(|event| event.level == Level::Warning).count();
        assert_eq!(warnings > 0, warned);
        assert!(!format!("{:?}", script.events()).contains("JWT"));
    }
}

#[tokio::test]
async fn an_older_vault_is_told_from_one_that_refuses() {
    let refusal = |kind: &str, field: &str| json!({ "detail": [{ "type": kind, "loc": ["body", field] }] });
    for (answer, feature) in [
        (refusal("extra_forbidden", "provider"), Some("managed_secret_connect_provider")),
        (refusal("missing", "template_slug"), Some("managed_secret_connect_provider")),
        (refusal("missing", "delegated_agent_id"), Some("agent_managed_secret_connect_session")),
        (json!({ "error": "delegated_agent_id_required" }), Some("managed_secret_connect_provider")),
        (json!({ "detail": { "error": "delegated_agent_id_required" } }), Some("managed_secret_connect_provider")),
        (refusal("extra_forbidden", "delegable"), None),
        (json!({ "detail": [{ "type": "extra_forbidden", "loc": ["body", "provider", 0] }] }), None),
    ] {
        let script = Script::default();
        script.vault(422, &[], &answer);
        let args = Args::new().with("provider", "openai").with("user_token", "jwt");
        let error = run(&script, Operation::CreateManagedSecretConnectSession, args).await.unwrap_err();
        let want = if feature.is_some() { Kind::ServerFeatureUnsupported } else { Kind::Backend };
        assert_eq!((error.kind(), error.details().get("feature").and_then(Value::as_str)), (want, feature), "{answer}");
    }
}

#[tokio::test]
async fn the_label_of_a_conflict_is_the_callers_where_the_vault_names_none() {
    let script = Script::default();
    script.vault(409, &[], &json!({ "error": "sibling_label_conflict" }));
    let args = Args::new().with("source_grant_id", GRANT).with("label", "work");
    let error = run(&script, Operation::MintGrant, args).await.unwrap_err();
    assert_eq!(error.attribute("label"), Some(json!("work")));
}

#[tokio::test]
async fn an_agent_that_is_impersonated_is_named_in_a_session_for_a_secret() {
    let script = Script::default();
    let options = alter_core::client::ClientOptions::new(ClientKind::App, common::APP_KEY).unwrap();
    let options = options.base_url(common::BASE).unwrap().impersonating(GRANT).unwrap();
    let client = alter_core::client::Client::new(options, script.clone()).unwrap();
    for (given, name) in [("provider", "agent"), ("template_slug", "delegated_agent_id")] {
        script.vault(422, &[], &json!({}));
        let args = Args::new().with(given, "openai").with("user_token", "jwt");
        let call = client.operation(Operation::CreateManagedSecretConnectSession, args, None).unwrap();
        let _refused = call.send().await;
        assert_eq!(script.bodies("/sdk/managed-secrets/connect/session").last().unwrap()[name], GRANT);
    }
}
