//! `POST /sdk/token`: which grant, its state, the destination, and what is on record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::{Value, json};

use crate::harness::{CREDENTIAL, Signed, TestVault, token_body};

fn to(grant: &str, url: &str) -> Value {
    json!({"grant_id": grant, "reason": "because", "request": {"method": "GET", "url": url}})
}

fn by_provider(slug: &str) -> Value {
    json!({"provider_id": slug, "reason": null, "request": {"method": "GET", "url": "https://api.example.com/"}})
}

#[tokio::test]
async fn the_row_is_there_and_holds_no_credential() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let answer = Signed::token(&f.key, &to(&f.grant, "https://api.example.com/v1/me?key=secret-query")).send(&vault).await;
    assert_eq!(answer.status, 200);
    let row = vault.last_row().await;
    assert_eq!((&row["action"], &row["outcome"]), (&json!("token.retrieve"), &json!("released")));
    assert_eq!((&row["grant_id"], &row["provider_id"]), (&json!(f.grant), &json!("mail")));
    assert_eq!((&row["method"], &row["url"]), (&json!("GET"), &json!("https://api.example.com/v1/me")));
    assert_eq!((&row["reason"], &row["request_id"]), (&json!("because"), &json!(answer.header("x-request-id"))));
    let grant = vault.read(&format!("/apps/demo/grants/{}", f.grant)).await;
    assert!(grant["last_used_at"].is_string(), "{grant}");
    let all = vault.read("/audit?limit=1000").await.to_string();
    assert!(!all.contains(CREDENTIAL) && !all.contains(&f.key) && !all.contains("secret-query"));
    let folder = vault.stop().await;
    for file in std::fs::read_dir(folder.path().join("data")).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        for secret in [CREDENTIAL.as_bytes(), f.key.as_bytes()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret is on the disk in clear text");
        }
    }
}

#[tokio::test]
async fn unknown_foreign_and_malformed_grants_look_alike() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    vault.made("/apps", json!({"name": "other"})).await;
    let stranger = vault.made("/apps/other/keys", json!({})).await["api_key"].as_str().expect("a key").to_owned();
    let mut seen = Vec::new();
    let cases = [
        (&f.key, json!("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f"), "demo", "there is no such grant"),
        (&stranger, json!(f.grant), "other", "the grant belongs to another application"),
        (&f.key, json!("abc"), "demo", "grant_id is not a lower-case UUID"),
        (&f.key, json!(f.grant.to_uppercase()), "demo", "grant_id is not a lower-case UUID"),
        (&f.key, json!(5), "demo", "grant_id is not a lower-case UUID"),
        (&f.key, json!(null), "demo", "grant_id is not a lower-case UUID"),
    ];
    for (key, grant, app, reason) in cases {
        let mut body = token_body("");
        body["grant_id"] = grant;
        let answer = Signed::token(key, &body).send(&vault).await;
        assert_eq!(answer.refusal(), (404, "grant_not_found".into()));
        seen.push(answer.bytes);
        let row = vault.read(&format!("/audit?app={app}&limit=1")).await["items"][0].clone();
        assert_eq!((&row["code"], &row["detail"]), (&json!("grant_not_found"), &json!(reason)));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "the answers differ");
}

#[tokio::test]
async fn a_grant_that_ended_says_how() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let short = vault.grant(json!({"secret": "mail", "expires_in": 100})).await;
    let before = Signed::token(&f.key, &token_body(&short)).send(&vault).await;
    assert_eq!(before.status, 200);
    assert!(before.json()["expires_at"].is_string());
    vault.advance(100);
    assert_eq!(Signed::token(&f.key, &token_body(&short)).send(&vault).await.refusal(), (403, "grant_expired".into()));

    vault.made(&format!("/apps/demo/grants/{}/revoke", f.grant), json!({})).await;
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.refusal(), (400, "grant_revoked".into()));

    let last = vault.grant(json!({"secret": "mail"})).await;
    assert!(vault.admin(Method::DELETE, "/apps/demo/secrets/mail", Value::Null).await.status.is_success());
    assert_eq!(Signed::token(&f.key, &token_body(&last)).send(&vault).await.refusal(), (410, "grant_deleted".into()));
}

#[tokio::test]
async fn the_destination_must_be_one_of_the_secret() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    for url in [
        "https://evil.example/",
        "https://api.example.com:8443/",
        "http://api.example.com/",
        "https://user:pw@api.example.com/",
        "https://api.example.com@evil.example/",
        "https://api.example.com.evil.example/",
        "ftp://api.example.com/",
        "not a url",
        "",
    ] {
        let answer = Signed::token(&f.key, &to(&f.grant, url)).send(&vault).await;
        assert_eq!(answer.refusal(), (422, "blocked_destination".into()), "{url}");
        assert!(!String::from_utf8_lossy(&answer.bytes).contains("user:pw"));
    }
    assert_eq!(vault.last_row().await["code"], "blocked_destination");
    assert_eq!(Signed::token(&f.key, &to(&f.grant, "https://API.example.com:443/x")).send(&vault).await.status, 200);
}

#[tokio::test]
async fn a_provider_needs_exactly_one_grant() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let call = async |body: Value| Signed::token(&f.key, &body).send(&vault).await;
    let only = call(by_provider("mail")).await;
    assert_eq!((&only.json()["grant_id"], &only.json()["provider_id"]), (&json!(f.grant), &json!("mail")));
    assert_eq!(call(by_provider("nothing")).await.refusal(), (404, "grant_not_found".into()));

    let second = vault.grant(json!({"secret": "mail", "label": "work"})).await;
    let several = call(by_provider("mail")).await;
    assert_eq!(several.refusal(), (409, "ambiguous_grant".into()));
    assert_eq!(several.json()["grant_ids"], json!([f.grant, second]));
    assert_eq!(several.json()["candidates"][1]["label"], "work");
    assert_eq!(several.json()["candidates_truncated"], false);

    let labelled = |label: &str| {
        let mut body = by_provider("mail");
        body["label"] = label.into();
        body
    };
    assert_eq!(call(labelled("work")).await.json()["grant_id"], json!(second));
    assert_eq!(call(labelled("home")).await.refusal(), (404, "grant_not_found".into()));
    let again = vault.admin(Method::POST, "/apps/demo/grants", json!({"secret": "mail", "label": "work"})).await;
    assert_eq!(again.refusal(), (409, "sibling_label_conflict".into()), "a label tells grants apart");

    for name in ["account", "app_user_id"] {
        let mut body = by_provider("mail");
        body[name] = "x".into();
        assert_eq!(call(body).await.refusal(), (404, "grant_not_found".into()), "{name}");
    }
}

#[tokio::test]
async fn ended_grants_do_not_make_a_provider_ambiguous() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    vault.grant(json!({"secret": "mail", "expires_in": 10})).await;
    let revoked = vault.grant(json!({"secret": "mail"})).await;
    vault.made(&format!("/apps/demo/grants/{revoked}/revoke"), json!({})).await;
    vault.advance(10);
    assert_eq!(Signed::token(&f.key, &by_provider("mail")).send(&vault).await.json()["grant_id"], json!(f.grant));
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let with = |name: &str, value: Value| {
        let mut body = token_body(&f.grant);
        body[name] = value;
        body
    };
    let user = Signed::token(&f.key, &with("user_token", json!("eyJ"))).send(&vault).await;
    assert_eq!(user.refusal(), (400, "idp_signin_not_configured".into()));
    let bad = [
        with("provider_id", json!("mail")),
        with("label", json!("x")),
        with("only_on_weekdays", json!(true)),
        with("reason", json!(5)),
        with("request", json!({"method": "GET"})),
        with("request", json!(null)),
        json!({"request": {"method": "GET", "url": "https://api.example.com/"}}),
        json!([]),
    ];
    for body in bad {
        assert_eq!(Signed::token(&f.key, &body).send(&vault).await.refusal(), (400, "invalid_request".into()), "{body}");
    }
    let broken = Signed::token(&f.key, &json!({})).body(b"{\"grant_id\":").send(&vault).await;
    assert_eq!(broken.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_new_value_is_what_the_next_call_gets() {
    let vault = TestVault::start().await;
    let f = vault.furnished().await;
    let change = json!({"values": {"token": "second"}});
    assert!(vault.admin(Method::PATCH, "/apps/demo/secrets/mail", change).await.status.is_success());
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.json()["access_token"], "second");
    let hosts = json!({"allowed_hosts": ["elsewhere.example"]});
    assert!(vault.admin(Method::PATCH, "/apps/demo/secrets/mail", hosts).await.status.is_success());
    assert_eq!(Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await.status, 422);
}

#[tokio::test]
async fn a_secret_that_changes_all_the_time_is_released_whole_or_not_at_all() {
    let vault = Arc::new(TestVault::start().await);
    let f = vault.furnished().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (changing, stopped) = (Arc::clone(&vault), Arc::clone(&stop));
    let changer = tokio::spawn(async move {
        let mut count = 0;
        while !stopped.load(Ordering::SeqCst) {
            count += 1;
            let change = json!({"values": {"token": format!("value-{count}")}});
            assert!(changing.admin(Method::PATCH, "/apps/demo/secrets/mail", change).await.status.is_success());
        }
        count
    });
    let mut released = 0;
    for _ in 0..100 {
        let answer = Signed::token(&f.key, &token_body(&f.grant)).send(&vault).await;
        match answer.status.as_u16() {
            200 => {
                let token = answer.json()["access_token"].as_str().unwrap_or_default().to_owned();
                assert!(token == CREDENTIAL || token.starts_with("value-"), "{token}");
                released += 1;
            }
            status => assert_eq!((status, answer.refusal().1.as_str()), (409, "secret_changed")),
        }
    }
    stop.store(true, Ordering::SeqCst);
    let changes: u32 = changer.await.expect("no panic");
    assert!(changes > 0 && released > 0, "{changes} changes, {released} released");
    // Each judgement that was overtaken is on record, and none of them released anything.
    let rows = vault.read("/audit?app=demo&limit=1000").await["items"].as_array().cloned().expect("rows");
    let count = |outcome: &str| rows.iter().filter(|row| row["action"] == "token.retrieve" && row["outcome"] == outcome).count();
    assert_eq!(count("released"), released);
}
