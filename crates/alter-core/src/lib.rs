//! The engine of Alter: what a call through the vault is, written once for every language.
//!
//! This crate holds the rules and no I/O. Pure parts (key grammar, [`signing`], URL rules, injection, error classification) are
//! functions over plain data, with JSON vectors in `tests/vectors/` that every language runs. Operations are async functions over
//! the small traits of [`host`]: a transport, a clock and a spawner. No runtime and no HTTP library is named here.

pub mod assertion;
pub mod challenge;
pub mod client;
pub mod content_match;
pub mod context;
pub mod encoding;
pub mod error;
pub mod given;
pub mod host;
pub mod injection;
pub mod iso8601;
pub mod json;
pub mod key;
pub mod local;
pub mod model;
pub mod origin;
pub mod rate_limit;
pub mod retry_after;
pub mod secret;
pub mod signing;
pub mod sigv4;
pub mod token;
pub mod traceparent;
pub mod url;
