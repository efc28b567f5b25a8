//! Access for an agent: delegated by the person who consents, never further than they agreed.

use alter_testkit::oauth::Act;
use serde_json::{Value, json};

use super::{Site, Started};
use crate::harness::Signed;
use crate::people::browser::Browser;

/// What a person chooses.
const WEEK: &[(&str, &str)] = &[("lifetime", "604800")];

struct Planner {
    site: Site,
    agent: String,
    key: String,
}

impl Planner {
    async fn new() -> Self {
        let site = Site::new().await;
        let vault = &site.people.vault;
        let agent = vault.made("/apps/demo/agents", json!({"name": "planner"})).await["agent_id"].as_str().expect("an id").to_owned();
        let key = vault.key(json!({"agent": "planner"})).await;
        Self { site, agent, key }
    }

    async fn start(&self, more: Value) -> Started {
        let mut wanted = json!({"allowed_providers": ["test"], "agent": "planner", "user_token": self.site.user("ada")});
        wanted.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        self.site.start(wanted).await
    }

    async fn agree(&self, browser: &mut Browser, started: &Started, fields: &[(&str, &str)]) -> Value {
        let departure = self.site.agree(browser, started, fields).await;
        self.site.consent(browser, &departure).await;
        self.site.grant(started).await
    }

    /// What the agent holds.
    async fn held(&self) -> Vec<Value> {
        let answer = Signed::post("/sdk/grants/list", &self.key, &json!({"status": "active"})).send(&self.site.people.vault).await.json();
        answer["grants"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }
}

#[tokio::test]
async fn a_person_delegates_to_an_agent_and_decides_whether_it_may_pass_it_on() {
    let planner = Planner::new().await;
    let mut browser = Browser::new();
    let started = planner.start(json!({"delegable": true, "scope_constraint": [" read "]})).await;
    let page = planner.site.sign_in(&mut browser, &started, "ada").await;
    assert!(page.text.contains("<strong>planner</strong>") && page.text.contains("name=\"delegable\""), "{}", page.text);
    let grant = planner.agree(&mut browser, &started, &[("lifetime", "604800")]).await;
    assert_eq!(grant["delegation"], json!({"agent_id": planner.agent, "delegable": false, "policy_refused": false}));
    let held = planner.held().await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0]["parent_grant_id"], grant["grant_id"]);
    assert_eq!((&held[0]["scope_constraint"], &held[0]["scopes"]), (&json!(["read"]), &json!(["read"])));
    assert_eq!(held[0]["grant_expires_at"], "2026-01-08T00:00:00.000Z");

    // Agreed again, as before: what the agent holds stays.
    let again = planner.start(json!({"delegable": true, "scope_constraint": ["read"]})).await;
    assert_eq!(planner.agree(&mut browser, &again, &[("lifetime", "604800")]).await["grant_id"], grant["grant_id"]);
    assert_eq!(planner.held().await[0]["grant_id"], held[0]["grant_id"]);

    // With more: it is replaced.
    let more = planner.start(json!({"delegable": true})).await;
    let more = planner.agree(&mut browser, &more, &[("lifetime", "604800"), ("delegable", "yes")]).await;
    assert_eq!(more["delegation"]["delegable"], true);
    let now = planner.held().await;
    assert_eq!((now.len(), &now[0]["scope_constraint"], &now[0]["delegable"]), (1, &Value::Null, &json!(true)));

    // Not asked about: it stays as it was agreed.
    let quiet = planner.start(json!({})).await;
    assert_eq!(planner.agree(&mut browser, &quiet, &[("lifetime", "604800")]).await["delegation"]["delegable"], true);
    let never = planner.start(json!({"delegable": false})).await;
    assert_eq!(planner.agree(&mut browser, &never, &[("lifetime", "604800")]).await["delegation"]["delegable"], false);
    assert_eq!(planner.held().await[0]["delegable"], false);
}

#[tokio::test]
async fn a_consent_for_more_scopes_widens_no_agent_that_it_does_not_name() {
    let planner = Planner::new().await;
    let mut browser = Browser::new();
    let reading = json!({"required_scopes": {"test": ["read"]}});
    planner.site.provider.script(&[Act::Scopes("read")]);
    let started = planner.start(reading).await;
    planner.site.sign_in(&mut browser, &started, "ada").await;
    planner.agree(&mut browser, &started, WEEK).await;
    let held = planner.held().await;
    assert_eq!((&held[0]["scope_constraint"], &held[0]["scopes"]), (&Value::Null, &json!(["read"])));

    // The application asks for more, and the page says nothing of the agent.
    let more = json!({"allowed_providers": ["test"], "user_token": planner.site.user("ada")});
    planner.site.provider.script(&[Act::Scopes("read write")]);
    planner.agree(&mut browser, &planner.site.start(more).await, WEEK).await;
    let kept = planner.held().await;
    assert_eq!((&kept[0]["grant_id"], &kept[0]["scope_constraint"]), (&held[0]["grant_id"], &json!(["read"])));
    assert_eq!(kept[0]["scopes"], json!(["read"]));

    // A page that names the agent gives it what the page says.
    planner.agree(&mut browser, &planner.start(json!({})).await, WEEK).await;
    let now = planner.held().await;
    assert_eq!((now.len(), &now[0]["scope_constraint"], &now[0]["scopes"]), (1, &Value::Null, &json!(["read", "write"])));
}

#[tokio::test]
async fn a_key_that_a_person_has_is_delegated_for_as_long_as_they_say() {
    let planner = Planner::new().await;
    let site = &planner.site;
    let secret = json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": "x"}});
    site.people.vault.made("/apps/demo/secrets", secret).await;
    let mut browser = Browser::new();
    for (seconds, agent) in [("604800", None), ("86400", Some("planner")), ("3600", Some("planner"))] {
        let wanted = json!({"provider": "mail", "user_token": site.user("ada"), "agent": agent});
        let started = site.start_key(wanted).await;
        let page = browser.get(&started.url).await;
        let page = if page.text.contains("/sign-in\"") { site.sign_in(&mut browser, &started, "ada").await } else { page };
        let (action, _) = page.form();
        let ended = browser.post(&action, &started.url, &[("lifetime", seconds), ("token", "key-of-ada")]).await;
        assert!(browser.follow(ended).await.text.contains("Connected to demo"));
        let held = planner.held().await;
        let ends: Vec<&Value> = held.iter().map(|grant| &grant["grant_expires_at"]).collect();
        match seconds {
            "604800" => assert!(ends.is_empty(), "{ends:?}"),
            "86400" => assert_eq!(ends, ["2026-01-02T00:00:00.000Z"]),
            // Less than before is what was agreed now.
            _ => assert_eq!(ends, ["2026-01-01T01:00:00.000Z"]),
        }
    }
}

#[tokio::test]
async fn an_agents_own_key_asks_for_itself_only() {
    let planner = Planner::new().await;
    planner.site.people.vault.made("/apps/demo/agents", json!({"name": "other"})).await;
    let ask = async |body: Value| Signed::post("/sdk/oauth/connect/session", &planner.key, &body).send(&planner.site.people.vault).await;
    let other = ask(json!({"allowed_providers": ["test"], "agent": "other", "user_token": planner.site.user("ada")})).await;
    assert_eq!(other.refusal(), (400, "agent_cannot_delegate_to_other_agent".into()));
    // What is the application's own is none of its business.
    let apps = planner.site.start(json!({"allowed_providers": ["test"]})).await;
    planner.site.connect(&mut Browser::new(), &apps).await;
    let apps = planner.site.grant(&apps).await["grant_id"].clone();
    let repair = ask(json!({"allowed_providers": ["test"], "repair_grant_id": apps})).await;
    assert_eq!(repair.refusal(), (404, "grant_not_found".into()));
    // Without a user the login is the agent's.
    let own = Started::of(ask(json!({"allowed_providers": ["test"]})).await);
    let page = Browser::new().get(&own.url).await;
    assert!(page.text.contains("<strong>planner</strong>"), "a person learns who will have it: {}", page.text);
    planner.site.connect(&mut Browser::new(), &own).await;
    let held = planner.held().await;
    assert_eq!((held.len(), &held[0]["principal_type"], &held[0]["parent_grant_id"]), (1, &json!("agent"), &Value::Null));
}
