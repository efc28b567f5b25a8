use std::io::BufReader;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::http::{Headers, Response};

const REPLACE: Rotation = Rotation::Replace { grace: Duration::ZERO };

fn send(server: &OAuthServer, method: &str, target: &str, headers: &[(&str, String)], body: &str) -> io::Result<Response> {
    let connection = TcpStream::connect(server.host())?;
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let request = Request { method: method.into(), target: target.into(), headers: Headers(headers), body: body.into() };
    request.write(&mut &connection)?;
    Response::read(&mut BufReader::new(&connection))
}

fn post(server: &OAuthServer, path: &str, body: &str) -> io::Result<(u16, Value)> {
    let client = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let answer = send(server, "POST", path, &[("Authorization", client)], body)?;
    Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
}

fn refresh(server: &OAuthServer, token: &str) -> (u16, Value) {
    post(server, "/token", &format!("grant_type=refresh_token&refresh_token={token}")).expect("an answer")
}

fn works(server: &OAuthServer, access_token: &str) -> bool {
    send(server, "GET", "/api/x", &[("Authorization", format!("Bearer {access_token}"))], "").expect("an answer").status == 200
}

#[test]
fn a_code_is_given_and_exchanged_once_with_its_verifier() {
    let server = OAuthServer::start(REPLACE).expect("a free port");
    // The pair of RFC 7636, appendix B.
    let target = format!(
        "/authorize?response_type=code&client_id={CLIENT_ID}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&state=s&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let code = || {
        let back = send(&server, "GET", &target, &[], "").expect("an answer");
        let location = back.headers.get("location").expect("a place to go").to_owned();
        assert!(back.status == 302 && location.starts_with("http://127.0.0.1/cb?") && location.ends_with("&state=s"), "{location}");
        location.split(['=', '&']).nth(1).expect("a code").to_owned()
    };
    let exchange = |code: &str, verifier: &str| {
        let body = format!("grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&code_verifier={verifier}");
        post(&server, "/token", &body).expect("an answer")
    };
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let first = code();
    let (status, tokens) = exchange(&first, verifier);
    assert!(status == 200 && works(&server, tokens["access_token"].as_str().expect("a token")));
    assert_eq!(exchange(&first, verifier), (400, json!({ "error": "invalid_grant" })), "it works once");
    assert_eq!(exchange(&code(), "another").0, 400);
    assert_eq!(server.exchanges(), 0, "only refreshes are counted");
}

#[test]
fn a_refresh_token_that_is_used_again_ends_the_login() {
    let server = OAuthServer::start(REPLACE).expect("a free port");
    let login = server.login();
    let (status, tokens) = refresh(&server, &login.refresh_token);
    assert_eq!((status, works(&server, tokens["access_token"].as_str().expect("a token"))), (200, true));
    assert_eq!(refresh(&server, &login.refresh_token), (400, json!({ "error": "invalid_grant" })));
    assert_eq!(refresh(&server, tokens["refresh_token"].as_str().expect("a token")).0, 400, "the whole login is ended");
    assert!(!works(&server, &login.access_token));
    assert_eq!(server.exchanged()[..2], [login.refresh_token.clone(), login.refresh_token]);
}

#[test]
fn within_the_grace_the_old_token_gives_the_same_successor() {
    let server = OAuthServer::start(Rotation::Replace { grace: Duration::from_secs(60) }).expect("a free port");
    let login = server.login();
    let (one, two) = (refresh(&server, &login.refresh_token).1, refresh(&server, &login.refresh_token).1);
    assert_eq!(one["refresh_token"], two["refresh_token"]);
    assert_eq!(refresh(&server, two["refresh_token"].as_str().expect("a token")).0, 200);
}

#[test]
fn without_rotation_the_token_stays() {
    let server = OAuthServer::start(Rotation::None).expect("a free port");
    let login = server.login();
    for _ in 0..2 {
        assert_eq!(refresh(&server, &login.refresh_token).1["refresh_token"], login.refresh_token.as_str());
    }
    let (status, _) = post(&server, "/revoke", &format!("token={}", login.refresh_token)).expect("an answer");
    assert_eq!((status, server.revoked()), (200, vec![login.refresh_token.clone()]));
    assert_eq!(refresh(&server, &login.refresh_token).0, 400);
}

#[test]
fn it_misbehaves_as_it_is_told_and_then_behaves() {
    let server = OAuthServer::start(Rotation::None).expect("a free port");
    let login = server.login();
    server.script(&[
        Act::Status(503),
        Act::Page(200),
        Act::ErrorWithStatus200("invalid_grant"),
        Act::WithoutExpiry,
        Act::Scopes("read"),
        Act::CloseAfter,
    ]);
    assert_eq!(refresh(&server, &login.refresh_token), (503, Value::Null));
    assert_eq!(refresh(&server, &login.refresh_token), (200, Value::Null));
    assert_eq!(refresh(&server, &login.refresh_token), (200, json!({ "error": "invalid_grant" })));
    assert!(refresh(&server, &login.refresh_token).1.get("expires_in").is_none());
    assert_eq!(refresh(&server, &login.refresh_token).1["scope"], "read");
    assert!(post(&server, "/token", "grant_type=refresh_token&refresh_token=x").is_err(), "no answer");
    assert_eq!(refresh(&server, &login.refresh_token).1["expires_in"], 3600);
}

#[test]
fn another_client_is_refused() {
    let server = OAuthServer::start(Rotation::None).expect("a free port");
    let answer = send(&server, "POST", "/token", &[], "grant_type=refresh_token&refresh_token=x").expect("an answer");
    assert_eq!(answer.status, 401);
}
