//! The page on which a person decides.

use http::Method;
use serde_json::{Value, json};

use super::text;
use crate::harness::{CREDENTIAL, Signed};
use crate::issuer::{Pair, World};
use crate::people::browser::{Browser, Page};
use crate::proxy::Site;

/// A site whose app has an identity provider, and an agent whose calls Ada agrees to.
struct Place {
    site: Site,
    issuer: World,
    agent: String,
}

impl Place {
    async fn new() -> Self {
        let (site, issuer) = (Site::new().await, World::with(vec![Pair::rsa(0).jwk("k")]).await);
        let idp = json!({"issuer": issuer.url, "client_id": "vault", "client_secret": "s", "audiences": ["app"]});
        let set = site.vault.admin(Method::PUT, "/apps/demo/idp", idp).await;
        assert!(set.status.is_success(), "{:?}", set.json());
        let policy = json!({"requires_approval": {"approvers": ["ada@example.com"]}});
        let agent = site.vault.made("/apps/demo/agents", json!({"name": "planner", "policy": policy})).await;
        Self { agent: text(&agent["agent_id"]), site, issuer }
    }

    async fn ask(&self, more: Value) -> Value {
        let mut body = json!({"method": "POST", "reason": "a <b>reason</b>"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let answer = self.site.signed("/mail/send", body).with("x-alter-caller", &self.agent).send(&self.site.vault).await;
        assert_eq!(answer.status, 202, "{:?}", answer.json());
        answer.json()
    }

    async fn status(&self, asked: &Value) -> String {
        let path = format!("/sdk/approvals/{}?wait=1", text(&asked["approval_id"]));
        text(&Signed::get(&path, &self.site.key).send(&self.site.vault).await.json()["status"])
    }

    /// Follows the link and signs in as somebody.
    async fn visit(&self, browser: &mut Browser, asked: &Value, claims: Value) -> Page {
        let url = text(&asked["approval_url"]);
        let page = browser.get(&url).await;
        let (action, _) = page.form();
        assert!(action.ends_with("/sign-in"), "{page:?}");
        let location = browser.post(&action, &url, &[]).await.location().expect("a redirect to the identity provider");
        let parameter = |name: &str| {
            let found = location.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| panic!("no {name} in {location}")).to_owned()
        };
        let mut all = json!({"aud": "vault", "nonce": parameter("nonce")});
        all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
        let token = Pair::rsa(0).token(&json!({"alg": "RS256", "kid": "k"}), &self.issuer.claims(&all));
        self.issuer.change(|site| site.tokens = json!({"id_token": token}));
        let back = browser.get(&format!("{}/sign-in/callback?state={}&code=c", self.site.vault.url, parameter("state"))).await;
        browser.follow(back).await
    }

    async fn visit_as_ada(&self, browser: &mut Browser, asked: &Value) -> Page {
        self.visit(browser, asked, json!({"sub": "ada", "email": "ada@example.com", "email_verified": true})).await
    }
}

#[tokio::test]
async fn a_person_reads_what_would_be_sent_and_agrees() {
    let place = Place::new().await;
    let body = json!({"to": "eve\u{202E}", "html": "<script>alert(1)</script>", "list": (0..40).collect::<Vec<_>>()});
    let asked = place.ask(json!({"body": body, "headers": {"X-Tag": "a\"b"}, "query_params": {"q": "1"}})).await;
    let mut browser = Browser::new();
    let page = place.visit_as_ada(&mut browser, &asked).await;
    assert_eq!(page.status, 200, "{page:?}");
    for shown in ["the agent planner of demo", "a &#60;b&#62;reason", "/mail/send?q=1", "X-Tag", "eve⟨U+202E⟩", "The rest of it"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<script") && !page.text.contains("\u{202E}") && !page.text.contains(CREDENTIAL), "{}", page.text);
    let (action, hidden) = page.form();
    let digest = hidden.iter().find(|(name, _)| name == "digest").expect("a digest").1.clone();
    let wrong = browser.post(&action, &page.url, &[("digest", "00"), ("decision", "approve")]).await;
    assert!(browser.follow(wrong).await.text.contains("Approve this call?"), "another digest decides nothing");
    let foreign = browser.post(&action, "https://evil.example/", &[("digest", &digest), ("decision", "approve")]).await;
    assert_eq!(foreign.status, 403);
    assert_eq!(place.status(&asked).await, "pending");
    let decided = browser.post(&action, &page.url, &[("digest", &digest), ("decision", "approve"), ("reason", "fine")]).await;
    let after = browser.follow(decided).await;
    assert!(after.text.contains("Approved"), "{}", after.text);
    for _ in 0..30 {
        if place.status(&asked).await == "executed" {
            break;
        }
    }
    let done = browser.get(&text(&asked["approval_url"])).await;
    assert!(done.text.contains("Approved and done") && !done.text.contains("name=\"decision\""), "{}", done.text);
    assert_eq!(place.site.provider.seen("/").len(), 1);
    let rows = place.site.rows(50).await;
    let row = rows.iter().find(|row| row["action"] == "approval.approve" && row["outcome"] == "done").expect("a row");
    assert!(row["report"].to_string().contains("ada@example.com"), "{row}");
}

#[tokio::test]
async fn a_person_denies() {
    let place = Place::new().await;
    let asked = place.ask(json!({})).await;
    let mut browser = Browser::new();
    let page = place.visit_as_ada(&mut browser, &asked).await;
    assert!(page.text.contains("It has no body."));
    let (action, _) = page.form();
    let nothing = browser.post(&action, &page.url, &[]).await;
    assert_eq!(nothing.status, 400, "{}", nothing.text);
    let denied = browser.post(&action, &page.url, &[("decision", "deny")]).await;
    assert!(browser.follow(denied).await.text.contains("Nothing was sent"));
    assert_eq!(place.status(&asked).await, "denied");
    assert!(place.site.provider.seen("/").is_empty());
}

#[tokio::test]
async fn the_link_by_itself_lets_nobody_decide() {
    let place = Place::new().await;
    let asked = place.ask(json!({"body": {"secret": "canary-body"}})).await;
    for claims in [
        json!({"sub": "eve", "email": "eve@example.com", "email_verified": true}),
        json!({"sub": "ada", "email": "ada@example.com", "email_verified": false}),
        json!({"sub": "ada@example.com"}),
    ] {
        let mut browser = Browser::new();
        let page = place.visit(&mut browser, &asked, claims.clone()).await;
        assert_eq!(page.status, 403, "{claims}: {}", page.text);
        assert!(!page.text.contains("canary-body"), "{}", page.text);
        let posted = browser.post(&text(&asked["approval_url"]), &page.url, &[("decision", "deny")]).await;
        assert_eq!(posted.status, 403, "{}", posted.text);
    }
    let mut stranger = Browser::new();
    let url = text(&asked["approval_url"]);
    let posted = stranger.post(&url, &url, &[("decision", "deny")]).await;
    assert!(posted.text.contains("Sign in"), "{}", posted.text);
    assert_eq!(place.status(&asked).await, "pending");
    let nothing = stranger.get(&format!("{}/approve/{}", place.site.vault.url, uuid::Uuid::new_v4())).await;
    assert_eq!(nothing.status, 404);
}

#[tokio::test]
async fn who_asks_for_a_call_does_not_agree_to_it() {
    let place = Place::new().await;
    let claims = json!({"sub": "ada", "aud": "app", "email": "ada@example.com", "email_verified": true});
    let token = Pair::rsa(0).token(&json!({"alg": "RS256", "kid": "k"}), &place.issuer.claims(&claims));
    let vault = &place.site.vault;
    let key = vault.key(json!({"scopes": ["secrets:write", "grants:write", "proxy:execute"]})).await;
    let secret = text(&vault.read("/apps/demo/secrets").await["items"][0]["id"]);
    let principal = json!({"type": "user", "user_token": token, "label": "ada"});
    let assigned = Signed::post(&format!("/sdk/managed-secrets/{secret}/grants"), &key, &json!({"principal": principal})).send(vault).await;
    let root = text(&assigned.json()["grant_id"]);
    let policy = json!({"label": "asks", "grant_policy": {"requires_approval": true}});
    let minted = Signed::post(&format!("/sdk/grants/{root}/mint"), &key, &policy).send(vault).await;
    let grant = text(&minted.json()["grant_id"]);

    // Who asks in her name without a token of hers, has to ask her.
    let asked = place.site.call("/mail/send", json!({"grant_id": grant})).await.json();
    let mut browser = Browser::new();
    let page = place.visit_as_ada(&mut browser, &asked).await;
    assert!(page.text.contains("Approve this call?"), "{}", page.text);
    // What she asks for herself, somebody else agrees to.
    let own = place.site.call("/mail/send", json!({"grant_id": grant, "user_token": token})).await;
    assert_eq!(own.status, 202, "{:?}", own.json());
    let own = own.json();
    let page = browser.get(&text(&own["approval_url"])).await;
    assert_eq!(page.status, 403, "{}", page.text);
    let posted = browser.post(&text(&own["approval_url"]), &page.url, &[("decision", "deny")]).await;
    assert_eq!(posted.status, 403, "{}", posted.text);
    let path = format!("/approvals/{}", text(&own["approval_group_id"]));
    let digest = vault.read(&path).await["digest"].clone();
    vault.made(&format!("{path}/approve"), json!({"digest": digest})).await;
    for _ in 0..30 {
        if place.status(&own).await == "executed" {
            return;
        }
    }
    panic!("her token is over by then, and what it proved counts");
}

#[tokio::test]
async fn without_an_identity_provider_an_operator_decides() {
    let waiting = super::Waiting::new().await;
    let asked = waiting.ask(json!({})).await;
    let page = Browser::new().get(&text(&asked["approval_url"])).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(&format!("alter approval show {}", text(&asked["approval_id"]))), "{}", page.text);
    assert!(!page.text.contains("mail/send"), "a stranger learns nothing");
}
