//! The master key: where it comes from and how it is recognized.

use std::fmt;
use std::path::{Path, PathBuf};

use alter_core::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;
use super::key_file::{self, FileKeys};

/// Name of the master key's file in the data folder.
pub const MASTER_KEY_FILE: &str = "master.key";

const CURRENT: &str = "ALTER_MASTER_KEY";
const CURRENT_FILE: &str = "ALTER_MASTER_KEY_FILE";
const PREVIOUS: &str = "ALTER_MASTER_KEY_PREVIOUS";

/// A master key: 32 bytes, wiped on drop, not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([redacted])")
    }
}

impl MasterKey {
    /// From its 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh random one.
    ///
    /// # Errors
    /// When the operating system has no random numbers to give.
    pub fn random() -> Result<Self, KeyError> {
        let mut key = Self([0; 32]);
        getrandom::fill(&mut key.0)?;
        Ok(key)
    }

    /// Reads standard base64 of 32 bytes; white space around it is ignored. `place` names the source in the error.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn parse(text: &str, place: &str) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed { place: place.to_owned(), reason };
        let text = text.trim();
        if text.is_empty() {
            return Err(malformed("it is empty".to_owned()));
        }
        // The decoder's own message would quote a byte of the key.
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| malformed("it is not base64".to_owned()))?);
        let mut key = Self([0; 32]);
        if bytes.len() != key.0.len() {
            return Err(malformed(format!("it holds {} bytes, not 32", bytes.len())));
        }
        key.0.copy_from_slice(&bytes);
        Ok(key)
    }

    /// The text that [`MasterKey::parse`] reads.
    pub fn to_base64(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0))
    }

    /// A fingerprint by which the database recognizes the key. It tells nothing about the key.
    pub fn check(&self) -> KeyCheck {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(b"alter master key check v1");
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut check = [0; 16];
        check.copy_from_slice(&whole[..16]);
        KeyCheck(check)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A master key's fingerprint: not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCheck(pub [u8; 16]);

/// Where the master key came from, for the start banner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// The environment variable `ALTER_MASTER_KEY`.
    Environment,
    /// The file that `ALTER_MASTER_KEY_FILE` names.
    NamedFile(PathBuf),
    /// The file in the data folder.
    FolderFile(PathBuf),
    /// The file in the data folder, made just now.
    NewFile(PathBuf),
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str(CURRENT),
            Self::NamedFile(path) | Self::FolderFile(path) => write!(f, "{}", path.display()),
            Self::NewFile(path) => write!(f, "{} (new)", path.display()),
        }
    }
}

/// The master keys that a process was given.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    /// The one that new wraps are made with.
    pub current: MasterKey,
    /// Earlier ones, for wraps that have not been changed over yet.
    pub previous: Vec<MasterKey>,
    /// Where the current one came from.
    pub origin: KeyOrigin,
}

impl MasterKeys {
    /// Where a new master key has to go.
    pub fn home(&self) -> KeyHome {
        match &self.origin {
            KeyOrigin::FolderFile(path) | KeyOrigin::NewFile(path) => KeyHome::File(path.clone()),
            KeyOrigin::Environment | KeyOrigin::NamedFile(_) => KeyHome::Given { with_previous: !self.previous.is_empty() },
        }
    }
}

/// Where a new master key has to go when it is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyHome {
    /// Into the vault's own file: the vault makes it.
    File(PathBuf),
    /// It is given from outside: whoever starts the vault makes it.
    Given {
        /// Whether earlier keys were given, too.
        with_previous: bool,
    },
}

/// Where to look for master keys. Texts are as given in the environment.
#[derive(Clone, Debug, Default)]
pub struct KeySettings {
    /// `ALTER_MASTER_KEY`: base64 of 32 bytes.
    pub key: Option<Secret>,
    /// `ALTER_MASTER_KEY_FILE`: a file with the same text.
    pub file: Option<PathBuf>,
    /// `ALTER_MASTER_KEY_PREVIOUS`: earlier keys, base64, separated by commas.
    pub previous: Option<Secret>,
}

impl KeySettings {
    /// From the process's environment. An empty variable counts as not set.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for a variable that is not Unicode text.
    pub fn from_env() -> Result<Self, KeyError> {
        let text = |name: &str| match std::env::var(name) {
            Ok(text) => Ok((!text.is_empty()).then(|| Secret::new(text))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(KeyError::Malformed { place: name.to_owned(), reason: "it is not Unicode text".to_owned() })
            }
        };
        let file = std::env::var_os(CURRENT_FILE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(Self { key: text(CURRENT)?, file, previous: text(PREVIOUS)? })
    }

    /// Loads the keys: the environment's, else the named file's, else those of the file in `folder`. With `may_create` that last file is made if
    /// it is not there.
    ///
    /// # Errors
    /// Any [`KeyError`] about reading; [`KeyError::Missing`] if there is no key and none may be made.
    pub fn load(&self, folder: &Path, may_create: bool) -> Result<MasterKeys, KeyError> {
        let (FileKeys { current, mut previous }, origin) = match (&self.key, &self.file) {
            (Some(_), Some(_)) => return Err(KeyError::Ambiguous),
            (Some(key), None) => (FileKeys::one(MasterKey::parse(key.expose(), CURRENT)?), KeyOrigin::Environment),
            // A mounted secret is often readable by a group on purpose, so only our own file's mode is judged.
            (None, Some(path)) => (key_file::read(path)?, KeyOrigin::NamedFile(path.clone())),
            (None, None) => key_file::read_or_create(&folder.join(MASTER_KEY_FILE), may_create)?,
        };
        if let Some(list) = &self.previous {
            for text in list.expose().split(',') {
                previous.push(MasterKey::parse(text, PREVIOUS)?);
            }
        }
        Ok(MasterKeys { current, previous, origin })
    }
}
