//! `alter approval`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{Context, encode};
use crate::admin::AdminClient;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, member};

/// Verbs of `alter approval`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter approval list")]
pub enum ApprovalCommand {
    /// List the calls that wait for people
    #[command(after_help = "Examples:\n  alter approval list\n  alter approval list --app demo --all --json")]
    List {
        /// Only those of this application
        #[arg(long, value_name = "NAME")]
        app: Option<String>,
        /// Those that ended within the last day, too
        #[arg(long)]
        all: bool,
    },
    /// Show a call as it will be sent, who asks for it and why
    #[command(after_help = "Example:\n  alter approval show 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Show {
        /// Its id, as `alter approval list` shows it, or as the application got it
        approval: String,
    },
    /// Agree to a call: it is made once everybody has agreed who is asked
    #[command(after_help = "Examples:
  alter approval approve 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f
  alter approval approve 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f --reason 'as agreed with Ada' --yes

You are shown the call and asked. With --digest, which `alter approval show` tells, you agree to that call and to no other.")]
    Approve(ApproveArgs),
    /// Say no to a call: it will never be made
    #[command(after_help = "Example:\n  alter approval deny 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f --reason 'not today'")]
    Deny {
        /// Its id
        approval: String,
        /// Why: the application is told
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Arguments of `alter approval approve`.
#[derive(Clone, Debug, Args)]
pub struct ApproveArgs {
    /// Its id
    approval: String,
    /// The digest of the call that you have seen [default: of the call as it is shown now]
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
    /// A note: the application is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

const COLUMNS: &[Column] = &[
    Column::new("APPROVAL", |approval| member(approval, "approval_id")),
    Column::new("STATUS", |approval| member(approval, "status")),
    Column::new("APP", |approval| member(approval, "app")),
    Column::new("WHO", who),
    Column::new("CALL", |approval| format!("{} {}", member(approval, "method"), member(approval, "url"))),
    Column::new("WHY", |approval| member(approval, "reason")),
    Column::new("UNTIL", |approval| member(approval, "expires_at")),
];

/// Who asks: the agent, or the caller that named itself.
fn who(approval: &Value) -> String {
    let named = if approval["agent"].is_string() { "agent" } else { "caller" };
    member(approval, named)
}

/// Runs a verb.
pub async fn run(command: ApprovalCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        ApprovalCommand::List { app, all } => {
            let app = app.map(|app| format!("&app={}", encode(&app))).unwrap_or_default();
            let approvals = admin.list(&format!("/admin/v1/approvals?all={all}{app}")).await?;
            context.output.list(&approvals, COLUMNS, "No call waits for anybody.");
        }
        ApprovalCommand::Show { approval } => {
            let shown = admin.get(&path(&approval)).await?;
            print(context, &shown);
            if shown["status"] == "pending" {
                context.output.hint(&format!("\nNext: alter approval approve {approval}, or alter approval deny {approval}"));
            }
        }
        ApprovalCommand::Approve(arguments) => approve(&arguments, &admin, context).await?,
        ApprovalCommand::Deny { approval, reason } => {
            let denied = admin.post(&format!("{}/deny", path(&approval)), &json!({ "reason": reason })).await?;
            context.output.record(&denied);
        }
    }
    Ok(())
}

async fn approve(arguments: &ApproveArgs, admin: &AdminClient, context: &Context) -> Result<(), Failure> {
    let path = path(&arguments.approval);
    let digest = match &arguments.digest {
        Some(digest) => digest.clone(),
        None => {
            let shown = admin.get(&path).await?;
            if !context.output.is_json() && !arguments.yes {
                print(context, &shown);
            }
            context.confirm(arguments.yes, "The call is made as it is shown, and cannot be taken back.")?;
            shown["digest"].as_str().unwrap_or_default().to_owned()
        }
    };
    let approved = admin.post(&format!("{path}/approve"), &json!({ "digest": digest, "reason": arguments.reason })).await?;
    context.output.record(&approved);
    if approved["status"] == "pending" {
        context.output.hint("Somebody else has to agree, too: see its gates.");
    }
    Ok(())
}

fn path(approval: &str) -> String {
    format!("/admin/v1/approvals/{}", encode(approval))
}

/// For people the call stands below what is known about it, as it will be sent.
fn print(context: &Context, shown: &Value) {
    if context.output.is_json() {
        return context.output.record(shown);
    }
    let mut known = shown.clone();
    let request = known.as_object_mut().and_then(|members| members.remove("request")).unwrap_or_default();
    context.output.record(&known);
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let mut lines = vec![String::new(), format!("{} {}", text("method"), text("url"))];
    for header in request["headers"].as_array().into_iter().flatten() {
        lines.push(format!("{}: {}", header[0].as_str().unwrap_or_default(), header[1].as_str().unwrap_or_default()));
    }
    if request["body"].is_string() {
        lines.push(String::new());
        lines.extend(text("readable_body").lines().map(str::to_owned));
    }
    context.output.lines(&lines);
}
