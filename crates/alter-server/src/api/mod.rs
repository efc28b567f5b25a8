//! The vault's HTTP API: the wire protocol under `/sdk`, the admin plane under `/admin/v1`, health under `/healthz` and `/readyz`.
//!
//! [`router`] is the table of contents.

mod acting;
mod addressing;
mod admin;
mod admission;
mod agents;
mod approvals;
mod body;
mod catalogues;
mod client_address;
mod connect;
mod console;
pub mod document;
mod grants;
mod health;
mod host;
mod identity;
mod injection;
mod judge;
mod keys;
mod login;
mod members;
mod metrics;
mod opening;
pub mod people;
mod pipeline;
mod proxy;
mod query;
mod refusal;
mod reports;
mod request_id;
mod signed;
mod spans;
mod specs;
mod token;
mod wallet;
mod web;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use tracing::Instrument;

use crate::audit::AuditKey;
use crate::clock::Clock;
use crate::crypto::VaultKeys;
use crate::egress::Egress;
use crate::identity::Issuers;
use crate::oauth::driver::Driver;
use crate::oauth::logins::Logins;
use crate::oauth::refresh::Refresher;
use crate::oauth::revocations::{Endangered, Revocations};
use crate::rotation::Rotation;
use crate::setup::Opened;
use crate::store::{Commit, CommitError, Receipt, Store};

pub use admission::{Admission, USUAL_LIMIT};
pub use approvals::Attendant;
pub use client_address::Peer;
pub use health::Readiness;
pub use host::HostPolicy;
pub(crate) use judge::destination::AllowedHost;
pub use judge::policy::CompiledPolicies;
pub use judge::reach::KNOWN_SCOPES;
pub use metrics::Metrics;
pub use pipeline::COMMIT_DEADLINE;
use refusal::Refusal;
pub use specs::described::Descriptions;

/// A running vault: what every request needs. It holds no state that a call is judged by, so that several processes on one store behave as one vault.
#[derive(Debug)]
pub struct Vault {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What recognises keys and opens credentials.
    pub keys: Arc<VaultKeys>,
    /// What verifies the audit trail.
    pub audit: AuditKey,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The names under which the vault may be called.
    pub hosts: HostPolicy,
    /// What the operator has set about callers.
    pub admission: Admission,
    /// What `/metrics` tells.
    pub metrics: Metrics,
    /// What `/readyz` has just found out.
    pub readiness: Readiness,
    /// Changing the master key.
    pub rotation: Rotation,
    /// Calls that the vault makes on its own behalf.
    pub egress: Egress,
    /// Calls that others have the vault make.
    pub outbound: Egress,
    /// The issuers of its apps' users, and their keys.
    pub issuers: Issuers,
    /// Talking to OAuth providers.
    pub oauth: Driver,
    /// Keeping logins fresh.
    pub logins: Refresher<Logins>,
    /// Telling providers that logins have ended.
    pub revocations: Revocations,
    /// Looking after calls that wait for people.
    pub approvals: Attendant,
    /// Descriptions of providers' APIs that calls have been classified by.
    pub descriptions: Descriptions,
    /// Policies that have been compiled.
    pub policies: CompiledPolicies,
    /// The URL under which browsers reach it, without a trailing slash: what links and the issuer of assertions are made of.
    pub public_url: String,
}

impl Vault {
    /// Puts an opened data folder to use: `egress` makes the vault's own calls, and browsers reach it at `public_url`, without a trailing slash.
    pub fn new(opened: Opened, egress: Egress, hosts: HostPolicy, public_url: String) -> Self {
        let keys = Arc::new(opened.keys);
        let oauth = Driver::new(Arc::new(egress.clone()), Arc::clone(&opened.clock));
        let revocations = Revocations::new(Arc::clone(&opened.store), Arc::clone(&keys), oauth.clone());
        let logins = Logins::new(Arc::clone(&opened.store), Arc::clone(&keys), oauth.clone(), revocations.clone());
        Self {
            issuers: Issuers::new(egress.clone(), Arc::clone(&opened.clock)),
            logins: Refresher::new(logins, Arc::clone(&opened.clock)),
            oauth,
            revocations,
            descriptions: Descriptions::default(),
            policies: CompiledPolicies::default(),
            public_url,
            metrics: Metrics::new(opened.store.measures()),
            store: opened.store,
            keys,
            audit: opened.audit,
            clock: opened.clock,
            hosts,
            admission: Admission::default(),
            readiness: Readiness::default(),
            approvals: Attendant::default(),
            rotation: Rotation::new(opened.key_home),
            outbound: egress.guarded(),
            egress,
        }
    }

    /// Replaces what is usual about callers.
    #[must_use]
    pub fn admitting(mut self, admission: Admission) -> Self {
        self.admission = admission;
        self
    }

    /// Commits; and if a login loses its last live grant by it, its provider is told, in a task of its own. Whatever ends grants commits here.
    ///
    /// # Errors
    /// As of [`Store::commit`]. What the provider says is no error: it stands in an audit row of its own.
    pub async fn commit(&self, commit: Commit, deadline: Instant) -> Result<Receipt, CommitError> {
        let request_id = commit.rows().first().and_then(|row| row.request_id.clone());
        let endangered = self.revocations.before(commit.effects()).await.unwrap_or_else(|error| {
            // Taking access back comes first.
            tracing::warn!(code = error.code(), "the logins behind grants that end cannot be read, so their providers are not told");
            Endangered::default()
        });
        let receipt = self.store.commit(commit, deadline).instrument(tracing::info_span!("commit")).await?;
        self.revocations.after(endangered, request_id.as_deref());
        Ok(receipt)
    }
}

/// All routes.
pub fn router(vault: Arc<Vault>) -> Router {
    let wire = Router::new()
        .route("/sdk/token", post(retrieve_token))
        .route("/sdk/oauth/audit/api-call", post(report_call))
        .merge(proxy::router())
        .merge(approvals::router())
        .merge(grants::router())
        .merge(keys::router())
        .merge(catalogues::router())
        .route("/sdk/spans", post(emit_spans))
        .merge(agents::router())
        .merge(connect::router())
        .route("/sdk/grants/{grant_id}/report-scope-mismatch", post(report_scope_mismatch))
        .route("/sdk/auth/session", post(start_sign_in))
        .route("/sdk/auth/poll", post(poll_sign_in))
        .route("/sdk/auth/verify-token", post(verify_token))
        .route("/sdk/identity/resolve", post(resolve_identity))
        .route("/sdk/identity/assert", post(assert_identity));
    let people = Router::new()
        .route("/.well-known/jwks.json", get(people::key_set))
        .route(web::assets::ROUTE, get(web::assets::serve))
        .route("/sign-in/callback", get(people::sign_in::arrive))
        .route("/sign-in/{token}", get(people::sign_in::ask).post(people::sign_in::begin));
    let health = Router::new()
        .route("/healthz", get(health::process))
        .route("/readyz", get(health::ready))
        .route(document::PATH, get(document::serve));
    let metrics = Router::new().route(metrics::PATH, get(metrics::serve));
    let metrics = metrics.layer(middleware::from_fn_with_state(Arc::clone(&vault), admin::require_operator));
    Router::new()
        .merge(wire)
        .merge(people)
        .merge(wallet::router())
        .merge(console::router(&vault))
        .merge(health)
        .merge(metrics)
        .nest("/admin/v1", admin::router(Arc::clone(&vault)))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&vault), host::check))
        .layer(middleware::from_fn_with_state(Arc::clone(&vault), metrics::measure))
        .layer(middleware::from_fn(request_id::assign))
        .with_state(vault)
}

/// A verification report in the shape that `/admin/v1/audit/verify` answers, for verifying without a running vault.
pub fn audit_report(report: &crate::audit::Report) -> serde_json::Value {
    admin::audit_report(report)
}

/// What the first three checks say about the head of a signed request, or the code of the refusal. For the properties in `tests/fuzz`.
#[doc(hidden)]
pub fn judge_signed_head(parts: &http::request::Parts, body: &[u8], now: i64) -> Result<(), &'static str> {
    let judged = signed::SignedHeaders::read(parts).and_then(|headers| headers.verify(parts, body, now));
    judged.map_err(|refusal| refusal.code())
}

async fn retrieve_token(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, token::RetrieveToken, request).await
}

async fn report_call(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, reports::ReportCall, request).await
}

async fn report_scope_mismatch(State(vault): State<Arc<Vault>>, grant: Result<Path<String>, PathRejection>, request: Request) -> Response {
    signed(&vault, reports::ReportScopeMismatch { grant: named(grant) }, request).await
}

/// An identifier as it stands in the path. What is not UTF-8 names nothing; it is refused like every other unknown one.
fn named(path: Result<Path<String>, PathRejection>) -> String {
    path.map(|Path(name)| name).unwrap_or_default()
}

async fn emit_spans(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, spans::EmitSpans, request).await
}

async fn start_sign_in(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, people::StartSignIn, request).await
}

async fn poll_sign_in(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, people::PollSignIn, request).await
}

async fn verify_token(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, people::VerifyToken, request).await
}

async fn resolve_identity(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, people::ResolveIdentity, request).await
}

async fn assert_identity(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    signed(&vault, people::AssertIdentity, request).await
}

/// Reads the body as raw bytes, since those are what was signed, and hands over to the pipeline.
async fn signed<C: pipeline::Call>(vault: &Vault, call: C, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match body::read(body).await {
        Ok(body) => pipeline::run(vault, call, &parts, &body).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn unknown_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", "The vault has no such path.")
}

async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take this method.")
}
