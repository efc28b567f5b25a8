//! Connect: a person gives an application access, with their own browser.
//!
//! ```text
//! POST /sdk/oauth/connect/session            the application asks for logins at providers      start_login
//! POST /sdk/managed-secrets/connect/session  … or for a key of the person's own                start_key
//! GET  /connect/{token}                      who asks, for what, for how long                  pages
//! POST /connect/{token}/…                    what the person decides                           pages
//! GET  /oauth/callback                       back from a provider: the grant is made           arrival
//! POST /sdk/oauth/connect/session/poll       the application learns how it went                poll
//! ```
//!
//! A session is a ticket ([`session::Session`] is its body). One that is bound to a user is only completed by a browser in which that user is signed in: otherwise
//! anybody with the link could attach *their* login to that user, or that user's to themselves.

mod arrival;
mod consent;
mod key_entry;
mod leaving;
mod lifetime;
mod pages;
mod poll;
mod session;
mod start_key;
mod start_login;
mod wanted;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};

use super::{Vault, signed};
use crate::oauth::registration::CALLBACK_PATH;

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/sdk/oauth/connect/session", post(start_login_session))
        .route("/sdk/oauth/connect/session/poll", post(poll_session))
        .route("/sdk/oauth/connect/session/cancel", post(cancel_session))
        .route("/sdk/managed-secrets/connect/session", post(start_key_session))
        .route("/connect/{token}", get(pages::open))
        .route("/connect/{token}/{step}", post(pages::decide))
        .route(CALLBACK_PATH, get(arrival::arrive))
}

async fn start_login_session(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, start_login::StartLogin, request).await
}

async fn start_key_session(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, start_key::StartKey, request).await
}

async fn poll_session(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, poll::PollSession, request).await
}

async fn cancel_session(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, poll::CancelSession, request).await
}
