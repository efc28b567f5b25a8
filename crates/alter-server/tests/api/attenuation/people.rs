//! What a person does about a session in their browser.

use serde_json::{Value, json};

use crate::connect::{Site, Started};
use crate::harness::Signed;
use crate::people::browser::{Browser, Page};

/// Lets a person connect an account with a session of the application's own. Gives the grant as the poll tells it.
pub async fn connected(site: &Site, mut wanted: Value, subject: &str) -> Value {
    wanted["allowed_providers"] = json!(["test"]);
    wanted["user_token"] = json!(site.user(subject));
    let started = site.start(wanted).await;
    agree_to_login(site, &started, subject).await.expect("a grant")
}

/// Agrees to everything that the session asks for, for as long as it can be. Gives the grant, if it came to one.
pub async fn agree_to_login(site: &Site, started: &Started, subject: &str) -> Option<Value> {
    let mut browser = Browser::new();
    let page = site.sign_in(&mut browser, started, subject).await;
    let departure = yes(&mut browser, started, &page, &[]).await;
    site.consent(&mut browser, &departure).await;
    outcome(site, started).await
}

/// Enters a key, or agrees to the use of the one that the person has.
pub async fn agree_to_key(site: &Site, started: &Started, subject: &str) -> Option<Value> {
    let mut browser = Browser::new();
    let page = site.sign_in(&mut browser, started, subject).await;
    let saved = yes(&mut browser, started, &page, &[("token", "typed")]).await;
    browser.follow(saved).await;
    outcome(site, started).await
}

async fn yes(browser: &mut Browser, started: &Started, page: &Page, more: &[(&str, &str)]) -> Page {
    let (action, mut fields) = page.form();
    fields.extend(page.choices("lifetime").pop().map(|longest| ("lifetime".to_owned(), longest)));
    fields.push(("delegable".to_owned(), "yes".to_owned()));
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    browser.post(&action, &started.url, &fields.chain(more.iter().copied()).collect::<Vec<_>>()).await
}

async fn outcome(site: &Site, started: &Started) -> Option<Value> {
    let polled = site.poll(started).await;
    polled["grants"].as_array().and_then(|grants| grants.first().cloned())
}

/// The ids of the active grants that the agent with this key holds.
pub async fn held(site: &Site, key: &str) -> Vec<String> {
    let body = json!({"status": "active"});
    let answer = Signed::post("/sdk/grants/list", key, &body).send(&site.people.vault).await.json();
    let grants = answer["grants"].as_array().unwrap_or_else(|| panic!("{answer}"));
    grants.iter().map(|grant| super::text(grant, "grant_id")).collect()
}
