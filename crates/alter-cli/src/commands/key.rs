//! `alter key`

use alter_server::model::OperatorRole;
use alter_server::setup;
use alter_server::store::sqlite::Access;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::context::{AppFlag, Context, encode};
use super::rotate::{self, RotateArgs};
use crate::admin::AdminClient;
use crate::failure::{Exit, Failure, Outcome};
use crate::input::span;
use crate::output::{Column, member};

/// Verbs of `alter key`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter key create --app demo")]
pub enum KeyCommand {
    /// Make a key and show it once
    #[command(
        after_help = "Examples:\n  alter key create --app demo --name worker --expires-in 90d\n  alter key create --scope tokens:retrieve --allow-network 192.0.2.0/24 --rate-limit 60\n  alter key create --agent planner\n  alter key create --operator ada --role auditor\n  alter key create --operator rescue --offline\n\nThe last one is the way back in when every operator key is lost; the vault must be stopped."
    )]
    Create(CreateArgs),
    /// Replace the vault's master key while it serves
    RotateMaster(RotateArgs),
    /// List the keys of an application, or the operators
    #[command(after_help = "Examples:\n  alter key list --app demo\n  alter key list --agent planner")]
    List {
        /// List operators instead
        #[arg(long)]
        operator: bool,
        /// Only the keys of this agent
        #[arg(long, value_name = "NAME", conflicts_with = "operator")]
        agent: Option<String>,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Make the successor of a key and show it once; the key works beside it for a while
    #[command(after_help = "Example:\n  alter key rotate 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f --overlap 2d")]
    Rotate {
        /// The key's id
        key: String,
        /// How long both work: 12h, 2d, up to 30d, or 0 [default: 7d]
        #[arg(long, value_name = "SPAN", value_parser = overlap)]
        overlap: Option<u64>,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Have programs told to change to another key; it still works
    #[command(after_help = "Example:\n  alter key deprecate 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Deprecate {
        /// The key's id
        key: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Take a deprecation back, and the end that a rotation has set
    #[command(after_help = "Example:\n  alter key undeprecate 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Undeprecate {
        /// The key's id
        key: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Refuse a key from now on, for ever, with what was derived from it
    #[command(after_help = "Examples:\n  alter key revoke 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f\n  alter key revoke ada --operator")]
    Revoke {
        /// The key's id; with --operator the operator's name or id
        key: String,
        /// It is an operator's
        #[arg(long)]
        operator: bool,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Arguments of `alter key create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    app: AppFlag,
    /// A name for people
    #[arg(long, value_name = "TEXT", conflicts_with = "operator")]
    name: Option<String>,
    /// What it may do; give it several times [default: tokens:retrieve]
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "operator")]
    scopes: Vec<String>,
    /// Make it the key of this agent, with the scopes that agents have
    #[arg(long, value_name = "NAME", conflicts_with_all = ["operator", "scopes"])]
    agent: Option<String>,
    /// A network that it may be used from, such as 192.0.2.0/24; give it several times [default: anywhere]
    #[arg(long = "allow-network", value_name = "CIDR", conflicts_with = "operator")]
    networks: Vec<String>,
    /// Requests a minute that it may make [default: the vault's rate_limit_rpm]
    #[arg(long, value_name = "NUMBER", conflicts_with = "operator")]
    rate_limit: Option<u32>,
    /// When it ends: 12h, 7d, 4w [default: never]
    #[arg(long, value_name = "SPAN", value_parser = span, conflicts_with = "operator")]
    expires_in: Option<u64>,
    /// Make an operator of this name instead
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// What the operator may do: admin everything, approver decide approvals, auditor read
    #[arg(long, value_enum, default_value_t = Role::Admin, requires = "operator")]
    role: Role,
    /// Make the operator in the data folder itself, without a running vault
    #[arg(long, requires = "operator")]
    offline: bool,
}

/// [`OperatorRole`] as an argument.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Admin,
    Approver,
    Auditor,
}

impl From<Role> for OperatorRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Approver => Self::Approver,
            Role::Auditor => Self::Auditor,
        }
    }
}

const KEY_COLUMNS: &[Column] = &[
    Column::new("ID", |key| member(key, "id")),
    Column::new("NAME", |key| member(key, "name")),
    Column::new("PREFIX", |key| member(key, "key_prefix")),
    Column::new("STATUS", |key| member(key, "status")),
    Column::new("SCOPES", |key| member(key, "scopes")),
    Column::new("EXPIRES", |key| member(key, if key["works_until"].is_null() { "expires_at" } else { "works_until" })),
    Column::new("LAST USED", |key| member(key, "last_used_at")),
];

const OPERATOR_COLUMNS: &[Column] = &[
    Column::new("NAME", |operator| member(operator, "name")),
    Column::new("ROLE", |operator| member(operator, "role")),
    Column::new("PREFIX", |operator| member(operator, "key_prefix")),
    Column::new("STATUS", |operator| member(operator, "status")),
    Column::new("CREATED", |operator| member(operator, "created_at")),
    Column::new("ID", |operator| member(operator, "id")),
];

/// Runs a verb.
pub async fn run(command: KeyCommand, context: &Context) -> Outcome {
    match command {
        KeyCommand::Create(CreateArgs { operator: Some(name), role, offline: true, .. }) => rescue(&name, role.into(), context).await,
        KeyCommand::Create(arguments) => create(arguments, &context.admin()?, context).await,
        KeyCommand::RotateMaster(arguments) => rotate::run(arguments, context).await,
        KeyCommand::List { operator: true, .. } => {
            let operators = context.admin()?.list("/admin/v1/operators").await?;
            context.output.list(&operators, OPERATOR_COLUMNS, "No operators.");
            Ok(())
        }
        KeyCommand::List { app, agent, .. } => {
            let admin = context.admin()?;
            let of = agent.map(|agent| format!("?agent={}", encode(&agent))).unwrap_or_default();
            let keys = admin.list(&format!("{}/keys{of}", context.app_path(&admin, &app).await?)).await?;
            context.output.list(&keys, KEY_COLUMNS, "No keys yet. Make one: alter key create");
            Ok(())
        }
        KeyCommand::Rotate { key, overlap, app } => {
            let admin = context.admin()?;
            let path = format!("{}/keys/{}/rotate", context.app_path(&admin, &app).await?, encode(&key));
            show_once(&admin.post(&path, &json!({ "overlap_seconds": overlap })).await?, "ALTER_API_KEY", context);
            Ok(())
        }
        KeyCommand::Deprecate { key, app } => change(context, &app, &key, "deprecate").await,
        KeyCommand::Undeprecate { key, app } => change(context, &app, &key, "undeprecate").await,
        KeyCommand::Revoke { key, operator, app, yes } => {
            let admin = context.admin()?;
            let what = format!(
                "Requests with {} {key} will be refused from now on; it cannot be brought back.",
                if operator { "the key of operator" } else { "key" }
            );
            let path = if operator { "/admin/v1/operators".to_owned() } else { format!("{}/keys", context.app_path(&admin, &app).await?) };
            context.confirm(yes, &what)?;
            context.output.record(&admin.post(&format!("{path}/{}/revoke", encode(&key)), &json!({})).await?);
            Ok(())
        }
    }
}

/// A span of time, or none.
fn overlap(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { span(text) }
}

async fn change(context: &Context, app: &AppFlag, key: &str, verb: &str) -> Outcome {
    let admin = context.admin()?;
    let path = format!("{}/keys/{}/{verb}", context.app_path(&admin, app).await?, encode(key));
    context.output.record(&admin.post(&path, &json!({})).await?);
    Ok(())
}

async fn create(arguments: CreateArgs, admin: &AdminClient, context: &Context) -> Outcome {
    let (path, wanted, shown_as) = match arguments.operator {
        Some(name) => {
            let role: OperatorRole = arguments.role.into();
            ("/admin/v1/operators".to_owned(), json!({ "name": name, "role": role }), "ALTER_OPERATOR_KEY")
        }
        None => {
            let scopes = (!arguments.scopes.is_empty()).then_some(arguments.scopes);
            let networks = (!arguments.networks.is_empty()).then_some(arguments.networks);
            let wanted = json!({
                "name": arguments.name.unwrap_or_default(),
                "scopes": scopes,
                "agent": arguments.agent,
                "expires_in": arguments.expires_in,
                "cidr_allowlist": networks,
                "rate_limit_rpm": arguments.rate_limit,
            });
            (format!("{}/keys", context.app_path(admin, &arguments.app).await?), wanted, "ALTER_API_KEY")
        }
    };
    let made = admin.post(&path, &wanted).await?;
    show_once(&made, shown_as, context);
    Ok(())
}

/// The way back in when every operator key is lost: whoever may write to the data folder of a stopped vault may do it.
async fn rescue(name: &str, role: OperatorRole, context: &Context) -> Outcome {
    let opened = setup::open(&context.config()?, Access::Write)?;
    let (operator, key) = setup::add_operator(&opened, name, role).await?;
    opened
        .store
        .close()
        .await
        .map_err(|error| Failure::new(Exit::Storage, error.code(), "the store did not close cleanly").caused_by(error))?;
    let made = json!({ "id": operator.id, "name": operator.name, "role": operator.role, "operator_key": key.expose() });
    show_once(&made, "ALTER_OPERATOR_KEY", context);
    Ok(())
}

fn show_once(made: &Value, variable: &str, context: &Context) {
    context.output.record(made);
    context.output.hint(&format!("Store the key now, it is not shown again. Programs read it from {variable}."));
}
