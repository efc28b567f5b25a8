//! `alter agent`

use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::context::{AppFlag, Context, encode};
use crate::failure::Outcome;
use crate::output::{Column, member};

/// Verbs of `alter agent`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter agent create planner")]
pub enum AgentCommand {
    /// Make an agent
    #[command(after_help = "Example:\n  alter agent create planner --app demo")]
    Create {
        /// Its name: a-z, 0-9, - and _
        name: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// List agents
    #[command(after_help = "Example:\n  alter agent list --json")]
    List {
        #[command(flatten)]
        app: AppFlag,
    },
    /// Show one agent
    #[command(after_help = "Example:\n  alter agent show planner")]
    Show {
        /// Name or id
        agent: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Refuse the agent's calls until it is resumed
    #[command(after_help = "Example:\n  alter agent suspend planner")]
    Suspend {
        /// Name or id
        agent: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Let a suspended agent act again
    #[command(after_help = "Example:\n  alter agent resume planner")]
    Resume {
        /// Name or id
        agent: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Delete an agent for ever, with its keys and the grants that it holds
    #[command(after_help = "Example:\n  alter agent delete planner")]
    Delete {
        /// Name or id
        agent: String,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

const COLUMNS: &[Column] = &[
    Column::new("NAME", |agent| member(agent, "name")),
    Column::new("STATUS", |agent| member(agent, "status")),
    Column::new("CREATED", |agent| member(agent, "created_at")),
    Column::new("ID", |agent| member(agent, "agent_id")),
];

/// Runs a verb.
pub async fn run(command: AgentCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        AgentCommand::Create { name, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.post(&format!("{base}/agents"), &json!({ "name": name })).await?);
            context.output.hint(&format!("Next, a key for it: alter key create --agent {name}"));
        }
        AgentCommand::List { app } => {
            let base = context.app_path(&admin, &app).await?;
            let agents = admin.list(&format!("{base}/agents")).await?;
            context.output.list(&agents, COLUMNS, "No agents yet. Make one: alter agent create NAME");
        }
        AgentCommand::Show { agent, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.get(&format!("{base}/agents/{}", encode(&agent))).await?);
        }
        AgentCommand::Suspend { agent, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.post(&format!("{base}/agents/{}/suspend", encode(&agent)), &json!({})).await?);
        }
        AgentCommand::Resume { agent, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.post(&format!("{base}/agents/{}/resume", encode(&agent)), &json!({})).await?);
        }
        AgentCommand::Delete { agent, app, yes } => {
            let base = context.app_path(&admin, &app).await?;
            let path = format!("{base}/agents/{}", encode(&agent));
            let found = admin.get(&path).await?;
            let what = format!(
                "Agent {} will be gone for ever, with its keys, the grants that it holds and all that it passed on.",
                member(&found, "name")
            );
            context.confirm(yes, &what)?;
            context.output.record(&admin.send(Method::DELETE, &path, None).await?);
        }
    }
    Ok(())
}
