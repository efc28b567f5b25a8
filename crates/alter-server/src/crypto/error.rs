//! What can be wrong with a key. No message contains key material.

use std::path::PathBuf;

/// Why keys cannot be loaded, or a sealed value cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A master key was given, but is not base64 of 32 bytes.
    #[error("{place} is not a master key: {reason}")]
    Malformed {
        /// The environment variable or file.
        place: String,
        /// What is wrong with it; nothing of its text.
        reason: String,
    },
    /// Two settings name a master key.
    #[error("ALTER_MASTER_KEY and ALTER_MASTER_KEY_FILE are both set")]
    Ambiguous,
    /// The master key's file cannot be read or made.
    #[error("cannot {action} the master key file {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the master key's file.
    #[error("the master key file {} can be read by other users (mode {mode:03o})", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The database has keys, but there is no master key.
    #[error("the vault has data, but its master key file {} is gone", .path.display())]
    Missing {
        /// Where the file was expected.
        path: PathBuf,
    },
    /// The master key is well-formed but is not the one of this database.
    #[error("this is not the master key of this vault")]
    Wrong,
    /// Something is still wrapped by an earlier master key that was not given.
    #[error("version {version} of the master key is still needed and was not given")]
    VersionMissing {
        /// The version.
        version: u32,
    },
    /// A wrap or a sealed value does not open: it was altered, or moved here from elsewhere.
    #[error("the sealed {what} does not open: it was altered or belongs elsewhere")]
    Sealed {
        /// What was to be opened: never its content.
        what: String,
    },
    /// The stored keys are incomplete.
    #[error("the vault's stored keys are incomplete: {missing} is missing")]
    Incomplete {
        /// What is missing.
        missing: &'static str,
    },
    /// The operating system has no random numbers to give.
    #[error("no random numbers from the operating system: {0}")]
    Random(#[from] getrandom::Error),
}

impl KeyError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "master_key_malformed",
            Self::Ambiguous => "master_key_ambiguous",
            Self::File { .. } => "master_key_unreadable",
            Self::Exposed { .. } => "master_key_exposed",
            Self::Missing { .. } => "master_key_missing",
            Self::Wrong => "master_key_wrong",
            Self::VersionMissing { .. } => "master_key_version_missing",
            Self::Sealed { .. } => "sealed_value_damaged",
            Self::Incomplete { .. } => "stored_keys_incomplete",
            Self::Random(_) => "no_randomness",
        }
    }

    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "give base64 of 32 bytes, for example from `openssl rand -base64 32`",
            Self::Ambiguous => "set only one of ALTER_MASTER_KEY and ALTER_MASTER_KEY_FILE",
            Self::File { .. } => "check that the file exists and that this user may read it, or set ALTER_MASTER_KEY",
            Self::Exposed { .. } => "run `chmod 600` on it",
            Self::Missing { .. } => {
                "put the file back from a backup, or set ALTER_MASTER_KEY; without the key the secrets cannot be opened"
            }
            Self::Wrong => {
                "set ALTER_MASTER_KEY or ALTER_MASTER_KEY_FILE to the key that this vault was made with; nothing has been changed"
            }
            Self::VersionMissing { .. } => "put the earlier master key into ALTER_MASTER_KEY_PREVIOUS",
            Self::Sealed { .. } | Self::Incomplete { .. } => "restore the data folder from a backup",
            Self::Random(_) => "check that /dev/urandom is available to the process",
        }
    }
}
