//! Tokens of an issuer that does everything wrong, its keys and documents over time, and a real one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod forged;
mod issuer;
mod keys_over_time;
