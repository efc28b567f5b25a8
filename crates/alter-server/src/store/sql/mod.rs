//! What the stores on SQLite and PostgreSQL share: the statements, the rules about them, the thread that writes and those that read.
//!
//! A store brings connections ([`database`]) and opens them ([`super::sqlite`], [`super::postgres`]); the rest is here, once.

pub(in crate::store) mod agents;
mod approvals;
pub(in crate::store) mod columns;
mod credentials;
pub(in crate::store) mod database;
mod effects;
pub(in crate::store) mod grants;
pub(in crate::store) mod keys;
mod known_keys;
pub(in crate::store) mod master_keys;
mod nonces;
mod policies;
mod rates;
mod reader;
mod registrations;
mod rows;
mod sealed;
mod spans;
mod specs;
mod store;
mod tickets;
pub(in crate::store) mod trail;
mod uses;
pub(in crate::store) mod value;
mod writer;

pub(in crate::store) use store::{Parts, SqlStore};
