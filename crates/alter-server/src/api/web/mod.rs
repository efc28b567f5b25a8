//! What all pages of the vault share: how they look, their cookies and forms, and trips of a browser to another site and back.
//!
//! Pages are made on the server and work without script. They load one stylesheet and at most one small script, both from here.

pub mod assets;
pub mod cookie;
pub mod form;
pub mod page;
pub mod record;
pub mod trip;
pub mod words;

use super::refusal::Refusal;

/// 256 random bits as text.
///
/// # Errors
/// 500 if the system gives none.
pub fn unguessable() -> Result<String, Refusal> {
    crate::oauth::code_flow::unguessable().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal().because("no random numbers from the operating system")
    })
}
