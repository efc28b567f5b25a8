//! OAuth 2: logging people in at providers, and keeping those logins alive.
//!
//! [`catalogue`] holds what is known about providers, as data. [`driver`] talks to all of them by that data: authorization with PKCE, code exchange, refresh,
//! account lookup, revocation; [`discovery`] adds providers that publish their own metadata. [`refresh`] decides who may exchange a refresh token and when;
//! [`revocations`] tells providers that a login has ended.
//!
//! Tokens are [`Secret`](alter_core::secret::Secret)s from the moment they are read. Whatever a provider says may be hostile: answers are bounded, and no text of
//! theirs is repeated beyond a shortened error code.

pub mod account;
mod answer;
pub mod authorize;
mod call;
pub mod catalogue;
pub mod client;
pub mod code_flow;
pub mod discovery;
pub mod driver;
pub mod failure;
pub mod login;
pub mod logins;
pub mod refresh;
pub mod registration;
pub mod revocations;
mod template;
#[cfg(test)]
mod tests;

pub use answer::Tokens;
