use http::Method;
use serde_json::json;

use super::*;
use crate::oauth::catalogue::ClientAuthentication;
use crate::oauth::tests::{Script, answer, client_for, client_of, json, provider_of};

fn form(request: &Request<Bytes>) -> BTreeMap<String, String> {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().expect("text"))
}

fn good() -> Result<Response<Bytes>, EgressError> {
    json(200, &json!({ "access_token": "at2", "refresh_token": "rt2", "expires_in": 60 }))
}

/// The one request of a refresh at a shipped entry.
async fn refreshed(client: &Client) -> Request<Bytes> {
    let (script, driver) = Script::of([good()]);
    let tokens = driver.refresh(client, &Secret::new("rt1")).await.expect("tokens");
    assert_eq!(tokens.access_token.expose(), "at2");
    script.asked().remove(0)
}

#[tokio::test]
async fn a_refresh_is_what_the_entry_says() {
    let request = refreshed(&client_of("gitlab")).await;
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "https://gitlab.com/oauth/token"));
    assert_eq!(header(&request, "accept"), Some("application/json"));
    assert_eq!(header(&request, "authorization"), Some("Basic aWQ6cytlJTNBYw=="), "id:s+e%3Ac");
    let sent = form(&request);
    assert_eq!((sent["grant_type"].as_str(), sent["refresh_token"].as_str()), ("refresh_token", "rt1"));
    assert_eq!(sent["redirect_uri"], "https://vault.example.com/callback");
    assert!(!sent.contains_key("client_secret"));

    let figma = refreshed(&client_of("figma")).await;
    assert_eq!(figma.uri().path(), "/v1/oauth/refresh");
    assert!(!form(&figma).contains_key("redirect_uri"));
    let tiktok = form(&refreshed(&client_of("tiktok")).await);
    assert_eq!((tiktok["client_key"].as_str(), tiktok["client_secret"].as_str()), ("id", "s e:c"));
    assert_eq!(form(&refreshed(&client_of("basecamp")).await)["type"], "refresh");
}

#[tokio::test]
async fn a_body_is_json_where_the_entry_says_so() {
    let request = refreshed(&client_of("notion")).await;
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    let sent: Value = serde_json::from_slice(request.body()).expect("JSON");
    assert_eq!(sent, json!({ "grant_type": "refresh_token", "refresh_token": "rt1" }));
    assert!(header(&request, "authorization").is_some_and(|value| value.starts_with("Basic ")));
}

#[tokio::test]
async fn a_public_client_says_its_name_only() {
    let mut client = client_of("google");
    client.credentials.secret = None;
    let request = refreshed(&client).await;
    assert_eq!((form(&request)["client_id"].as_str(), header(&request, "authorization")), ("id", None));
    let mut provider = provider_of("google");
    provider.token.client_authentication = vec![ClientAuthentication::None];
    let request = refreshed(&client_for(provider)).await;
    assert!(!form(&request).contains_key("client_secret") && header(&request, "authorization").is_none());
}

#[tokio::test]
async fn an_entry_without_a_word_on_it_is_asked_with_basic() {
    assert!(header(&refreshed(&client_of("contentful")).await, "authorization").is_some());
}

#[tokio::test]
async fn a_code_is_exchanged_with_its_verifier() {
    let (script, driver) = Script::of([good()]);
    let (code, verifier) = (Secret::new("c"), Secret::new("v"));
    let back = Return { code: &code, verifier: Some(&verifier), nonce: None };
    driver.exchange_code(&client_of("basecamp"), &back).await.expect("tokens");
    let sent = form(&script.asked()[0]);
    assert_eq!((sent["grant_type"].as_str(), sent["code"].as_str(), sent["code_verifier"].as_str()), ("authorization_code", "c", "v"));
    assert_eq!((sent["redirect_uri"].as_str(), sent["type"].as_str()), ("https://vault.example.com/callback", "web_server"));
}

#[tokio::test]
async fn an_id_token_that_answers_another_request_ends_the_exchange() {
    use base64::Engine as _;
    let claims =
        json!({ "iss": "https://accounts.google.com", "aud": "id", "exp": 1_700_000_900, "nonce": "theirs", "email": "a@b.example" });
    let token = format!("e30.{}.s", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string()));
    let body = json!({ "access_token": "at", "id_token": token });
    let code = Secret::new("c");
    let exchange = |nonce: Option<&'static str>| {
        let (_, driver) = Script::of([json(200, &body)]);
        let code = &code;
        async move { driver.exchange_code(&client_of("google"), &Return { code, verifier: None, nonce }).await }
    };
    assert_eq!(exchange(Some("theirs")).await.expect("ours").told.account.as_deref(), Some("a@b.example"));
    let refused = exchange(Some("mine")).await.expect_err("another's");
    assert_eq!((refused.kind, refused.detail.as_str()), (FailureKind::Unclear, "the provider's ID token answers another request"));
}

#[tokio::test]
async fn the_account_is_asked_for_as_the_entry_says() {
    let account = |id: &'static str, body: Value| async move {
        let (script, driver) = Script::of([json(200, &json!({ "access_token": "at" })), json(200, &body)]);
        let client = client_of(id);
        let code = Secret::new("c");
        let tokens = driver.exchange_code(&client, &Return { code: &code, verifier: None, nonce: None }).await.expect("tokens");
        let scopes = vec!["openid".to_owned()];
        let told = driver.account(&client, &tokens, &scopes).await.expect("an account");
        (told, script.asked().remove(1))
    };
    let (told, request) = account("github", json!({ "login": "octo" })).await;
    assert_eq!(
        (told.account.as_deref(), request.method(), header(&request, "authorization")),
        (Some("octo"), &Method::GET, Some("Bearer at"))
    );
    let (_, request) = account("dropbox", json!({ "email": "a@b.example" })).await;
    assert_eq!((request.method(), request.body().len(), header(&request, "content-type")), (&Method::POST, 0, None));
    let (_, request) = account("mailchimp", json!({})).await;
    assert_eq!(header(&request, "authorization"), Some("OAuth at"));
    let (_, request) = account("paypal", json!({})).await;
    assert_eq!(request.uri().query(), Some("schema=paypalv1.1"));
    let (told, request) = account("linear", json!({ "data": { "viewer": { "id": "u" } } })).await;
    assert_eq!((told.account.as_deref(), request.body().as_ref()), (Some("u"), &br#"{"query":"{ viewer { id } }"}"#[..]));
    let (_, request) = account("hubspot", json!({ "user": "a@b.example" })).await;
    assert_eq!(form(&request)["token"], "at");
    assert_eq!((form(&request)["client_secret"].as_str(), header(&request, "authorization")), ("s e:c", None));
    let (told, _) = account("docusign", json!({ "email": "a@b.example", "accounts": [{ "base_uri": "https://na3.docusign.net" }] })).await;
    assert_eq!(told.base_url.as_deref(), Some("https://na3.docusign.net"));
}

#[tokio::test]
async fn no_call_is_made_that_is_not_needed_or_not_allowed() {
    for (id, body) in
        [("asana", json!({ "access_token": "at", "data": { "email": "a@b.example" } })), ("xero", json!({ "access_token": "at" }))]
    {
        let (script, driver) = Script::of([json(200, &body)]);
        let code = Secret::new("c");
        let tokens = driver.exchange_code(&client_of(id), &Return { code: &code, verifier: None, nonce: None }).await.expect("tokens");
        driver.account(&client_of(id), &tokens, &["offline_access".to_owned()]).await.expect("what the answer told");
        assert_eq!(script.asked().len(), 1, "{id}");
    }
}

async fn revoked(id: &str, kept: &[(&str, &str)], refresh_token: bool) -> Request<Bytes> {
    let (script, driver) = Script::of([answer(200, "text/plain", "")]);
    let kept = kept.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (access, refresh) = (Secret::new("at"), Secret::new("rt"));
    let held = Held { access_token: &access, refresh_token: refresh_token.then_some(&refresh), kept: &kept };
    assert_eq!(driver.revoke(&client_of(id), &held).await, Ok(true));
    script.asked().remove(0)
}

#[tokio::test]
async fn a_login_is_ended_as_the_entry_says() {
    let standard = revoked("gitlab", &[], true).await;
    assert_eq!((form(&standard)["token"].as_str(), form(&standard)["token_type_hint"].as_str()), ("rt", "refresh_token"));
    assert!(header(&standard, "authorization").is_some_and(|value| value.starts_with("Basic ")));
    assert_eq!(form(&revoked("gitlab", &[], false).await)["token"], "at");
    assert_eq!(form(&revoked("pipedrive", &[], true).await)["token"], "at", "its refresh token would uninstall the app");
    let github = revoked("github", &[], false).await;
    assert_eq!((github.method(), github.uri().path()), (&Method::DELETE, "/applications/id/token"));
    assert_eq!(github.body().as_ref(), br#"{"access_token":"at"}"#);
    let dropbox = revoked("dropbox", &[], true).await;
    assert_eq!((dropbox.body().len(), header(&dropbox, "authorization")), (0, Some("Bearer at")));
    let miro = revoked("miro", &[], true).await;
    let sent: Value = serde_json::from_slice(miro.body()).expect("JSON");
    assert_eq!(sent, json!({ "accessToken": "at", "clientId": "id", "clientSecret": "s e:c" }));
    assert_eq!(header(&miro, "authorization"), None);
    assert_eq!(header(&revoked("square", &[], true).await, "authorization"), Some("Client s e:c"));
    let stripe = form(&revoked("stripe", &[("stripe_user_id", "acct_1")], true).await);
    assert_eq!((stripe["stripe_user_id"].as_str(), stripe.contains_key("token")), ("acct_1", false));
}

#[tokio::test]
async fn what_cannot_be_revoked_is_said() {
    let (access, kept) = (Secret::new("at"), BTreeMap::new());
    let held = Held { access_token: &access, refresh_token: None, kept: &kept };
    let (_, driver) = Script::of([]);
    assert_eq!(driver.revoke(&client_of("spotify"), &held).await, Ok(false));
    let failure = driver.revoke(&client_of("stripe"), &held).await.expect_err("its account was not kept");
    assert_eq!(failure.kind, FailureKind::Misconfigured);
    let (_, driver) = Script::of([json(503, &json!({}))]);
    assert_eq!(driver.revoke(&client_of("gitlab"), &held).await.expect_err("busy").kind, FailureKind::Transient);
}

#[tokio::test]
async fn a_secret_that_no_header_can_carry_is_a_failure_and_not_a_panic() {
    let mut client = client_of("square");
    client.credentials.secret = Some(Secret::new("a\nb"));
    let (access, kept) = (Secret::new("at"), BTreeMap::new());
    let (_, driver) = Script::of([]);
    let held = Held { access_token: &access, refresh_token: None, kept: &kept };
    assert_eq!(driver.revoke(&client, &held).await.expect_err("no header").kind, FailureKind::Misconfigured);
}

#[test]
fn nothing_prints_a_secret() {
    let client = client_of("google");
    let request = client.token_request("https://x.example", Parameters::new([("refresh_token", "CANARY")])).expect("a request");
    let printed = format!("{client:?} {:?}", request.headers());
    assert!(!printed.contains("s e:c") && !printed.contains("aWQ6"), "{printed}");
}
