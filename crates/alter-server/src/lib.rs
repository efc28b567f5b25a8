//! The vault: storage, keys, audit trail and HTTP API. A library; the `alter` binary runs it.
//!
//! [`setup`] makes or opens a data folder, [`serve`] listens (with [`tls`] where there is a certificate), [`api`] judges requests by the rules, [`store`] keeps everything, [`crypto`] holds
//! the keys, [`audit`] chains what happened, [`classify`] tells what a call does. [`config`] says where every setting comes from, [`telemetry`] exports
//! traces.

pub mod api;
pub mod audit;
pub mod classify;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod egress;
pub mod error;
pub mod identity;
pub mod model;
pub mod oauth;
pub mod openapi;
pub mod operator;
pub mod policy;
pub mod rotation;
pub mod serve;
pub mod setup;
pub mod store;
pub mod telemetry;
pub mod tls;
