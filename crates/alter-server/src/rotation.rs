//! Changing the master key while the vault serves.
//!
//! A rotation adds a version of the master key, wraps root and data keys with it, and forgets the earlier version. What the data keys seal is
//! not touched. It runs in small steps, each a commit with its audit row, and keeps all its state in the store and the key file, so it may stop
//! anywhere, by an interruption or with the whole process, and go on from there:
//!
//! | The key file holds | The store knows | A stop here leaves |
//! |---|---|---|
//! | old | old | nothing begun |
//! | new, old | old | a start that takes the new key into use |
//! | new, old | old, new | both keys needed, both at hand |
//! | new, old | new | an earlier key in the file that opens nothing |
//! | new | new | done |
//!
//! The file is always durable before the store relies on it, and the store before the file gives a key up. Where the master key is given from
//! outside, whoever starts the vault gives both keys, and the rotation begins at the third line.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::api::COMMIT_DEADLINE;
use crate::audit::AuditEntry;
use crate::crypto::key_file::{self, FileKeys};
use crate::crypto::{KeyError, KeyHome, KeyOrigin, MasterKey, MasterKeys, RootKey, StoredKeys, VaultKeys};
use crate::store::{Commit, CommitError, Declined, Effect, Rewrap, Store, StoreError, WrappedKey};

/// Data keys that are wrapped anew in one commit. Other commits wait for one batch at most, some milliseconds.
const BATCH: NonZeroU32 = NonZeroU32::new(128).expect("not zero");
/// How long one step goes on with batches before it reports.
const STEP: Duration = Duration::from_millis(250);

/// Changes the master key of one vault. See the [module](self).
#[derive(Debug)]
pub struct Rotation {
    home: KeyHome,
    batch: NonZeroU32,
    /// Two callers at once must not write the key file at once. What they do to the store is judged there.
    turn: Mutex<()>,
}

/// What a rotation works on.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Its keys.
    pub keys: &'a VaultKeys,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The version of the master key that everything gets.
    pub version: u32,
    /// All data keys.
    pub data_keys: u64,
    /// Those that an earlier version still wraps.
    pub remaining: u64,
    /// Whether the earlier version is not needed any more.
    pub done: bool,
}

/// Why a rotation does not go on. It can be run again once the cause is mended.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The master key is given from outside, and no new one was.
    #[error("the master key is given from outside, and no new one was given")]
    NewKeyMissing,
    /// A key cannot be made, kept or used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else has changed the keys at the same moment.
    #[error(transparent)]
    Declined(#[from] Declined),
}

impl RotationError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NewKeyMissing => "new_master_key_missing",
            Self::Key(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Declined(declined) => declined.code(),
        }
    }

    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NewKeyMissing => {
                "start the vault with the new key in ALTER_MASTER_KEY (or its file) and the present one in ALTER_MASTER_KEY_PREVIOUS, then run this again"
            }
            Self::Key(error) => error.help(),
            Self::Store(_) | Self::Declined(_) => "run it again: it goes on where it stopped",
        }
    }
}

impl From<CommitError> for RotationError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Declined(declined) => Self::Declined(declined),
            CommitError::Store(error) => Self::Store(error),
        }
    }
}

/// Drafts the audit row of a step from its action: who asked is the caller's to know.
pub type Row<'a> = &'a (dyn Fn(&'static str) -> AuditEntry + Sync);

impl Rotation {
    /// A rotation for a vault whose master key lives there.
    pub fn new(home: KeyHome) -> Self {
        Self { home, batch: BATCH, turn: Mutex::new(()) }
    }

    /// Replaces the number of data keys in one commit.
    #[must_use]
    pub fn batch(mut self, batch: NonZeroU32) -> Self {
        self.batch = batch;
        self
    }

    /// How far it is. `done` is true when nothing is under way.
    ///
    /// # Errors
    /// [`RotationError::Store`]; [`RotationError::Key`] if the key file cannot be read.
    pub async fn progress(&self, subject: Subject<'_>) -> Result<Progress, RotationError> {
        let stored = subject.store.stored_keys().await?;
        let under_way = is_under_way(&stored) || self.file_keys().await?.is_some_and(|keys| !keys.previous.is_empty());
        progress(subject, !under_way).await
    }

    /// Begins a rotation, or finds the one that was interrupted. Follow it with [`Rotation::step`] until that says `done`.
    ///
    /// # Errors
    /// Any [`RotationError`].
    pub async fn begin(&self, subject: Subject<'_>, row: Row<'_>) -> Result<Progress, RotationError> {
        let _turn = self.turn.lock().await;
        let stored = subject.store.stored_keys().await?;
        match &self.home {
            KeyHome::File(path) => begin_with_file(path, subject, &stored, row).await?,
            KeyHome::Given { with_previous } if !with_previous && !is_under_way(&stored) => return Err(RotationError::NewKeyMissing),
            // The start has taken the new key into use already.
            KeyHome::Given { .. } => {}
        }
        progress(subject, false).await
    }

    /// Goes on for about a quarter of a second, or to the end.
    ///
    /// # Errors
    /// Any [`RotationError`]; what was done before it stays done.
    pub async fn step(&self, subject: Subject<'_>, row: Row<'_>) -> Result<Progress, RotationError> {
        let _turn = self.turn.lock().await;
        let begun = Instant::now();
        rewrap_roots(subject, row).await?;
        loop {
            let rewrapped = self.rewrap_some(subject, row).await?;
            if rewrapped == 0 && self.forget_earlier(subject, row).await? {
                return progress(subject, true).await;
            }
            if begun.elapsed() >= STEP {
                return progress(subject, false).await;
            }
        }
    }

    /// Wraps a batch of data keys anew; returns how many there were.
    async fn rewrap_some(&self, Subject { store, keys }: Subject<'_>, row: Row<'_>) -> Result<usize, RotationError> {
        let outdated = store.outdated_data_keys(keys.master_version(), self.batch).await?;
        if outdated.is_empty() {
            return Ok(0);
        }
        let rewrap = |(id, wrapped): &(_, crate::crypto::Wrapped)| {
            let to = keys.rewrap_data_key(*id, wrapped)?;
            Ok(Rewrap { key: WrappedKey::Data(*id), from: wrapped.master_version, to })
        };
        let rewraps = outdated.iter().map(rewrap).collect::<Result<Vec<_>, KeyError>>()?;
        let count = rewraps.len();
        let mut row = row("master_key.rewrap").subject("master_key", keys.master_version());
        row.detail = Some(format!("{count} data keys"));
        commit(store, Commit::new(row).effect(Effect::Rewrap(rewraps))).await?;
        Ok(count)
    }

    /// The last step: the store forgets the earlier versions, then the file does. `false` if something was stored under one of them meanwhile.
    async fn forget_earlier(&self, Subject { store, keys }: Subject<'_>, row: Row<'_>) -> Result<bool, RotationError> {
        let version = keys.master_version();
        if store.stored_keys().await?.masters.len() > 1 {
            let row = row("master_key.retire").subject("master_key", version);
            match commit(store, Commit::new(row).effect(Effect::KeepMasterKey { version })).await {
                Err(RotationError::Declined(Declined::MasterKeyInUse)) => return Ok(false),
                result => result?,
            }
        }
        if let (KeyHome::File(path), Some(keys)) = (&self.home, self.file_keys().await?)
            && !keys.previous.is_empty()
        {
            write_file(path, FileKeys::one(keys.current)).await?;
        }
        Ok(true)
    }

    async fn file_keys(&self) -> Result<Option<FileKeys>, RotationError> {
        match &self.home {
            KeyHome::File(path) => read_file(path).await.map(Some),
            KeyHome::Given { .. } => Ok(None),
        }
    }
}

/// Whether the store has more than one master key.
fn is_under_way(stored: &StoredKeys) -> bool {
    stored.masters.len() > 1
}

async fn progress(Subject { store, keys }: Subject<'_>, done: bool) -> Result<Progress, RotationError> {
    let version = keys.master_version();
    let count = store.count_data_keys(version).await?;
    Ok(Progress { version, data_keys: count.all, remaining: count.outdated, done })
}

/// Makes the new key durable in the file, then known to the store, then used by this process: each of them only if it is not so yet.
async fn begin_with_file(path: &Path, subject: Subject<'_>, stored: &StoredKeys, row: Row<'_>) -> Result<(), RotationError> {
    let mut file = read_file(path).await?;
    if file.previous.is_empty() && !is_under_way(stored) {
        file = FileKeys { current: MasterKey::random()?, previous: vec![file.current] };
        write_file(path, file.clone()).await?;
    }
    let at_hand = MasterKeys { current: file.current, previous: file.previous, origin: KeyOrigin::FolderFile(path.to_owned()) };
    let mut masters = stored.masters.clone();
    let (check, newest) = (at_hand.current.check(), masters.last_key_value().map(|(version, check)| (*version, *check)));
    if !masters.values().any(|known| *known == check) {
        // As at a start: a key that nobody has seen may only follow the newest.
        let (newest, _) = newest.filter(|(_, known)| at_hand.previous.iter().any(|key| key.check() == *known)).ok_or(KeyError::Wrong)?;
        let version = newest + 1;
        let row = row("master_key.add").subject("master_key", version);
        commit(subject.store, Commit::new(row).effect(Effect::AddMasterKey { version, check })).await?;
        masters.insert(version, check);
    }
    subject.keys.take_up(&at_hand, &masters)?;
    Ok(())
}

async fn rewrap_roots(Subject { store, keys }: Subject<'_>, row: Row<'_>) -> Result<(), RotationError> {
    let version = keys.master_version();
    let roots = store.stored_keys().await?.roots;
    let outdated = roots.iter().filter(|(_, wrapped)| wrapped.master_version != version);
    let rewrap = |(name, wrapped): (&RootKey, &crate::crypto::Wrapped)| {
        let to = keys.rewrap_root(*name, wrapped)?;
        Ok(Rewrap { key: WrappedKey::Root(*name), from: wrapped.master_version, to })
    };
    let rewraps = outdated.map(rewrap).collect::<Result<Vec<_>, KeyError>>()?;
    if rewraps.is_empty() {
        return Ok(());
    }
    let mut row = row("master_key.rewrap").subject("master_key", version);
    row.detail = Some(format!("{} root keys", rewraps.len()));
    commit(store, Commit::new(row).effect(Effect::Rewrap(rewraps))).await
}

async fn commit(store: &dyn Store, commit: Commit) -> Result<(), RotationError> {
    store.commit(commit, Instant::now() + COMMIT_DEADLINE).await?;
    Ok(())
}

async fn read_file(path: &Path) -> Result<FileKeys, RotationError> {
    let path = path.to_owned();
    blocking(move || key_file::read(&path)).await
}

async fn write_file(path: &Path, keys: FileKeys) -> Result<(), RotationError> {
    let path = path.to_owned();
    blocking(move || key_file::replace(&path, &keys)).await
}

/// Works on the disk away from the runtime's own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, KeyError> + Send + 'static) -> Result<T, RotationError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(StoreError::Failed(format!("working on the key file ended early: {error}")).into()),
    }
}
