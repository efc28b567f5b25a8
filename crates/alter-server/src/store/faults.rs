//! The seam at which tests make the disk fail.

use crate::store::StoreError;

/// What a disk may do to the store. The store asks before it touches the disk; a real store has [`NoFaults`].
///
/// The seam is here and not in a file system below SQLite because that needs `unsafe`. A call that blocks stands for a disk that hangs, an error for
/// one that fails.
pub trait Faults: Send + Sync + 'static {
    /// Before a group of commits is made durable; runs on the writing thread.
    ///
    /// # Errors
    /// The error with which every commit of the group shall fail.
    fn before_commit(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Before a query; runs on a reading thread.
    ///
    /// # Errors
    /// The error with which the query shall fail.
    fn before_read(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A disk that works.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Faults for NoFaults {}
