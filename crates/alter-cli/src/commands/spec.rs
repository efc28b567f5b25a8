//! `alter spec`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::context::{AppFlag, Context, encode};
use crate::failure::{Exit, Failure, Outcome};
use crate::input::text_of_file;
use crate::output::{Column, member};

/// Verbs of `alter spec`.
#[derive(Debug, Subcommand)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = "Example:\n  alter spec load github --file github.json")]
pub enum SpecCommand {
    /// Load an OpenAPI document that describes a provider's API, in the place of an earlier one
    #[command(
        after_help = "Example:\n  alter spec load github --file github.json --source-url https://example.com/github.json\n\nThe document is JSON, OpenAPI 3.0, 3.1 or 2.0. Nothing outside it is fetched.\n\nNo document says which operations send to people, pay or administer. Say it in the document\n(\"x-alter-families\": [\"send\"]) or beside it:\n  echo '{\"emails/send\": [\"send\"], \"*\": []}' > families.json\n  alter spec load mail --file mail.json --families families.json"
    )]
    Load(LoadArgs),
    /// List what is loaded
    #[command(after_help = "Example:\n  alter spec list --json")]
    List {
        #[command(flatten)]
        app: AppFlag,
    },
    /// Show what is known about one document
    #[command(after_help = "Example:\n  alter spec show github")]
    Show {
        #[command(flatten)]
        of: Of,
    },
    /// Forget a document
    #[command(after_help = "Example:\n  alter spec remove github")]
    Remove {
        #[command(flatten)]
        of: Of,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Whose document.
#[derive(Clone, Debug, Args)]
pub struct Of {
    /// The OAuth provider's id, or the managed secret's slug
    provider: String,
    /// Which of the two it is [default: what there is of this name]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    app: AppFlag,
}

/// Arguments of `alter spec load`.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    of: Of,
    /// The document
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// Which operations send, pay, administer: a JSON object of lists by operation id; `*` is every other one
    #[arg(long, value_name = "PATH")]
    families: Option<PathBuf>,
    /// Where it is from; it is noted and not fetched
    #[arg(long, value_name = "URL")]
    source_url: Option<String>,
}

/// Of what kind the provider is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// An OAuth provider
    Oauth,
    /// What a managed secret is for
    Managed,
}

const COLUMNS: &[Column] = &[
    Column::new("PROVIDER", |spec| member(spec, "provider_id")),
    Column::new("KIND", |spec| member(spec, "provider_kind")),
    Column::new("TITLE", |spec| member(spec, "title")),
    Column::new("OPERATIONS", |spec| member(spec, "operation_count")),
    Column::new("VERSION", |spec| member(spec, "version")),
    Column::new("LOADED", |spec| member(spec, "fetched_at")),
];

/// Runs a verb.
pub async fn run(command: SpecCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        SpecCommand::Load(arguments) => {
            let families = arguments.families.as_deref().map_or_else(|| Ok(json!({})), document)?;
            let wanted = json!({ "document": document(&arguments.file)?, "families": families, "source_url": arguments.source_url });
            let path = arguments.of.path(&context.app_path(&admin, &arguments.of.app).await?);
            context.output.record(&admin.send(Method::PUT, &path, Some(&wanted)).await?);
        }
        SpecCommand::List { app } => {
            let specs = admin.items(&format!("{}/specs", context.app_path(&admin, &app).await?)).await?;
            context.output.list(&specs, COLUMNS, "Nothing is loaded yet. Load a document: alter spec load PROVIDER --file PATH");
        }
        SpecCommand::Show { of } => {
            context.output.record(&admin.get(&of.path(&context.app_path(&admin, &of.app).await?)).await?);
        }
        SpecCommand::Remove { of, yes } => {
            let path = of.path(&context.app_path(&admin, &of.app).await?);
            let found = admin.get(&path).await?;
            let what = format!(
                "What calls to {} do will not be known any more: rules about its operations will refuse them.",
                member(&found, "provider_id")
            );
            context.confirm(yes, &what)?;
            context.output.record(&admin.send(Method::DELETE, &path, None).await?);
        }
    }
    Ok(())
}

impl Of {
    fn path(&self, app: &str) -> String {
        let kind = match self.kind {
            None => "",
            Some(Kind::Oauth) => "?kind=oauth",
            Some(Kind::Managed) => "?kind=managed",
        };
        format!("{app}/specs/{}{kind}", encode(&self.provider))
    }
}

fn document(path: &Path) -> Result<Value, Failure> {
    let text = text_of_file(path)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(Exit::Usage, "document_invalid", format!("{} is not JSON", path.display()))
            .caused_by(error)
            .help("a document in YAML has to be made JSON first, for example with `yq -o json`")
    })
}
