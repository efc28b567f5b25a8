//! `alter audit`

use std::num::NonZeroU32;
use std::path::PathBuf;

use alter_server::audit::{ChainId, Head, RowMac, verify_all};
use alter_server::model::AppId;
use alter_server::setup;
use alter_server::store::sqlite::Access;
use clap::Subcommand;
use serde_json::{Value, json};

use super::context::{Context, encode};
use crate::failure::{Exit, Failure, Outcome};
use crate::input::text_of_file;
use crate::output::{Column, member};

/// Verbs of `alter audit`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter audit tail")]
pub enum AuditCommand {
    /// Show the newest rows, oldest first
    #[command(after_help = "Example:\n  alter audit tail --app demo --limit 50 --json")]
    Tail {
        /// Only this application's chain; `vault` for the vault's own [default: all]
        #[arg(long, value_name = "NAME", env = "ALTER_APP", hide_env_values = true)]
        app: Option<String>,
        /// How many
        #[arg(long, short = 'n', value_name = "N", default_value = "20")]
        limit: NonZeroU32,
        /// Only rows after this sequence; needs --app
        #[arg(long, value_name = "SEQUENCE", requires = "app")]
        after: Option<u64>,
    },
    /// Check that no row was changed, added, moved or removed
    #[command(after_help = "Examples:
  alter audit verify
  alter audit head --json > heads.json
  alter audit verify --expect-head heads.json

A tail that was cut off together with its head can only be found against a head that was kept
outside of the vault.")]
    Verify {
        /// Heads that `alter audit head --json` wrote earlier
        #[arg(long, value_name = "PATH")]
        expect_head: Option<PathBuf>,
        /// Read the data itself instead of asking the vault; it may be running
        #[arg(long)]
        offline: bool,
    },
    /// Show the end of every chain, to be kept outside of the vault
    #[command(after_help = "Example:\n  alter audit head --json > heads.json")]
    Head,
}

const ROW_COLUMNS: &[Column] = &[
    Column::new("AT", |row| member(row, "at")),
    Column::new("SEQ", |row| member(row, "sequence")),
    Column::new("ACTION", |row| member(row, "action")),
    Column::new("OUTCOME", |row| match member(row, "code").as_str() {
        "-" => member(row, "outcome"),
        code => format!("{} ({code})", member(row, "outcome")),
    }),
    Column::new("PROVIDER", |row| member(row, "provider_id")),
    Column::new("CALL", |row| match member(row, "method").as_str() {
        "-" => "-".to_owned(),
        method => {
            let status = row.pointer("/report/response_status").map(|status| format!(" → {status}")).unwrap_or_default();
            format!("{method} {}{status}", member(row, "url"))
        }
    }),
    Column::new("TRACE", |row| member(row, "trace_id").chars().take(8).collect()),
    Column::new("CALLER", |row| member(row, "caller")),
    Column::new("WHY", |row| match member(row, "reason").as_str() {
        "-" => member(row, "detail"),
        reason => reason.to_owned(),
    }),
];

const HEAD_COLUMNS: &[Column] = &[
    Column::new("CHAIN", |head| member(head, "chain")),
    Column::new("SEQUENCE", |head| member(head, "sequence")),
    Column::new("MAC", |head| member(head, "mac")),
];

const REPORT_COLUMNS: &[Column] = &[
    Column::new("CHAIN", |report| member(report, "chain")),
    Column::new("ROWS", |report| member(report, "rows")),
    Column::new("RESULT", |report| match report.get("intact") {
        Some(Value::Bool(true)) => "intact".to_owned(),
        _ => format!("BROKEN: {}", member(report, "findings")),
    }),
];

/// Runs a verb.
pub async fn run(command: AuditCommand, context: &Context) -> Outcome {
    match command {
        AuditCommand::Tail { app, limit, after } => {
            let mut path = format!("/admin/v1/audit?limit={limit}");
            if let Some(app) = app {
                path += &format!("&app={}", encode(&app));
            }
            if let Some(after) = after {
                path += &format!("&after={after}");
            }
            context.output.list(&context.admin()?.items(&path).await?, ROW_COLUMNS, "No rows.");
            Ok(())
        }
        AuditCommand::Head => {
            context.output.list(&context.admin()?.items("/admin/v1/audit/heads").await?, HEAD_COLUMNS, "No chains yet.");
            Ok(())
        }
        AuditCommand::Verify { expect_head, offline } => {
            let expected = expect_head.map(|path| read_heads(&path)).transpose()?.unwrap_or_default();
            let reports = if offline { verify_offline(&expected, context).await? } else { verify_running(&expected, context).await? };
            judge(&reports, context)
        }
    }
}

/// Prints the reports; anything that is not intact is a failure.
fn judge(reports: &[Value], context: &Context) -> Outcome {
    context.output.list(reports, REPORT_COLUMNS, "No chains yet.");
    let broken: Vec<&Value> = reports.iter().filter(|report| report.get("intact") != Some(&Value::Bool(true))).collect();
    if broken.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = broken.iter().map(|report| member(report, "chain")).collect();
    Err(Failure::new(Exit::Storage, "audit_broken", format!("the audit trail is not as it was written: {}", names.join(", ")))
        .help("keep the data folder as it is, restore a backup elsewhere, and compare"))
}

async fn verify_running(expected: &[Head], context: &Context) -> Result<Vec<Value>, Failure> {
    let heads: Vec<Value> = expected
        .iter()
        .map(|head| json!({ "chain": head.chain.to_string(), "sequence": head.sequence, "mac": head.mac.to_string() }))
        .collect();
    let mut answer = context.admin()?.post("/admin/v1/audit/verify", &json!({ "expected_heads": heads })).await?;
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(reports)) => Ok(reports),
        _ => Err(Failure::new(Exit::Unreachable, "not_a_vault", "the vault's answer cannot be read")),
    }
}

/// Verifies without trusting a running vault: only its files and the master key are needed.
async fn verify_offline(expected: &[Head], context: &Context) -> Result<Vec<Value>, Failure> {
    let opened = setup::open(&context.config()?, Access::Read)?;
    let failed = |error: alter_server::store::StoreError| {
        Failure::new(Exit::Storage, error.code(), "the audit trail cannot be read").caused_by(error)
    };
    let reports = verify_all(&*opened.store, &opened.audit, expected).await.map_err(failed)?;
    opened.store.close().await.map_err(failed)?;
    Ok(reports.iter().map(alter_server::api::audit_report).collect())
}

/// Reads heads as `alter audit head --json` prints them: one JSON object per line.
fn read_heads(path: &std::path::Path) -> Result<Vec<Head>, Failure> {
    let text = text_of_file(path)?;
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(index, line)| read_head(path, index, line)).collect()
}

fn read_head(path: &std::path::Path, index: usize, line: &str) -> Result<Head, Failure> {
    let head: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |name: &str| head.get(name).and_then(Value::as_str);
    let chain = text("chain").and_then(|name| if name == "vault" { Some(ChainId::Vault) } else { AppId::parse(name).map(ChainId::App) });
    let mac = text("mac").and_then(RowMac::parse);
    let sequence = head.get("sequence").and_then(Value::as_u64);
    match (chain, sequence, mac) {
        (Some(chain), Some(sequence), Some(mac)) => Ok(Head { chain, sequence, mac }),
        _ => Err(Failure::usage(format!("line {} of {} is not a head", index + 1, path.display()))
            .help("the file must be the output of `alter audit head --json`")),
    }
}
