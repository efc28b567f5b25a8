//! Why nothing was backed up or restored.

use std::path::PathBuf;

use crate::crypto::KeyError;
use crate::store::OpenError;
use crate::store::sql::database::SqlError;

/// Why nothing was backed up or restored. No text holds a stored value.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The vault cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is not what it should be: {reason}", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The end of the file is missing.
    #[error("{} ends too early", path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
    },
    /// The file is not as it was written, or was written by another vault.
    #[error("{} was changed after it was written, or is another vault's", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The backup was written with other tables.
    #[error("the backup has schema {found}, and this version of alter knows {known}")]
    OtherSchema {
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
        /// The version of `alter` that wrote it.
        version: String,
    },
    /// There is a vault already.
    #[error("{place} holds a vault already")]
    NotEmpty {
        /// The folder, or the database without a password.
        place: String,
    },
    /// A database said no.
    #[error("table {table}: {reason}")]
    Failed {
        /// Which table was at its turn.
        table: String,
        /// What it said; it names no stored value.
        reason: String,
    },
}

impl BackupError {
    pub(super) fn failed(table: &str, error: &SqlError) -> Self {
        Self::Failed { table: table.to_owned(), reason: error.text.clone() }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code(),
            Self::Exists { .. } => "file_exists",
            Self::Io { .. } => "file_unusable",
            Self::NotABackup { .. } => "not_a_backup",
            Self::Incomplete { .. } => "backup_incomplete",
            Self::Changed { .. } => "backup_changed",
            Self::OtherSchema { .. } => "backup_of_another_schema",
            Self::NotEmpty { .. } => "target_not_empty",
            Self::Failed { .. } => "store_failed",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Open(error) => error.help().to_owned(),
            Self::Exists { .. } => "choose another name: a backup is never overwritten".to_owned(),
            Self::Io { .. } => "check the path, what this user may do there, and that the disk has room".to_owned(),
            Self::NotABackup { .. } => "name a file that `alter backup` has written".to_owned(),
            Self::Incomplete { .. } => "its copying was cut off; take the original, or an earlier backup".to_owned(),
            Self::Changed { .. } => "take the original, or an earlier backup; nothing was made from this one".to_owned(),
            Self::OtherSchema { version, .. } => {
                format!("restore it with alter {version}, which wrote it, and start this version on the result")
            }
            Self::NotEmpty { .. } => "name an empty folder, or a database without the schema alter_vault; nothing was changed".to_owned(),
            Self::Failed { .. } => "nothing was made; mend what it names and run it again".to_owned(),
        }
    }
}

impl From<KeyError> for BackupError {
    fn from(error: KeyError) -> Self {
        Self::Open(error.into())
    }
}
