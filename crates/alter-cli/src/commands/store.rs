//! `alter store`

use std::path::PathBuf;

use alter_server::audit::verify_all;
use alter_server::config::StorePlace;
use alter_server::error::{StartError, StartErrorKind};
use alter_server::setup::{self, Location};
use alter_server::store::postgres::PostgresUrl;
use alter_server::store::{Access, Copied, CopyError, StoreError, StoreOptions, copy};
use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, member};
use crate::progress::Progress;

/// Verbs of `alter store`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter store copy --from ./vault --to postgres://alter@db.example.com/vault"
)]
pub enum StoreCommand {
    /// Copy a stopped vault from its data folder into a PostgreSQL database
    Copy(CopyArgs),
}

/// Arguments of `alter store copy`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alter store copy --to 'postgres://alter@db.example.com/vault?sslmode=verify-full'
  PGPASSWORD=… alter store copy --from ./vault --to postgres://alter@db.example.com/vault

All rows are copied in one transaction: a copy that is interrupted leaves nothing behind, and is run
again. Rows are counted in both, and the audit trail is verified in the database. The folder stays
as it is; its master key opens the copy. The password comes from PGPASSWORD, ~/.pgpass, or the URL
in ALTER_STORE.")]
pub struct CopyArgs {
    /// The data folder of the stopped vault [default: --data-dir, else ~/.local/share/alter]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The database: postgres://USER@HOST/DATABASE, without a password
    #[arg(long, value_name = "URL", env = "ALTER_STORE", hide_env_values = true)]
    to: String,
}

const COLUMNS: &[Column] = &[Column::new("TABLE", |table| member(table, "table")), Column::new("ROWS", |table| member(table, "rows"))];

/// Runs a verb.
pub async fn run(command: StoreCommand, context: &Context) -> Outcome {
    let StoreCommand::Copy(CopyArgs { from, to }) = command;
    let url = target(&to)?;
    let data = match from {
        Some(folder) => folder,
        None => context.global.data_dir.clone().map_or_else(|| context.config().map(|config| config.data.value), Ok)?,
    };
    let (source, target) = (Location::from(&data), Location { data, store: StorePlace::Postgres(url) });
    let copied = copied(&source, &target, context)?;
    let chains = verified(&source, &target).await?;
    let tables: Vec<_> = copied.tables.iter().map(|(table, rows)| json!({ "table": table, "rows": rows })).collect();
    if context.output.is_json() {
        context
            .output
            .record(&json!({ "to": target.store.to_string(), "rows": copied.rows(), "tables": tables, "chains_verified": chains }));
    } else {
        context.output.list(&tables, COLUMNS, "");
    }
    context.output.hint(&format!(
        "{} rows are in {}, and {chains} audit chains are intact there. Next: set store = \"{}\" in alter.toml, or ALTER_STORE.",
        copied.rows(),
        target.store,
        target.store
    ));
    Ok(())
}

fn target(text: &str) -> Result<PostgresUrl, Failure> {
    let url = PostgresUrl::parse(text).map_err(|what| {
        Failure::new(Exit::Usage, "config_invalid", format!("--to cannot be used: {what}"))
            .help("write postgres://USER@HOST[:PORT]/DATABASE[?sslmode=verify-full]")
    })?;
    let from_environment = std::env::var("ALTER_STORE").is_ok_and(|set| set == text);
    if url.has_password() && !from_environment {
        return Err(Failure::new(Exit::Usage, "config_invalid", "--to holds a password, which other users of this machine can see")
            .help("leave it out, and give it in PGPASSWORD or ~/.pgpass; or give the whole URL in ALTER_STORE"));
    }
    Ok(url)
}

fn copied(source: &Location, target: &Location, context: &Context) -> Result<Copied, Failure> {
    let (StoreOptions::Sqlite(from), StoreOptions::Postgres(to)) = (source.options(Access::Write)?, target.options(Access::Create)?) else {
        unreachable!("a folder alone is SQLite, and a URL is PostgreSQL");
    };
    let mut progress = Progress::new("rows copied", 0, context.output);
    let copied = copy(&from, &to, &mut |done, all| progress.at(done, all));
    progress.finish();
    copied.map_err(|error| match error {
        CopyError::Open(error) => StartError::from(error).into(),
        error @ CopyError::NotEmpty { .. } => Failure::new(Exit::Conflict, error.code(), error.to_string()).help(error.help()),
        error => StartError::new(StartErrorKind::Storage(error.code()), error.to_string()).help(error.help()).into(),
    })
}

/// Verifies every chain in the database against its head in the folder; returns how many there are.
async fn verified(source: &Location, target: &Location) -> Result<usize, Failure> {
    let failed = |error: StoreError| Failure::new(Exit::Storage, error.code(), "the audit trail cannot be read").caused_by(error);
    let (before, after) = (setup::open(source.clone(), Access::Read)?, setup::open(target.clone(), Access::Read)?);
    let heads: Vec<_> = before.store.audit_heads().await.map_err(failed)?.into_iter().map(|stored| stored.head).collect();
    let reports = verify_all(&*after.store, &after.audit, &heads).await.map_err(failed)?;
    before.store.close().await.map_err(failed)?;
    after.store.close().await.map_err(failed)?;
    match reports.iter().find(|report| !report.is_intact()) {
        None => Ok(reports.len()),
        Some(broken) => Err(Failure::new(Exit::Storage, "audit_broken", format!("the chain {} is not intact in the copy", broken.chain))
            .help("do not use the copy: drop its schema alter_vault, run `alter audit verify --offline` on the folder, and copy again")),
    }
}
