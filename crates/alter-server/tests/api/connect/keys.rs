//! Keys that people enter themselves.

use http::Method;
use serde_json::{Value, json};

use super::{Site, Started};
use crate::harness::{Answer, Signed};
use crate::people::browser::Browser;

const CANARY: &str = "canary-typed-by-ada";

async fn ask(site: &Site, more: Value) -> Started {
    let mut wanted = json!({"provider": "mail", "user_token": site.user("ada")});
    wanted.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    site.start_key(wanted).await
}

async fn with_secret(kind: Value) -> Site {
    let site = Site::new().await;
    let mut secret = json!({"slug": "mail", "name": "Mail Service", "allowed_hosts": ["api.example.com"]});
    secret.as_object_mut().expect("an object").extend(kind.as_object().cloned().expect("an object"));
    site.people.vault.made("/apps/demo/secrets", secret).await;
    site
}

async fn token(site: &Site, grant: &Value) -> Answer {
    let body = json!({"grant_id": grant, "request": {"method": "GET", "url": "https://api.example.com/v1/me"}});
    Signed::token(&site.people.key, &body).send(&site.people.vault).await
}

/// The grants of ada, as the application lists them.
async fn grants(site: &Site) -> Vec<Value> {
    let answer = site.people.call("/sdk/grants/list", json!({"user_token": site.user("ada"), "status": "active"})).await.json();
    answer["grants"].as_array().expect("grants").clone()
}

#[tokio::test]
async fn a_person_enters_a_key_and_later_agrees_to_its_use() {
    let site = with_secret(json!({"kind": "bearer", "values": {"token": "the-developers-own"}})).await;
    let started = ask(&site, json!({"requested_ttl_seconds": 86_400})).await;
    let expected = json!({
        "path": "key_entry", "existing_grant_id": null, "secret_slug": "mail", "delegable_requested": false, "direct": false, "agent_id": null,
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&started.answer[name], value, "{name}");
    }
    let mut browser = Browser::new();
    let page = site.sign_in(&mut browser, &started, "ada").await;
    for words in ["Enter your key for Mail Service", "type=\"password\"", "<code>api.example.com</code>", "1 day"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let (action, _) = page.form();
    // What cannot be a key is said beside the field, and not repeated.
    let wrong = browser.post(&action, &started.url, &[("lifetime", "86400"), ("token", "a%0Ab-canary-wrong")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("aria-invalid=\"true\"") && wrong.text.contains("role=\"alert\""), "{wrong:?}");
    assert!(!wrong.text.contains("canary-wrong"), "{}", wrong.text);
    let missing = browser.post(&action, &started.url, &[("lifetime", "86400")]).await;
    assert!(missing.text.contains("Key is missing."), "{}", missing.text);
    assert!(grants(&site).await.is_empty());

    let saved = browser.post(&action, &started.url, &[("lifetime", "86400"), ("token", &format!("{CANARY}%0D%0A"))]).await;
    let result = browser.follow(saved).await;
    assert!(result.text.contains("Connected to demo") && !result.text.contains(CANARY), "{}", result.text);
    // Sent twice, it is one key.
    let again = browser.post(&action, &started.url, &[("lifetime", "86400"), ("token", CANARY)]).await;
    assert!(browser.follow(again).await.text.contains("Connected to demo"));
    let listed = grants(&site).await;
    assert_eq!((listed.len(), &listed[0]["credential_kind"]), (1, &json!("end_user")), "{listed:?}");
    assert_eq!(listed[0]["grant_expires_at"], "2026-01-02T00:00:00.000Z");
    let grant = listed[0]["grant_id"].clone();
    let released = token(&site, &grant).await;
    assert_eq!(released.json()["access_token"], CANARY, "{:?}", released.json());
    assert!(!Value::from(site.rows().await).to_string().contains("canary"));

    // She has one now: the next time she only agrees.
    let second = ask(&site, json!({})).await;
    assert_eq!((&second.answer["path"], &second.answer["existing_grant_id"]), (&json!("fast_path"), &grant));
    let page = browser.get(&second.url).await;
    assert!(page.text.contains("Let demo use your Mail Service") && !page.text.contains("type=\"password\""), "{}", page.text);
    let (action, _) = page.form();
    let agreed = browser.post(&action, &second.url, &[("lifetime", "3600")]).await;
    assert!(browser.follow(agreed).await.text.contains("Connected to demo"));
    assert_eq!(grants(&site).await[0]["grant_id"], grant);
}

#[tokio::test]
async fn a_key_that_does_not_work_any_more_is_replaced_under_its_grant() {
    let site = with_secret(json!({"kind": "basic", "values": {"username": "dev", "password": "own"}})).await;
    let first = ask(&site, json!({})).await;
    let mut browser = Browser::new();
    let page = site.sign_in(&mut browser, &first, "ada").await;
    let (action, _) = page.form();
    // What was typed and is no secret stays.
    let wrong = browser.post(&action, &first.url, &[("lifetime", "3600"), ("username", "ada%3Ax"), ("password", "p")]).await;
    assert!(wrong.text.contains("value=\"3600\" required checked"), "{}", wrong.text);
    assert!(wrong.text.contains("value=\"ada:x\"") && wrong.text.contains("User name contains a colon"), "{}", wrong.text);
    browser.post(&action, &first.url, &[("lifetime", "3600"), ("username", "ada"), ("password", "first")]).await;
    let grant = grants(&site).await[0]["grant_id"].clone();

    let repair = ask(&site, json!({"repair_grant_id": grant})).await;
    assert_eq!((&repair.answer["path"], &repair.answer["direct"]), (&json!("repair"), &json!(true)));
    let page = browser.get(&repair.url).await;
    assert!(page.text.contains("Replace your key for Mail Service") && !page.text.contains("For how long?"), "{}", page.text);
    let (action, _) = page.form();
    let saved = browser.post(&action, &repair.url, &[("username", "ada"), ("password", "second")]).await;
    assert!(browser.follow(saved).await.text.contains("Connected to demo"));
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode("ada:second");
    assert_eq!(token(&site, &grant).await.json()["access_token"], expected);
    let after = grants(&site).await;
    assert_eq!((after.len(), &after[0]["grant_expires_at"]), (1, &json!("2026-01-01T01:00:00.000Z")));

    for (more, status, code) in [
        (json!({"repair_grant_id": grant, "requested_grant": {"label": "x"}}), 422, "invalid_repair"),
        (json!({"repair_grant_id": grant, "user_token": site.user("bob")}), 404, "grant_not_found"),
        (json!({"repair_grant_id": uuid::Uuid::new_v4().to_string()}), 404, "grant_not_found"),
        (json!({"requested_ttl_seconds": 5, "grant_policy": {}}), 422, "invalid_grant_policy"),
        (json!({"provider": "unheard-of"}), 404, "secret_not_found"),
        (json!({"template_slug": "other"}), 422, "secret_template_mismatch"),
        (json!({"user_token": null}), 400, "invalid_request"),
    ] {
        let mut body = json!({"provider": "mail", "user_token": site.user("ada")});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        let answer = site.people.call("/sdk/managed-secrets/connect/session", body).await;
        assert_eq!(answer.refusal(), (status, code.into()), "{more}");
    }
}

#[tokio::test]
async fn where_nobody_can_sign_in_nobody_can_enter_a_key() {
    let site = with_secret(json!({"kind": "bearer", "values": {"token": "x"}})).await;
    site.people.vault.admin(Method::DELETE, "/apps/demo/idp", Value::Null).await;
    let body = json!({"provider": "mail", "user_token": site.user("ada")});
    let answer = site.people.call("/sdk/managed-secrets/connect/session", body).await;
    assert_eq!(answer.refusal(), (409, "idp_signin_not_configured".into()));
}

#[tokio::test]
async fn a_secret_that_is_gone_meanwhile_is_said() {
    let site = with_secret(json!({"kind": "bearer", "values": {"token": "x"}})).await;
    let started = ask(&site, json!({})).await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, &started, "ada").await;
    site.people.vault.admin(Method::DELETE, "/apps/demo/secrets/mail", Value::Null).await;
    assert_eq!(browser.get(&started.url).await.status, 410);
    let late = browser.post(&format!("{}/key", started.url), &started.url, &[("lifetime", "3600"), ("token", "k")]).await;
    assert_eq!(late.status, 410);
    assert!(grants(&site).await.is_empty());
}
