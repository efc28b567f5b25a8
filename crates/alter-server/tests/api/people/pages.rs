//! Pages that are about a person: sent to the identity provider, back on the page, signed in with that browser, and signed out.

use std::sync::Arc;
use std::time::Duration;

use alter_server::api::people::idp::Idp;
use alter_server::api::people::{browser, sign_in};
use alter_server::api::{HostPolicy, Vault, router};
use alter_server::clock::{Clock, ManualClock, Timestamp};
use alter_server::egress::{Egress, EgressOptions};
use alter_server::model::AppId;
use alter_server::setup;
use alter_server::store::sqlite::{Access, SqliteOptions};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::browser::{Browser, Page};
use crate::issuer::{NOW, Pair, World};

/// A vault with a page of its own, `/page/{app}`, that says who is signed in and sends everybody else to the identity provider.
struct Pages {
    url: String,
    issuer: World,
    clock: Arc<ManualClock>,
    operator_key: String,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn page(State(vault): State<Arc<Vault>>, Path(app): Path<String>, parts: Parts) -> Response {
    let app = AppId::parse(&app).expect("an id");
    match browser::visitor(&vault, app, &parts).await {
        Ok(Some(visitor)) => format!("{} {:?}", visitor.person.subject, visitor.email).into_response(),
        Ok(None) => {
            let idp = Idp::required(&vault, app).await.expect("an identity provider");
            let away = sign_in::depart(&vault, &idp, None, Some(format!("/page/{app}")), "request").await;
            away.unwrap_or_else(IntoResponse::into_response)
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn leave(State(vault): State<Arc<Vault>>, Path(app): Path<String>, parts: Parts) -> Response {
    let clear = browser::sign_out(&vault, AppId::parse(&app).expect("an id"), &parts, "request").await.expect("signed out");
    ([(SET_COOKIE, clear)], "bye").into_response()
}

impl Pages {
    async fn new() -> Self {
        let (folder, issuer) = (tempfile::tempdir().expect("a folder"), World::with(vec![Pair::rsa(0).jwk("k")]).await);
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(NOW * 1000)));
        let mut options = SqliteOptions::new(folder.path().join("data"), Access::Create);
        options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let mut opened = setup::create_with(options).await.expect("a new vault");
        let operator_key = opened.new_operator_key.take().expect("a first operator").expose().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let egress = Egress::new(EgressOptions::default()).expect("no file to read");
        let vault = Arc::new(Vault::new(opened, egress, HostPolicy::default(), url.clone()));
        let own = Router::new().route("/page/{app}", get(page)).route("/leave/{app}", post(leave)).with_state(Arc::clone(&vault));
        let serving = tokio::spawn(async move { axum::serve(listener, own.merge(router(vault))).await.expect("served") });
        Self { url, issuer, clock, operator_key, serving, _folder: folder }
    }

    async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Request::builder().method(method).uri(format!("{}/admin/v1{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.operator_key)).body(Full::from(body.to_string()));
        let page = Browser::new().answer(request.expect("a request"), &self.url).await;
        assert!(page.status < 300, "{path}: {page:?}");
        serde_json::from_str(&page.text).expect("JSON")
    }

    /// An app that trusts the issuer.
    async fn app(&self, name: &str) -> String {
        let app = self.admin(Method::POST, "/apps", json!({"name": name})).await["id"].as_str().expect("an id").to_owned();
        let settings = json!({"issuer": self.issuer.url, "client_id": "vault", "client_secret": "s"});
        self.admin(Method::PUT, &format!("/apps/{app}/idp"), settings).await;
        app
    }

    /// Opens the page, signs in at the issuer, and comes back with `query` besides the state.
    async fn sign_in(&self, browser: &mut Browser, app: &str, query: &str) -> Page {
        let redirect = browser.get(&format!("{}/page/{app}", self.url)).await;
        let location = redirect.location().expect("a redirect");
        let parameter =
            |name: &str| location.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}="))).expect("a parameter");
        let claims = json!({"aud": "vault", "nonce": parameter("nonce"), "email": "ada@example.com", "email_verified": true});
        let token = Pair::rsa(0).token(&json!({"alg": "RS256", "kid": "k"}), &self.issuer.claims(&claims));
        self.issuer.change(|site| site.tokens = json!({"id_token": token}));
        browser.get(&format!("{}/sign-in/callback?state={}&{query}", self.url, parameter("state"))).await
    }
}

#[tokio::test]
async fn a_browser_comes_back_to_the_page_signed_in() {
    let pages = Pages::new().await;
    let (app, other) = (pages.app("demo").await, pages.app("other").await);
    let mut browser = Browser::new();
    let back = pages.sign_in(&mut browser, &app, "code=c").await;
    assert_eq!((back.status, back.location()), (303, Some(format!("{}/page/{app}", pages.url))));
    assert_eq!(browser.follow(back).await.text, "ada Some(\"ada@example.com\")");
    // At this app, with this browser, for an hour.
    assert_eq!(browser.get(&format!("{}/page/{other}", pages.url)).await.status, 303);
    assert_eq!(Browser::new().get(&format!("{}/page/{app}", pages.url)).await.status, 303);
    pages.clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(browser.get(&format!("{}/page/{app}", pages.url)).await.status, 303);
}

#[tokio::test]
async fn signing_out_ends_it_for_a_copy_of_the_cookie_as_well() {
    let pages = Pages::new().await;
    let app = pages.app("demo").await;
    let mut browser = Browser::new();
    pages.sign_in(&mut browser, &app, "code=c").await;
    let mut copy = browser.clone();
    assert_eq!(copy.get(&format!("{}/page/{app}", pages.url)).await.status, 200);
    assert_eq!(browser.post(&format!("{}/leave/{app}", pages.url), &pages.url, &[]).await.text, "bye");
    for browser in [&mut browser, &mut copy] {
        assert_eq!(browser.get(&format!("{}/page/{app}", pages.url)).await.status, 303);
    }
    assert_eq!(Browser::new().post(&format!("{}/leave/{app}", pages.url), &pages.url, &[]).await.text, "bye");
}

#[tokio::test]
async fn who_does_not_sign_in_is_told_and_stays_out() {
    let pages = Pages::new().await;
    let app = pages.app("demo").await;
    let mut browser = Browser::new();
    let back = pages.sign_in(&mut browser, &app, "error=access_denied").await;
    assert!(back.status == 200 && back.text.contains("You are not signed in"), "{back:?}");
    let row = pages.admin(Method::GET, "/audit?app=demo&limit=1", Value::Null).await["items"][0].clone();
    assert_eq!((&row["action"], &row["code"]), (&json!("sign_in.complete"), &json!("access_denied")));
    assert_eq!(browser.get(&format!("{}/page/{app}", pages.url)).await.status, 303);
}
