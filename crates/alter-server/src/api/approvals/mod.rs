//! Approvals: proxied calls that wait until people have agreed to them.
//!
//! ```text
//! POST /sdk/proxy                       a call that needs one is judged, kept and answered with 202     hold
//! GET  /approve/{gate}                  a person reads what would be sent, and decides                   pages
//! POST /admin/v1/approvals/{id}/…       or an operator does                                              (admin plane)
//! GET  /sdk/approvals/{id}              the client learns how it stands                                  poll
//! GET  /sdk/approvals/{id}/result       … and what the provider answered
//! ```
//!
//! One file for each rule:
//!
//! * [`frozen`]: what is kept of the request, so that it can be judged once more.
//! * [`mod@decide`]: who may decide, and what a decision does. Each gate takes one of its approvers, all gates have to be passed, one no ends it.
//! * [`execute`]: the approved call. It is judged again from the beginning, it must be to the letter what people have seen, and it leaves at most once.
//! * [`attend`]: what happens by itself: time runs out, a vault stopped between approval and call, an app has to be told.
//!
//! Where an approval stands is in the database and nowhere else: any vault on it can go on with it, and of two that try, one can.

mod attend;
mod decide;
mod execute;
mod frozen;
mod hold;
mod pages;
mod poll;
mod readable;
mod shape;
mod trail;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;

use super::{Vault, named, signed};

pub use attend::Attendant;
pub use decide::{Choice, Decided, decide};
pub use execute::Leaving;
pub use frozen::{seen, stored};
pub use hold::{Held, hold, told_again};
pub use readable::{line, visible};
pub use shape::{detail as shown_in_detail, listed, url};
pub use webhook::secret as webhook_secret;

/// The routes.
pub fn router() -> Router<Arc<Vault>> {
    Router::new()
        .route("/sdk/approvals/{approval_id}", get(status))
        .route("/sdk/approvals/{approval_id}/result", get(result))
        .route("/approve/{gate}", get(pages::show).post(pages::decide))
        .route("/approve/{gate}/sign-in", axum::routing::post(pages::sign_in))
}

async fn status(State(vault): State<Arc<Vault>>, approval: Result<Path<String>, PathRejection>, request: Request) -> Response {
    let query = request.uri().query().map(str::to_owned);
    signed(&vault, poll::GetStatus { approval: named(approval), query }, request).await
}

async fn result(State(vault): State<Arc<Vault>>, approval: Result<Path<String>, PathRejection>, request: Request) -> Response {
    signed(&vault, poll::GetResult { approval: named(approval) }, request).await
}
