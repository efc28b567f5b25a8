//! Grants, connecting and identity through the SDK, over real sockets.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alter_sdk::model::GrantListItem;
use alter_sdk::{
    Agent, App, Connect, Delegate, GrantLimits, Identity, Kind, ListGrants, ManagedSecretGrant, MintGrant, NewConnectSession, Principal,
    Wait,
};
use common::{GRANT, KEY, Server, http};
use serde_json::{Value, json};

const CANCEL: &str = "/sdk/oauth/connect/session/cancel";

/// A vault that gives the same answer to everything.
async fn vault(status: u16, answer: Value) -> Server {
    Server::start(move |_| Some(http(status, "", answer.to_string().as_bytes()))).await
}

/// A vault that makes a Connect session and then answers polls.
async fn connect_vault(marker: &'static str, poll: impl Fn() -> Value + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        let session = json!({ "session_token": "SESSION", "connect_url": "https://v.example/c", "expires_in": 60, "expires_at": "x" });
        Some(match request.target() {
            "/sdk/oauth/connect/session" => http(200, marker, session.to_string().as_bytes()),
            CANCEL => http(204, "", b""),
            _ => http(200, "", poll().to_string().as_bytes()),
        })
    })
    .await
}

fn app(vault: &Server) -> App {
    App::builder(KEY).base_url(vault.url()).build().unwrap()
}

fn body(vault: &Server) -> Value {
    serde_json::from_slice(&vault.arrived()[0].body).unwrap()
}

#[tokio::test]
async fn grants_are_listed_as_what_they_are() {
    let oauth = json!({ "grant_kind": "oauth", "grant_id": GRANT, "provider_id": "google", "status": "active",
        "created_at": "x", "principal_type": "user" });
    let secret = json!({ "grant_kind": "managed_secret", "grant_id": GRANT, "managed_secret_id": "i", "managed_secret_slug": "s",
        "managed_secret_name": "n", "status": "active", "created_at": "x", "principal_type": "system", "depth": "deep" });
    let vault = vault(200, json!({ "grants": [oauth, secret], "total": 2, "limit": 50, "offset": 0, "has_more": false })).await;
    let page = app(&vault).list_grants(ListGrants::new().provider_id("x").provider_id("google").limit(50)).await.unwrap();
    assert!(matches!(&page.grants[0], GrantListItem::OAuth(grant) if grant.provider_id == "google"));
    assert!(matches!(&page.grants[1], GrantListItem::ManagedSecret(grant) if grant.managed_secret_slug == "s" && grant.depth == 0));
    assert_eq!(body(&vault), json!({ "limit": 50, "offset": 0, "provider_id": "google" }));
}

#[tokio::test]
async fn the_getter_is_asked_and_its_failure_is_not_repeated() {
    let vault = vault(200, json!({ "success": true, "message": "m", "grant_id": GRANT, "revoked_at": "x" })).await;
    let ours = App::builder(KEY).base_url(vault.url()).user_token_getter(|| async { Ok("the-jwt".to_owned()) }).build().unwrap();
    assert!(ours.revoke_grant(GRANT, Some("gone")).await.unwrap().success);
    assert_eq!(body(&vault), json!({ "reason": "gone", "user_token": "the-jwt" }));
    let broken = App::builder(KEY).base_url(vault.url()).user_token_getter(|| async { Err("jwt-canary".into()) }).build().unwrap();
    let error = broken.revoke_grant(GRANT, None).await.unwrap_err();
    assert_eq!(error.code(), "user_token_unavailable");
    assert!(!format!("{error:?}").contains("canary"));
    assert_eq!(vault.arrived().len(), 1);
}

#[tokio::test]
async fn a_stored_secret_is_granted_to_a_user_whose_token_is_never_shown() {
    let vault = vault(200, json!({ "grant_id": GRANT, "principal_type": "user", "label": "l", "created_at": "x" })).await;
    let principal = Principal::User { user_token: "jwt-canary".into(), label: "l".into() };
    assert!(!format!("{principal:?}").contains("canary"));
    let limits = GrantLimits::default().longest(Duration::from_secs(60));
    app(&vault).create_managed_secret_grant(GRANT, principal, ManagedSecretGrant::new().grant_policy(limits)).await.unwrap();
    let principal = json!({ "type": "user", "user_token": "jwt-canary", "label": "l" });
    assert_eq!(body(&vault), json!({ "principal": principal, "grant_policy": { "max_ttl_seconds": 60 } }));
}

#[tokio::test]
async fn an_agent_delegates_and_gives_back() {
    let vault = vault(
        200,
        json!({ "grant_id": "g", "grant_kind": "oauth", "parent_grant_id": GRANT, "depth": 2,
        "delegable": false, "status": "active" }),
    )
    .await;
    let agent = Agent::builder(KEY).base_url(vault.url()).build().unwrap();
    let how = Delegate::new().scope_constraint(["calendar.read"]).ttl_seconds(60);
    assert_eq!(agent.delegate(GRANT, "bot", how).await.unwrap().depth, 2);
    agent.revoke_delegation(GRANT).await.unwrap();
    assert_eq!(body(&vault), json!({ "to_agent_id": "bot", "scope_constraint": ["calendar.read"], "ttl_seconds": 60 }));
    assert!(vault.arrived()[1].head.starts_with(&format!("DELETE /sdk/grants/{GRANT}/delegations/me ")));
}

#[tokio::test]
async fn an_error_names_what_a_session_must_mend() {
    let refusal = json!({ "error": "no_delegated_grant", "provider_id": "google", "agent_id": GRANT });
    let refusing = vault(404, refusal).await;
    let error = app(&refusing).mint_grant(GRANT, "l", MintGrant::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoDelegatedGrant);
    let vault = connect_vault("", || json!({})).await;
    app(&vault).create_connect_session_for_error(&error, NewConnectSession::new().return_url("https://a.example")).await.unwrap();
    let sent = body(&vault);
    assert_eq!(
        (&sent["allowed_providers"], &sent["agent"], &sent["return_url"]),
        (&json!(["google"]), &json!(GRANT), &json!("https://a.example"))
    );
}

#[tokio::test]
async fn connecting_shows_the_address_and_waits() {
    let polls = AtomicUsize::new(0);
    let vault = connect_vault("x-alter-session-cancel: true\r\n", move || match polls.fetch_add(1, Ordering::Relaxed) {
        0 => json!({ "status": "pending", "declined_providers": [{ "provider_id": "slack", "error_code": "no" }] }),
        _ => json!({ "status": "completed", "grants": [{ "grant_id": GRANT, "provider_id": "google", "scopes": ["a"] }] }),
    })
    .await;
    let app = app(&vault);
    let mut shown = String::new();
    let connect = Connect::new().providers(["google"]).poll_interval(Duration::from_millis(10));
    let connected = app.connect(connect, |address| shown = address.to_owned()).await.unwrap();
    assert_eq!((shown.as_str(), connected[0].grant_id.as_str()), ("https://v.example/c", GRANT));
    app.close().await;
    assert!(vault.arrived().iter().all(|request| request.target() != CANCEL), "a session that ended was given up");
}

#[tokio::test]
async fn a_dropped_connection_is_given_up_before_the_client_is_closed() {
    let vault = connect_vault("x-alter-session-cancel: true\r\n", || json!({ "status": "pending" })).await;
    let app = app(&vault);
    let waiting = app.connect(Connect::new().poll_interval(Duration::from_millis(10)), |_| ());
    assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err());
    app.close().await;
    let cancelled: Vec<_> = vault.arrived().into_iter().filter(|request| request.target() == CANCEL).collect();
    assert_eq!(cancelled.len(), 1);
    assert_eq!(cancelled[0].body, br#"{"session_token":"SESSION"}"#);
}

#[tokio::test]
async fn a_wait_tells_its_events_and_its_end() {
    let pending = json!({ "status": "pending", "declined_providers": [{ "provider_id": "slack", "error_code": "no" }] });
    let vault = connect_vault("", move || pending.clone()).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&told);
    let wait = Wait::new().timeout(Duration::from_millis(50)).poll_interval(Duration::from_millis(10));
    let wait = wait.on_event(move |event| events.lock().unwrap().push(event.0["provider_id"].clone()));
    let error = app(&vault).poll_connect_session("SESSION", wait).await.unwrap_err();
    assert_eq!((error.kind(), &error.details()["reason"]), (Kind::ConnectTimeout, &json!("poll_deadline_elapsed")));
    assert_eq!(*told.lock().unwrap(), ["slack"]);
}

/// The vault holds a sign-in poll for longer than this client waits for anything else.
#[tokio::test]
async fn a_held_poll_outlasts_the_clients_own_timeout() {
    let vault = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(400));
        Some(http(200, "", br#"{"status":"completed","user_token":"jwt-canary","user_info":{"sub":"ada"}}"#))
    })
    .await;
    let impatient = App::builder(KEY).base_url(vault.url()).timeout(Duration::from_millis(100)).build().unwrap();
    let result = impatient.poll_auth_session("SESSION", Wait::new()).await.unwrap();
    assert_eq!(vault.arrived().len(), 1);
    assert!(!format!("{result:?}").contains("canary"));
    assert_eq!(impatient.resolve_identity(Identity::new()).await.unwrap_err().kind(), Kind::Timeout);
}
