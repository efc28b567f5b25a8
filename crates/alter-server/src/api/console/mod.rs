//! The console: the admin API as pages, for operators with a browser.
//!
//! ```text
//! GET  /console                        what happened lately, and what waits
//! GET  /console/apps, /console/operators, /console/apps/{app}/{noun}       lists
//! GET  /console/approvals, …/{id}      calls that wait; POST decides
//! GET  /console/audit, …/export        the audit trail: search, and what was found as a file
//! ```
//!
//! It holds no rule of its own: each page asks the admin API within the process ([`ask`]), as the operator who has signed in ([`session`]), and shows what that
//! answers. What an operator may not do there, they may not do here.

mod approvals;
mod ask;
mod audit;
mod frame;
mod overview;
mod plot;
mod session;
mod table;
mod tables;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

use super::Vault;

/// The routes.
pub fn router(vault: &Arc<Vault>) -> Router<Arc<Vault>> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/console") }))
        .route("/console", get(overview::show))
        .route("/console/sign-in", get(session::ask).post(session::enter))
        .route("/console/sign-out", post(session::leave))
        .route("/console/apps", get(tables::apps))
        .route("/console/operators", get(tables::operators))
        .route("/console/apps/{app}", get(tables::first))
        .route("/console/apps/{app}/{noun}", get(tables::of_app))
        .route("/console/approvals", get(tables::approvals))
        .route("/console/approvals/{approval}", get(approvals::show).post(approvals::decide))
        .route("/console/audit", get(audit::show))
        .route("/console/audit/export", get(audit::export))
        .layer(axum::Extension(ask::Admin::new(vault)))
}
