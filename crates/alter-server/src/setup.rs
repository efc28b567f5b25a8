//! Making and opening a vault: database, keys, settings file, first operator.
//!
//! Every step can be done again: a start that was cut off is finished by the next one, and nothing that exists is changed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use alter_core::secret::Secret;

use crate::api::COMMIT_DEADLINE;
use crate::audit::{AuditEntry, AuditKey, ChainId, Outcome};
use crate::clock::Clock;
use crate::config::{CONFIG_FILE, Config, DEFAULT_ADDRESS, StorePlace};
use crate::crypto::{KeyHome, KeyOrigin, KeySettings, VaultKeys};
use crate::error::{StartError, StartErrorKind};
use crate::model::{Operator, OperatorRole};
use crate::operator;
use crate::store::postgres::PostgresOptions;
use crate::store::sqlite::SqliteOptions;
use crate::store::{Access, Commit, CommitError, Declined, Effect, Entity, OpenError, Store, StoreError, StoreOptions};

/// The file with the first operator's key, for the command line on the same machine. Mode 0600.
pub const CREDENTIAL_FILE: &str = "operator.key";
/// Name of the operator that the first start makes.
pub const FIRST_OPERATOR: &str = "owner";

/// Where a vault is: its data folder, and its database, if that is not in there. A folder alone is one, with SQLite.
#[derive(Clone, Debug)]
pub struct Location {
    /// The data folder.
    pub data: PathBuf,
    /// The database.
    pub store: StorePlace,
}

impl From<&Config> for Location {
    fn from(config: &Config) -> Self {
        Self { data: config.data.value.clone(), store: config.store.value.clone() }
    }
}

impl From<&Path> for Location {
    fn from(data: &Path) -> Self {
        Self { data: data.to_owned(), store: StorePlace::Folder }
    }
}

impl From<&PathBuf> for Location {
    fn from(data: &PathBuf) -> Self {
        Self::from(data.as_path())
    }
}

impl Location {
    /// How to open it, with the master key that the environment says.
    ///
    /// # Errors
    /// [`StartErrorKind::Storage`] if the environment says it in two ways.
    pub fn options(&self, access: Access) -> Result<StoreOptions, StartError> {
        let keys = KeySettings::from_env().map_err(OpenError::from)?;
        Ok(match &self.store {
            StorePlace::Folder => SqliteOptions { keys, ..SqliteOptions::new(&self.data, access) }.into(),
            StorePlace::Postgres(url) => PostgresOptions { keys, ..PostgresOptions::new(url.clone(), &self.data, access) }.into(),
        })
    }
}

/// An opened vault.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What recognises keys and opens secrets.
    pub keys: VaultKeys,
    /// What verifies the audit trail.
    pub audit: AuditKey,
    /// The clock that store and API share.
    pub clock: Arc<dyn Clock>,
    /// Where the master key came from.
    pub key_origin: KeyOrigin,
    /// Where a new master key goes.
    pub key_home: KeyHome,
    /// Whether the vault was made just now.
    pub created: bool,
    /// The first operator's key, if it was made just now: to be shown once.
    pub new_operator_key: Option<Secret>,
}

/// Opens the vault and makes what is missing.
///
/// # Errors
/// [`StartErrorKind::Storage`] or [`StartErrorKind::AlreadyRunning`], with the remedy.
pub async fn open_or_create(location: impl Into<Location>) -> Result<Opened, StartError> {
    create_with(location.into().options(Access::Create)?).await
}

/// [`open_or_create`] with options of the caller's, such as another clock.
///
/// # Errors
/// As [`open_or_create`].
pub async fn create_with(options: impl Into<StoreOptions>) -> Result<Opened, StartError> {
    let options = options.into();
    let mut opened = open_with(&options)?;
    write_settings_file(options.folder())?;
    opened.new_operator_key = ensure_operator(&opened, options.folder()).await?;
    Ok(opened)
}

/// Opens a vault that must exist. With [`Access::Read`] also while another process serves it.
///
/// # Errors
/// As [`open_or_create`].
pub fn open(location: impl Into<Location>, access: Access) -> Result<Opened, StartError> {
    open_with(&location.into().options(access)?)
}

fn open_with(options: &StoreOptions) -> Result<Opened, StartError> {
    let opened = options.open()?;
    Ok(Opened {
        store: opened.store,
        keys: opened.keys,
        audit: opened.audit,
        clock: options.clock(),
        key_origin: opened.key_origin,
        key_home: opened.key_home,
        created: opened.created,
        new_operator_key: None,
    })
}

/// Adds an operator without asking a vault: the way back in when every operator key is lost. Whoever can write to the data folder may do it.
///
/// # Errors
/// [`StartErrorKind::Storage`]; its code is `operator_exists` if the name is taken.
pub async fn add_operator(opened: &Opened, name: &str, role: OperatorRole) -> Result<(Operator, Secret), StartError> {
    let key = operator::generate_key().map_err(no_randomness)?;
    let record = operator::record(&opened.keys, &key, name, role, opened.clock.now());
    commit_operator(&*opened.store, &record).await?;
    Ok((record, key))
}

/// Makes the first operator if there is none. The file is written first: if the commit is cut off, the next start takes the key from there.
async fn ensure_operator(opened: &Opened, data: &Path) -> Result<Option<Secret>, StartError> {
    let operators = opened.store.operators().await.map_err(|error| storage(&error))?;
    if !operators.is_empty() {
        return Ok(None);
    }
    let path = data.join(CREDENTIAL_FILE);
    let key = match read_key(&path)? {
        Some(key) => key,
        None => {
            let key = operator::generate_key().map_err(no_randomness)?;
            write_new(&path, 0o600, &format!("{}\n", key.expose())).map_err(|error| unusable("write", &path, error))?;
            key
        }
    };
    let record = operator::record(&opened.keys, &key, FIRST_OPERATOR, OperatorRole::Admin, opened.clock.now());
    commit_operator(&*opened.store, &record).await?;
    Ok(Some(key))
}

async fn commit_operator(store: &dyn Store, record: &Operator) -> Result<(), StartError> {
    let row = AuditEntry::new(ChainId::Vault, "operator.create", Outcome::Done).subject("operator", record.id);
    let commit = Commit::new(row).effect(Effect::CreateOperator(record.clone()));
    match store.commit(commit, Instant::now() + COMMIT_DEADLINE).await {
        Ok(_receipt) => Ok(()),
        Err(CommitError::Declined(declined @ Declined::Exists(Entity::Operator))) => {
            let message = format!("there is an operator named {} already", record.name);
            Err(StartError::new(StartErrorKind::Storage(declined.code()), message).help("choose another name"))
        }
        Err(CommitError::Declined(declined)) => {
            Err(StartError::new(StartErrorKind::Storage(declined.code()), "the operator was not made").caused_by(declined))
        }
        Err(CommitError::Store(error)) => Err(storage(&error)),
    }
}

/// The key of an earlier start that was cut off before its operator was stored.
fn read_key(path: &Path) -> Result<Option<Secret>, StartError> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().starts_with(operator::OPERATOR_KEY_PREFIX) => Ok(Some(Secret::new(text.trim()))),
        Ok(_) => Err(StartError::new(
            StartErrorKind::Storage("data_folder_unusable"),
            format!("{} does not hold an operator key", path.display()),
        )
        .help("move the file away; the next start makes a new key")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable("read", path, error)),
    }
}

/// Writes the settings file with every setting as a comment, so that the first edit needs no manual.
fn write_settings_file(data: &Path) -> Result<(), StartError> {
    let path = data.join(CONFIG_FILE);
    let text = format!(
        "# Settings of this vault. No secrets in here. `alter config show` tells which value is in force and where it comes from.\n\
         \n\
         # Where the vault listens. Addresses beyond loopback need a certificate, or insecure_bind.\n\
         # address = \"{DEFAULT_ADDRESS}\"\n\
         # insecure_bind = false\n\
         \n\
         # The name that clients use, if it is not a loopback name. Requests for unknown names are refused.\n\
         # public_url = \"https://vault.example.com\"\n\
         \n\
         # Where the vault keeps its data, if not in this folder: postgres://USER@HOST/DATABASE. The password is not written here: it comes from\n\
         # PGPASSWORD or ~/.pgpass, or the whole URL from ALTER_STORE.\n\
         # store = \"postgres://alter@db.example.com/vault?sslmode=verify-full\"\n\
         \n\
         # Certificate chain and private key, PEM, from this folder or by absolute path. They are read again when they change.\n\
         # tls_cert = \"cert.pem\"\n\
         # tls_key = \"key.pem\"\n\
         \n\
         # How lines of the log are written: text or json. ALTER_LOG sets how much is logged.\n\
         # [log]\n\
         # format = \"text\"\n\
         \n\
         # Where traces are exported to, an OpenTelemetry collector (OTLP over HTTP).\n\
         # [telemetry]\n\
         # otlp_endpoint = \"https://collector.example.com\"\n"
    );
    match write_new(&path, 0o644, &text) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(|error| unusable("write", &path, error)),
    }
}

/// Writes a file that must not exist yet, and makes it durable together with its name.
fn write_new(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a file would be taken for a whole one by the next start.
        fs::remove_file(path)?;
        return Err(error);
    }
    let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    fs::File::open(folder)?.sync_all()
}

fn unusable(action: &'static str, path: &Path, source: io::Error) -> StartError {
    OpenError::Io { action, path: path.to_owned(), source }.into()
}

fn storage(error: &StoreError) -> StartError {
    StartError::new(StartErrorKind::Storage(error.code()), "the store cannot be used").caused_by(error)
}

fn no_randomness(error: getrandom::Error) -> StartError {
    StartError::new(StartErrorKind::Storage("no_randomness"), "the operating system has no random numbers to give").caused_by(error)
}
