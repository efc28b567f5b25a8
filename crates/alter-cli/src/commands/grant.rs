//! `alter grant`

use clap::Subcommand;
use serde_json::json;

use super::context::{AppFlag, Context, encode};
use crate::failure::Outcome;
use crate::input::span;
use crate::output::{Column, member};

/// Verbs of `alter grant`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter grant create --secret github --expires-in 7d"
)]
pub enum GrantCommand {
    /// Permit the application to use a secret
    #[command(after_help = "Example:\n  alter grant create --secret github --expires-in 7d")]
    Create {
        /// The secret: slug or id
        #[arg(long, value_name = "SLUG")]
        secret: String,
        /// When it ends: 90s, 30m, 12h, 7d, 4w [default: never]
        #[arg(long, value_name = "SPAN", value_parser = span)]
        expires_in: Option<u64>,
        /// A name that tells several grants of one secret apart
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        #[command(flatten)]
        app: AppFlag,
    },
    /// List grants
    #[command(after_help = "Example:\n  alter grant list --secret github")]
    List {
        /// Only those of this secret
        #[arg(long, value_name = "SLUG")]
        secret: Option<String>,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Show one grant
    #[command(after_help = "Example:\n  alter grant show 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Show {
        /// Its id
        grant: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Take a grant back for ever
    #[command(after_help = "Example:\n  alter grant revoke 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Revoke {
        /// Its id
        grant: String,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

const COLUMNS: &[Column] = &[
    Column::new("GRANT", |grant| member(grant, "grant_id")),
    Column::new("SECRET", |grant| member(grant, "provider_id")),
    Column::new("LABEL", |grant| member(grant, "label")),
    Column::new("STATUS", |grant| member(grant, "status")),
    Column::new("EXPIRES", |grant| member(grant, "expires_at")),
    Column::new("LAST USED", |grant| member(grant, "last_used_at")),
];

/// Runs a verb.
pub async fn run(command: GrantCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        GrantCommand::Create { secret, expires_in, label, app } => {
            let base = context.app_path(&admin, &app).await?;
            let wanted = json!({ "secret": secret, "expires_in": expires_in, "label": label });
            let grant = admin.post(&format!("{base}/grants"), &wanted).await?;
            context.output.record(&grant);
            let id = member(&grant, "grant_id");
            context.output.hint(&format!("Next, a call through it: alter request GET https://… --grant {id}"));
        }
        GrantCommand::List { secret, app } => {
            let base = context.app_path(&admin, &app).await?;
            let filter = secret.map(|slug| format!("?provider_id={}", encode(&slug))).unwrap_or_default();
            let grants = admin.list(&format!("{base}/grants{filter}")).await?;
            context.output.list(&grants, COLUMNS, "No grants yet. Make one: alter grant create --secret SLUG");
        }
        GrantCommand::Show { grant, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.get(&format!("{base}/grants/{}", encode(&grant))).await?);
        }
        GrantCommand::Revoke { grant, app, yes } => {
            let base = context.app_path(&admin, &app).await?;
            let path = format!("{base}/grants/{}", encode(&grant));
            let found = admin.get(&path).await?;
            let what = format!(
                "Calls through grant {grant} ({}) will be refused from now on; it cannot be brought back.",
                member(&found, "provider_id")
            );
            context.confirm(yes, &what)?;
            context.output.record(&admin.post(&format!("{path}/revoke"), &json!({})).await?);
        }
    }
    Ok(())
}
