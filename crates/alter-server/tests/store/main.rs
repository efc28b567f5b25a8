//! The store, on every backend.
//!
//! `suite`, `uses`, `nonces` and `faults` are written against the trait and run on whatever backend `harness` opens; `opening`, `files` and `rotation` are
//! about SQLite's data folder.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod credentials;
mod faults;
mod files;
mod harness;
mod nonces;
mod opening;
mod people;
mod rotation;
mod suite;
mod tickets;
mod uses;
