//! People: the app's identity provider, who a user token is about, signing in, and the vault's statements about identities.

mod assertions;
pub mod browser;
pub mod idp;
mod membership;
mod poll;
pub mod sign_in;
mod verify;

pub use assertions::{AssertIdentity, ResolveIdentity, key_set};
pub use membership::{issuer_with_groups, membership};
pub use poll::{PollSignIn, StartSignIn};
pub use verify::VerifyToken;
