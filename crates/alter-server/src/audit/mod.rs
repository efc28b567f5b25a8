//! The audit trail: what a row says, how rows are chained, and how a chain is verified.
//!
//! Rows are written by [`Store::commit`](crate::store::Store::commit) and by nothing else, in the same transaction as the change that they
//! describe. Every app has a chain of its own, the vault has one for what belongs to no app ([`ChainId`]).

mod chain;
mod row;
mod verify;

pub use chain::{AuditKey, ChainKey, Head, RowMac};
pub use row::{AuditEntry, AuditRow, AuditUrl, ChainId, MAX_JSON_BYTES, MAX_TEXT_BYTES, Outcome, Standing};
pub use verify::{Finding, Report, verify, verify_all};
