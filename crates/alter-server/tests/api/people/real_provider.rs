//! The whole way with a real OpenID provider: the npm package `oidc-provider`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use alter_server::clock::{Clock, SystemClock};
use http::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page};
use crate::harness::{Signed, TestVault};

/// The provider's process. It ends with its standard input.
struct OidcProvider {
    issuer: String,
    child: Child,
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl OidcProvider {
    fn start(settings: &Value) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(root.join("node_modules/oidc-provider").exists(), "oidc-provider is not installed: run `cargo xtask setup`");
        let mut command = Command::new("node");
        command.arg("tests/oidc/provider.mjs").arg(settings.to_string()).current_dir(root);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("node starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("the provider did not start ({error}): {line:?}"));
        Self { issuer: said["issuer"].as_str().expect("an issuer").to_owned(), child }
    }
}

/// Signs in on the provider's own pages; gives the redirect back to the vault.
async fn sign_in_there(browser: &mut Browser, redirect: &Page, name: &str) -> String {
    let mut page = browser.get(&redirect.location().expect("a redirect")).await;
    for _ in 0..5 {
        page = browser.follow(page).await;
        if let Some(back) = page.location() {
            return back;
        }
        let (action, hidden) = page.form();
        let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if page.text.contains("name=\"login\"") {
            fields.extend([("login", name), ("password", "x")]);
        }
        page = browser.post(&action, &page.url.clone(), &fields).await;
    }
    panic!("the provider's pages do not end: {}", page.text);
}

#[tokio::test]
async fn a_person_signs_in_with_a_real_provider() {
    let vault = TestVault::start().await;
    // Its tokens are of today.
    vault.clock.set(SystemClock.now());
    let redirect_uri = format!("{}/sign-in/callback", vault.url);
    let provider = OidcProvider::start(&json!({
        "clients": [{"client_id": "vault", "client_secret": "a secret/+:%", "redirect_uris": [redirect_uri]}],
        "groups": ["staff", "admins"],
    }));
    vault.made("/apps", json!({"name": "demo"})).await;
    let key = vault.key(json!({"scopes": ["idp_users:write"]})).await;
    let settings = json!({
        "issuer": provider.issuer, "client_id": "vault", "client_secret": "a secret/+:%", "groups_claim": "groups",
        "scopes": ["openid", "profile", "email", "groups"],
    });
    let set = vault.admin(Method::PUT, "/apps/demo/idp", settings).await;
    assert_eq!((set.status.as_u16(), &set.json()["redirect_uri"]), (201, &json!(redirect_uri)), "{:?}", set.json());
    let call = |path: &'static str, body: Value| {
        let (key, vault) = (key.clone(), &vault);
        async move { Signed::post(path, &key, &body).send(vault).await.json() }
    };
    let session = call("/sdk/auth/session", json!({})).await;

    let mut browser = Browser::new();
    let url = session["auth_url"].as_str().expect("a URL");
    let (action, _) = browser.get(url).await.form();
    let redirect = browser.post(&action, url, &[]).await;
    assert_eq!(redirect.status, 303, "{redirect:?}");
    let back = sign_in_there(&mut browser, &redirect, "ada").await;
    assert!(back.starts_with(&redirect_uri), "{back}");
    let page = browser.get(&back).await;
    assert!(page.text.contains("You are signed in"), "{}", page.text);

    let answer = call("/sdk/auth/poll", json!({"session_token": session["session_token"], "wait_ms": 5000})).await;
    assert_eq!(answer["status"], "completed", "{answer}");
    let info = json!({"sub": "ada", "email": "ada@example.com", "email_verified": true, "name": "ada Example"});
    assert_eq!(answer["user_info"], info);
    let token = answer["user_token"].clone();
    assert_eq!(call("/sdk/auth/verify-token", json!({"token": token})).await, json!({"sub": "ada"}));
    let identity = call("/sdk/identity/resolve", json!({"include_profile": true, "user_token": token})).await;
    assert_eq!((&identity["app_user_id"], &identity["group_ids"]), (&json!("ada"), &json!(["staff", "admins"])));
    assert_eq!(identity["email"], "ada@example.com");
    // After the token's end, ten minutes from its making, it proves nothing.
    vault.advance(60 * 60);
    let late = Signed::post("/sdk/auth/verify-token", &key, &json!({"token": token})).send(&vault).await;
    assert_eq!(late.refusal(), (401, "jwt_validation_error".into()));
}
