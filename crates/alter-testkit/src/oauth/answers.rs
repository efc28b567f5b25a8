//! The server's endpoints.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tokens::{Code, Ledger};
use super::{Act, CLIENT_ID, CLIENT_SECRET, Login, lock};
use crate::http::{Headers, Request, Response};

type Form = BTreeMap<String, String>;

/// Answers a request; `None` closes the connection.
pub(super) fn answer(ledger: &Mutex<Ledger>, request: &Request) -> Option<Response> {
    match (request.method.as_str(), request.path()) {
        ("GET", "/authorize") => Some(authorize(ledger, &form(request.query().as_bytes()))),
        ("POST", "/token") => token(ledger, request),
        ("POST", "/revoke") => revoke(ledger, request),
        ("GET", "/.well-known/oauth-authorization-server") => Some(metadata(&lock(ledger).url)),
        ("GET", "/userinfo") => Some(protected(ledger, request, &json!({ "sub": "1", "email": lock(ledger).email }))),
        (_, path) if path.starts_with("/api/") => Some(protected(ledger, request, &json!({ "ok": true, "path": path }))),
        _ => Some(Response::json(404, &json!({ "error": "not_found" }))),
    }
}

fn form(bytes: &[u8]) -> Form {
    form_urlencoded::parse(bytes).into_owned().collect()
}

fn error(status: u16, code: &str) -> Response {
    Response::json(status, &json!({ "error": code }))
}

fn metadata(url: &str) -> Response {
    Response::json(
        200,
        &json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "revocation_endpoint": format!("{url}/revoke"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }),
    )
}

/// Consents at once. What is wrong with the request is the answer's body, since nobody may be sent to a place that is not known.
fn authorize(ledger: &Mutex<Ledger>, asked: &Form) -> Response {
    let get = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    if get("client_id") != CLIENT_ID || get("response_type") != "code" || get("redirect_uri").is_empty() {
        return error(400, "invalid_request");
    }
    if get("code_challenge_method") != "S256" || get("code_challenge").len() != 43 {
        return error(400, "invalid_request");
    }
    let redirect_uri = get("redirect_uri").to_owned();
    let code = lock(ledger).code(Code { challenge: get("code_challenge").to_owned(), redirect_uri: redirect_uri.clone() });
    let back = form_urlencoded::Serializer::new(String::new()).append_pair("code", &code).append_pair("state", get("state")).finish();
    let headers = Headers(vec![("Location".to_owned(), format!("{redirect_uri}?{back}"))]);
    Response { status: 302, headers, body: Vec::new() }
}

fn is_client(request: &Request) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    request.headers.get("authorization") == Some(&expected)
}

fn token(ledger: &Mutex<Ledger>, request: &Request) -> Option<Response> {
    let asked = form(&request.body);
    let act = {
        let mut ledger = lock(ledger);
        if let Some(token) = asked.get("refresh_token") {
            ledger.exchanged.push(token.clone());
        }
        ledger.script.pop_front().unwrap_or(Act::Answer)
    };
    if let Some(instead) = in_place_of_acting(act) {
        return instead;
    }
    if let Act::Scopes(scopes) = act {
        scopes.clone_into(&mut lock(ledger).scopes);
    }
    let answer = exchange(ledger, request, &asked, act != Act::WithoutExpiry);
    sent(act, answer)
}

/// What the server does if it does not act; `None` if it does.
fn in_place_of_acting(act: Act) -> Option<Option<Response>> {
    match act {
        Act::CloseBefore => Some(None),
        Act::Status(status) => Some(Some(Response { status, headers: Headers::default(), body: Vec::new() })),
        Act::Page(status) => Some(Some(page(status))),
        Act::ErrorWithStatus200(code) => Some(Some(error(200, code))),
        Act::Answer | Act::CloseAfter | Act::Slow(_) | Act::WithoutExpiry | Act::Scopes(_) => None,
    }
}

/// What becomes of an answer.
fn sent(act: Act, answer: Response) -> Option<Response> {
    if let Act::Slow(span) = act {
        std::thread::sleep(span);
    }
    (act != Act::CloseAfter).then_some(answer)
}

fn page(status: u16) -> Response {
    let headers = Headers(vec![("Content-Type".to_owned(), "text/html".to_owned())]);
    Response { status, headers, body: b"<!doctype html><title>Error</title><p>access_token=none".to_vec() }
}

fn exchange(ledger: &Mutex<Ledger>, request: &Request, asked: &Form, with_expiry: bool) -> Response {
    if !is_client(request) {
        return error(401, "invalid_client");
    }
    let mut ledger = lock(ledger);
    let login = match asked.get("grant_type").map(String::as_str) {
        Some("authorization_code") => by_code(&mut ledger, asked),
        Some("refresh_token") => asked.get("refresh_token").and_then(|token| ledger.refresh(token)),
        _ => return error(400, "unsupported_grant_type"),
    };
    let Some(login) = login else { return error(400, "invalid_grant") };
    let mut answer = json!({
        "access_token": login.access_token,
        "refresh_token": login.refresh_token,
        "token_type": "Bearer",
        "scope": ledger.scopes,
    });
    if with_expiry {
        answer["expires_in"] = Value::from(3600);
    }
    Response::json(200, &answer)
}

fn by_code(ledger: &mut Ledger, asked: &Form) -> Option<Login> {
    let code = ledger.take_code(asked.get("code")?)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(asked.get("code_verifier")?.as_bytes()));
    (challenge == code.challenge && *asked.get("redirect_uri")? == code.redirect_uri).then(|| ledger.login())
}

fn revoke(ledger: &Mutex<Ledger>, request: &Request) -> Option<Response> {
    let act = {
        let mut ledger = lock(ledger);
        ledger.revocations += 1;
        ledger.revocation_script.pop_front().unwrap_or(Act::Answer)
    };
    in_place_of_acting(act).unwrap_or_else(|| sent(act, end_login(ledger, request)))
}

fn end_login(ledger: &Mutex<Ledger>, request: &Request) -> Response {
    if !is_client(request) {
        return error(401, "invalid_client");
    }
    let asked = form(&request.body);
    let Some(token) = asked.get("token") else { return error(400, "invalid_request") };
    let mut ledger = lock(ledger);
    ledger.revoked.push(token.clone());
    ledger.end_family_of(token);
    Response::json(200, &json!({}))
}

fn protected(ledger: &Mutex<Ledger>, request: &Request, body: &Value) -> Response {
    let token = request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| lock(ledger).accepts(token)) { Response::json(200, body) } else { error(401, "invalid_token") }
}
