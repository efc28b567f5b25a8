//! `alter backup` and `alter restore`.

use std::path::PathBuf;

use alter_server::audit::verify_all;
use alter_server::error::StartError;
use alter_server::setup::{self, Location};
use alter_server::store::backup::{self, BackupError};
use alter_server::store::{Access, StoreError};
use clap::Args;
use serde_json::json;

use super::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::progress::Progress;

/// Arguments of `alter backup`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alter backup vault-2026-11-28.alter
  alter backup --tombstones /mnt/elsewhere/vault.tombstones

The vault may be running: everything is read at one moment, from the data folder or the database,
and nothing is written there. The file holds secrets only as they are sealed, and not the master
key: keep that apart. With --tombstones the file gets the ids of all that was ever revoked, deleted
or erased, in the place of an earlier one: write it often, and elsewhere. A restore is given the
newest, so that nothing which was ended comes back.")]
pub struct BackupArgs {
    /// The file to write. A backup never overwrites one
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write only what has ended, for a later restore
    #[arg(long)]
    tombstones: bool,
}

/// Arguments of `alter restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alter restore vault-2026-11-28.alter --tombstones /mnt/elsewhere/vault.tombstones --data-dir ./vault
  ALTER_STORE=postgres://alter@db.example.com/vault alter restore vault.alter --without-tombstones

Into a folder or a database without a vault; put the master key there first (master.key, or
ALTER_MASTER_KEY). The file is proven whole and unchanged before anything is made. Calls that waited
for people are ended, and logins have to be refreshed before they are used again.")]
#[command(group(clap::ArgGroup::new("ended").required(true).multiple(false)))]
pub struct RestoreArgs {
    /// A file that `alter backup` has written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What must not come back: a file of `alter backup --tombstones`. May be given several times
    #[arg(long, value_name = "FILE", group = "ended", num_args = 1)]
    tombstones: Vec<PathBuf>,
    /// Accept that keys and grants which were revoked after the backup work again
    #[arg(long, group = "ended")]
    without_tombstones: bool,
}

/// Runs `alter backup`.
pub fn run(arguments: &BackupArgs, context: &Context) -> Outcome {
    let options = Location::from(&context.config()?).options(Access::Read)?;
    if arguments.tombstones {
        let count = backup::write_tombstones(&options, &arguments.file).map_err(failed)?;
        context.output.record(&json!({ "file": arguments.file, "tombstones": count }));
        return Ok(());
    }
    let mut progress = Progress::new("rows backed up", 0, context.output);
    let written = backup::backup(&options, &arguments.file, &mut |done, all| progress.at(done, all));
    progress.finish();
    let manifest = written.map_err(failed)?;
    context.output.record(&json!({
        "file": arguments.file,
        "rows": manifest.rows(),
        "schema": manifest.schema,
        "created_at": manifest.created_at,
        "chains": manifest.chains,
    }));
    context.output.hint("The master key is not in it: keep that apart, and without it the file is of no use.");
    Ok(())
}

/// Runs `alter restore`.
pub async fn restore(arguments: RestoreArgs, context: &Context) -> Outcome {
    let location = Location::from(&context.config()?);
    let options = location.options(Access::Create)?;
    let mut progress = Progress::new("rows restored", 0, context.output);
    let restored = backup::restore(&arguments.file, &arguments.tombstones, &options, &mut |done, all| progress.at(done, all));
    progress.finish();
    let restored = restored.map_err(failed)?;
    let chains = verified(&location).await?;
    let ended: serde_json::Map<_, _> = restored.ended.iter().map(|(table, count)| ((*table).to_owned(), json!(count))).collect();
    context.output.record(&json!({
        "file": arguments.file,
        "rows": restored.manifest.rows(),
        "created_at": restored.manifest.created_at,
        "ended": ended,
        "logins_to_be_proven": restored.unproven,
        "chains_verified": chains,
    }));
    context.output.hint("Operators keep their keys; if they are lost: alter key create --operator NAME --offline. Next: alter serve");
    Ok(())
}

/// Verifies every chain of the restored vault; returns how many there are.
async fn verified(location: &Location) -> Result<usize, Failure> {
    let failed = |error: StoreError| Failure::new(Exit::Storage, error.code(), "the audit trail cannot be read").caused_by(error);
    let opened = setup::open(location.clone(), Access::Read)?;
    let reports = verify_all(&*opened.store, &opened.audit, &[]).await.map_err(failed)?;
    opened.store.close().await.map_err(failed)?;
    match reports.iter().find(|report| !report.is_intact()) {
        None => Ok(reports.len()),
        Some(broken) => {
            Err(Failure::new(Exit::Storage, "audit_broken", format!("the chain {} was broken before the backup", broken.chain))
                .help("`alter audit verify --offline` says where; look for an earlier backup"))
        }
    }
}

fn failed(error: BackupError) -> Failure {
    let exit = match &error {
        BackupError::Open(_) => None,
        BackupError::Exists { .. } | BackupError::NotEmpty { .. } => Some(Exit::Conflict),
        BackupError::Io { .. } | BackupError::NotABackup { .. } | BackupError::OtherSchema { .. } => Some(Exit::Failed),
        BackupError::Incomplete { .. } | BackupError::Changed { .. } | BackupError::Failed { .. } => Some(Exit::Storage),
    };
    match (exit, error) {
        (None, BackupError::Open(error)) => StartError::from(error).into(),
        (exit, error) => Failure::new(exit.unwrap_or(Exit::Storage), error.code(), error.to_string()).help(error.help()),
    }
}
