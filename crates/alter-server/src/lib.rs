//! The vault: storage, keys, audit trail and HTTP API.

pub mod audit;
pub mod clock;
pub mod crypto;
pub mod model;
pub mod store;
