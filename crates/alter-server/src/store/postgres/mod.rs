//! The store on PostgreSQL: several vaults on one database behave as one.
//!
//! Each vault has one connection that writes and a few that read, each driven by its own thread. Every transaction that writes takes the audit
//! chains of its apps first (`SELECT … FOR UPDATE`), so what vaults do to one app comes one after the other. Serialization failures and lost
//! connections are tried again; where a connection is lost while a transaction is made durable, the store looks for its rows before it answers.

mod error;
mod open;
mod options;
mod passfile;
mod schema;
mod session;
mod target;
mod tls;
mod url;
mod values;

pub use open::open;
pub(super) use open::{begin_empty, connect, open_alone};
pub use options::PostgresOptions;
pub(super) use session::PostgresSession;
pub use url::PostgresUrl;
