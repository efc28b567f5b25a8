//! Agents, keys, catalogues and spans, on a scripted host: what is sent, what is refused, what is kept.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use alter_core::client::{Client, ClientKind, Operation, Outcome, PreparedOperation, Step};
use alter_core::error::{Error, Kind};
use alter_core::given::{Args, Given};
use alter_core::host::Leg;
use alter_core::model::{AgentCreateResult, AgentInfo, AgentListResult, Described, MintedKey, Model};
use common::{GRANT, Script};
use serde_json::{Value, json};

const AGENT: &str = "22222222-2222-4222-8222-222222222222";
const KEY: &str = "33333333-3333-4333-8333-333333333333";
const NOW: &str = "2026-01-02T03:04:05Z";

fn agent() -> Value {
    json!({ "id": AGENT, "name": "bot", "type": "agent", "status": "active", "version": 7, "created_at": NOW })
}

fn key() -> Value {
    json!({
        "id": KEY, "name": "k", "key_prefix": "alter_dk_abc", "key_type": "dk", "scopes": ["tokens:retrieve"], "scope_version": 1,
        "created_at": NOW, "api_key": "alter_dk_canary",
    })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// Runs an operation to its end, however many exchanges it takes.
async fn run_on(client: &Client<Script>, operation: Operation, args: Args) -> Result<Outcome, Error> {
    let mut call: PreparedOperation<Script> = client.operation(operation, args, None)?;
    loop {
        call = match call.send().await? {
            Step::Done(outcome) => return Ok(outcome),
            Step::Again(next) => next,
            Step::Visit(_) => panic!("nobody visits anything here"),
        };
    }
}

async fn run(script: &Script, operation: Operation, args: Args) -> Result<Outcome, Error> {
    run_on(&script.client(ClientKind::App), operation, args).await
}

/// Method, target and body of each request.
fn sent(script: &Script) -> Vec<(String, String, String)> {
    let told = |request: http::Request<bytes::Bytes>| {
        let target = request.uri().path_and_query().unwrap().to_string();
        (request.method().to_string(), target, String::from_utf8(request.body().to_vec()).unwrap())
    };
    script.requests(Leg::Backend).into_iter().map(told).collect()
}

#[tokio::test]
async fn an_agent_is_made_with_the_contracts_body_and_a_key_that_no_text_shows() {
    let script = Script::default();
    let answer = with(with(agent(), "api_key", json!("alter_ak_canary")), "key_id", json!(KEY));
    script.vault(201, &[], &answer);
    let args = Args::new()
        .with("name", "bot")
        .with("scopes", Given::from(json!({ "google": ["é"] })))
        .with("policy", Given::from(json!({ "requires_approval": true })))
        .with("display_name", "Bot")
        .with("idempotency_key", "order 7");
    let outcome = run(&script, Operation::CreateAgent, args).await.unwrap();
    let request = &script.requests(Leg::Backend)[0];
    let wanted = r#"{"name":"bot","type":"agent","scopes":{"google":["\u00e9"]},"metadata":{},"display_name":"Bot","policy":{"requires_approval":true}}"#;
    assert_eq!(std::str::from_utf8(request.body()).unwrap(), wanted);
    assert_eq!(request.headers()["idempotency-key"], "order 7");
    let made: AgentCreateResult = outcome.one().unwrap();
    assert_eq!((made.agent.name.as_str(), made.api_key.as_deref()), ("bot", Some("alter_ak_canary")));
    assert!(!format!("{made:?}").contains("canary"), "{made:?}");
}

#[tokio::test]
async fn an_agents_scopes_are_changed_at_the_version_that_was_read() {
    let script = Script::default();
    script.vault(200, &[], &agent()).vault(200, &[], &with(agent(), "version", json!(8)));
    let args = Args::new().with("agent_id", AGENT).with("scopes", Given::from(json!({}))).with("grace_seconds", 0u64);
    let changed: AgentInfo = run(&script, Operation::UpdateAgent, args).await.unwrap().one().unwrap();
    assert_eq!(changed.version, 8);
    assert_eq!(
        sent(&script),
        [
            ("GET".to_owned(), format!("/sdk/agents/{AGENT}"), String::new()),
            ("PATCH".to_owned(), format!("/sdk/agents/{AGENT}?grace_seconds=0&expected_version=7"), r#"{"scopes":{}}"#.to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_version_that_the_program_names_is_not_read() {
    let script = Script::default();
    script.vault(409, &[], &json!({ "error": "agent_concurrent_update", "message": "somebody else" }));
    let args = Args::new().with("agent_id", AGENT).with("scopes", Given::from(json!({ "google": ["a"] }))).with("expected_version", 3u64);
    let error = run(&script, Operation::UpdateAgent, args).await.unwrap_err();
    assert_eq!(error.kind(), Kind::AgentConcurrentUpdate);
    assert_eq!(sent(&script).len(), 1);
}

#[tokio::test]
async fn a_page_of_agents_and_an_agent_by_its_name() {
    let script = Script::default();
    let page = json!({ "items": [agent()], "total": 1, "limit": 100, "offset": 0, "has_more": false });
    script.vault(200, &[], &page).vault(200, &[], &page).vault(200, &[], &json!({ "items": [] }));
    let list: AgentListResult = run(&script, Operation::ListAgents, Args::new()).await.unwrap().one().unwrap();
    assert_eq!(list.agents[0].id, AGENT);
    let found = run(&script, Operation::GetAgentByName, Args::new().with("name", "a b")).await.unwrap();
    assert_eq!(found.one::<AgentInfo>().unwrap().name, "bot");
    let none = run(&script, Operation::GetAgentByName, Args::new().with("name", "nobody")).await.unwrap();
    assert!(matches!(none, Outcome::Nothing));
    assert_eq!(sent(&script)[1].1, "/sdk/agents?name=a+b");
}

#[tokio::test]
async fn in_the_agents_part_the_code_decides_and_elsewhere_the_status() {
    let refusal = |code: &str| json!({ "error": code, "hint": "ask" });
    for (operation, status, code, kind) in [
        (Operation::GetAgent, 404, "agent_not_found", Kind::AgentNotFound),
        (Operation::GetAgent, 400, "agent_name_exists", Kind::AgentNameExists),
        (Operation::GetAgent, 409, "key_revoked", Kind::KeyAlreadyRevoked),
        (Operation::GetAgent, 401, "key_revoked", Kind::KeyRevoked),
        (Operation::GetAgent, 400, "agent_concurrent_update", Kind::Backend),
        (Operation::GetAgent, 404, "nope", Kind::Backend),
        (Operation::GetAgent, 302, "agent_not_found", Kind::AgentNotFound),
        (Operation::RevokeKey, 404, "key_not_found", Kind::GrantNotFound),
        (Operation::RevokeKey, 409, "last_active_key", Kind::Backend),
    ] {
        let script = Script::default();
        script.vault(status, &[], &refusal(code));
        let error = run(&script, operation, Args::new().with("agent_id", AGENT).with("key_id", KEY)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }
}

#[tokio::test]
async fn a_derived_key_has_its_limits_and_no_text_shows_it() {
    let script = Script::default();
    script.vault(201, &[], &key());
    let args = Args::new()
        .with("scopes", Given::from(json!(["tokens:retrieve"])))
        .with("expires_in", 900u64)
        .with("cidr_allowlist", Given::from(json!(["10.0.0.0/8"])))
        .with("rate_limit_rpm", 30u64);
    let minted: MintedKey = run(&script, Operation::DeriveKey, args).await.unwrap().one().unwrap();
    let body = r#"{"scopes":["tokens:retrieve"],"expires_in":900,"cidr_allowlist":["10.0.0.0/8"],"rate_limit_rpm":30}"#;
    assert_eq!(sent(&script), [("POST".to_owned(), "/sdk/keys/derive".to_owned(), body.to_owned())]);
    assert_eq!(minted.api_key, "alter_dk_canary");
    assert!(!format!("{minted:?}").contains("canary"));
}

#[tokio::test]
async fn an_id_is_one_segment_of_the_path_whatever_it_holds() {
    let script = Script::default();
    script.vault(200, &[], &key()).vault(200, &[], &with(key(), "api_key", json!("x")));
    run(&script, Operation::RevokeKey, Args::new().with("key_id", "a/b?c").with("force", true)).await.unwrap();
    run(&script, Operation::RotateKey, Args::new().with("key_id", Given::Id(KEY.to_owned()))).await.unwrap();
    assert_eq!(sent(&script)[0].1, "/sdk/keys/a%2Fb%3Fc?force=true");
    assert_eq!(
        (sent(&script)[1].1.as_str(), sent(&script)[1].2.as_str()),
        (format!("/sdk/keys/{KEY}/rotate").as_str(), r#"{"overlap_days":7}"#)
    );
}

#[tokio::test]
async fn what_is_refused_names_its_field_and_sends_nothing() {
    let script = Script::default();
    let scopes = |value: Value| Args::new().with("name", "bot").with("scopes", Given::from(value));
    let agent = || Args::new().with("agent_id", AGENT);
    let spec = || Args::new().with("kind", "oauth").with("provider_id", "github");
    let derive = || Args::new().with("scopes", Given::from(json!(["a"]))).with("expires_in", 60u64);
    for (operation, args, start) in [
        (Operation::CreateAgent, Args::new(), "name"),
        (Operation::CreateAgent, scopes(json!({ "google": [] })), "scopes['google']"),
        (Operation::CreateAgent, scopes(json!({ "google": ["a "] })), "an entry of scopes['google']"),
        (Operation::CreateAgent, scopes(json!({ "": ["a"] })), "a key of scopes"),
        (Operation::CreateAgent, scopes(json!({ "google": ["x".repeat(12_300)] })), "scopes has"),
        (Operation::CreateAgent, scopes(json!({})).with("type", "robot"), "type"),
        (Operation::CreateAgent, scopes(json!({})).with("idempotency_key", "a\nb"), "idempotency_key"),
        (Operation::CreateAgent, scopes(json!({})).with("metadata", f64::NAN), "metadata"),
        (Operation::ListAgents, Args::new().with("limit", 1001u64), "limit"),
        (Operation::GetAgent, Args::new().with("agent_id", ".."), "agent_id"),
        (Operation::UpdateAgent, agent().with("grace_seconds", 5u64), "grace_seconds"),
        (Operation::UpdateAgent, agent().with("expected_version", 0u64), "expected_version"),
        (Operation::RevokeAgentKey, agent().with("key_id", Given::Id(KEY.to_owned())), "key_id"),
        (Operation::RevokeAgentKey, agent().with("key_id", "."), "key_id"),
        (Operation::DeriveKey, derive().with("rate_limit_rpm", 0u64), "rate_limit_rpm"),
        (Operation::DeriveKey, Args::new().with("scopes", Given::from(json!(["keys:derive"]))).with("expires_in", 1u64), "scopes"),
        (Operation::RotateKey, Args::new().with("key_id", KEY).with("overlap_days", 31u64), "overlap_days"),
        (Operation::RotateKey, Args::new(), "key_id"),
        (Operation::GetProviderSpec, Args::new().with("kind", "other").with("provider_id", "github"), "kind"),
        (Operation::GetProviderSpec, Args::new().with("kind", "oauth").with("provider_id", "a?b"), "provider_id"),
        (Operation::GetProviderOperation, spec().with("operation_id", "a\u{7f}"), "operation_id"),
        (Operation::ListProviderOperations, spec().with("search", "x".repeat(201)), "search"),
        (Operation::EmitSpans, Args::new().with("spans", Given::List(vec![])), "spans"),
        (Operation::EmitSpans, Args::new().with("spans", Given::List(vec![Given::Null])), "spans[0]"),
        (Operation::EmitSpans, Args::new().with("spans", Given::List(vec![Given::Null; 51])), "spans"),
    ] {
        let error = run(&script, operation, args).await.err().unwrap_or_else(|| panic!("{start} was accepted"));
        assert_eq!(error.kind(), Kind::AlterValue, "{error}");
        assert!(error.message().starts_with(start), "{error}");
    }
    assert!(script.paths().is_empty());
}

#[tokio::test]
async fn agents_are_the_applications_and_me_is_the_agents() {
    let script = Script::default();
    for (kind, operation) in [(ClientKind::Agent, Operation::ListAgents), (ClientKind::App, Operation::Me)] {
        let error = run_on(&script.client(kind), operation, Args::new()).await.unwrap_err();
        assert_eq!(error.code(), "operation_not_offered");
    }
    script.vault(200, &[], &agent());
    run_on(&script.client(ClientKind::Agent), Operation::Me, Args::new()).await.unwrap();
    assert_eq!(script.paths(), ["/sdk/agents/me"]);
}

#[tokio::test(start_paused = true)]
async fn a_catalogue_of_providers_is_asked_for_once_in_five_minutes() {
    let script = Script::default();
    for _ in 0..4 {
        script.vault(200, &[], &json!({ "providers": {} }));
    }
    let client = script.client(ClientKind::App);
    let list = |args| run_on(&client, Operation::ListOAuthProviders, args);
    list(Args::new()).await.unwrap();
    tokio::time::advance(Duration::from_secs(299)).await;
    list(Args::new()).await.unwrap();
    assert_eq!(script.paths().len(), 1);
    list(Args::new().with("force_refresh", true)).await.unwrap();
    assert_eq!(script.paths().len(), 2);
    tokio::time::advance(Duration::from_secs(301)).await;
    list(Args::new()).await.unwrap();
    assert_eq!(script.paths().len(), 3);
    let narrowed = client.with_constraints(alter_core::client::Arg::Value(vec!["providers:read".into()]), alter_core::client::Arg::Absent);
    run_on(&narrowed.unwrap(), Operation::ListOAuthProviders, Args::new()).await.unwrap();
    assert_eq!(script.paths().len(), 4, "a narrowed client may see other providers");
    client.close().await;
    list(Args::new()).await.unwrap();
    assert_eq!(list(Args::new().with("force_refresh", true)).await.unwrap_err().code(), "client_closed");
}

#[tokio::test]
async fn a_span_that_was_changed_is_judged_again() {
    let script = Script::default();
    script.vault(200, &[], &json!({ "accepted": 1 }));
    let span = |name: &str| {
        let fields = [("trace_id", "t"), ("name", name), ("start_time", NOW)];
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        Given::Model("UserSpan".to_owned(), fields.chain([("end_time".into(), Given::Null)]).collect())
    };
    let emit = |spans| run(&script, Operation::EmitSpans, Args::new().with("spans", Given::List(spans)));
    let error = emit(vec![span("plan"), span("")]).await.unwrap_err();
    assert_eq!(error.message(), "spans[1].name is empty.");
    emit(vec![span("plan")]).await.unwrap();
    assert_eq!(sent(&script)[0].2, format!(r#"{{"spans":[{{"trace_id":"t","name":"plan","start_time":"{NOW}"}}]}}"#));
}

#[tokio::test]
async fn the_surrounding_trace_goes_with_these_calls_and_not_with_those_about_a_person() {
    let script = Script::default();
    script.vault(200, &[], &agent()).vault(422, &[], &json!({}));
    let client = script.client(ClientKind::App);
    for (operation, args) in
        [(Operation::GetAgent, Args::new().with("agent_id", AGENT)), (Operation::RevokeGrant, Args::new().with("grant_id", GRANT))]
    {
        let mut call = client.operation(operation, args, None).unwrap();
        call.set_surrounding_context(&[("run_id".into(), "r-1".into())]).unwrap();
        let _refused = call.send().await;
    }
    let requests = script.requests(Leg::Backend);
    assert_eq!(requests[0].headers()["x-alter-context"], r#"{"run_id":"r-1"}"#);
    assert!(!requests[1].headers().contains_key("x-alter-context"));
}

#[test]
fn a_model_that_is_made_of_another_has_its_fields_and_its_rules() {
    let has = |model: &Model, name: &str| model.field(name).is_some();
    assert!(has(MintedKey::MODEL, "key_type") && has(MintedKey::MODEL, "api_key"));
    assert_eq!(MintedKey::MODEL.own_fields().len(), 1);
    let half = with(key(), "effective_rate_limit_rpm", json!(60));
    let fault = <MintedKey as Described>::MODEL.read(&half).unwrap_err();
    assert_eq!(fault.field(), "rate_limit_source");
}
