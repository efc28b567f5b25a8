//! The Wallet: a person sees what is used on their behalf, and takes it back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::connect::Site;
use crate::harness::Signed;
use crate::people::browser::{Browser, Page};

/// Signs a person in at the Wallet.
async fn enter(site: &Site, browser: &mut Browser, subject: &str) -> Page {
    let url = format!("{}/wallet/demo", site.people.vault.url);
    let page = browser.get(&url).await;
    let (action, _) = page.form();
    assert!(action.ends_with("/wallet/demo/sign-in"), "{page:?}");
    let redirect = browser.post(&action, &url, &[]).await;
    site.arrive_from_issuer(browser, &redirect, subject).await
}

async fn connected(site: &Site, subject: &str, agent: Option<&str>) -> (Browser, String) {
    let wanted = json!({"allowed_providers": ["test"], "user_token": site.user(subject), "agent": agent});
    let started = site.start(wanted).await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, &started, subject).await;
    site.connect(&mut browser, &started).await;
    let grant = site.grant(&started).await["grant_id"].as_str().expect("an id").to_owned();
    (browser, grant)
}

#[tokio::test]
async fn a_person_sees_what_is_used_and_why_and_takes_it_back() {
    let site = Site::new().await;
    site.people.vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    let (mut browser, grant) = connected(&site, "ada", Some("planner")).await;
    let url = format!("{}/api/me", site.provider.url());
    let call = json!({"grant_id": grant, "reason": "weekly <report>", "request": {"method": "GET", "url": format!("{url}?q=private")}});
    let call = Signed::token(&site.people.key, &call).with(alter_core::signing::headers::CALLER, "reporter");
    assert_eq!(call.with(alter_core::signing::headers::CALLER_TYPE, "agent").send(&site.people.vault).await.status, 200);

    let page = browser.get(&format!("{}/wallet/demo", site.people.vault.url)).await;
    let call = format!("GET {url}");
    for words in
        ["Test Drive", "ada@example.com", "8 January 2026, 00:00 UTC", "planner", "reporter", &call, "weekly &#60;report&#62;", "In use"]
    {
        assert!(page.text.contains(words), "{words} is missing: {}", page.text);
    }
    assert!(!page.text.contains("private"), "a query may hold anything");

    // The agent first, then all of it.
    let action = |page: &Page, label: &str| {
        let form = page.text.split("<form ").find(|form| form.contains(&format!("{label}</button>"))).expect("a form");
        let action = form.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an action");
        format!("{}{action}", site.people.vault.url)
    };
    let taken = browser.post(&action(&page, "Take it from planner"), &page.url, &[]).await;
    let page = browser.follow(taken).await;
    assert!(!page.text.contains("Agents that may use it") && page.text.contains("Test Drive"), "{}", page.text);
    let disconnect = action(&page, "Disconnect Test Drive");
    let taken = browser.post(&disconnect, &page.url, &[]).await;
    let page = browser.follow(taken).await;
    assert!(page.text.contains("has no access to any account of yours"), "{}", page.text);
    assert_eq!(site.token(&json!(grant)).await.refusal(), (400, "grant_revoked".into()));
    // The provider is told, by a task of its own.
    let limit = Instant::now() + Duration::from_secs(30);
    while !site.rows().await.iter().any(|row| row["action"] == "credential.revoke" && row["outcome"] == "done") {
        assert!(Instant::now() < limit, "the provider is not told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(site.provider.revoked().len(), 1);
    let row = site.rows().await.into_iter().rfind(|row| row["action"] == "grant.revoke").expect("a row");
    assert_eq!((&row["subject"], &row["grant_id"]), (&json!("user:ada"), &json!(grant)));
    // Pressed twice, it says so.
    let again = browser.post(&disconnect, &page.url, &[]).await;
    assert!(again.status == 404 && again.text.contains("taken back already"), "{again:?}");
}

#[tokio::test]
async fn nobody_sees_or_takes_what_is_anothers() {
    let site = Site::new().await;
    let (_, grant) = connected(&site, "ada", None).await;
    let mut bob = Browser::new();
    let page = enter(&site, &mut bob, "bob").await;
    assert!(page.text.contains("has no access to any account of yours") && !page.text.contains("ada@example.com"), "{}", page.text);
    let url = format!("{}/wallet/demo/disconnect/{grant}", site.people.vault.url);
    assert_eq!(bob.post(&url, &page.url, &[]).await.status, 404);
    // Nobody at all is asked to sign in.
    let mut nobody = Browser::new();
    let asked = nobody.post(&url, &page.url, &[]).await;
    assert!(nobody.follow(asked).await.text.contains("Sign in with"));
    // From another site's page it does nothing, whoever is signed in.
    let foreign = bob.post(&url, "https://evil.example/", &[]).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(site.token(&json!(grant)).await.status, 200);
    assert_eq!(bob.get(&format!("{}/wallet/unheard-of", site.people.vault.url)).await.status, 404);
}

#[tokio::test]
async fn signing_out_ends_it() {
    let site = Site::new().await;
    let mut browser = Browser::new();
    let page = enter(&site, &mut browser, "ada").await;
    assert!(page.text.contains("Signed in as <strong>ada</strong>"), "{}", page.text);
    let left = browser.post(&format!("{}/wallet/demo/sign-out", site.people.vault.url), &page.url, &[]).await;
    assert!(left.text.contains("You are signed out"), "{}", left.text);
    assert!(browser.get(&format!("{}/wallet/demo", site.people.vault.url)).await.text.contains("Sign in with"));
}
