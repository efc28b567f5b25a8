//! `alter app`

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::context::{Context, encode};
use crate::failure::{Exit, Failure, Outcome};
use crate::input::span;
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
    /// Set where people come back to, what agents may retrieve, and how people are asked
    #[command(after_help = "Examples:
  alter app set demo --return-url https://shop.example/connected --allowed-origin https://shop.example
  alter app set demo --remove-return-url https://shop.example/connected
  alter app set demo --retrieve-delegated true
  alter app set demo --approval-time 15m --approval-webhook https://chat.example/hooks/alter

After a page of the vault a browser is sent to a registered return URL, or to one below it, and to nothing else. A page that opened
the vault's in a window is told the result if its origin is registered. What is sent to the webhook is signed as Standard Webhooks
describe, with a secret that is shown once.")]
    Set(Box<SetArgs>),
}

/// Arguments of `alter app set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name or id
    app: String,
    /// Let browsers be sent to this URL and to those below it; give it several times
    #[arg(long = "return-url", value_name = "URL")]
    return_urls: Vec<String>,
    /// Send them there no more; give it several times
    #[arg(long = "remove-return-url", value_name = "URL")]
    removed_urls: Vec<String>,
    /// Let pages of this origin be told a result; give it several times
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Tell them nothing any more; give it several times
    #[arg(long = "remove-allowed-origin", value_name = "ORIGIN")]
    removed_origins: Vec<String>,
    /// Let the first holder of a delegated grant that nothing narrows retrieve it, and not only use it through the vault
    #[arg(long, value_name = "BOOL")]
    retrieve_delegated: Option<bool>,
    /// How long people have to agree to a call: 90s, 30m, 12h, 7d [default: 1h]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    approval_time: Option<u64>,
    /// Tell this URL when a call waits for people; an empty one tells nobody
    #[arg(long, value_name = "URL")]
    approval_webhook: Option<String>,
    /// Sign what is sent there with a new secret
    #[arg(long)]
    new_webhook_secret: bool,
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
        AppCommand::Show { app } => context.output.record(&admin.get(&path(&app)).await?),
        AppCommand::Set(set) => {
            let change = set.change(&admin.get(&path(&set.app)).await?)?;
            let app = admin.send(Method::PATCH, &path(&set.app), Some(&change)).await?;
            context.output.record(&app);
            if app["approval_webhook_secret"].is_string() {
                context.output.hint("Store the webhook's secret now: it is not shown again.");
            }
        }
    }
    Ok(())
}

fn path(app: &str) -> String {
    format!("/admin/v1/apps/{}", encode(app))
}

impl SetArgs {
    /// What to send, given the app as it is: only what the flags name, so that nothing else is overwritten.
    fn change(&self, app: &Value) -> Result<Value, Failure> {
        let mut change = json!({});
        for (name, added, removed) in
            [("return_urls", &self.return_urls, &self.removed_urls), ("allowed_origins", &self.origins, &self.removed_origins)]
        {
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            let mut entries: Vec<String> = serde_json::from_value(app[name].clone()).unwrap_or_default();
            for entry in removed {
                let place = entries.iter().position(|known| known == entry).ok_or_else(|| self.not_there(entry))?;
                entries.remove(place);
            }
            entries.extend(added.iter().cloned());
            change[name] = json!(entries);
        }
        if let Some(allowed) = self.retrieve_delegated {
            change["retrieve_delegated"] = json!(allowed);
        }
        if let Some(seconds) = self.approval_time {
            change["approval_lasts_seconds"] = json!(seconds);
        }
        if let Some(url) = &self.approval_webhook {
            change["approval_webhook"] = if url.is_empty() { Value::Null } else { json!(url) };
        }
        if self.new_webhook_secret {
            change["new_webhook_secret"] = json!(true);
        }
        if change.as_object().is_some_and(|members| !members.is_empty()) {
            return Ok(change);
        }
        Err(Failure::new(Exit::Usage, "nothing_to_change", "nothing to change was given")
            .help("`alter app set --help` lists what can be set"))
    }

    fn not_there(&self, entry: &str) -> Failure {
        Failure::new(Exit::NotFound, "entry_not_found", format!("{entry:?} is not registered for {}", self.app))
            .help(format!("`alter app show {}` shows what is, letter by letter", self.app))
    }
}
