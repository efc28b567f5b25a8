//! One process a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::store::OpenError;

const LOCK_FILE: &str = "alter.lock";

/// Held as long as the store is open. The system lets go of it when the process ends, however it ends, so a crash leaves nothing to clean up;
/// the file itself stays, because deleting it would let two processes lock two different files of that name.
#[derive(Debug)]
pub(in crate::store) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(LOCK_FILE);
        let failed = |action| {
            let path = path.clone();
            move |source| OpenError::Io { action, path, source }
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: folder.to_owned(), pid: holder(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let named = (|| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        })();
        named.map_err(failed("write"))?;
        Ok(Self { _file: file })
    }
}

/// The process that holds the lock, for the message only: `None` if it has not written its number yet.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
