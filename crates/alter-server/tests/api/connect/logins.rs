//! Logins at providers: consent, the grant, the call; again under the same id; and what a person says no to.

use serde_json::{Value, json};

use super::Site;
use crate::people::browser::Browser;

#[tokio::test]
async fn a_person_agrees_and_the_application_calls() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["Test "], "metadata": {"ip_address": "192.0.2.1", "user_agent": null}})).await;
    let told = json!({"expires_in": 600, "scope_constraint_warnings": [], "single_provider": true, "direct": false});
    for (name, value) in told.as_object().expect("an object") {
        assert_eq!(&started.answer[name], value, "{name}");
    }
    assert_eq!(site.poll(&started).await, json!({"status": "pending"}));

    let mut browser = Browser::new();
    let page = browser.get(&started.url).await;
    for words in ["Connect Test Drive to demo", "See your files", "7 days", "until 8 January 2026, 00:00 UTC", "<code>write</code>"] {
        assert!(page.text.contains(words), "{words} is missing: {}", page.text);
    }
    let departure = site.agree(&mut browser, &started, &[("lifetime", "604800")]).await;
    assert!(departure.location().expect("a redirect").contains("scope=read+write"), "{departure:?}");
    let result = site.consent(&mut browser, &departure).await;
    assert!(result.status == 200 && result.text.contains("Connected to demo") && result.text.contains("Test Drive"), "{}", result.text);

    let grant = site.grant(&started).await;
    let id = grant["grant_id"].clone();
    let policy = json!({"expires_at": "2026-01-08T00:00:00.000Z", "created_at": "2026-01-01T00:00:00.000Z", "created_by": null});
    let expected = json!({
        "grant_id": id, "provider_id": "test", "scopes": ["read", "write"], "operation": "creation", "account_identifier": "ada@example.com",
        "api_base_url": null, "grant_policy": policy, "delegation": null,
    });
    assert_eq!(grant, expected);
    assert_eq!(site.grant(&started).await, expected, "a lost answer is asked for again");
    assert!(site.works(&site.token(&id).await).await);
    let listed = site.people.call("/sdk/grants/list", json!({"provider_id": "test"})).await.json();
    assert_eq!((&listed["grants"][0]["grant_id"], &listed["grants"][0]["account_identifier"]), (&id, &json!("ada@example.com")));
    site.people.vault.advance(604_800);
    assert_eq!(site.token(&id).await.refusal(), (403, "grant_expired".into()));

    let rows = Value::from(site.rows().await).to_string();
    for secret in [started.token.as_str(), "state=", "code="] {
        assert!(!rows.contains(secret), "{secret} is in the audit");
    }
    for action in ["connect.start", "connect.poll", "connect.depart", "connect.return", "connect.complete"] {
        assert!(rows.contains(action), "{action}");
    }
    assert!(rows.contains("claimed_ip_address"));
}

#[tokio::test]
async fn a_second_consent_keeps_the_grants_id_and_moves_its_end() {
    let site = Site::new().await;
    let first = site.start(json!({"allowed_providers": ["test"]})).await;
    site.connect(&mut Browser::new(), &first).await;
    let id = site.grant(&first).await["grant_id"].clone();
    site.people.vault.advance(604_800 + 60);
    let second = site.start(json!({"allowed_providers": ["test"]})).await;
    site.connect(&mut Browser::new(), &second).await;
    let again = site.grant(&second).await;
    assert_eq!((&again["grant_id"], &again["operation"]), (&id, &json!("reauth")));
    assert_eq!(again["grant_policy"]["expires_at"], "2026-01-15T00:01:00.000Z");
    assert!(site.works(&site.token(&id).await).await);
    // Under a label it is another grant of the same login.
    let labelled = site.start(json!({"allowed_providers": ["test"], "requested_grant": {"label": "work"}})).await;
    site.connect(&mut Browser::new(), &labelled).await;
    let labelled = site.grant(&labelled).await;
    assert_eq!(labelled["operation"], "creation");
    let listed = site.people.call("/sdk/grants/list", json!({"provider_id": "test"})).await.json();
    let credentials: Vec<&Value> = listed["grants"].as_array().expect("grants").iter().map(|grant| &grant["credential_id"]).collect();
    assert!(credentials.len() == 2 && credentials[0] == credentials[1], "{listed}");
}

#[tokio::test]
async fn a_dead_login_is_repaired_under_its_grants_id() {
    let site = Site::new().await;
    let first = site.start(json!({"allowed_providers": ["test"]})).await;
    site.connect(&mut Browser::new(), &first).await;
    let id = site.grant(&first).await["grant_id"].clone();
    // The person takes the access back at the provider; the vault learns of it at the next refresh.
    site.provider.revoke_all();
    site.people.vault.advance(3600);
    assert_eq!(site.token(&id).await.refusal(), (400, "credential_revoked".into()));
    let repair = site.start(json!({"allowed_providers": ["test"], "repair_grant_id": id})).await;
    assert_eq!(repair.answer["direct"], true);
    let mut browser = Browser::new();
    // Straight to the provider.
    let departure = browser.get(&repair.url).await;
    let result = site.consent(&mut browser, &departure).await;
    assert!(result.text.contains("Connected to demo"), "{}", result.text);
    let repaired = site.grant(&repair).await;
    assert_eq!((&repaired["grant_id"], &repaired["operation"]), (&id, &json!("reauth")));
    assert_eq!(repaired["grant_policy"]["expires_at"], "2026-01-08T00:00:00.000Z", "a repair does not change how long it lasts");
    assert!(site.works(&site.token(&id).await).await);
}

#[tokio::test]
async fn only_what_is_in_force_is_repaired_and_only_with_its_own_account() {
    let site = Site::new().await;
    let first = site.start(json!({"allowed_providers": ["test"]})).await;
    site.connect(&mut Browser::new(), &first).await;
    let id = site.grant(&first).await["grant_id"].clone();
    let wanted = json!({"allowed_providers": ["test"], "repair_grant_id": id});
    // A provider that does not say whose account it is cannot repair one that is known.
    let repair = site.start(wanted.clone()).await;
    site.register_without_account("test").await;
    let mut browser = Browser::new();
    let departure = browser.get(&repair.url).await;
    let result = site.consent(&mut browser, &departure).await;
    assert!(result.text.contains("The provider has trouble"), "{}", result.text);
    assert_eq!(site.poll(&repair).await, json!({"status": "pending"}));
    // One whose time is over takes a new consent: nobody agreed to a later end.
    site.people.vault.advance(604_800);
    assert_eq!(site.people.call("/sdk/oauth/connect/session", wanted).await.refusal(), (404, "grant_not_found".into()));
}

#[tokio::test]
async fn another_account_repairs_nothing_and_the_person_may_pick_anew() {
    let site = Site::new().await;
    site.register_with_issuer("test").await;
    let first = site.start(json!({"allowed_providers": ["test"]})).await;
    site.connect(&mut Browser::new(), &first).await;
    let id = site.grant(&first).await["grant_id"].clone();
    let repair = site.start(json!({"allowed_providers": ["test"], "repair_grant_id": id})).await;
    let mut browser = Browser::new();
    site.provider.sign_in("bob@example.com");
    let departure = browser.get(&repair.url).await;
    assert!(!departure.location().expect("a redirect").contains("select_account"));
    let result = site.consent(&mut browser, &departure).await;
    assert!(result.text.contains("That was another account") && result.text.contains(&repair.token), "{}", result.text);
    assert_eq!(site.poll(&repair).await, json!({"status": "pending"}));
    // The provider is asked to let the person pick, or it would bring the same account once more.
    let again = browser.get(&repair.url).await;
    assert!(again.location().expect("a redirect").contains("prompt=select_account"), "{again:?}");
    site.provider.sign_in("ada@example.com");
    site.consent(&mut browser, &again).await;
    assert_eq!(site.grant(&repair).await["grant_id"], id);
}

#[tokio::test]
async fn a_consent_for_fewer_scopes_takes_none_from_the_login() {
    let site = Site::new().await;
    let first = site.start(json!({"allowed_providers": ["test"]})).await;
    site.connect(&mut Browser::new(), &first).await;
    let fewer = json!({"allowed_providers": ["test"], "required_scopes": {"test": ["read"]}, "requested_grant": {"label": "reading"}});
    let departure = site.agree(&mut Browser::new(), &site.start(fewer.clone()).await, &[("lifetime", "3600")]).await;
    assert!(departure.location().expect("a redirect").contains("scope=read+write&"), "{departure:?}");
    // What the operator does not allow any more is let go.
    site.allow_scopes("test", &["read"]).await;
    let departure = site.agree(&mut Browser::new(), &site.start(fewer).await, &[("lifetime", "3600")]).await;
    assert!(departure.location().expect("a redirect").contains("scope=read&"), "{departure:?}");
}

#[tokio::test]
async fn what_was_connected_is_told_however_the_session_ends() {
    let site = Site::new().await;
    site.register("other", "Other Drive").await;
    let started = site.start(json!({"allowed_providers": ["test", "other"]})).await;
    let mut browser = Browser::new();
    let action = format!("{}/continue", started.url);
    let departure = browser.post(&action, &started.url, &[("provider", "test"), ("lifetime", "3600")]).await;
    site.consent(&mut browser, &departure).await;
    site.provider.script(&[alter_testkit::oauth::Act::ErrorWithStatus200("invalid_client")]);
    let departure = browser.post(&action, &started.url, &[("provider", "other"), ("lifetime", "3600")]).await;
    let result = site.consent(&mut browser, &departure).await;
    assert!(result.text.contains("Connected to demo") && result.text.contains("Test Drive"), "{}", result.text);
    assert_eq!(site.grant(&started).await["provider_id"], "test");
    let failed = site.poll(&started).await["failed_grants"].clone();
    assert_eq!((&failed[0]["provider_id"], &failed[0]["reason"]), (&json!("other"), &json!("activation_failed")));
}

#[tokio::test]
async fn a_fixed_end_can_be_chosen_while_it_comes_nearer() {
    let site = Site::new().await;
    for (end, seconds) in [("2026-01-01T00:30:00Z", "1800"), ("2026-01-02T00:00:00Z", "86400")] {
        site.people.vault.clock.set(alter_server::clock::Timestamp::parse("2026-01-01T00:00:00Z").expect("a time"));
        let started = site.start(json!({"allowed_providers": ["test"], "grant_policy": {"expires_at": end}})).await;
        let mut browser = Browser::new();
        let page = browser.get(&started.url).await;
        assert!(page.text.contains(&format!("value=\"{seconds}\"")), "{}", page.text);
        site.people.vault.advance(5);
        let departure = site.agree(&mut browser, &started, &[("lifetime", seconds)]).await;
        site.consent(&mut browser, &departure).await;
        let ends = site.grant(&started).await["grant_policy"]["expires_at"].clone();
        assert_eq!(ends, json!(end.replace('Z', ".000Z")));
    }
}

#[tokio::test]
async fn two_windows_of_one_browser_can_be_on_their_way_at_once() {
    let site = Site::new().await;
    let mut browser = Browser::new();
    let mut ways = Vec::new();
    for label in ["one", "two"] {
        let started = site.start(json!({"allowed_providers": ["test"], "requested_grant": {"label": label}})).await;
        let departure = site.agree(&mut browser, &started, &[("lifetime", "3600")]).await;
        ways.push((site.provider_answer(&mut browser, &departure).await, started));
    }
    for (back, started) in &ways {
        let arrived = browser.get(back).await;
        assert!(browser.follow(arrived).await.text.contains("Connected to demo"));
        site.grant(started).await;
    }
}

#[tokio::test]
async fn a_person_says_no_here_or_there() {
    let site = Site::new().await;
    let denied = json!({"status": "error", "error": {"error_code": "connect_denied", "error_message": "The person did not agree."}});

    let here = site.start(json!({"allowed_providers": ["test"]})).await;
    let mut browser = Browser::new();
    let page = browser.get(&here.url).await;
    assert!(page.text.contains(&format!("formaction=\"/connect/{}/refuse\"", here.token)), "{}", page.text);
    let refused = browser.post(&format!("{}/refuse", here.url), &here.url, &[]).await;
    let result = browser.follow(refused).await;
    assert!(result.status == 200 && result.text.contains("Nothing was connected"), "{}", result.text);
    assert_eq!(site.poll(&here).await, denied);
    // Sent twice, it says the same.
    let again = browser.post(&format!("{}/refuse", here.url), &here.url, &[]).await;
    assert!(browser.follow(again).await.text.contains("Nothing was connected"));

    let there = site.start(json!({"allowed_providers": ["test"]})).await;
    let departure = site.agree(&mut browser, &there, &[("lifetime", "3600")]).await;
    let back = site.provider_answer(&mut browser, &departure).await;
    let (callback, query) = back.split_once('?').expect("a query");
    let state = query.split('&').find(|pair| pair.starts_with("state=")).expect("a state");
    let arrived = browser.get(&format!("{callback}?{state}&error=access_denied&error_description=%3Cb%3Eno")).await;
    let result = browser.follow(arrived).await;
    assert!(result.text.contains("Nothing was connected") && !result.text.contains("<b>no"), "{}", result.text);
    assert_eq!(site.poll(&there).await, denied);
    let completes: Vec<Value> = site.rows().await.into_iter().filter(|row| row["action"] == "connect.complete").collect();
    assert!(completes.len() == 2 && completes.iter().all(|row| row["code"] == "connect_denied"), "{completes:?}");
}

#[tokio::test]
async fn several_providers_are_decided_one_by_one() {
    let site = Site::new().await;
    site.register("other", "Other Drive").await;
    let started = site.start(json!({"allowed_providers": null})).await;
    assert_eq!(started.answer["single_provider"], false);
    let mut browser = Browser::new();
    let page = browser.get(&started.url).await;
    assert!(page.text.contains("Connect accounts to demo") && page.text.contains("Other Drive"), "{}", page.text);

    // No choice is an error beside the form, and nothing is lost.
    let (action, _) = page.form();
    let unchosen = browser.post(&action, &started.url, &[("lifetime", "3600")]).await;
    assert!(unchosen.status == 400 && unchosen.text.contains("Choose what to connect."), "{}", unchosen.text);

    let departure = browser.post(&action, &started.url, &[("provider", "other"), ("lifetime", "3600")]).await;
    let back = site.provider_answer(&mut browser, &departure).await;
    let state = back.split(['?', '&']).find(|pair| pair.starts_with("state=")).expect("a state").to_owned();
    let callback = back.split_once('?').expect("a query").0;
    let arrived = browser.get(&format!("{callback}?{state}&error=access_denied")).await;
    let page = browser.follow(arrived).await;
    assert!(page.text.contains("you said no before"), "{}", page.text);
    let polled = site.poll(&started).await;
    let declined = json!([{"provider_id": "other", "error_code": "connect_denied", "declined_at": "2026-01-01T00:00:00.000Z"}]);
    assert_eq!(polled, json!({"status": "pending", "declined_providers": declined}));

    let departure = browser.post(&action, &started.url, &[("provider", "test"), ("lifetime", "3600")]).await;
    let result = site.consent(&mut browser, &departure).await;
    assert!(result.text.contains("Connected to demo"), "{}", result.text);
    assert_eq!(site.grant(&started).await["provider_id"], "test");
}

#[tokio::test]
async fn one_of_several_is_enough_if_the_person_says_so() {
    let site = Site::new().await;
    site.register("other", "Other Drive").await;
    let started = site.start(json!({"allowed_providers": ["test", "other"]})).await;
    let mut browser = Browser::new();
    let action = format!("{}/continue", started.url);
    let departure = browser.post(&action, &started.url, &[("provider", "test"), ("lifetime", "3600")]).await;
    let page = site.consent(&mut browser, &departure).await;
    assert!(page.text.contains("Test Drive is connected") && page.text.contains("That is all"), "{}", page.text);
    assert_eq!(site.poll(&started).await, json!({"status": "pending"}));
    let ended = browser.post(&format!("{}/finish", started.url), &started.url, &[]).await;
    assert!(browser.follow(ended).await.text.contains("Connected to demo"));
    assert_eq!(site.grant(&started).await["provider_id"], "test");
}

#[tokio::test]
async fn a_provider_in_trouble_can_be_tried_again() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["test"]})).await;
    let mut browser = Browser::new();
    site.provider.script(&[alter_testkit::oauth::Act::Status(503)]);
    let trouble = site.connect(&mut browser, &started).await;
    assert!(trouble.text.contains("The provider has trouble") && trouble.text.contains("Try again"), "{}", trouble.text);
    assert_eq!(site.poll(&started).await, json!({"status": "pending"}));
    assert!(site.connect(&mut browser, &started).await.text.contains("Connected to demo"));
}

#[tokio::test]
async fn a_client_that_the_provider_refuses_ends_the_session_for_the_operator() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["test"]})).await;
    site.provider.script(&[alter_testkit::oauth::Act::ErrorWithStatus200("invalid_client")]);
    let result = site.connect(&mut Browser::new(), &started).await;
    assert!(result.text.contains("This did not work"), "{}", result.text);
    assert_eq!(site.poll(&started).await["error"]["error_code"], "connect_config_error");
}

#[tokio::test]
async fn the_policy_limits_the_choice_and_the_person_cannot_widen_it() {
    let site = Site::new().await;
    let started = site.start(json!({"allowed_providers": ["test"], "grant_policy": {"max_ttl_seconds": 7200}})).await;
    let mut browser = Browser::new();
    let page = browser.get(&started.url).await;
    assert!(page.text.contains("2 hours") && !page.text.contains("7 days"), "{}", page.text);
    let widened = site.agree(&mut browser, &started, &[("lifetime", "604800")]).await;
    assert!(widened.status == 400 && widened.text.contains("Choose for how long."), "{}", widened.text);
    let departure = site.agree(&mut browser, &started, &[("lifetime", "7200")]).await;
    site.consent(&mut browser, &departure).await;
    assert_eq!(site.grant(&started).await["grant_policy"]["expires_at"], "2026-01-01T02:00:00.000Z");

    // Where the choice is not the person's, the policy's usual span counts.
    let wanted = json!({"allowed_providers": ["test"], "grant_policy": {"default_ttl_seconds": 60}, "allow_user_policy_rules": false});
    let started = site.start(wanted).await;
    let page = browser.get(&started.url).await;
    assert!(!page.text.contains("For how long?"), "{}", page.text);
    let departure = site.agree(&mut browser, &started, &[]).await;
    site.consent(&mut browser, &departure).await;
    assert_eq!(site.grant(&started).await["grant_policy"]["expires_at"], "2026-01-01T00:01:00.000Z");
}

#[tokio::test]
async fn the_browser_goes_back_to_the_application_only_where_the_operator_allows_it() {
    let site = Site::new().await;
    let elsewhere = json!({"allowed_providers": ["test"], "return_url": "https://evil.example/"});
    let refused = site.people.call("/sdk/oauth/connect/session", elsewhere).await;
    assert_eq!(refused.refusal(), (400, "invalid_return_url".into()));
    let elsewhere = json!({"allowed_providers": ["test"], "allowed_origin": "https://evil.example"});
    assert_eq!(site.people.call("/sdk/oauth/connect/session", elsewhere).await.refusal(), (400, "invalid_origin".into()));

    let settings = json!({"return_urls": ["https://shop.example/back"], "allowed_origins": ["https://shop.example"]});
    let set = site.people.vault.admin(http::Method::PATCH, "/apps/demo", settings).await;
    assert_eq!(set.status, 200, "{:?}", set.json());
    let started = site.start(json!({"allowed_providers": ["test"], "return_url": "https://shop.example/back?x=1"})).await;
    let left = site.connect(&mut Browser::new(), &started).await;
    assert_eq!(left.location().as_deref(), Some("https://shop.example/back?x=1&alter_status=completed"));

    let started = site.start(json!({"allowed_providers": ["test"], "allowed_origin": "https://shop.example"})).await;
    let told = site.connect(&mut Browser::new(), &started).await;
    assert!(told.text.contains("data-origin=\"https://shop.example\""), "{}", told.text);
    let policy = told.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let script = told.text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script").to_owned();
    let script = Browser::new().get(&format!("{}{script}", site.people.vault.url)).await;
    assert!(script.status == 200 && script.text.contains("postMessage"), "{script:?}");
    assert_eq!(script.headers["cache-control"], "public, max-age=31536000, immutable");
}
