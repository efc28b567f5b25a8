//! Who a person is: an app's OIDC issuer, the tokens that it signs, signing in with it, and the vault's own statements about people.
//!
//! ```text
//! token ─▶ compact   three parts, accepted alg and typ            fault: what can be wrong, each with its own code
//!            │
//!            ├─▶ issuers   discovery and keys of the issuer, kept for a while ─▶ jwk, algorithm: whose signature it is
//!            │
//!            └─▶ claims    issuer, audience, times ─▶ Verified: subject, groups, e-mail, …
//!
//! sign_in    authorization code with PKCE, state and nonce, as a relying party; ends in a verified ID token
//! assertion  the vault's own ES256 tokens about a user or agent, and the key set that verifies them
//! ```
//!
//! The policy is ours and stands in these files; the cryptography is aws-lc-rs. No module here knows the store or the HTTP API.

mod algorithm;
pub mod assertion;
mod claims;
mod compact;
mod fault;
mod issuers;
mod json;
mod jwk;
mod metadata;
pub mod sign_in;

pub use algorithm::{Algorithm, PublicKey};
pub use claims::{Email, LEEWAY, Trust, Verified};
pub use compact::{LONGEST_TOKEN, Unverified};
pub use fault::{ProviderTrouble, TokenFault, TokenRefused, VerifyError};
pub use issuers::{FRESH_FOR, Issuers, LAST_GOOD_FOR, RETRY_AFTER};
pub use jwk::{Jwk, KeySet};
pub use metadata::{Metadata, check_issuer};
