//! Call third-party APIs with credentials that your code never sees.
//!
//! The vault keeps the credential, this crate fetches it, injects it into one request, and reports the call to the vault's audit log.
//! What you hold is a grant id.
//!
//! ```no_run
//! use alter_sdk::{App, Request};
//!
//! # async fn run() -> alter_sdk::Result<()> {
//! let app = App::builder(std::env::var("ALTER_API_KEY").unwrap_or_default()).build()?;
//! let response = app
//!     .request(
//!         Request::get("https://api.example.com/v1/items")
//!             .grant_id("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")
//!             .reason("Show the item list"),
//!     )
//!     .await?;
//! println!("{} {}", response.status, response.text());
//! app.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! The vault's address is taken from `ALTER_BASE_URL`. The rules of a call live in [`alter_core`]; this crate runs them on tokio and hyper.

mod arguments;
mod assertion;
mod client;
mod host;
mod managing;
mod operations;
mod proxying;
mod request;
mod transport;

pub use alter_core::client::{CallerType, PollEvent, Response, SentRequest};
pub use alter_core::error::{Error, Kind, Result};
pub use alter_core::host::{Event, Level, Log};
pub use alter_core::key::is_valid_key;
pub use alter_core::model;
pub use alter_core::rate_limit::RateLimit;
pub use alter_core::token::{RetryErrorInfo, RetryInfo};
pub use arguments::{
    Connect, Delegate, GrantLimits, Identity, IntoArgument, ListGrants, ManagedSecretGrant, MintGrant, NewConnectSession,
    NewManagedSecretSession, Principal, Token, Wait,
};
pub use assertion::verify_identity_assertion;
pub use client::{Agent, App, Builder, RequestRule, UserTokenGetter};
pub use host::TokioHost;
pub use managing::{Agents, DeriveKey, Keys, ListOperations, NewAgent, UpdateAgent};
pub use proxying::{Proxied, ProxyRequest, WaitForApproval};
pub use request::Request;
pub use transport::{CaCertificates, TransportOptions};

/// What bindings build on: the engine itself on this crate's host.
pub mod engine {
    pub use crate::assertion::verify_assertion;
    pub use alter_core::client::*;
    pub use alter_core::error::taxonomy;
    pub use alter_core::host::NoLog;

    /// The engine's client on tokio and hyper.
    pub type EngineClient = Client<crate::TokioHost>;

    /// A call that passed its local checks.
    pub type Prepared = PreparedRequest<crate::TokioHost>;
}
