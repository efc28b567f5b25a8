//! Signing in with a browser: whose browser, how often, how long, and answers that prove nothing.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::People;
use super::browser::{Browser, Page};
use crate::harness::Signed;
use crate::issuer::Pair;

/// A sign-in that an application has started.
struct Started {
    people: People,
    session: String,
    url: String,
}

impl Started {
    async fn new() -> Self {
        let people = People::new().await;
        people.set(json!({"issuer": people.issuer.url, "client_id": "vault", "client_secret": "s"})).await;
        let answer = people.call("/sdk/auth/session", json!({})).await;
        assert_eq!(answer.status, 201, "{:?}", answer.json());
        let answer = answer.json();
        assert_eq!((&answer["expires_in"], &answer["expires_at"]), (&json!(600), &json!("2026-01-01T00:10:00.000Z")));
        let text = |name: &str| answer[name].as_str().expect(name).to_owned();
        Self { session: text("session_token"), url: text("auth_url"), people }
    }

    async fn poll(&self) -> Value {
        let answer = self.people.call("/sdk/auth/poll", json!({"session_token": self.session})).await;
        assert_eq!(answer.status, 200);
        answer.json()
    }

    /// Opens the link and goes on; gives the redirect to the identity provider.
    async fn depart(&self, browser: &mut Browser) -> Departed {
        let page = browser.get(&self.url).await;
        assert_eq!(page.status, 200, "{page:?}");
        let (action, _) = page.form();
        let redirect = browser.post(&action, &self.url, &[]).await;
        assert_eq!(redirect.status, 303, "{redirect:?}");
        let location = redirect.location().expect("a redirect");
        let (_, query) = location.split_once('?').expect("a query");
        let parameter = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| panic!("no {name} in {query}")).to_owned()
        };
        assert_eq!((parameter("response_type").as_str(), parameter("code_challenge_method").as_str()), ("code", "S256"));
        assert!(location.starts_with(&format!("{}/authorize?", self.people.issuer.url)), "{location}");
        Departed { state: parameter("state"), nonce: parameter("nonce") }
    }

    async fn callback(&self, browser: &mut Browser, query: &str) -> Page {
        browser.get(&format!("{}/sign-in/callback?{query}", self.people.vault.url)).await
    }

    /// Lets the token endpoint answer an ID token with these claims changed.
    fn answer(&self, pair: &Pair, change: Value) {
        let mut claims = self.people.issuer.claims(&json!({"aud": "vault"}));
        claims.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        let token = pair.token(&json!({"alg": "RS256", "kid": "k"}), &claims);
        self.people.issuer.change(|site| site.tokens = json!({"access_token": "a", "token_type": "Bearer", "id_token": token}));
    }
}

struct Departed {
    state: String,
    nonce: String,
}

#[tokio::test]
async fn a_person_signs_in_and_the_application_learns_who() {
    let started = Started::new().await;
    let mut browser = Browser::new();
    assert_eq!(started.poll().await, json!({"status": "pending"}));
    let departed = started.depart(&mut browser).await;
    started.answer(Pair::rsa(0), json!({"nonce": departed.nonce, "email": "ada@example.com", "email_verified": true, "name": "Ada"}));
    let page = started.callback(&mut browser, &format!("state={}&code=c&iss={}", departed.state, started.people.issuer.url)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("You are signed in"), "{}", page.text);
    for _ in 0..2 {
        // A lost answer is asked for again.
        let answer = started.poll().await;
        assert_eq!(answer["status"], "completed");
        assert_eq!(answer["user_info"], json!({"sub": "ada", "email": "ada@example.com", "email_verified": true, "name": "Ada"}));
        let verified = started.people.call("/sdk/auth/verify-token", json!({"token": answer["user_token"]})).await;
        assert_eq!(verified.json(), json!({"sub": "ada"}));
    }
    let rows = started.people.vault.read("/audit?app=demo&limit=100").await;
    let actions: Vec<&str> = rows["items"].as_array().expect("rows").iter().filter_map(|row| row["action"].as_str()).collect();
    for action in ["sign_in.start", "sign_in.begin", "sign_in.return", "sign_in.complete", "sign_in.poll"] {
        assert!(actions.contains(&action), "{action} is missing in {actions:?}");
    }
    let secrets =
        [started.session.as_str(), &departed.state, started.poll().await["user_token"].as_str().expect("a token")].map(str::to_owned);
    assert!(secrets.iter().all(|secret| !rows.to_string().contains(secret.as_str())), "a secret is in the audit");
    // The link is used up.
    assert_eq!(browser.get(&started.url).await.status, 410);
}

#[tokio::test]
async fn a_held_poll_ends_when_the_person_is_there() {
    let started = Started::new().await;
    let mut browser = Browser::new();
    let departed = started.depart(&mut browser).await;
    started.answer(Pair::rsa(0), json!({"nonce": departed.nonce}));
    let held = Signed::post("/sdk/auth/poll", &started.people.key, &json!({"session_token": started.session, "wait_ms": 25_000}));
    let sign_in = async {
        let page = started.callback(&mut browser, &format!("state={}&code=c", departed.state)).await;
        assert!(page.text.contains("You are signed in"), "{}", page.text);
    };
    let both = async { tokio::join!(held.send(&started.people.vault), sign_in) };
    // Well below the time for which the poll may be held.
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("in time");
    assert_eq!(answer.json()["status"], "completed");
}

#[tokio::test]
async fn a_poll_without_an_end_is_pending_after_its_time() {
    let started = Started::new().await;
    let answer = started.people.call("/sdk/auth/poll", json!({"session_token": started.session, "wait_ms": 400})).await;
    assert_eq!(answer.json(), json!({"status": "pending"}));
    assert_eq!(started.people.vault.last_row().await["outcome"], "done");
}

#[tokio::test]
async fn unknown_foreign_and_old_sessions_look_the_same() {
    let started = Started::new().await;
    let expired = json!({"status": "expired"});
    assert_eq!(started.people.call("/sdk/auth/poll", json!({"session_token": "nonsense"})).await.json(), expired);
    started.people.vault.made("/apps", json!({"name": "other"})).await;
    let made = started.people.vault.made("/apps/other/keys", json!({"scopes": ["idp_users:read"]})).await;
    let foreign = Signed::post("/sdk/auth/poll", made["api_key"].as_str().expect("a key"), &json!({"session_token": started.session}));
    assert_eq!(foreign.send(&started.people.vault).await.json(), expired);
    assert_eq!(started.poll().await, json!({"status": "pending"}));
    started.people.vault.advance(600);
    assert_eq!(started.poll().await, expired);
    let mut browser = Browser::new();
    assert_eq!(browser.get(&started.url).await.status, 410);
    assert_eq!(browser.post(&started.url, &started.url, &[]).await.status, 410);
}

#[tokio::test]
async fn another_browser_cannot_finish_it() {
    let started = Started::new().await;
    let (mut ada, mut eve) = (Browser::new(), Browser::new());
    let departed = started.depart(&mut ada).await;
    started.answer(Pair::rsa(0), json!({"nonce": departed.nonce}));
    let query = format!("state={}&code=c", departed.state);
    let page = started.callback(&mut eve, &query).await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("another browser"), "{}", page.text);
    let row = started.people.vault.last_row().await;
    assert_eq!((&row["action"], &row["code"]), (&json!("sign_in.return"), &json!("browser_mismatch")));
    assert_eq!(started.poll().await, json!({"status": "pending"}));
    // A cookie of her own trip does not help her.
    started.depart(&mut eve).await;
    assert_eq!(started.callback(&mut eve, &query).await.status, 400);
    assert!(started.callback(&mut ada, &query).await.text.contains("You are signed in"));
    // Used once.
    assert_eq!(started.callback(&mut ada, &query).await.status, 410);
}

#[tokio::test]
async fn a_form_from_another_site_starts_nothing() {
    let started = Started::new().await;
    let mut browser = Browser::new();
    assert_eq!(browser.post(&started.url, "https://evil.example/", &[]).await.status, 403);
    let page = browser.get(&started.url).await;
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(
        policy.contains("frame-ancestors 'none'") && policy.contains(&format!("form-action 'self' https: {}", started.people.issuer.url)),
        "{policy}"
    );
    assert!(page.text.contains("<strong>demo</strong>") && !page.text.contains("<script"), "{}", page.text);
}

#[tokio::test]
async fn what_proves_nothing_signs_nobody_in() {
    let forged = |nonce: &str| {
        [
            ("token_nonce_wrong", Pair::rsa(0), json!({"nonce": "other"})),
            ("token_signature_bad", Pair::rsa(1), json!({"nonce": nonce})),
            ("token_audience_wrong", Pair::rsa(0), json!({"nonce": nonce, "aud": "other"})),
            ("token_expired", Pair::rsa(0), json!({"nonce": nonce, "exp": 1_767_225_000, "iat": 1_767_224_000})),
            ("token_issuer_wrong", Pair::rsa(0), json!({"nonce": nonce, "iss": "https://evil.example"})),
        ]
    };
    for index in 0..forged("").len() {
        let started = Started::new().await;
        let mut browser = Browser::new();
        let departed = started.depart(&mut browser).await;
        let (code, pair, change) = forged(&departed.nonce)[index].clone();
        started.answer(pair, change);
        let page = started.callback(&mut browser, &format!("state={}&code=c", departed.state)).await;
        assert!(page.text.contains("You are not signed in"), "{}", page.text);
        let answer = started.poll().await;
        assert_eq!(answer["status"], "error", "{code}");
        let row = started.people.vault.read("/audit?app=demo&limit=2").await["items"][0].clone();
        assert_eq!((&row["action"], &row["outcome"]), (&json!("sign_in.complete"), &json!("refused")), "{row}");
        assert_eq!(row["code"], code, "{row}");
    }
}

#[tokio::test]
async fn the_providers_no_is_passed_on() {
    for (query, code) in [
        ("error=access_denied&error_description=x", "access_denied"),
        ("error=temporarily_unavailable", "service_unavailable"),
        ("error=%3Cscript%3E", "idp_error"),
        ("code=", "code_missing"),
        ("code=c&iss=https://evil.example", "token_issuer_wrong"),
        ("code=c", "idp_exchange_failed"),
    ] {
        let started = Started::new().await;
        let mut browser = Browser::new();
        let departed = started.depart(&mut browser).await;
        let page = started.callback(&mut browser, &format!("state={}&{query}", departed.state)).await;
        assert!(page.status == 200 && page.text.contains("You are not signed in") && !page.text.contains("<script"), "{}", page.text);
        let answer = started.poll().await;
        assert_eq!((&answer["status"], &answer["error_code"]), (&json!("error"), &json!(code)), "{query}");
        assert!(answer["error_message"].as_str().is_some_and(|text| !text.is_empty()));
    }
}

#[tokio::test]
async fn a_callback_that_belongs_to_nothing_is_over() {
    let started = Started::new().await;
    let mut browser = Browser::new();
    for query in ["", "state=", "state=nonsense&code=c", "code=c", "state=a&state=b", &format!("state={}", "x".repeat(5000))] {
        assert_eq!(started.callback(&mut browser, query).await.status, 410, "{query:.40}");
    }
    let departed = started.depart(&mut browser).await;
    started.people.vault.advance(600);
    assert_eq!(started.callback(&mut browser, &format!("state={}&code=c", departed.state)).await.status, 410);
}

#[tokio::test]
async fn an_issuer_in_trouble_is_told_to_the_person() {
    let started = Started::new().await;
    started.people.issuer.change(|site| site.status = 500);
    started.people.vault.advance(3 * 60 * 60);
    let session = started.people.call("/sdk/auth/session", json!({})).await.json();
    let mut browser = Browser::new();
    let page = browser.get(session["auth_url"].as_str().expect("a URL")).await;
    assert_eq!(page.status, 503, "{page:?}");
    assert!(page.text.contains("identity provider cannot be asked"), "{}", page.text);
}

#[tokio::test]
async fn without_a_client_id_nobody_can_sign_in() {
    let people = People::new().await;
    assert_eq!(people.call("/sdk/auth/session", json!({})).await.refusal(), (400, "idp_signin_not_configured".into()));
    let removed = people.vault.admin(Method::DELETE, "/apps/demo/idp", Value::Null).await;
    assert_eq!(removed.status, 200);
    assert_eq!(people.call("/sdk/auth/session", json!({})).await.refusal(), (400, "idp_signin_not_configured".into()));
}
