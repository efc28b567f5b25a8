//! What arrives at the provider, what the client is told, and what is on record.

use std::time::{Duration, Instant};

use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::clock::Clock;
use alter_server::model::{AgentId, AppId, GrantId};
use alter_server::store::{Commit, Effect};
use alter_testkit::http::Response;
use alter_testkit::provider::{Account, Credential, Trouble};
use serde_json::{Value, json};

use super::{Site, body_of};
use crate::harness::{CREDENTIAL, Signed};

#[tokio::test]
async fn the_provider_gets_the_call_and_the_client_never_the_credential() {
    let site = Site::new().await;
    let more = json!({
        "method": "post", "headers": {"X-Trace": "abc", "Accept": "a/b"}, "query_params": {"b": [2, null]}, "reason": "invoices",
        "body": {"n": 1},
    });
    let answer = site.call("/mail/v1/send?a=1", more).await;
    let told = answer.json();
    assert_eq!((answer.status.as_u16(), &told["status_code"], &told["body_truncated"]), (200, &json!(200), &json!(false)), "{told}");
    assert_eq!((&told["headers"]["content-type"], &told["credential_hint"]), (&json!("application/json"), &Value::Null));
    assert_eq!(body_of(&told), br#"{"ok":true,"method":"POST","resource":"v1/send"}"#);

    let seen = site.provider.seen("/mail/");
    let [only] = seen.as_slice() else { panic!("{} calls", seen.len()) };
    assert!(only.authorized);
    assert_eq!(only.request.target, "/mail/v1/send?a=1&b=2&b=");
    assert_eq!(only.request.body, br#"{"n":1}"#);
    let header = |name| only.request.headers.get(name);
    assert_eq!((header("x-trace"), header("content-type"), header("accept")), (Some("abc"), Some("application/json"), Some("a/b")));
    assert!(only.request.headers.0.iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("x-alter")));

    let rows = site.rows(2).await;
    let [began, ended] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&began["action"], &began["outcome"], &began["reason"]), (&json!("proxy.call"), &json!("released"), &json!("invoices")));
    assert_eq!((&ended["action"], &ended["outcome"], &ended["grant_id"]), (&json!("proxy.answer"), &json!("done"), &json!(site.grant)));
    assert_eq!((&began["request_id"], &ended["request_id"]), (&json!(answer.header("x-request-id")), &began["request_id"]));
    assert!(ended["report"].to_string().contains("status_code"), "{ended}");
    let rows = site.vault.read("/audit?limit=1000").await.to_string();
    assert!(![rows, told.to_string()].iter().any(|text| text.contains(CREDENTIAL)));
    assert!(site.vault.read(&format!("/apps/demo/grants/{}", site.grant)).await["last_used_at"].is_string());
}

#[tokio::test]
async fn every_kind_of_credential_is_put_in_by_the_vault() {
    let site = Site::new().await;
    let header = |name: &str, value: &str| Credential::Header { name: name.into(), value: value.into() };
    let kinds = [
        ("header", json!({"kind": "header", "injection": {"header": "X-Key"}, "values": {"token": "v"}}), header("x-key", "v")),
        ("basic", json!({"kind": "basic", "values": {"username": "u", "password": "p"}}), header("authorization", "Basic dTpw")),
        (
            "query",
            json!({"kind": "query", "injection": {"query": "k"}, "values": {"token": "v"}}),
            Credential::Query { name: "k".into(), value: "v".into() },
        ),
        (
            "aws",
            json!({
                "kind": "aws", "injection": {"region": "eu-west-1", "service": "sqs"},
                "values": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
            }),
            Credential::SigV4 { access_key_id: "AKIDEXAMPLE".into(), region: "eu-west-1".into(), service: "sqs".into() },
        ),
    ];
    for (slug, mut wanted, credential) in kinds {
        site.provider.open(&format!("/{slug}/"), Account { credentials: vec![credential], answer: None });
        wanted["slug"] = json!(slug);
        let grant = site.secret(wanted).await;
        let answer = site.call(&format!("/{slug}/x"), json!({"grant_id": grant})).await.json();
        assert_eq!(answer["status_code"], 200, "{slug}: {answer}");
    }
}

#[tokio::test]
async fn what_the_provider_says_is_an_answer_whatever_it_is() {
    let site = Site::new().await;
    let says = |status: u16, location: Option<&str>| {
        let answer = Response::json(status, &json!({"status": status}));
        let answer = location.iter().fold(answer, |answer, location| answer.with_header("Location", location));
        site.provider.open("/says/", Account { credentials: Vec::new(), answer: Some(answer) });
    };
    // A redirect is not followed: nobody approved the second call.
    says(302, Some("http://169.254.169.254/latest/meta-data/"));
    let answer = site.call("/says/x", json!({})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status_code"]), (200, &json!(302)));
    assert_eq!(answer.json()["headers"]["location"], "http://169.254.169.254/latest/meta-data/");
    assert_eq!(site.provider.seen("/says/").len(), 1);
    for (status, hinted) in [(401, true), (403, true), (429, false), (500, false)] {
        says(status, None);
        let answer = site.call("/says/x", json!({})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status_code"]), (200, &json!(status)));
        assert_eq!(answer.json()["credential_hint"].is_string(), hinted, "{status}");
    }
}

#[tokio::test]
async fn a_provider_that_gives_no_answer_is_told_apart_from_one_that_cannot_be_reached() {
    let site = Site::new().await;
    site.provider.trouble("/mail/", Trouble::HangsUp);
    let answer = site.call("/mail/x", json!({})).await;
    assert_eq!(answer.refusal(), (502, "provider_error".into()));
    assert!(answer.json()["message"].as_str().expect("text").contains("may have acted"), "{:?}", answer.json());
    let [ended] = &site.rows(1).await[..] else { panic!("no row") };
    assert_eq!(
        (&ended["action"], &ended["outcome"], &ended["code"]),
        (&json!("proxy.answer"), &json!("refused"), &json!("provider_error"))
    );
}

#[tokio::test]
async fn an_agent_uses_what_was_delegated_to_it() {
    let site = Site::new().await;
    let agent = site.vault.made("/apps/demo/agents", json!({"name": "planner"})).await["agent_id"].as_str().expect("an id").to_owned();
    let key = site.vault.key(json!({"agent": "planner"})).await;
    let body = site.asking("/mail/x", json!({}));
    assert_eq!(Signed::post("/sdk/proxy", &key, &body).send(&site.vault).await.refusal(), (404, "grant_not_found".into()));
    delegate(&site, AgentId::parse(&agent).expect("an id")).await;
    // The credential stays here, and the call is made all the same.
    let token = json!({"grant_id": site.grant, "reason": null, "request": {"method": "GET", "url": body["url"]}});
    assert_eq!(Signed::token(&key, &token).send(&site.vault).await.refusal(), (400, "delegated_grant_requires_proxy".into()));
    let answer = Signed::post("/sdk/proxy", &key, &body).send(&site.vault).await;
    assert_eq!(answer.json()["status_code"], 200, "{:?}", answer.json());
}

#[tokio::test]
async fn long_bodies_pass_and_long_answers_are_cut() {
    let site = Site::new().await;
    let long = Response { body: vec![b'x'; 6 * 1024 * 1024], ..Response::json(200, &json!({})) };
    site.provider.open("/long/", Account { credentials: Vec::new(), answer: Some(long) });
    let answer = site.call("/long/x", json!({})).await.json();
    assert_eq!((&answer["body_truncated"], body_of(&answer).len()), (&json!(true), 5 * 1024 * 1024));
    let text = "y".repeat(2 * 1024 * 1024);
    assert_eq!(site.call("/mail/x", json!({"method": "PUT", "body": text})).await.json()["status_code"], 200);
    assert_eq!(site.provider.seen("/mail/")[0].request.body.len(), text.len() + 2);
    let more = "y".repeat(10 * 1024 * 1024);
    assert_eq!(site.call("/mail/x", json!({"method": "PUT", "body": more})).await.refusal(), (413, "body_too_large".into()));
}

/// Passes the grant on to an agent, as a consent does.
async fn delegate(site: &Site, agent: AgentId) {
    let app = site.vault.read("/apps").await["items"][0]["id"].as_str().and_then(AppId::parse).expect("an id");
    let root = site.vault.store.grant(app, GrantId::parse(&site.grant).expect("an id")).await.expect("a store").found().expect("a grant");
    let child = root.delegated_to(agent, site.vault.clock.now());
    let row = AuditEntry::new(ChainId::App(app), "grant.delegate", Outcome::Done);
    let commit = Commit::new(row).effect(Effect::CreateGrant(Box::new(child)));
    site.vault.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("committed");
}

#[tokio::test]
async fn a_credential_that_the_provider_repeats_is_taken_out_of_its_answer() {
    let site = Site::new().await;
    let told = format!("you sent Bearer {CREDENTIAL} and \u{1}{CREDENTIAL}");
    let echo =
        Response { body: told.clone().into_bytes(), ..Response::json(200, &json!({})) }.with_header("X-Sent", &told.replace('\u{1}', ""));
    let bearer = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
    site.provider.open("/echo/", Account { credentials: vec![bearer], answer: Some(echo) });
    let answer = site.call("/echo/headers", json!({"idempotency_key": "once"})).await.json();
    assert_eq!(answer["status_code"], 200, "{answer}");
    assert_eq!(body_of(&answer), told.replace(CREDENTIAL, "[credential removed]").into_bytes());
    assert_eq!(answer["headers"]["x-sent"], "you sent Bearer [credential removed] and [credential removed]");
    assert!(answer["credential_hint"].as_str().expect("a hint").contains("taken out"), "{answer}");
    assert_eq!(site.rows(1).await[0]["report"]["credential_removed"], true);
    // Nor is it kept for the same key.
    assert_eq!(site.call("/echo/headers", json!({"idempotency_key": "once"})).await.json(), answer);
    let quiet = site.call("/mail/x", json!({})).await.json();
    assert!(quiet["credential_hint"].is_null(), "{quiet}");
    assert!(site.rows(1).await[0]["report"].get("credential_removed").is_none());
}
