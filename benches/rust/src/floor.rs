//! The floor: the three exchanges of a call, with hyper and nothing of ours. No signature, no checks, no limits, no timeouts.

use std::sync::Mutex;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::Failure;
use crate::control::{Client, Order};
use crate::http_client::HttpClient;

/// A client of the stub.
pub struct Floor {
    http: HttpClient,
    token_url: String,
    audit_url: String,
    provider_url: String,
    api_key: String,
    grant: String,
    reports: Mutex<JoinSet<Result<(), Failure>>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    grant_id: String,
}

impl Client for Floor {
    fn new(order: &Order) -> Result<Self, Failure> {
        Ok(Self {
            http: HttpClient::new()?,
            token_url: format!("{}/sdk/token", order.base_url),
            audit_url: format!("{}/sdk/oauth/audit/api-call", order.base_url),
            provider_url: order.provider_url.clone(),
            api_key: order.api_key.clone(),
            grant: order.grants.first().ok_or("the order has no grant")?.clone(),
            reports: Mutex::default(),
        })
    }

    async fn call(&self, _number: usize) -> Result<(), Failure> {
        let ask = format!(r#"{{"grant_id":"{}","reason":null,"request":{{"method":"GET","url":"{}"}}}}"#, self.grant, self.provider_url);
        let token: Token = serde_json::from_slice(&self.post(&self.token_url, ask).await?)?;
        let bearer = format!("Bearer {}", token.access_token);
        let answer = self.http.send(Method::GET, &self.provider_url, &[("authorization", &bearer)], Bytes::new()).await?;
        let report = self.report(&token, &answer);
        let mut reports = self.reports.lock().map_err(|_| "a report panicked")?;
        // What has ended is let go of, so that the set does not grow with the number of calls.
        while let Some(ended) = reports.try_join_next() {
            ended??;
        }
        reports.spawn(report);
        Ok(())
    }

    async fn close(&self) {
        let reports = self.reports.lock().map(|mut reports| std::mem::take(&mut *reports)).unwrap_or_default();
        // A report that failed is missing in the stub's count, which the bench compares.
        drop(reports.join_all().await);
    }
}

impl Floor {
    async fn post(&self, url: &str, body: String) -> Result<Bytes, Failure> {
        let headers = [("x-api-key", self.api_key.as_str()), ("content-type", "application/json")];
        self.http.send(Method::POST, url, &headers, Bytes::from(body)).await
    }

    /// The report of one call, as long as ours are.
    fn report(&self, token: &Token, answer: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
        let body = serde_json::json!({
            "grant_id": token.grant_id, "provider_id": "bench", "token_generation": null, "method": "GET", "url": self.provider_url,
            "request_headers": {"User-Agent": "bench"}, "request_body": null, "response_status": 200,
            "response_headers": {"content-type": "application/json"}, "response_body": String::from_utf8_lossy(answer),
            "latency_ms": 1, "reason": null, "context": null,
        });
        let (http, url, api_key) = (self.http.clone(), self.audit_url.clone(), self.api_key.clone());
        async move {
            let headers = [("x-api-key", api_key.as_str()), ("content-type", "application/json")];
            http.send(Method::POST, &url, &headers, Bytes::from(body.to_string())).await.map(drop)
        }
    }
}
