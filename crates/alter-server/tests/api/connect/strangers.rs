//! Consent cannot be swapped: a session that is bound to a user is completed by that user's browser only.

use serde_json::{Value, json};

use super::{Site, Started};
use crate::people::browser::Browser;

fn denied() -> Value {
    json!({"status": "error", "error": {"error_code": "connect_denied", "error_message": "The person did not agree."}})
}

async fn for_ada(site: &Site) -> Started {
    site.start(json!({"allowed_providers": ["test"], "user_token": site.user("ada")})).await
}

#[tokio::test]
async fn the_user_signs_in_first_and_the_grant_is_theirs() {
    let site = Site::new().await;
    let started = for_ada(&site).await;
    let mut browser = Browser::new();
    let page = browser.get(&started.url).await;
    assert!(page.text.contains("Sign in to connect to demo") && !page.text.contains("Test Drive"), "{}", page.text);
    // Who is not signed in gets the same page for every step.
    let early = browser.post(&format!("{}/continue", started.url), &started.url, &[("lifetime", "3600")]).await;
    assert!(browser.follow(early).await.text.contains("Sign in to connect to demo"));
    let page = site.sign_in(&mut browser, &started, "ada").await;
    assert!(page.text.contains("You are signed in as ada") && page.text.contains("Connect Test Drive to demo"), "{}", page.text);
    site.connect(&mut browser, &started).await;
    let grant = site.grant(&started).await["grant_id"].clone();
    let list = async |user: &str| {
        let answer = site.people.call("/sdk/grants/list", json!({"user_token": site.user(user)})).await.json();
        answer["grants"].as_array().expect("grants").iter().map(|grant| grant["grant_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((list("ada").await, list("bob").await), (vec![grant], vec![]));
    // A second session of hers needs no second sign-in.
    let second = for_ada(&site).await;
    assert!(browser.get(&second.url).await.text.contains("Connect Test Drive to demo"));
}

#[tokio::test]
async fn somebody_else_gets_nowhere() {
    let site = Site::new().await;
    let started = for_ada(&site).await;
    let mut bob = Browser::new();
    let page = site.sign_in(&mut bob, &started, "bob").await;
    assert!(page.text.contains("This link is for somebody else") && page.text.contains("bob"), "{}", page.text);
    assert_eq!(site.poll(&started).await, json!({"status": "pending"}), "looking does no harm");
    let tried = bob.post(&format!("{}/continue", started.url), &started.url, &[("lifetime", "3600")]).await;
    assert!(bob.follow(tried).await.text.contains("Nothing was connected"));
    assert_eq!(site.poll(&started).await, denied());
    let row = site.rows().await.into_iter().find(|row| row["action"] == "connect.complete").expect("a row");
    assert_eq!((&row["outcome"], &row["code"]), (&json!("refused"), &json!("connect_denied")));
}

#[tokio::test]
async fn a_login_that_somebody_else_brings_back_is_attached_to_nobody() {
    for signed_out in [false, true] {
        let site = Site::new().await;
        // Bob has a session of his own, and departs for it.
        let bobs = site.start(json!({"allowed_providers": ["test"], "user_token": site.user("bob")})).await;
        let adas = for_ada(&site).await;
        let mut browser = Browser::new();
        site.sign_in(&mut browser, &adas, "ada").await;
        let departure = site.agree(&mut browser, &adas, &[("lifetime", "3600")]).await;
        let back = site.provider_answer(&mut browser, &departure).await;
        // Meanwhile the browser is somebody else's, or nobody's.
        if signed_out {
            site.people.vault.advance(3601);
        } else {
            let page = browser.get(&bobs.url).await;
            assert!(page.text.contains("This link is for somebody else"), "{}", page.text);
            site.sign_in(&mut browser, &bobs, "bob").await;
        }
        let arrived = browser.get(&back).await;
        if signed_out {
            // The trip's time is over long before the sign-in's.
            assert_eq!(arrived.status, 410);
        } else {
            // Signing in was a new trip, which took the cookie of the first.
            assert!(arrived.status == 400 || browser.follow(arrived).await.text.contains("Nothing was connected"));
        }
        let listed = site.people.call("/sdk/grants/list", json!({})).await.json();
        assert_eq!(listed["total"], 0, "{listed}");
    }
}

#[tokio::test]
async fn who_is_signed_out_on_the_way_back_is_nobody() {
    let site = Site::new().await;
    let started = for_ada(&site).await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, &started, "ada").await;
    let departure = site.agree(&mut browser, &started, &[("lifetime", "3600")]).await;
    let back = site.provider_answer(&mut browser, &departure).await;
    browser.forget("alter_person");
    let arrived = browser.get(&back).await;
    assert!(browser.follow(arrived).await.text.contains("Nothing was connected"));
    assert_eq!(site.poll(&started).await, denied());
    let row = site.rows().await.into_iter().find(|row| row["action"] == "connect.complete").expect("a row");
    assert_eq!((&row["code"], &row["outcome"]), (&json!("connect_denied"), &json!("refused")));
    assert_eq!(site.people.call("/sdk/grants/list", json!({})).await.json()["total"], 0);
}

#[tokio::test]
async fn another_browser_cannot_finish_a_trip() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["test"]})).await;
    let (mut hers, mut his) = (Browser::new(), Browser::new());
    let departure = site.agree(&mut hers, &started, &[("lifetime", "3600")]).await;
    let back = site.provider_answer(&mut hers, &departure).await;
    let refused = his.get(&back).await;
    assert!(refused.status == 400 && refused.text.contains("another browser"), "{refused:?}");
    // Hers still can, once.
    let arrived = hers.get(&back).await;
    assert!(hers.follow(arrived).await.text.contains("Connected to demo"));
    assert_eq!(hers.get(&back).await.status, 410);
    assert_eq!(site.people.call("/sdk/grants/list", json!({})).await.json()["total"], 1);
}
