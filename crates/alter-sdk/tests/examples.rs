//! The examples, run as a user would run them.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use common::{GRANT, KEY, Server, http};
use tokio::process::Command;

async fn run(name: &str, arguments: &[&str], vault: &str) -> String {
    // cargo puts examples beside the folder of the test programs.
    let folder: PathBuf = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let output = Command::new(folder.join(name))
        .args(arguments)
        .env("ALTER_BASE_URL", vault)
        .env("ALTER_API_KEY", KEY)
        .output()
        .await
        .unwrap_or_else(|cause| panic!("{name}: {cause}"));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn parallel_calls() {
    let (vault, provider) = (Server::vault().await, Server::start(|_| Some(http(200, "", b"ok"))).await);
    let told = run("parallel_calls", &[&provider.url(), GRANT, "20"], &vault.url()).await;
    assert_eq!(told, "20 of 20 calls succeeded\n");
    assert!(vault.arrived().iter().all(|request| request.header("x-alter-scope-constraints") == Some("tokens:retrieve")));
}

#[tokio::test]
async fn error_handling() {
    let vault = Server::vault().await;
    let forbidden = Server::start(|_| Some(http(403, "", br#"{"error":"ip_not_allowed"}"#))).await;
    let gone = Server::start(|_| Some(http(410, "", br#"{"error":"grant_deleted"}"#))).await;
    let teapot = Server::start(|_| Some(http(418, "", b"short and stout"))).await;
    for (vault, want) in [
        (&forbidden, "PolicyViolationError (ip_not_allowed): a policy forbids this call: \"ip_not_allowed\"\n"),
        (&gone, "GrantDeletedError (grant_deleted): ask the user to connect the account (again)\n"),
        (&vault, "ProviderAPIError (provider_error): the provider answered 418: look at its documentation\n"),
    ] {
        assert_eq!(run("error_handling", &[&teapot.url(), GRANT], &vault.url()).await, want);
    }
}

#[tokio::test]
async fn connect_and_list() {
    let vault = Server::start(|request| {
        let session = r#"{"session_token":"s","connect_url":"https://v.example/c","expires_in":60,"expires_at":"x"}"#;
        let connected = format!(r#"{{"status":"completed","grants":[{{"grant_id":"{GRANT}","provider_id":"google"}}]}}"#);
        let secret = format!(
            r#"{{"grant_kind":"managed_secret","grant_id":"{GRANT}","managed_secret_id":"i","managed_secret_slug":"crm",
                "managed_secret_name":"n","status":"active","created_at":"x","principal_type":"system"}}"#
        );
        let page = format!(r#"{{"grants":[{secret}],"total":1,"limit":50,"offset":0,"has_more":false}}"#);
        let body = match request.target() {
            "/sdk/oauth/connect/session" => session.to_owned(),
            "/sdk/grants/list" => page,
            _ => connected,
        };
        Some(http(200, "", body.as_bytes()))
    })
    .await;
    let told = run("connect_and_list", &[], &vault.url()).await;
    assert_eq!(told, format!("Please visit: https://v.example/c\nconnected: google ({GRANT})\n{GRANT} crm active\n"));
}
