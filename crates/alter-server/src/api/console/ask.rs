//! Asking the admin API within the process, as the operator who has signed in.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::session::SignedIn;
use crate::api::request_id::RequestId;
use crate::api::{Vault, admin};

/// The admin API without the check of a key: whoever asks here has shown theirs when they signed in.
#[derive(Clone)]
pub struct Admin(Router);

/// A refusal of the admin API, for a page.
#[derive(Debug)]
pub struct Refused {
    /// Its status.
    pub status: StatusCode,
    /// What it says.
    pub message: String,
}

impl Admin {
    /// Of a vault.
    pub fn new(vault: &Arc<Vault>) -> Self {
        Self(admin::routes().with_state(Arc::clone(vault)))
    }

    /// Reads something.
    ///
    /// # Errors
    /// What the API refuses.
    pub async fn get(&self, who: &SignedIn, path: &str) -> Result<Value, Refused> {
        self.send(who, Method::GET, path, None).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// What the API refuses.
    pub async fn post(&self, who: &SignedIn, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send(who, Method::POST, path, Some(body)).await
    }

    async fn send(&self, who: &SignedIn, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let broken =
            || Refused { status: StatusCode::INTERNAL_SERVER_ERROR, message: "The vault failed to handle this request.".to_owned() };
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = Request::builder().method(method).uri(path).body(body).map_err(|_| broken())?;
        request.extensions_mut().insert(Arc::clone(&who.operator));
        RequestId::put(&mut request, &who.request_id);
        let answer = match self.0.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|_| broken())?.to_bytes();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        Err(Refused { status, message: value["message"].as_str().unwrap_or("This did not work.").to_owned() })
    }
}
