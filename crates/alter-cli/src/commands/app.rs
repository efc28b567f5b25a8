//! `alter app`

use clap::Subcommand;
use serde_json::json;

use super::context::{Context, encode};
use crate::failure::Outcome;
use crate::output::{Column, member};

/// Verbs of `alter app`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter app create demo")]
pub enum AppCommand {
    /// Make an application
    #[command(after_help = "Example:\n  alter app create demo")]
    Create {
        /// Its name: a-z, 0-9, - and _
        name: String,
    },
    /// List all applications
    #[command(after_help = "Example:\n  alter app list --json")]
    List,
    /// Show one application
    #[command(after_help = "Example:\n  alter app show demo")]
    Show {
        /// Name or id
        app: String,
    },
}

const COLUMNS: &[Column] = &[
    Column::new("NAME", |app| member(app, "name")),
    Column::new("ID", |app| member(app, "id")),
    Column::new("CREATED", |app| member(app, "created_at")),
];

/// Runs a verb.
pub async fn run(command: AppCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        AppCommand::Create { name } => {
            let app = admin.post("/admin/v1/apps", &json!({ "name": name })).await?;
            context.output.record(&app);
            context.output.hint(&format!("Next, a key for its code: alter key create --app {name}"));
        }
        AppCommand::List => {
            let apps = admin.list("/admin/v1/apps").await?;
            context.output.list(&apps, COLUMNS, "No applications yet. Make one: alter app create NAME");
        }
        AppCommand::Show { app } => context.output.record(&admin.get(&format!("/admin/v1/apps/{}", encode(&app))).await?),
    }
    Ok(())
}
