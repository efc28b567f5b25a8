//! Keys and sealed values.
//!
//! ```text
//! master key (environment, file)      never stored by us but in its own 0600 file
//!   ├─ wraps the root keys            pepper → digests of API keys, keys of assertions; audit key → the audit chains
//!   └─ wraps a data key per secret version
//!        └─ seals the fields of that version
//! ```
//!
//! Every seal is XChaCha20-Poly1305 under a random 192-bit nonce, and its associated data says what it is for, so that nothing sealed can be
//! moved to another place. Only the *wraps* name a version of the master key: changing the master key re-wraps 32-byte keys and touches
//! neither fields nor digests nor the audit chain.

mod envelope;
mod error;
pub(crate) mod key_file;
mod master;
mod ring;
#[cfg(test)]
mod tests;
mod vault_keys;

pub use envelope::{SealedSecret, SealedTo, Wrapped};
pub use error::KeyError;
pub use master::{KeyCheck, KeyHome, KeyOrigin, KeySettings, MASTER_KEY_FILE, MasterKey, MasterKeys};
pub use vault_keys::{RootKey, StoredKeys, Unlocked, VaultKeys, unlock};
