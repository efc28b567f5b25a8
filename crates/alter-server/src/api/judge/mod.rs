//! The rules of judgement that need no store: each file judges one thing and says why it refuses.
//!
//! [`pipeline`](super::pipeline) calls them in the vault's order: scopes and constraints, then destination, then request rule.

pub mod agent;
pub mod bounds;
pub mod destination;
pub mod policy;
pub mod reach;
pub mod request_rule;
pub mod restrictions;
pub mod scope_constraint;
