//! `alter provider`

use std::path::{Path, PathBuf};

use alter_core::secret::Secret;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::context::{AppFlag, Context, encode};
use crate::failure::{Exit, Failure, Outcome};
use crate::input::{SecretSource, text_of_file};
use crate::output::{Column, may_ask, member};

/// Verbs of `alter provider`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter provider add github --client-id Iv1.0123456789abcdef --env GITHUB_CLIENT_SECRET"
)]
pub enum ProviderCommand {
    /// List the providers that the application is registered at
    #[command(after_help = "Examples:\n  alter provider list\n  alter provider list --all")]
    List {
        /// List the catalogue: every provider that the vault knows by name
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Show one provider with everything that is known about it
    #[command(after_help = "Example:\n  alter provider show github --json")]
    Show {
        /// Its id
        provider: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Register the application at a provider, or change the registration
    #[command(after_help = "Examples:
  alter provider add github --client-id Iv1.0123456789abcdef --env GITHUB_CLIENT_SECRET --scope repo
  alter provider add crm --issuer https://id.crm.example.com --client-id alter --stdin --allow-host api.crm.example.com
  alter provider add crm --issuer https://id.crm.example.com --register
  alter provider add crm --entry crm.json --client-id alter --public

Without --stdin, --file or --env the client secret is asked for with a hidden prompt.")]
    Add(Box<AddArgs>),
    /// Take the registration away; logins there stay and are not refreshed any more
    #[command(after_help = "Example:\n  alter provider remove github")]
    Remove {
        /// Its id
        provider: String,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Ask an issuer what it says about itself, without adding it
    #[command(after_help = "Example:\n  alter provider discover https://id.crm.example.com --json")]
    Discover {
        /// The issuer's URL, without /.well-known/
        issuer: String,
        /// What programs would call it
        #[arg(long, value_name = "ID", default_value = "provider")]
        id: String,
        /// A host that its tokens may be sent to; give it several times [default: the issuer's]
        #[arg(long = "allow-host", value_name = "HOST")]
        allow_hosts: Vec<String>,
    },
}

/// Arguments of `alter provider add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The provider's id in the catalogue; with --issuer or --entry, what programs shall call it
    provider: String,
    /// The client's name at the provider
    #[arg(long, value_name = "ID", required_unless_present = "register", conflicts_with = "register")]
    client_id: Option<String>,
    /// Where people come back to, as registered at the provider [default: the vault's own callback]
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// A scope to ask for if a session names none; give it several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A scope that may be asked for; give it several times [default: any]
    #[arg(long = "allow-scope", value_name = "SCOPE")]
    allow_scopes: Vec<String>,
    /// A value that the provider's URLs need
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    app: AppFlag,

    /// The issuer's URL: its metadata says the rest
    #[arg(long, value_name = "URL", conflicts_with = "entry", help_heading = "A provider that is not in the catalogue")]
    issuer: Option<String>,
    /// With --issuer: let the provider register the vault as a client (RFC 7591)
    #[arg(long, requires = "issuer", help_heading = "A provider that is not in the catalogue")]
    register: bool,
    /// With --issuer: what people shall call it
    #[arg(long, value_name = "TEXT", requires = "issuer", help_heading = "A provider that is not in the catalogue")]
    name: Option<String>,
    /// With --issuer: a host that its tokens may be sent to; give it several times [default: the issuer's]
    #[arg(long = "allow-host", value_name = "HOST", requires = "issuer", help_heading = "A provider that is not in the catalogue")]
    allow_hosts: Vec<String>,
    /// A file with an entry in the shape of the catalogue's
    #[arg(long, value_name = "PATH", help_heading = "A provider that is not in the catalogue")]
    entry: Option<PathBuf>,

    #[command(flatten)]
    secret: SecretSource,
    /// There is no client secret: a public client, or the one that is stored stays
    #[arg(long, conflicts_with_all = ["stdin", "file", "env", "register"])]
    public: bool,
}

const COLUMNS: &[Column] = &[
    Column::new("PROVIDER", |provider| member(provider, "id")),
    Column::new("NAME", |provider| member(provider, "name")),
    Column::new("STATUS", |provider| member(provider, "status")),
    Column::new("HOSTS", |provider| member(provider, "api_hosts")),
    Column::new("SCOPES", |provider| member(provider, "scopes")),
];

/// Runs a verb.
pub async fn run(command: ProviderCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        ProviderCommand::List { all: true, .. } => {
            context.output.list(&admin.items("/admin/v1/catalogue").await?, COLUMNS, "The catalogue is empty.");
        }
        ProviderCommand::List { all: false, app } => {
            let base = context.app_path(&admin, &app).await?;
            let found = admin.items(&format!("{base}/providers")).await?;
            context.output.list(&found, COLUMNS, "No providers yet. See what there is: alter provider list --all");
        }
        ProviderCommand::Show { provider, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.get(&format!("{base}/providers/{}", encode(&provider))).await?);
        }
        ProviderCommand::Add(arguments) => {
            let wanted = arguments.request(context.global.no_input)?;
            let path = format!("{}/providers/{}", context.app_path(&admin, &arguments.app).await?, encode(&arguments.provider));
            let made = admin.send(Method::PUT, &path, Some(&wanted)).await?;
            context.output.record(&made);
            let callback = member(&made, "redirect_uri");
            context.output.hint(&format!("The provider must know this redirect URI: {callback}"));
        }
        ProviderCommand::Remove { provider, app, yes } => {
            let path = format!("{}/providers/{}", context.app_path(&admin, &app).await?, encode(&provider));
            let found = admin.get(&path).await?;
            let what = format!("Logins at {} will not be refreshed any more, and nobody can connect there.", member(&found, "name"));
            context.confirm(yes, &what)?;
            context.output.record(&admin.send(Method::DELETE, &path, None).await?);
        }
        ProviderCommand::Discover { issuer, id, allow_hosts } => {
            let asked = json!({ "id": id, "issuer": issuer, "allowed_hosts": allow_hosts });
            context.output.record(&admin.post("/admin/v1/providers/discover", &asked).await?);
        }
    }
    Ok(())
}

impl AddArgs {
    /// The body of the request.
    fn request(&self, no_input: bool) -> Result<Value, Failure> {
        if self.register && self.secret.is_given() {
            return Err(Failure::new(Exit::Usage, "usage", "--register does not go with a client secret: the provider makes one"));
        }
        let settings: Map<String, Value> = self.settings.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let mut wanted = json!({ "scopes": self.scopes, "settings": settings });
        let mut add = |name: &str, value: Value| wanted[name] = value;
        if !self.allow_scopes.is_empty() {
            add("allowed_scopes", json!(self.allow_scopes));
        }
        if let Some(uri) = &self.redirect_uri {
            add("redirect_uri", json!(uri));
        }
        if let Some(issuer) = &self.issuer {
            add("issuer", json!(issuer));
            add("register", json!(self.register));
            add("allowed_hosts", json!(self.allow_hosts));
            add("name", json!(self.name));
        }
        if let Some(path) = &self.entry {
            add("entry", read_entry(path)?);
        }
        if let Some(id) = &self.client_id {
            add("client_id", json!(id));
            if let Some(secret) = self.client_secret(no_input)? {
                add("client_secret", json!(secret.expose()));
            }
        }
        Ok(wanted)
    }

    fn client_secret(&self, no_input: bool) -> Result<Option<Secret>, Failure> {
        if self.public {
            return Ok(None);
        }
        if !self.secret.is_given() && !may_ask(no_input) {
            return Err(Failure::new(Exit::Usage, "secret_value_missing", "no client secret was given")
                .help("name a source with --stdin, --file PATH or --env NAME; for a client without one, add --public"));
        }
        self.secret.read("client secret", no_input).map(Some)
    }
}

fn read_entry(path: &Path) -> Result<Value, Failure> {
    let text = text_of_file(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(Exit::Usage, "entry_invalid", format!("{} is not JSON", path.display()))
            .caused_by(error)
            .help("see an entry's shape with `alter provider show github --json`, in its member \"entry\"")
    })
}

/// `NAME=VALUE`
fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() || value.is_empty() { Err("write it as NAME=VALUE".into()) } else { Ok((name.to_owned(), value.to_owned())) }
}
