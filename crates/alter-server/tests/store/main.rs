//! The store, on every backend.
//!
//! `suite` is written against the trait and runs on each backend that `harness` can open; `sqlite` and `opening` hold what only that backend has.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod faults;
mod harness;
mod nonces;
mod opening;
mod suite;
mod uses;
