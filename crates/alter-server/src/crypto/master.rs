//! The master key: where it comes from and how it is recognized.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use alter_core::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;

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
        let (current, origin) = match (&self.key, &self.file) {
            (Some(_), Some(_)) => return Err(KeyError::Ambiguous),
            (Some(key), None) => (MasterKey::parse(key.expose(), CURRENT)?, KeyOrigin::Environment),
            // A mounted secret is often readable by a group on purpose, so only our own file's mode is judged.
            (None, Some(path)) => (read_key(path)?, KeyOrigin::NamedFile(path.clone())),
            (None, None) => folder_key(&folder.join(MASTER_KEY_FILE), may_create)?,
        };
        let mut previous = Vec::new();
        if let Some(list) = &self.previous {
            for text in list.expose().split(',') {
                previous.push(MasterKey::parse(text, PREVIOUS)?);
            }
        }
        Ok(MasterKeys { current, previous, origin })
    }
}

fn folder_key(path: &Path, may_create: bool) -> Result<(MasterKey, KeyOrigin), KeyError> {
    match fs::metadata(path) {
        Ok(found) => {
            judge_mode(path, &found)?;
            Ok((read_key(path)?, KeyOrigin::FolderFile(path.to_owned())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => {
            let key = MasterKey::random()?;
            create_key(path, &key).map_err(|source| KeyError::File { action: "create", path: path.to_owned(), source })?;
            Ok((key, KeyOrigin::NewFile(path.to_owned())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KeyError::Missing { path: path.to_owned() }),
        Err(source) => Err(KeyError::File { action: "read", path: path.to_owned(), source }),
    }
}

#[cfg(unix)]
fn judge_mode(path: &Path, found: &fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature is the one of unix, where modes exist")]
fn judge_mode(_: &Path, _: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

fn read_key(path: &Path) -> Result<MasterKey, KeyError> {
    let failed = |source| KeyError::File { action: "read", path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::with_capacity(4096));
    // Bounded, so that a path to something endless is an error and not a hang.
    File::open(path).map_err(failed)?.take(4096).read_to_string(&mut text).map_err(failed)?;
    MasterKey::parse(&text, &path.display().to_string())
}

/// Writes the key so that the file is there either whole or not at all, and stays there: a file of another name is written and flushed, then
/// linked to its place (which fails if there is one), and the folder is flushed.
fn create_key(path: &Path, key: &MasterKey) -> io::Result<()> {
    // A name of its own: what another start has staged is not ours to touch.
    let staged = path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&staged)?;
    let text = Zeroizing::new(format!("{}\n", key.to_base64().expose()));
    let linked = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&staged, path));
    let removed = fs::remove_file(&staged);
    linked.and(removed)?;
    sync_folder(path)
}

#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature is the one of unix, where folders can be flushed")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
