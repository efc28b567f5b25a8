//! The store on PostgreSQL: the suite of `tests/store`, and what only a database that several vaults share can show.
//!
//! Not in here, because they are about SQLite's data folder: `tests/store/files.rs` and `tests/store/opening.rs`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod backend;
mod opening;

#[path = "../store/approvals.rs"]
mod approvals;
#[path = "../store/credentials.rs"]
mod credentials;
#[path = "../store/faults.rs"]
mod faults;
#[path = "../store/harness.rs"]
mod harness;
#[path = "../store/keys.rs"]
mod keys;
#[path = "../store/nonces.rs"]
mod nonces;
#[path = "../store/people.rs"]
mod people;
#[path = "../store/policies.rs"]
mod policies;
#[path = "../store/rotation.rs"]
mod rotation;
#[path = "../store/specs.rs"]
mod specs;
#[path = "../store/suite.rs"]
mod suite;
#[path = "../store/tickets.rs"]
mod tickets;
#[path = "../store/uses.rs"]
mod uses;

mod server;
mod shared;
mod tls;
