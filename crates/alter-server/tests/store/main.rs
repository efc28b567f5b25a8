//! The store on SQLite.
//!
//! `files`, `opening` and what is in `backend` are about SQLite's data folder. All else is written against the trait, and runs on PostgreSQL as well:
//! see `tests/store_postgres`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod approvals;
mod backend;
mod credentials;
mod faults;
mod files;
mod harness;
mod keys;
mod nonces;
mod opening;
mod people;
mod policies;
mod rotation;
mod specs;
mod suite;
mod tickets;
mod uses;
