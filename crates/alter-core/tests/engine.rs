//! The client's state machine on a scripted host.

#![allow(clippy::unwrap_used)]

mod common;

use alter_core::client::{Arg, Body, ClientKind, ClientOptions, MOST_PENDING, RequestArgs, RuleArgs};
use alter_core::error::{Error, Kind};
use alter_core::host::{Leg, Level, TransportError};
use alter_core::url::query::QueryValue;
use common::{APP_KEY, GRANT, Script, answer, get, token};
use serde_json::{Value, json};

const URL: &str = "https://api.example.com/v1/items";
const AUDIT: &str = "/sdk/oauth/audit/api-call";

fn ready() -> Script {
    let script = Script::default();
    script.vault(200, &[], &token()).provider(Ok(answer(200, &[], "{\"ok\":true}")));
    script
}

/// What `prepare` refuses, with nothing sent.
fn refused(args: RequestArgs) -> Error {
    let script = Script::default();
    let error = script.client(ClientKind::App).prepare(args).err().expect("the arguments were accepted");
    assert!(script.paths().is_empty());
    error
}

async fn send(script: &Script, args: RequestArgs) -> Result<alter_core::client::Response, Error> {
    script.client(ClientKind::App).prepare(args)?.send().await
}

fn text_arg(text: &str) -> Arg<String> {
    Arg::Value(text.to_owned())
}

#[tokio::test]
async fn a_call_injects_the_credential_and_reports_without_it() {
    let script = ready();
    let client = script.client(ClientKind::App);
    let args = RequestArgs {
        extra_headers: Arg::Value(vec![
            ("X-Note".into(), "n".into()),
            ("authorization".into(), "mine".into()),
            ("Cookie".into(), "c".into()),
        ]),
        json: text_arg(r#"{"a":"é","n":1.0}"#),
        reason: text_arg("\"why\""),
        ..get(URL)
    };
    let response = client.prepare(args).unwrap().send().await.unwrap();
    client.close().await;

    let provider = &script.requests(Leg::Provider)[0];
    assert_eq!(provider.headers().get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer SECRET"]);
    assert!(provider.headers()["authorization"].is_sensitive());
    let warnings: Vec<_> = script.events().into_iter().filter(|event| event.level == Level::Warning).map(|event| event.message).collect();
    assert_eq!(warnings, ["The header authorization of a call was replaced by the credential's own. Leave it out."]);
    assert_eq!(provider.body(), r#"{"a":"é","n":1.0}"#.as_bytes());
    assert!(provider.headers().keys().all(|name| !name.as_str().starts_with("x-alter") && name != "x-api-key"));

    let report = &script.bodies(AUDIT)[0];
    assert_eq!(report["request_headers"], json!({ "X-Note": "n", "User-Agent": format!("alter-sdk-rust/{}", env!("CARGO_PKG_VERSION")) }));
    assert_eq!(report["request_body"], json!({ "a": "é", "n": 1.0 }));
    assert_eq!(report["reason"], "why");
    let everything = format!("{response:?} {client:?} {report}");
    assert!(!everything.contains("SECRET") && !everything.contains(APP_KEY));
    assert_eq!(
        response.request.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["X-Note", "Cookie", "User-Agent", "Content-Type"]
    );
}

#[tokio::test]
async fn injected_query_parameters_join_the_query_and_are_not_shown() {
    let script = Script::default();
    let mut granted = token();
    granted["additional_credentials"] = json!({ "pin": "p n" });
    granted["additional_injections"] = json!([{ "target": "query_param", "key": "pin", "value_source": "additional_credentials.pin" }]);
    script.vault(200, &[], &granted).provider(Ok(answer(200, &[], "")));
    let response = send(&script, get(&format!("{URL}?a=1&pin=mine"))).await.unwrap();
    assert_eq!(script.requests(Leg::Provider)[0].uri().query(), Some("a=1&pin=p+n"));
    assert_eq!(response.request.url, format!("{URL}?a=1&pin=mine"));
}

/// Corrects one mistake.
type Mend = Box<dyn Fn(&mut RequestArgs)>;

#[test]
fn mistakes_are_told_in_the_contract_s_order() {
    // Each set of arguments has every later mistake as well.
    let mut args = RequestArgs {
        user_token: text_arg(""),
        app_user_id: Arg::Wrong("int".into()),
        label: text_arg(""),
        json: text_arg("{"),
        url: Arg::Wrong("NoneType".into()),
        path_params: Arg::Wrong("str".into()),
        caller: text_arg(""),
        context: Arg::Wrong("list".into()),
        extra_headers: Arg::Wrong("int".into()),
        method: text_arg("GET"),
        ..RequestArgs::default()
    };
    let steps: Vec<(&str, Mend)> = vec![
        ("user_token", Box::new(|args| args.user_token = Arg::Absent)),
        ("app_user_id", Box::new(|args| args.app_user_id = Arg::Absent)),
        ("label", Box::new(|args| args.label = Arg::Absent)),
        ("grant_id or provider", Box::new(|args| args.grant_id = Arg::Value(format!("\"{GRANT}\"")))),
        ("json", Box::new(|args| args.json = Arg::Absent)),
        ("url", Box::new(|args| args.url = text_arg("http://h.example/{x}"))),
        ("path_params", Box::new(|args| args.path_params = Arg::Absent)),
        ("path_params", Box::new(|args| args.path_params = Arg::Value(vec![("x".into(), "1".into())]))),
        ("http", Box::new(|args| args.url = text_arg("https://h.example/{x}"))),
        ("caller", Box::new(|args| args.caller = Arg::Absent)),
        ("context", Box::new(|args| args.context = Arg::Absent)),
        ("extra_headers", Box::new(|args| args.extra_headers = Arg::Absent)),
    ];
    for (field, mend) in steps {
        let error = refused(args.clone());
        assert!(error.message().contains(field), "expected {field}: {error}");
        mend(&mut args);
    }
    assert!(Script::default().client(ClientKind::App).prepare(args).is_ok());
}

#[test]
fn what_cannot_be_sent_is_refused_before_the_vault_is_asked() {
    let with = |edit: &dyn Fn(&mut RequestArgs)| {
        let mut args = get(URL);
        edit(&mut args);
        refused(args).message().to_owned()
    };
    let header = |name: &str, value: &str| Arg::Value(vec![(name.to_owned(), value.to_owned())]);
    assert!(with(&|a| a.method = text_arg("GE T")).contains("method"));
    assert!(with(&|a| a.method = Arg::Absent).contains("method"));
    assert!(with(&|a| a.extra_headers = header("X-A", "a\r\nb")).contains("X-A"));
    assert!(with(&|a| a.extra_headers = header("X-A", "é")).contains("ASCII"));
    assert!(with(&|a| a.extra_headers = header("X-A", " a")).contains("space"));
    assert!(with(&|a| a.headers = header("X A", "a")).contains("headers has a name"));
    assert!(with(&|a| a.extra_headers = header("Content-Length", "7")).contains("Content-Length"));
    assert!(with(&|a| a.extra_headers = header("Transfer-Encoding", "gzip")).contains("Transfer-Encoding"));
    assert!(with(&|a| a.caller = text_arg(" x ")).contains("space"));
    assert!(with(&|a| a.caller = text_arg(&"x".repeat(256))).contains("256"));
    assert!(with(&|a| a.url = text_arg("https://user:pw@h.example/")).contains("password"));
    assert!(with(&|a| a.body = Arg::Wrong("int".into())).contains("body"));
    assert!(with(&|a| a.query_params = Arg::Wrong("int".into())).contains("query_params"));
    let both = with(&|a| {
        a.extra_headers = header("X-A", "a");
        a.headers = header("X-A", "a");
    });
    assert!(both.contains("two names"));
    let secret_value = with(&|a| a.extra_headers = header("X-A", "hunter2\n"));
    assert!(!secret_value.contains("hunter2"), "a refused header value may be a secret");
}

#[test]
fn context_limits_hold() {
    let entry = |key: usize, value: usize| ("k".repeat(key), "v".repeat(value));
    let with = |context: Vec<(String, String)>| RequestArgs { context: Arg::Value(context), ..get(URL) };
    let accepted = |context| Script::default().client(ClientKind::App).prepare(with(context)).is_ok();
    let many = |count: usize| (0..count).map(|i| (i.to_string(), String::new())).collect::<Vec<_>>();
    assert!(accepted(many(20)) && accepted(vec![entry(64, 512)]) && accepted(vec![]));
    assert!(refused(with(many(21))).message().contains("21 keys"));
    assert!(refused(with(vec![entry(65, 1)])).message().contains("65"));
    assert!(refused(with(vec![entry(1, 513)])).message().contains("513"));
    let wide = (0..2).map(|i| (i.to_string(), "é".repeat(400))).collect();
    assert!(refused(with(wide)).message().contains("4096"));
}

#[tokio::test]
async fn bodies_go_out_as_given() {
    let form = Body::Form(vec![("amount".into(), QueryValue::Text("2000".into())), ("live".into(), QueryValue::Bool(true))]);
    for (body, want, content_type) in
        [(Body::Raw("raw é".into()), "raw é", None), (form, "amount=2000&live=true", Some("application/x-www-form-urlencoded"))]
    {
        let script = ready();
        send(&script, RequestArgs { body: Arg::Value(body), ..get(URL) }).await.unwrap();
        let request = &script.requests(Leg::Provider)[0];
        assert_eq!(request.body(), want);
        assert_eq!(request.headers().get("content-type").map(|v| v.to_str().unwrap()), content_type);
    }
}

#[tokio::test]
async fn a_body_too_large_for_the_audit_is_recorded_as_a_marker() {
    let script = ready();
    script.vault(200, &[], &token()).provider(Ok(answer(200, &[], vec![b'x'; 10_001])));
    let client = script.client(ClientKind::App);
    let large = format!("\"{}\"", "x".repeat(70_000));
    client.prepare(RequestArgs { json: Arg::Value(large), ..get(URL) }).unwrap().send().await.unwrap();
    client.prepare(RequestArgs { body: Arg::Value(Body::Raw(vec![0xff, 0].into())), ..get(URL) }).unwrap().send().await.unwrap();
    client.close().await;
    let reports = script.bodies(AUDIT);
    assert_eq!(reports[0]["request_body"], "<request too large: 70002 bytes>");
    assert_eq!(reports[1]["request_body"], "<binary body: 2 bytes>");
    assert_eq!(reports[1]["response_body"], "<response too large: 10001 bytes>");
}

#[tokio::test]
async fn redirects_are_answers() {
    let script = Script::default();
    script.vault(200, &[], &token()).provider(Ok(answer(302, &[("location", "https://elsewhere.example/")], "")));
    let response = send(&script, get(URL)).await.unwrap();
    assert_eq!((response.status, script.requests(Leg::Provider).len()), (302, 1));
}

#[tokio::test]
async fn an_unjudged_call_hands_on_a_refusal_of_the_provider_and_still_reports_it() {
    let script = Script::default();
    script.vault(200, &[], &token()).provider(Ok(answer(403, &[], "<Error/>")));
    script.vault(410, &[], &json!({ "error": "grant_deleted" }));
    let client = script.client(ClientKind::App);
    let response = client.prepare(get(URL)).unwrap().send_unjudged().await.unwrap();
    assert_eq!((response.status, response.text().as_str()), (403, "<Error/>"));
    let error = client.prepare(get(URL)).unwrap().send_unjudged().await.unwrap_err();
    assert_eq!(error.kind(), Kind::GrantDeleted, "what the vault refuses is an error all the same");
    client.close().await;
    assert_eq!(script.bodies(AUDIT)[0]["response_status"], 403);
}

#[tokio::test]
async fn transport_faults_become_errors_and_are_reported() {
    for (fault, kind, recorded) in [
        (TransportError::Timeout, Kind::Timeout, "<transport error: timeout after 0ms>"),
        (TransportError::Failed("connection refused".into()), Kind::Network, "<transport error: network>"),
    ] {
        let script = Script::default();
        script.vault(200, &[], &token()).provider(Err(fault.clone()));
        let client = script.client(ClientKind::App);
        let error = client.prepare(get(URL)).unwrap().send().await.unwrap_err();
        client.close().await;
        assert_eq!(error.kind(), kind);
        assert_eq!(error.details()["url"], URL);
        assert_eq!(script.bodies(AUDIT)[0]["response_body"], recorded);
        assert_eq!(script.bodies(AUDIT)[0]["response_status"], 0);

        let script = Script::default();
        script.vault_raw(Err(fault));
        let error = send(&script, get(URL)).await.unwrap_err();
        assert_eq!((error.kind(), &error.details()["base_url"]), (kind, &Value::from(common::BASE)));
        assert_eq!(script.paths(), ["/sdk/token"], "a failed token call is not reported");
    }
}

#[tokio::test]
async fn missing_scopes_are_reported() {
    let script = Script::default();
    let challenge = [("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"a b\"")];
    script.vault(200, &[], &token()).provider(Ok(answer(403, &challenge, "")));
    let client = script.client(ClientKind::App);
    let error = client.prepare(get(URL)).unwrap().send().await.unwrap_err();
    client.close().await;
    assert_eq!(error.attribute("missing_scopes"), Some(json!(["a", "b"])));
    let report = &script.bodies(&format!("/sdk/grants/{GRANT}/report-scope-mismatch"))[0];
    assert_eq!(report["missing_scopes"], json!(["a", "b"]));
    assert_eq!(report["sdk_correlation_id"].as_str().unwrap().len(), 22);
}

#[tokio::test]
async fn a_refused_report_is_a_warning_with_clean_text() {
    let script = ready();
    script.vault(403, &[], &json!({ "detail": { "message": format!("no\n{}", "x".repeat(400)) } }));
    let client = script.client(ClientKind::App);
    client.prepare(get("https://api.example.com/secret/path")).unwrap().send().await.unwrap();
    client.close().await;
    let warning = script.events().into_iter().rfind(|event| event.level == Level::Warning).unwrap().message;
    assert!(warning.contains("status 403, no xxx") && warning.contains('…'), "{warning}");
    assert!(warning.contains("https://api.example.com") && !warning.contains("secret/path"), "{warning}");
}

#[tokio::test]
async fn the_actor_id_is_kept_from_the_first_answer_and_not_with_an_override() {
    let (first, second) = ("11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555");
    let script = Script::default();
    for id in ["junk", first, second] {
        script.vault(200, &[("x-alter-actor-id", id)], &token()).provider(Ok(answer(500, &[], "")));
    }
    let client = script.client(ClientKind::App);
    script.hang_reports();
    let overridden = RequestArgs { caller: text_arg("one-shot"), ..get(URL) };
    for (args, want) in [(get(URL), None), (get(URL), Some(first)), (overridden, Some(first))] {
        client.prepare(args).unwrap().send().await.unwrap_err();
        assert_eq!(client.actor_id().as_deref(), want);
    }
    let last = script.requests(Leg::Backend).into_iter().rfind(|request| request.uri().path() == "/sdk/token").unwrap();
    assert_eq!(last.headers()["x-alter-caller"], "one-shot");
    assert!(!last.headers().contains_key("x-alter-actor-id"), "an override speaks for somebody else");
    assert!(script.events().iter().any(|event| event.message.contains("not a UUID")));
}

#[tokio::test]
async fn a_narrowed_client_signs_its_limits_and_is_closed_with_its_parent() {
    let script = ready();
    let client = script.client(ClientKind::App);
    let rule = RuleArgs { rule_type: text_arg("json_match"), rule_body: text_arg(r#"{"when":{"method":"POST"},"effect":"deny"}"#) };
    let narrowed = client.with_constraints(Arg::Value(vec!["tokens:retrieve".into()]), Arg::Value(rule.clone())).unwrap();
    narrowed.prepare(get(URL)).unwrap().send().await.unwrap();
    assert_eq!(script.requests(Leg::Backend)[0].headers()["x-alter-scope-constraints"], "tokens:retrieve");
    assert!(narrowed.with_constraints(Arg::Value(vec!["a".into()]), Arg::Absent).is_err(), "narrowing a narrowed client");

    let sibling = client.with_constraints(Arg::Value(vec!["a".into()]), Arg::Absent).unwrap();
    sibling.close().await;
    assert!(sibling.is_closed() && !narrowed.is_closed());
    client.close().await;
    client.close().await;
    assert!(narrowed.is_closed());
    assert_eq!(script.times_closed(), 1);
    assert_eq!(narrowed.prepare(get(URL)).err().unwrap().code(), "client_closed");
    assert!(client.with_constraints(Arg::Absent, Arg::Absent).unwrap_err().kind() == Kind::AlterSdk);

    for scopes in [vec![], vec!["".to_owned()], vec!["*".into()], vec!["a,b".into()], vec!["a b".into()], vec!["é".into()]] {
        let error = Script::default().client(ClientKind::App).with_constraints(Arg::Value(scopes), Arg::Absent).unwrap_err();
        assert_eq!(error.kind(), Kind::AlterValue);
    }
    for rule in [
        RuleArgs { rule_type: text_arg(""), ..rule.clone() },
        RuleArgs { rule_body: text_arg("[]"), ..rule.clone() },
        RuleArgs { rule_body: text_arg("{"), ..rule.clone() },
        RuleArgs { rule_body: Arg::Absent, ..rule.clone() },
        RuleArgs { rule_body: Arg::Value(format!("{{\"a\":\"{}\"}}", "x".repeat(4096))), ..rule },
    ] {
        let error = Script::default().client(ClientKind::App).with_constraints(Arg::Absent, Arg::Value(rule)).unwrap_err();
        assert_eq!(error.kind(), Kind::AlterValue);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_reports_and_a_vault_that_hangs_cannot_hold_it_for_ever() {
    let script = ready();
    script.hang_reports();
    let client = script.client(ClientKind::App);
    client.prepare(get(URL)).unwrap().send().await.unwrap();
    let started = tokio::time::Instant::now();
    client.close().await;
    assert_eq!(started.elapsed().as_secs(), 30);
    assert!(script.events().iter().any(|event| event.message.contains("no answer within 30 s")));
}

#[tokio::test(start_paused = true)]
async fn reports_beyond_the_bound_are_dropped_with_a_warning() {
    let script = Script::default();
    script.hang_reports();
    let client = script.client(ClientKind::App);
    for _ in 0..=MOST_PENDING {
        script.vault(200, &[], &token()).provider(Ok(answer(200, &[], "")));
        client.prepare(get(URL)).unwrap().send().await.unwrap();
    }
    assert_eq!(script.events().iter().filter(|event| event.message.contains("dropped")).count(), 1);
}

#[tokio::test]
async fn the_clients_notes_follow_the_answers() {
    let script = Script::default();
    let mut granted = token();
    granted["retry_info"] = json!({ "total_attempts": 2, "successful_attempt": 2 });
    let limits = [
        ("x-ratelimit-limit", "60"),
        ("x-ratelimit-remaining", "59"),
        ("x-ratelimit-reset", "1767225660"),
        ("x-alter-key-deprecated", "true"),
    ];
    script.vault(200, &limits, &granted).provider(Ok(answer(200, &[], "")));
    let client = script.client(ClientKind::App);
    let response = client.prepare(get(URL)).unwrap().send().await.unwrap();
    assert_eq!(response.retry_info, client.last_retry_info());
    assert_eq!(client.last_retry_info().unwrap().total_attempts, 2);
    assert_eq!(client.last_rate_limit().unwrap().remaining, 59);
    assert_eq!(script.events().iter().filter(|event| event.level == Level::Notice).count(), 1);
    client.prepare(RequestArgs::default()).err().unwrap();
    assert!(client.last_retry_info().is_some(), "a call that fails on its addressing changes nothing");
    client.prepare(get("x")).err().unwrap();
    assert!(client.last_retry_info().is_none());
}

#[tokio::test]
async fn impersonation_is_warned_about_once() {
    let script = ready();
    let client = script.client(ClientKind::Impersonation);
    client.prepare(get(URL)).unwrap();
    client.prepare(get(URL)).unwrap();
    let by_provider = RequestArgs { provider: text_arg("\"google\""), grant_id: Arg::Absent, ..get(URL) };
    script.client(ClientKind::Impersonation).prepare(by_provider).unwrap();
    assert_eq!(script.events().iter().filter(|event| event.level == Level::Notice).count(), 1);
}

#[test]
fn a_mistyped_key_is_found_before_any_network() {
    for key in ["", "nonsense", "alter_rk_abcdefghijklmnopqrstuv_iwpykm"] {
        let error = ClientOptions::new(ClientKind::App, key).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::AlterSdk, "invalid_api_key"));
        assert!(key.is_empty() || !error.message().contains(key));
    }
}

#[tokio::test]
async fn a_token_getter_that_gives_nothing_is_an_error_of_ours() {
    let client = Script::default().client(ClientKind::App);
    for given in [Arg::Absent, Arg::Value(String::new()), Arg::Wrong("int".into())] {
        let mut prepared = client.prepare(get(URL)).unwrap();
        assert!(prepared.wants_user_token());
        assert_eq!(prepared.set_user_token(given).unwrap_err().kind(), Kind::AlterSdk);
    }
    assert!(!client.prepare(RequestArgs { user_token: text_arg("jwt"), ..get(URL) }).unwrap().wants_user_token());
}
