//! The load on a real vault: grants made by an operator, and credentials asked for by a client.

use std::io::{Write, stdin, stdout};
use std::sync::{Arc, Mutex};

use alter_core::signing::{SigningKey, StringToSign, content_sha256, headers};
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::Failure;
use crate::control::{Client, Order, Threads, make_calls};
use crate::http_client::HttpClient;

/// Makes as many grants as the one order says and prints their ids. In it, `provider_url` is the collection of grants, `api_key` the
/// operator's key, and the first of `grants` the secret.
pub fn make_grants() -> Result<(), Failure> {
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let grants = Arc::new(Grants::new(&order)?);
    Threads::One.runtime()?.block_on(make_calls(&grants, order.callers, 0, order.calls))?;
    let made = grants.made.lock().map_err(|_| "a caller panicked")?;
    writeln!(stdout().lock(), "{}", serde_json::json!({ "grants": *made }))?;
    Ok(())
}

/// Makes a grant a call.
struct Grants {
    http: HttpClient,
    url: String,
    bearer: String,
    body: String,
    made: Mutex<Vec<String>>,
}

#[derive(Deserialize)]
struct Grant {
    grant_id: String,
}

impl Client for Grants {
    fn new(order: &Order) -> Result<Self, Failure> {
        let secret = order.grants.first().ok_or("the order names no secret")?;
        Ok(Self {
            http: HttpClient::new()?,
            url: order.provider_url.clone(),
            bearer: format!("Bearer {}", order.api_key),
            body: serde_json::json!({ "secret": secret }).to_string(),
            made: Mutex::default(),
        })
    }

    async fn call(&self, _number: usize) -> Result<(), Failure> {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        let answer = self.http.send(Method::POST, &self.url, &headers, Bytes::from(self.body.clone())).await?;
        let grant: Grant = serde_json::from_slice(&answer)?;
        self.made.lock().map_err(|_| "a caller panicked")?.push(grant.grant_id);
        Ok(())
    }

    async fn close(&self) {}
}

/// Asks for a credential a call, as a client does: signed, each with a nonce of its own, over all the grants in turn.
pub struct Tokens {
    http: HttpClient,
    url: String,
    provider_url: String,
    api_key: String,
    key: SigningKey,
    grants: Vec<String>,
}

impl Client for Tokens {
    fn new(order: &Order) -> Result<Self, Failure> {
        if order.grants.is_empty() {
            return Err("the order has no grant".into());
        }
        Ok(Self {
            http: HttpClient::new()?,
            url: format!("{}/sdk/token", order.base_url),
            provider_url: order.provider_url.clone(),
            api_key: order.api_key.clone(),
            key: SigningKey::derive(&order.api_key),
            grants: order.grants.clone(),
        })
    }

    async fn call(&self, number: usize) -> Result<(), Failure> {
        let grant = &self.grants[number % self.grants.len()];
        let body = format!(r#"{{"grant_id":"{grant}","reason":null,"request":{{"method":"GET","url":"{}"}}}}"#, self.provider_url);
        let timestamp = OffsetDateTime::now_utc().unix_timestamp().to_string();
        let (nonce, digest) = (nonce()?, content_sha256(body.as_bytes()));
        let signed = StringToSign {
            method: "POST",
            path_and_query: "/sdk/token",
            timestamp: &timestamp,
            nonce: &nonce,
            content_sha256: &digest,
            ..StringToSign::default()
        };
        let signature = self.key.sign(&signed.v1());
        let headers = [
            (headers::API_KEY, self.api_key.as_str()),
            (headers::TIMESTAMP, &timestamp),
            (headers::NONCE, &nonce),
            (headers::CONTENT_SHA256, &digest),
            (headers::SIGNATURE, &signature),
            ("content-type", "application/json"),
        ];
        self.http.send(Method::POST, &self.url, &headers, Bytes::from(body)).await.map(drop)
    }

    async fn close(&self) {}
}

fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| format!("no random numbers: {cause}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
