//! The admin plane, `/admin/v1`: what the command line (and later the console) asks of a running vault.
//!
//! Every request carries an operator key as a bearer token. Reading needs any role, changing needs `admin`, deciding about calls that wait `admin` or `approver`. Every change is a commit with its
//! audit row, as on the wire protocol.

mod access;
mod agents;
mod approvals;
mod apps;
mod audit;
mod change;
mod explain;
mod grants;
mod idp;
mod keys;
mod master_key;
mod operators;
mod policies;
mod providers;
mod read;
mod secrets;
mod shape;
mod specs;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

use super::Vault;
pub use access::{operator_of, require_operator};
pub use read::check_name;
pub use shape::report as audit_report;

/// All admin routes, for operators with a key.
pub fn router(vault: Arc<Vault>) -> Router<Arc<Vault>> {
    routes().layer(middleware::from_fn_with_state(vault, access::require_operator))
}

/// All admin routes, for requests in whose extensions the operator is.
pub fn routes() -> Router<Arc<Vault>> {
    let keys = Router::new()
        .route("/", get(keys::list).post(keys::create))
        .route("/{key}/revoke", post(keys::revoke))
        .route("/{key}/rotate", post(keys::rotate))
        .route("/{key}/deprecate", post(keys::deprecate))
        .route("/{key}/undeprecate", post(keys::undeprecate));
    let agents = Router::new()
        .route("/", get(agents::list).post(agents::create))
        .route("/{agent}", get(agents::show).patch(agents::update).delete(agents::delete))
        .route("/{agent}/suspend", post(agents::suspend))
        .route("/{agent}/resume", post(agents::resume));
    let secrets = Router::new()
        .route("/", get(secrets::list).post(secrets::create))
        .route("/{secret}", get(secrets::show).patch(secrets::update).delete(secrets::delete));
    let grants = Router::new()
        .route("/", get(grants::list).post(grants::create))
        .route("/{grant}", get(grants::show))
        .route("/{grant}/revoke", post(grants::revoke));
    let providers = Router::new()
        .route("/", get(providers::list))
        .route("/{provider}", get(providers::show).put(providers::put).delete(providers::delete));
    let specs = Router::new().route("/", get(specs::list)).route("/{provider}", get(specs::show).put(specs::put).delete(specs::delete));
    let policies = Router::new()
        .route("/", get(policies::list).post(policies::create))
        .route("/check", post(policies::check))
        .route("/explain", post(explain::explain))
        .route("/{policy}", get(policies::show).patch(policies::update).delete(policies::delete));
    Router::new()
        .route("/catalogue", get(providers::catalogue))
        .route("/providers/discover", post(providers::discover))
        .route("/whoami", get(operators::whoami))
        .route("/operators", get(operators::list).post(operators::create))
        .route("/operators/{operator}/revoke", post(operators::revoke))
        .route("/master-key", get(master_key::show))
        .route("/master-key/rotation", post(master_key::rotate))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{approval}", get(approvals::show))
        .route("/approvals/{approval}/approve", post(approvals::approve))
        .route("/approvals/{approval}/deny", post(approvals::deny))
        .route("/apps", get(apps::list).post(apps::create))
        .route("/apps/{app}", get(apps::show).patch(apps::update))
        .route("/apps/{app}/idp", get(idp::show).put(idp::set).delete(idp::remove))
        .route("/apps/{app}/idp/test", post(idp::test))
        .nest("/apps/{app}/keys", keys)
        .nest("/apps/{app}/agents", agents)
        .nest("/apps/{app}/secrets", secrets)
        .nest("/apps/{app}/grants", grants)
        .nest("/apps/{app}/providers", providers)
        .nest("/apps/{app}/specs", specs)
        .nest("/apps/{app}/policies", policies)
        .route("/audit", get(audit::tail))
        .route("/audit/search", get(audit::search))
        .route("/activity", get(audit::activity))
        .route("/audit/heads", get(audit::heads))
        .route("/audit/verify", post(audit::verify))
}
