//! The vault's own master key file: one key a line, the current one first, earlier ones while a rotation needs them.
//!
//! It is written so that it is there either whole or not at all, and stays there: a file of another name is written and flushed, brought to
//! its place in one step, and the folder is flushed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::{KeyError, KeyOrigin, MasterKey};

/// Longest file that is read. Bounded, so that a path to something endless is an error and not a hang.
const MOST_BYTES: u64 = 4096;

/// The keys in a file.
#[derive(Clone, Debug)]
pub(crate) struct FileKeys {
    /// The first.
    pub(crate) current: MasterKey,
    /// The others.
    pub(crate) previous: Vec<MasterKey>,
}

impl FileKeys {
    pub(crate) const fn one(current: MasterKey) -> Self {
        Self { current, previous: Vec::new() }
    }
}

/// Reads the keys of a file.
pub(crate) fn read(path: &Path) -> Result<FileKeys, KeyError> {
    let failed = |source| KeyError::File { action: "read", path: path.to_owned(), source };
    let place = path.display().to_string();
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES as usize));
    File::open(path).map_err(failed)?.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    let mut keys = text.lines().filter(|line| !line.trim().is_empty()).map(|line| MasterKey::parse(line, &place));
    // An empty file is reported as a key that is empty.
    let current = keys.next().unwrap_or_else(|| MasterKey::parse("", &place))?;
    Ok(FileKeys { current, previous: keys.collect::<Result<_, _>>()? })
}

/// Reads the file of a data folder, or makes it with a fresh key.
pub(super) fn read_or_create(path: &Path, may_create: bool) -> Result<(FileKeys, KeyOrigin), KeyError> {
    match fs::metadata(path) {
        Ok(found) => {
            judge_mode(path, &found)?;
            Ok((read(path)?, KeyOrigin::FolderFile(path.to_owned())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => {
            let keys = FileKeys::one(MasterKey::random()?);
            create(path, &keys).map_err(|source| KeyError::File { action: "create", path: path.to_owned(), source })?;
            Ok((keys, KeyOrigin::NewFile(path.to_owned())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KeyError::Missing { path: path.to_owned() }),
        Err(source) => Err(KeyError::File { action: "read", path: path.to_owned(), source }),
    }
}

/// Puts other keys into the file. Only for whoever holds the data folder's lock.
pub(crate) fn replace(path: &Path, keys: &FileKeys) -> Result<(), KeyError> {
    // One name, so that what an interrupted attempt has left is overwritten by the next.
    let staged = path.with_extension("key.next");
    let replaced = write(&staged, keys, OpenOptions::new().write(true).create(true).truncate(true))
        .and_then(|()| fs::rename(&staged, path))
        .and_then(|()| sync_folder(path));
    replaced.map_err(|source| KeyError::File { action: "replace", path: path.to_owned(), source })
}

/// Makes the file. Fails if there is one: of two starts at once, the loser must not replace the winner's key.
fn create(path: &Path, keys: &FileKeys) -> io::Result<()> {
    // A name of its own: what another start has staged is not ours to touch.
    let staged = path.with_extension(format!("new-{}", uuid::Uuid::new_v4().simple()));
    let linked = write(&staged, keys, OpenOptions::new().write(true).create_new(true)).and_then(|()| fs::hard_link(&staged, path));
    let removed = fs::remove_file(&staged);
    linked.and(removed)?;
    sync_folder(path)
}

fn write(path: &Path, keys: &FileKeys, options: &mut OpenOptions) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let mut file = options.open(path)?;
    for key in [&keys.current].into_iter().chain(&keys.previous) {
        let line = Zeroizing::new(format!("{}\n", key.to_base64().expose()));
        file.write_all(line.as_bytes())?;
    }
    file.sync_all()
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

#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature is the one of unix, where folders can be flushed")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
