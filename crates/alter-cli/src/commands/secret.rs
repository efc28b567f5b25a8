//! `alter secret`

use alter_core::secret::Secret;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};

use super::context::{AppFlag, Context, encode};
use crate::failure::{Failure, Outcome};
use crate::input::SecretSource;
use crate::output::{Column, member};

/// Verbs of `alter secret`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter secret create github --bearer --allow-host api.github.com --env GITHUB_TOKEN"
)]
pub enum SecretCommand {
    /// Store a credential, bound to the hosts that it may be sent to
    #[command(after_help = "Examples:
  alter secret create github --bearer --allow-host api.github.com --env GITHUB_TOKEN
  alter secret create maps --query key --allow-host maps.example.com --file ./key.txt
  alter secret create erp --basic --username ada --allow-host erp.example.com
  alter secret create s3 --aws --access-key-id AKIA… --allow-host '*.amazonaws.com' --stdin
  alter secret create stats --template '{token}' --template-header X-Api-Key \\
      --inject header:X-App=app --fields --file fields.json --allow-host api.example.com

Without --stdin, --file or --env the value is asked for with a hidden prompt.")]
    Create(Box<CreateArgs>),
    /// List secrets, never their values
    #[command(after_help = "Example:\n  alter secret list")]
    List {
        #[command(flatten)]
        app: AppFlag,
    },
    /// Show one secret, never its value
    #[command(after_help = "Example:\n  alter secret show github")]
    Show {
        /// Slug or id
        secret: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Replace the value, the hosts or the name
    #[command(after_help = "Example:\n  alter secret update github --env NEW_GITHUB_TOKEN")]
    Update(Box<UpdateArgs>),
    /// Erase the value; grants of it answer "gone" from then on
    #[command(after_help = "Example:\n  alter secret delete github")]
    Delete {
        /// Slug or id
        secret: String,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Arguments of `alter secret create`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").required(true).args(["bearer", "header", "basic", "query", "aws", "template"]))]
pub struct CreateArgs {
    /// Its name, which clients call the provider: a-z, 0-9, - and _
    slug: String,
    /// A host that it may be sent to: api.example.com, api.example.com:8443, '*.example.com'; give it several times
    #[arg(long = "allow-host", value_name = "HOST", required = true)]
    allow_hosts: Vec<String>,
    /// A name for people [default: the slug]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    #[command(flatten)]
    app: AppFlag,

    /// `Authorization: Bearer VALUE`
    #[arg(long, help_heading = "How it is sent")]
    bearer: bool,
    /// A header of this name
    #[arg(long, value_name = "NAME", help_heading = "How it is sent")]
    header: Option<String>,
    /// With --header: its value, with {token} in it [default: {token}]
    #[arg(long, value_name = "FORMAT", requires = "header", help_heading = "How it is sent")]
    format: Option<String>,
    /// User name and password; the value is the password
    #[arg(long, help_heading = "How it is sent")]
    basic: bool,
    /// A query parameter of this name
    #[arg(long, value_name = "NAME", help_heading = "How it is sent")]
    query: Option<String>,
    /// AWS Signature Version 4; the value is the secret access key
    #[arg(long, help_heading = "How it is sent")]
    aws: bool,
    /// With --aws: the region, where the host does not tell it
    #[arg(long, value_name = "REGION", requires = "aws", help_heading = "How it is sent")]
    region: Option<String>,
    /// With --aws: the service, where the host does not tell it
    #[arg(long, value_name = "SERVICE", requires = "aws", help_heading = "How it is sent")]
    service: Option<String>,
    /// A header value with {token} in it, and more with --inject
    #[arg(long, value_name = "FORMAT", help_heading = "How it is sent")]
    template: Option<String>,
    /// With --template: the header's name [default: Authorization]
    #[arg(long, value_name = "NAME", requires = "template", help_heading = "How it is sent")]
    template_header: Option<String>,
    /// With --template: one more injection from a field of the value: header:NAME=FIELD or query:NAME=FIELD
    #[arg(long, value_name = "WHERE:NAME=FIELD", requires = "template", value_parser = injection, help_heading = "How it is sent")]
    inject: Vec<Value>,

    #[command(flatten)]
    value: ValueArgs,
}

/// Where the value comes from, and the parts of it that are not secret.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the value comes from")]
struct ValueArgs {
    #[command(flatten)]
    source: SecretSource,
    /// With --basic: the user name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// With --aws: the access key id
    #[arg(long, value_name = "ID")]
    access_key_id: Option<String>,
    /// The value is a JSON object with one text per field, such as {"username": …, "password": …}
    #[arg(long, conflicts_with_all = ["username", "access_key_id"])]
    fields: bool,
}

/// Arguments of `alter secret update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Slug or id
    secret: String,
    /// The hosts that it may be sent to from now on; replaces the old ones
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<String>,
    /// A new name for people
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    #[command(flatten)]
    app: AppFlag,
    /// Replace the value, asking for it
    #[arg(long)]
    value: bool,
    #[command(flatten)]
    values: ValueArgs,
}

const COLUMNS: &[Column] = &[
    Column::new("SLUG", |secret| member(secret, "slug")),
    Column::new("NAME", |secret| member(secret, "name")),
    Column::new("KIND", |secret| member(secret, "kind")),
    Column::new("HOSTS", |secret| member(secret, "allowed_hosts")),
    Column::new("VERSION", |secret| member(secret, "version")),
    Column::new("UPDATED", |secret| member(secret, "updated_at")),
];

/// Runs a verb.
pub async fn run(command: SecretCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        SecretCommand::Create(arguments) => {
            let wanted = arguments.request(context.global.no_input)?;
            let base = context.app_path(&admin, &arguments.app).await?;
            context.output.record(&admin.post(&format!("{base}/secrets"), &wanted).await?);
            context.output.hint(&format!("Next, permit its use: alter grant create --secret {}", arguments.slug));
        }
        SecretCommand::List { app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.list(
                &admin.list(&format!("{base}/secrets")).await?,
                COLUMNS,
                "No secrets yet. Store one: alter secret create --help",
            );
        }
        SecretCommand::Show { secret, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.get(&format!("{base}/secrets/{}", encode(&secret))).await?);
        }
        SecretCommand::Update(arguments) => {
            let path = format!("{}/secrets/{}", context.app_path(&admin, &arguments.app).await?, encode(&arguments.secret));
            let kind = member(&admin.get(&path).await?, "kind");
            let change = arguments.request(&kind, context.global.no_input)?;
            context.output.record(&admin.send(http::Method::PATCH, &path, Some(&change)).await?);
        }
        SecretCommand::Delete { secret, app, yes } => {
            let path = format!("{}/secrets/{}", context.app_path(&admin, &app).await?, encode(&secret));
            let found = admin.get(&path).await?;
            let what = format!("The value of {} will be erased, and calls through its grants will fail.", member(&found, "slug"));
            context.confirm(yes, &what)?;
            context.output.record(&admin.send(http::Method::DELETE, &path, None).await?);
        }
    }
    Ok(())
}

impl CreateArgs {
    /// The body of the request.
    fn request(&self, no_input: bool) -> Result<Value, Failure> {
        let (kind, description) = if self.bearer {
            ("bearer", json!({}))
        } else if self.basic {
            ("basic", json!({}))
        } else if self.aws {
            ("aws", json!({ "region": self.region, "service": self.service }))
        } else if let Some(header) = &self.header {
            ("header", json!({ "header": header, "format": self.format }))
        } else if let Some(query) = &self.query {
            ("query", json!({ "query": query }))
        } else {
            ("custom", json!({ "format": self.template, "header": self.template_header, "additional_injections": self.inject }))
        };
        Ok(json!({
            "slug": self.slug,
            "name": self.name,
            "kind": kind,
            "allowed_hosts": self.allow_hosts,
            "injection": description,
            "values": self.value.read(kind, no_input)?,
        }))
    }
}

impl UpdateArgs {
    fn request(&self, kind: &str, no_input: bool) -> Result<Value, Failure> {
        let mut change = Map::new();
        if let Some(name) = &self.name {
            change.insert("name".into(), name.as_str().into());
        }
        if !self.allow_hosts.is_empty() {
            change.insert("allowed_hosts".into(), json!(self.allow_hosts));
        }
        if self.value || self.values.is_given() {
            change.insert("values".into(), self.values.read(kind, no_input)?);
        }
        if change.is_empty() {
            return Err(Failure::usage("nothing to change")
                .help("give a new value (--value asks for it; --stdin, --file, --env), --allow-host or --name"));
        }
        Ok(Value::Object(change))
    }
}

impl ValueArgs {
    fn is_given(&self) -> bool {
        self.source.is_given() || self.fields || self.username.is_some() || self.access_key_id.is_some()
    }

    /// The values of a secret of this kind, by field.
    fn read(&self, kind: &str, no_input: bool) -> Result<Value, Failure> {
        for (flag, given, of) in
            [("--username", self.username.is_some(), "basic"), ("--access-key-id", self.access_key_id.is_some(), "aws")]
        {
            if given && kind != of {
                return Err(Failure::usage(format!("{flag} does not go with a {kind} secret")));
            }
        }
        if self.fields {
            return fields(&self.source.read("JSON object of fields", no_input)?);
        }
        let needs = |value: &Option<String>, flag: &str| {
            value.clone().ok_or_else(|| {
                Failure::usage(format!("a {kind} secret needs {flag}"))
                    .help(format!("add {flag}, or give all fields as JSON with --fields"))
            })
        };
        match kind {
            "basic" => {
                let username = needs(&self.username, "--username")?;
                Ok(json!({ "username": username, "password": self.source.read("password", no_input)?.expose() }))
            }
            "aws" => {
                let id = needs(&self.access_key_id, "--access-key-id")?;
                Ok(json!({ "access_key_id": id, "secret_access_key": self.source.read("secret access key", no_input)?.expose() }))
            }
            _ => Ok(json!({ "token": self.source.read("value", no_input)?.expose() })),
        }
    }
}

/// Reads the fields. The text is a secret, so no message repeats any of it.
fn fields(text: &Secret) -> Result<Value, Failure> {
    let bad = || {
        Failure::usage("the value is not a JSON object with one text per field").help("it looks like {\"token\": \"…\", \"app\": \"…\"}")
    };
    let parsed: Value = serde_json::from_str(text.expose()).map_err(|_| bad())?;
    let all_texts = parsed.as_object().is_some_and(|members| !members.is_empty() && members.values().all(Value::is_string));
    if all_texts { Ok(parsed) } else { Err(bad()) }
}

/// Reads `header:NAME=FIELD` or `query:NAME=FIELD`; the field `token` is the main one.
fn injection(text: &str) -> Result<Value, String> {
    let parts = text.split_once(':').and_then(|(target, rest)| rest.split_once('=').map(|(key, field)| (target, key, field)));
    let (target, key, field) = parts.ok_or("expected header:NAME=FIELD or query:NAME=FIELD")?;
    let target = match target {
        "header" => "header",
        "query" => "query_param",
        _ => return Err("expected header: or query: in front".to_owned()),
    };
    let source = if field == "token" { field.to_owned() } else { format!("additional_credentials.{field}") };
    Ok(json!({ "target": target, "key": key, "value_source": source }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injections_name_place_and_field() {
        assert_eq!(
            injection("header:X-App=app"),
            Ok(json!({"target": "header", "key": "X-App", "value_source": "additional_credentials.app"}))
        );
        assert_eq!(injection("query:k=token"), Ok(json!({"target": "query_param", "key": "k", "value_source": "token"})));
        for text in ["", "header", "header:X", "cookie:X=y", "X=y"] {
            assert!(injection(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields_are_texts_and_never_repeated_in_a_message() {
        assert!(fields(&Secret::new(r#"{"token":"t"}"#)).is_ok());
        for text in ["hunter2", "{}", r#"{"token":12345}"#, "[]", r#""x""#] {
            let failure = fields(&Secret::new(text)).expect_err("not fields");
            assert!(!failure.message().contains("hunter2") && !failure.message().contains("12345"));
        }
    }
}
