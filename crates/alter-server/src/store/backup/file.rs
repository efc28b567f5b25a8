//! The file: lines of JSON, the first of which says what it is, and a last one with the MAC of all before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::rows::Cell;
use super::{BackupError, Manifest, TableOf};
use crate::audit::{AuditKey, RowMac};
use crate::crypto::{KeyCheck, KeySettings, RootKey, StoredKeys, Wrapped, unlock};
use crate::store::StoreOptions;

/// What a file of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Backup,
    Tombstones,
}

/// The first line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Opening {
    alter: Kind,
    format: u32,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct Closing {
    mac: String,
}

impl Closing {
    /// Whether it stands behind lines with this MAC.
    fn prove(&self, before: Hmac<Sha256>, lines: &Lines) -> Result<(), BackupError> {
        let given = RowMac::parse(&self.mac).ok_or_else(|| lines.strange("its last line is not as we write it"))?;
        before.verify_slice(&given.0).map_err(|_| BackupError::Changed { path: lines.path.clone() })
    }
}

const FORMAT: u32 = 1;
/// Longest line that is read: the largest value that is stored (a provider's answer, a description's schema) has some MiB.
const LONGEST_LINE: u64 = 256 * 1024 * 1024;

/// A file that is being written, under another name until it is complete.
pub(super) struct FileWriter {
    kind: Kind,
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    mac: Hmac<Sha256>,
}

impl FileWriter {
    pub(super) fn begin(kind: Kind, path: &Path, audit: &AuditKey) -> Result<Self, BackupError> {
        if kind == Kind::Backup && path.exists() {
            return Err(BackupError::Exists { path: path.to_owned() });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        // What an interrupted run has left.
        drop(fs::remove_file(&partial));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(io_error("make", &partial))?;
        let mut writer = Self { kind, path: path.to_owned(), partial, out: BufWriter::new(file), mac: audit.files() };
        writer.line(&Opening { alter: kind, format: FORMAT })?;
        Ok(writer)
    }

    pub(super) fn line(&mut self, value: &impl Serialize) -> Result<(), BackupError> {
        let mut line = serde_json::to_vec(value).map_err(|error| io_error("write", &self.partial)(error.into()))?;
        line.push(b'\n');
        self.mac.update(&line);
        self.out.write_all(&line).map_err(io_error("write", &self.partial))
    }

    /// Writes the MAC, makes the file durable and gives it its name.
    pub(super) fn finish(mut self) -> Result<(), BackupError> {
        let closing = Closing { mac: alter_core::encoding::hex(&self.mac.clone().finalize().into_bytes()) };
        self.line(&closing)?;
        let path = self.partial.clone();
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).map_err(io_error("write", &path))?;
        let named = match self.kind {
            // A link fails where a name is taken, also by somebody who was faster.
            Kind::Backup => fs::hard_link(&self.partial, &self.path).and_then(|()| fs::remove_file(&self.partial)),
            Kind::Tombstones => fs::rename(&self.partial, &self.path),
        };
        named.and_then(|()| sync_folder(&self.path)).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists { path: self.path.clone() },
            _ => io_error("name", &self.path)(error),
        })
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// The lines of a file between the first and the last, as they come.
pub(super) struct Lines {
    path: PathBuf,
    input: BufReader<File>,
    next: Vec<u8>,
    /// Over all lines before the next one.
    mac: Hmac<Sha256>,
}

impl Lines {
    /// Opens a file. What is read from it is proven by its last line only, in [`Lines::nothing_else`].
    fn open(path: &Path, kind: Kind, mac: Hmac<Sha256>) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let mut lines = Self { path: path.to_owned(), input: BufReader::new(file), next: Vec::new(), mac };
        lines.advance()?;
        let opening: Option<Opening> = serde_json::from_slice(&lines.next).ok();
        match opening {
            Some(Opening { alter, format: FORMAT }) if alter == kind => Ok(lines),
            Some(Opening { format, .. }) if format != FORMAT => Err(lines.strange(&format!("it has the format {format}"))),
            Some(_) => Err(lines.strange("it is a file of ours of another kind")),
            None => Err(lines.strange("it does not begin as a file of ours")),
        }
    }

    fn advance(&mut self) -> Result<(), BackupError> {
        self.mac.update(&self.next);
        self.next.clear();
        let mut bounded = io::Read::take(&mut self.input, LONGEST_LINE);
        bounded.read_until(b'\n', &mut self.next).map_err(io_error("read", &self.path))?;
        Ok(())
    }

    /// The next line as a value; `None` behind the last.
    pub(super) fn value<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, BackupError> {
        self.advance()?;
        if self.next.is_empty() {
            return Err(BackupError::Incomplete { path: self.path.clone() });
        }
        serde_json::from_slice(&self.next).map_err(|_| self.strange("a line is not as we write it"))
    }

    fn strange(&self, reason: &str) -> BackupError {
        BackupError::NotABackup { path: self.path.clone(), reason: reason.to_owned() }
    }

    /// As many rows of a table, each with as many values as it has columns.
    pub(super) fn next_rows(&mut self, rows: u64, width: usize) -> Result<Vec<Vec<Cell>>, BackupError> {
        let row = |_| {
            let row: Vec<Cell> = self.value()?;
            if row.len() == width { Ok(row) } else { Err(self.strange("a row has another number of values than its table has columns")) }
        };
        (0..rows).map(row).collect()
    }

    /// What stands here has to be the last line, and to prove all that was read before it.
    ///
    /// # Errors
    /// [`BackupError::Changed`], also where the file was changed after it was proven a first time.
    pub(super) fn nothing_else(&mut self) -> Result<(), BackupError> {
        let closing: Closing = self.value()?;
        closing.prove(self.mac.clone(), self)
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io { action, path, source }
}

/// Proves that a file is whole, unchanged and of the vault with this key; gives its lines.
///
/// # Errors
/// [`BackupError::Incomplete`], [`BackupError::Changed`].
pub(super) fn prove(path: &Path, kind: Kind, audit: &AuditKey) -> Result<Lines, BackupError> {
    let mut lines = Lines::open(path, kind, audit.files())?;
    loop {
        let (before, line) = (lines.mac.clone(), lines.next.clone());
        lines.advance()?;
        if lines.next.is_empty() {
            // The line in hand is the last one.
            let closing: Option<Closing> = serde_json::from_slice(&line).ok().filter(|_| line.ends_with(b"\n"));
            let Some(closing) = closing else { return Err(BackupError::Incomplete { path: path.to_owned() }) };
            closing.prove(before, &lines)?;
            return Lines::open(path, kind, audit.files());
        }
    }
}

/// A backup that was proven.
pub(super) struct Proven {
    path: PathBuf,
    audit: AuditKey,
}

impl Proven {
    /// Proves a backup with the master key that the target is opened by; gives the key of its audit, by which tombstones are proven.
    pub(super) fn backup(path: &Path, to: &StoreOptions) -> Result<(Self, AuditKey), BackupError> {
        let stored = stored_keys(path)?;
        let settings: &KeySettings = match to {
            StoreOptions::Sqlite(options) => &options.keys,
            StoreOptions::Postgres(options) => &options.keys,
        };
        let audit = unlock(&settings.load(to.folder(), false)?, &stored)?.audit;
        prove(path, Kind::Backup, &audit)?;
        Ok((Self { path: path.to_owned(), audit: audit.clone() }, audit))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn manifest(&self) -> Result<Manifest, BackupError> {
        Lines::open(&self.path, Kind::Backup, self.audit.files())?.value()
    }

    pub(super) fn rows(&self) -> Result<Lines, BackupError> {
        let mut lines = Lines::open(&self.path, Kind::Backup, self.audit.files())?;
        lines.value::<Manifest>()?;
        Ok(lines)
    }
}

/// The wrapped keys of a backup, which stand in its first tables. Nothing is proven yet: they only open with the right master key.
fn stored_keys(path: &Path) -> Result<StoredKeys, BackupError> {
    // No key is known yet to prove it by, and none is needed.
    let unproven = Hmac::new_from_slice(&[]).expect("HMAC takes keys of any length");
    let mut lines = Lines::open(path, Kind::Backup, unproven)?;
    let manifest: Manifest = lines.value()?;
    let strange = || BackupError::NotABackup { path: path.to_owned(), reason: "its keys are not where they should be".to_owned() };
    let [masters, roots, ..] = &manifest.tables[..] else { return Err(strange()) };
    let mut table = |table: &TableOf, name: &str| {
        if table.name != name || table.rows > 1000 {
            return Err(strange());
        }
        let rows = lines.next_rows(table.rows, table.columns.len())?;
        let named = |row: Vec<Cell>| table.columns.iter().cloned().zip(row).collect::<BTreeMap<String, Cell>>();
        Ok(rows.into_iter().map(named).collect::<Vec<_>>())
    };
    let mut stored = StoredKeys { versions_in_use: BTreeSet::new(), ..StoredKeys::default() };
    for row in table(masters, "master_keys")? {
        let (Some(Cell::Integer(version)), Some(Cell::Bytes(check))) = (row.get("version"), row.get("fingerprint")) else {
            return Err(strange());
        };
        let check = KeyCheck(check.as_slice().try_into().map_err(|_| strange())?);
        stored.masters.insert(u32::try_from(*version).map_err(|_| strange())?, check);
    }
    for row in table(roots, "root_keys")? {
        let (Some(Cell::Text(name)), Some(Cell::Integer(version)), Some(Cell::Bytes(bytes))) =
            (row.get("name"), row.get("master_version"), row.get("wrapped"))
        else {
            return Err(strange());
        };
        let name = RootKey::ALL.into_iter().find(|root| root.as_str() == name).ok_or_else(strange)?;
        let wrapped = Wrapped { master_version: u32::try_from(*version).map_err(|_| strange())?, bytes: bytes.clone() };
        stored.roots.insert(name, wrapped);
    }
    if stored.masters.is_empty() { Err(strange()) } else { Ok(stored) }
}
