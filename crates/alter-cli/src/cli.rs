//! The grammar of the command line: what `alter --help` shows.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    agent, app, approval, audit, backup, completions, config, connect, grant, idp, init, key, policy, provider, request, secret, serve,
    spec, store,
};

/// Credential vault for AI agents: your code makes the call, the vault adds the credential.
#[derive(Debug, Parser)]
#[command(
    name = "alter",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Start a vault on this machine:\n  alter serve\n\nThen, in another terminal:\n  alter app create demo\n\n`alter help exit-codes` lists what scripts can rely on."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// One JSON object per line instead of tables; errors as JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Never ask a question; fail instead
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Show the whole chain of an error
    #[arg(long, short = 'v', global = true)]
    pub verbose: bool,
    /// The vault's URL
    #[arg(long, global = true, value_name = "URL", env = "ALTER_BASE_URL", hide_env_values = true)]
    pub vault: Option<String>,
    /// The vault's data folder on this machine [default: ~/.local/share/alter]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<std::path::PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the vault
    Serve(serve::ServeArgs),
    /// Make a data folder without starting the vault
    Init(init::InitArgs),
    /// Applications: the tenants of the vault
    #[command(subcommand)]
    App(app::AppCommand),
    /// Managed secrets: credentials of providers, bound to hosts
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// OAuth providers: where people's logins come from
    #[command(subcommand)]
    Provider(provider::ProviderCommand),
    /// Policies: what is forbidden, held for approval, or narrowed
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Descriptions of providers' APIs (OpenAPI): what rules about operations are judged by
    #[command(subcommand)]
    Spec(spec::SpecCommand),
    /// Grants: permissions to use a secret
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    /// Agents: programs of an application that hold grants of their own
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Approvals: calls that wait until people have agreed to them
    #[command(subcommand)]
    Approval(approval::ApprovalCommand),
    /// Identity providers: who an application's users are
    #[command(subcommand)]
    Idp(idp::IdpCommand),
    /// API keys of applications, operator keys, and the master key
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Make an HTTP call through a grant, like curl
    Request(Box<request::RequestArgs>),
    /// Connect an account of your own to an application, in the browser
    Connect(connect::ConnectArgs),
    /// The audit trail: read it, verify it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Where the vault keeps its data: move it to PostgreSQL
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Write all that the vault keeps into a file, while it runs
    Backup(backup::BackupArgs),
    /// Make a vault of a backup
    Restore(backup::RestoreArgs),
    /// Settings and where they come from
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print a script that completes `alter` in a shell
    Completions(completions::CompletionsArgs),
    /// Show the version
    #[command(after_help = "Example:\n  alter version --json")]
    Version,
    /// Explain a command, or `exit-codes`
    #[command(after_help = "Examples:\n  alter help grant create\n  alter help exit-codes")]
    Help {
        /// A command such as `grant` or `grant create`, or `exit-codes`
        topic: Vec<String>,
    },
}

#[cfg(test)]
mod tests;
