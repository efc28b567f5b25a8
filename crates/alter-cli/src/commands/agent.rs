//! `alter agent`

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::context::{AppFlag, Context, encode};
use crate::failure::{Failure, Outcome};
use crate::input::span;
use crate::output::{Column, member};

/// Verbs of `alter agent`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter agent create planner")]
pub enum AgentCommand {
    /// Make an agent
    #[command(
        after_help = "Examples:\n  alter agent create planner --app demo\n  alter agent create mailer --allow google:gmail.send --allow-secret crm"
    )]
    Create {
        /// Its name: a-z, 0-9, - and _
        name: String,
        /// What kind of program it is
        #[arg(long = "type", value_enum, default_value_t = Kind::Agent)]
        kind: Kind,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Change what an agent is called, or what it may use
    #[command(
        after_help = "Examples:\n  alter agent update planner --display-name Planner\n  alter agent update mailer --allow google:gmail.send --grace 1d\n\nWhat --allow names takes the place of everything that was allowed before."
    )]
    Update {
        /// Name or id
        agent: String,
        #[command(flatten)]
        settings: Settings,
        /// How long what is taken away still holds: 12h, 7d [default: not at all]
        #[arg(long, value_name = "SPAN", value_parser = span)]
        grace: Option<u64>,
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

/// What an operator sets for an agent.
#[derive(Clone, Debug, Default, Args)]
pub struct Settings {
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// An OAuth provider that it may use, with a scope or without: all of them; give it several times [default: whatever is granted to it]
    #[arg(long = "allow", value_name = "PROVIDER[:SCOPE]", value_parser = allowed)]
    allow: Vec<(String, String)>,
    /// A managed secret that it may use; give it several times
    #[arg(long = "allow-secret", value_name = "SLUG")]
    allow_secrets: Vec<String>,
    /// It may use nothing, until it is allowed to
    #[arg(long, conflicts_with_all = ["allow", "allow_secrets"])]
    allow_nothing: bool,
    /// Somebody who may approve its calls, by e-mail, or an operator as operator:NAME; with this each call needs it; give it several times
    #[arg(long = "approver", value_name = "E-MAIL")]
    approvers: Vec<String>,
    /// Its calls need nobody's approval any more
    #[arg(long, conflicts_with = "approvers")]
    no_approver: bool,
}

impl Settings {
    /// The members of a request; what was not named is left out.
    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Some(name) = &self.display_name {
            members.insert("display_name".to_owned(), json!(name));
        }
        if let Some(scopes) = self.scopes() {
            members.insert("scopes".to_owned(), json!(scopes));
        }
        if self.no_approver {
            members.insert("policy".to_owned(), json!({}));
        }
        if !self.approvers.is_empty() {
            members.insert("policy".to_owned(), json!({ "requires_approval": { "approvers": self.approvers } }));
        }
        members
    }

    fn scopes(&self) -> Option<BTreeMap<&str, Vec<&str>>> {
        let mut scopes = BTreeMap::<&str, Vec<&str>>::new();
        for (provider, scope) in &self.allow {
            scopes.entry(provider).or_default().push(scope);
        }
        if !self.allow_secrets.is_empty() {
            scopes.insert("managed_secret_slugs", self.allow_secrets.iter().map(String::as_str).collect());
        }
        (self.allow_nothing || !scopes.is_empty()).then_some(scopes)
    }
}

/// What kind of program an agent is, as an argument.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// An AI agent
    Agent,
    /// A program
    Service,
}

/// `PROVIDER[:SCOPE]`; scopes may hold colons themselves.
fn allowed(text: &str) -> Result<(String, String), String> {
    let (provider, scope) = text.split_once(':').unwrap_or((text, "*"));
    if provider.is_empty() || scope.is_empty() {
        return Err("write it as github or github:repo".to_owned());
    }
    Ok((provider.to_owned(), scope.to_owned()))
}

const COLUMNS: &[Column] = &[
    Column::new("NAME", |agent| member(agent, "name")),
    Column::new("STATUS", |agent| member(agent, "status")),
    Column::new("MAY USE", |agent| member(agent, "scopes")),
    Column::new("LAST USED", |agent| member(agent, "last_used_at")),
    Column::new("ID", |agent| member(agent, "agent_id")),
];

/// Runs a verb.
pub async fn run(command: AgentCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        AgentCommand::Create { name, kind, settings, app } => {
            let base = context.app_path(&admin, &app).await?;
            let mut wanted = settings.members();
            wanted.insert("name".to_owned(), json!(name));
            wanted.insert(
                "type".to_owned(),
                json!(match kind {
                    Kind::Agent => "agent",
                    Kind::Service => "service",
                }),
            );
            context.output.record(&admin.post(&format!("{base}/agents"), &Value::Object(wanted)).await?);
            context.output.hint(&format!("Next, a key for it: alter key create --agent {name}"));
        }
        AgentCommand::Update { agent, settings, grace, app } => {
            let mut wanted = settings.members();
            if wanted.is_empty() {
                return Err(Failure::usage("nothing to change was named").help("see what can be: alter help agent update"));
            }
            if let Some(seconds) = grace {
                wanted.insert("grace_seconds".to_owned(), json!(seconds));
            }
            let path = format!("{}/agents/{}", context.app_path(&admin, &app).await?, encode(&agent));
            context.output.record(&admin.send(Method::PATCH, &path, Some(&Value::Object(wanted))).await?);
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
