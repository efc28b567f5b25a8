//! Connect: from the session that an application makes, through the pages and the provider, to the grant and the call.

mod agents;
mod keys;
mod logins;
mod refusals;
mod strangers;

use alter_testkit::oauth::{CLIENT_ID, CLIENT_SECRET, OAuthServer, Rotation};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Signed, TestVault};
use crate::issuer::Pair;
use crate::people::People;
use crate::people::browser::{Browser, Page};

const SCOPES: [&str; 7] =
    ["agents:admin", "connect:initiate", "grants:read", "grants:write", "idp_users:write", "secrets:write", "tokens:retrieve"];

/// A vault whose app `demo` has an identity provider, and a client at the provider `test` ("Test Drive"), which consents by itself.
pub struct Site {
    pub people: People,
    pub provider: OAuthServer,
}

impl Site {
    pub async fn new() -> Self {
        Self::of(&[]).await
    }

    /// The same in a vault with settings of its own.
    pub async fn of(env: &[(&str, &str)]) -> Self {
        let provider = OAuthServer::start(Rotation::None).expect("a free port");
        let host = provider.host();
        let env = [env, &[("ALTER_EGRESS_ALLOW", &host)]].concat();
        let mut people = People::of(TestVault::start_in(&env).await).await;
        let idp = json!({"issuer": people.issuer.url, "client_id": "vault", "client_secret": "s", "audiences": ["app"]});
        people.set(idp).await;
        people.key = people.vault.key(json!({"scopes": SCOPES})).await;
        let site = Self { people, provider };
        site.register("test", "Test Drive").await;
        site
    }

    /// Registers the app at the provider under an id and a name.
    pub async fn register(&self, id: &str, name: &str) {
        self.put_entry(self.entry(id, name)).await;
    }

    /// Registers it anew, and lets the vault not know how to ask whose account a login is.
    pub async fn register_without_account(&self, id: &str) {
        let mut entry = self.entry(id, id);
        entry.as_object_mut().expect("an object").shift_remove("account");
        self.put_entry(entry).await;
    }

    /// Registers it anew as an OpenID provider.
    pub async fn register_with_issuer(&self, id: &str) {
        let mut entry = self.entry(id, id);
        entry["issuer"] = json!(self.provider.url());
        self.put_entry(entry).await;
    }

    /// Registers it anew for these scopes and no others.
    pub async fn allow_scopes(&self, id: &str, scopes: &[&str]) {
        self.put(json!({"entry": self.entry(id, id), "scopes": scopes, "allowed_scopes": scopes})).await;
    }

    fn entry(&self, id: &str, name: &str) -> Value {
        let url = self.provider.url();
        json!({
            "id": id, "name": name, "scopes": {"read": "See your files"},
            "authorization": {"url": format!("{url}/authorize")}, "token": {"url": format!("{url}/token")},
            "refresh": {"supported": true}, "revocation": {"call": {"url": format!("{url}/revoke")}},
            "account": {"identifier": ["/email"], "call": {"url": format!("{url}/userinfo")}},
            "api": {"hosts": [self.provider.host()]},
        })
    }

    async fn put_entry(&self, entry: Value) {
        self.put(json!({"entry": entry, "scopes": ["read", "write"]})).await;
    }

    async fn put(&self, mut wanted: Value) {
        let id = wanted["entry"]["id"].as_str().expect("an id").to_owned();
        wanted["client_id"] = json!(CLIENT_ID);
        wanted["client_secret"] = json!(CLIENT_SECRET);
        let put = self.people.vault.admin(Method::PUT, &format!("/apps/demo/providers/{id}"), wanted).await;
        assert!(put.status.is_success(), "{:?}", put.json());
    }

    /// Starts a session and expects it to work.
    pub async fn start(&self, wanted: Value) -> Started {
        Started::of(self.people.call("/sdk/oauth/connect/session", wanted).await)
    }

    /// Starts a session for a key and expects it to work.
    pub async fn start_key(&self, wanted: Value) -> Started {
        Started::of(self.people.call("/sdk/managed-secrets/connect/session", wanted).await)
    }

    pub async fn poll(&self, started: &Started) -> Value {
        let answer = self.people.call("/sdk/oauth/connect/session/poll", json!({"session_token": started.token})).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        answer.json()
    }

    /// The only grant of a completed session.
    pub async fn grant(&self, started: &Started) -> Value {
        let polled = self.poll(started).await;
        assert_eq!((&polled["status"], polled["grants"].as_array().map(Vec::len)), (&json!("completed"), Some(1)), "{polled}");
        polled["grants"][0].clone()
    }

    /// Calls the provider through a grant.
    pub async fn token(&self, grant: &Value) -> Answer {
        let url = format!("{}/api/me", self.provider.url());
        let body = json!({"grant_id": grant, "request": {"method": "GET", "url": url}});
        Signed::token(&self.people.key, &body).send(&self.people.vault).await
    }

    /// Whether the provider takes the token of an answer.
    pub async fn works(&self, answer: &Answer) -> bool {
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        let request = http::Request::get(format!("{}/api/me", self.provider.url())).header("authorization", format!("Bearer {token}"));
        self.people.vault.send(request.body(Default::default()).expect("a request")).await.status == 200
    }

    /// Opens the link and agrees, with fields besides those that the page has chosen. Gives the redirect to the provider.
    pub async fn agree(&self, browser: &mut Browser, started: &Started, fields: &[(&str, &str)]) -> Page {
        let page = browser.get(&started.url).await;
        assert_eq!(page.status, 200, "{page:?}");
        let (action, hidden) = page.form();
        let hidden: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.post(&action, &started.url, &[&hidden, fields].concat()).await
    }

    /// Follows the redirect to the provider, which consents, and back to the session's page.
    pub async fn consent(&self, browser: &mut Browser, departure: &Page) -> Page {
        let back = self.provider_answer(browser, departure).await;
        let arrived = browser.get(&back).await;
        browser.follow(arrived).await
    }

    /// Where the provider sends the browser after its consent.
    pub async fn provider_answer(&self, browser: &mut Browser, departure: &Page) -> String {
        let location = departure.location().unwrap_or_else(|| panic!("no redirect: {departure:?}"));
        assert!(location.starts_with(&format!("{}/authorize?", self.provider.url())), "{location}");
        browser.get(&location).await.location().expect("a redirect back")
    }

    /// The whole way with a week.
    pub async fn connect(&self, browser: &mut Browser, started: &Started) -> Page {
        let departure = self.agree(browser, started, &[("lifetime", "604800")]).await;
        self.consent(browser, &departure).await
    }

    /// Signs a person in on the session's page.
    pub async fn sign_in(&self, browser: &mut Browser, started: &Started, subject: &str) -> Page {
        let page = browser.get(&started.url).await;
        let (action, _) = page.form();
        assert!(action.ends_with("/sign-in"), "{page:?}");
        let redirect = browser.post(&action, &started.url, &[]).await;
        self.arrive_from_issuer(browser, &redirect, subject).await
    }

    /// Comes back from the identity provider, where this person signed in.
    pub async fn arrive_from_issuer(&self, browser: &mut Browser, redirect: &Page, subject: &str) -> Page {
        let location = redirect.location().unwrap_or_else(|| panic!("no redirect: {redirect:?}"));
        let parameter = |name: &str| {
            let found = location.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| panic!("no {name} in {location}")).to_owned()
        };
        let claims = json!({"sub": subject, "aud": "vault", "nonce": parameter("nonce")});
        let token = Pair::rsa(0).token(&json!({"alg": "RS256", "kid": "k"}), &self.people.issuer.claims(&claims));
        self.people.issuer.change(|site| site.tokens = json!({"id_token": token}));
        let url = format!("{}/sign-in/callback?state={}&code=c", self.people.vault.url, parameter("state"));
        let back = browser.get(&url).await;
        browser.follow(back).await
    }

    /// A token of a user.
    pub fn user(&self, subject: &str) -> String {
        self.people.token(json!({"sub": subject}))
    }

    /// The rows of the app, oldest first.
    pub async fn rows(&self) -> Vec<Value> {
        self.people.vault.read("/audit?app=demo&limit=1000").await["items"].as_array().expect("rows").clone()
    }
}

/// A session that was made.
pub struct Started {
    pub token: String,
    pub url: String,
    pub answer: Value,
}

impl Started {
    fn of(answer: Answer) -> Self {
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        Self::told(answer.json())
    }

    /// What the answer to its making told.
    pub fn told(json: Value) -> Self {
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("{name} in {json}")).to_owned();
        Self { token: text("session_token"), url: text("connect_url"), answer: json }
    }
}
