//! The data folder.

use std::fs;
use std::path::Path;

use super::OpenError;

/// Makes the folder, readable by its owner only, if it is not there.
pub(super) fn create(folder: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| OpenError::Io { action: "create", path: folder.to_owned(), source })
}
