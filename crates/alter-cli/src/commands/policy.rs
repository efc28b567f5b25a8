//! `alter policy`

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::context::{AppFlag, Context, encode};
use super::policy_test;
use crate::failure::{Failure, Outcome};
use crate::input::{span, text_of_file};
use crate::output::{Column, line, member};

/// Verbs of `alter policy`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter policy create no-delete --file no-delete.cedar\n\nwith, for example, in no-delete.cedar:\n  forbid (principal, action, resource) when { context.method == \"DELETE\" };"
)]
pub enum PolicyCommand {
    /// Make a policy: Cedar rules that forbid, hold or narrow calls
    #[command(
        after_help = "Example:\n  alter policy create ask-first --file ask-first.cedar\n\nwith, for example, in ask-first.cedar:\n  @effect(\"approval\") @approvers(\"operator:owner\")\n  forbid (principal, action, resource) when { context.family.send };\n\n`alter policy schema` lists what a rule can speak about."
    )]
    Create {
        /// Its name: a-z, 0-9, - and _
        name: String,
        #[command(flatten)]
        text: Text,
        #[command(flatten)]
        app: AppFlag,
    },
    /// List policies, with the one that is built in
    #[command(after_help = "Example:\n  alter policy list --json")]
    List {
        #[command(flatten)]
        app: AppFlag,
    },
    /// Show one policy: its text
    #[command(after_help = "Example:\n  alter policy show baseline")]
    Show {
        /// Its name
        policy: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Give a policy another text
    #[command(after_help = "Example:\n  alter policy update no-delete --file no-delete.cedar --expected-version 1")]
    Update {
        /// Its name
        policy: String,
        #[command(flatten)]
        text: Text,
        /// Refuse if it has another version by now
        #[arg(long, value_name = "NUMBER")]
        expected_version: Option<u32>,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Delete a policy: what it forbade is allowed at once
    #[command(after_help = "Example:\n  alter policy delete no-delete")]
    Delete {
        /// Its name
        policy: String,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Say whether a text is a policy, and what its rules do; nothing is saved
    #[command(after_help = "Example:\n  alter policy check --file no-delete.cedar")]
    Check {
        #[command(flatten)]
        text: Text,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Say why a call would be allowed or denied; nothing is called
    #[command(
        after_help = "Examples:\n  alter policy explain --provider github --method DELETE --url https://api.github.com/repos/o/r\n  alter policy explain --provider mail --url https://mail.example/messages --method POST --body '{\"to\":\"ada@example.com\"}' \\\n    --agent planner --at 2026-11-28T09:00:00Z --with no-mail=no-mail.cedar"
    )]
    Explain(Box<ExplainArgs>),
    /// Explain the calls of a file, and compare with what is expected; exit code 1 if one differs
    #[command(
        after_help = "Example:\n  echo '{\"cases\":[{\"call\":{\"provider\":\"github\",\"method\":\"DELETE\",\"url\":\"https://api.github.com/x\"},\"expect\":\"deny\"}]}' > cases.json\n  alter policy test cases.json\n\nA call has the members that `alter policy explain --json` names in its options: provider or grant, method, url, body, agent, key, source,\nsession_age_seconds, at, retrieve. expect is allow, approval or deny; beside it policy may name a rule that has to be among those that decided,\nand code the refusal. policies at the top tries out texts by name."
    )]
    Test {
        /// The cases: JSON
        file: PathBuf,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Print what rules can speak about, as a Cedar schema
    #[command(after_help = "Example:\n  alter policy schema > alter.cedarschema")]
    Schema,
}

/// Where the text of a policy is.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Text {
    /// The text: a file with Cedar policies
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// The text is on standard input
    #[arg(long)]
    stdin: bool,
}

/// Arguments of `alter policy explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The provider of the application's only grant there
    #[arg(long, value_name = "PROVIDER", required_unless_present = "grant")]
    provider: Option<String>,
    /// The grant
    #[arg(long, value_name = "ID", conflicts_with = "provider")]
    grant: Option<String>,
    /// The URL that is called
    #[arg(long, value_name = "URL")]
    url: String,
    /// The method
    #[arg(long, short = 'X', value_name = "METHOD", default_value = "GET")]
    method: String,
    /// The body: JSON
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// Ask about the release of the credential instead of a call that the vault makes
    #[arg(long)]
    retrieve: bool,
    /// The agent that acts: name or id [default: the application itself]
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// The id of the key that signs
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Where the request comes from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<String>,
    /// How long ago the user signed in: 90s, 5m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    session_age: Option<u64>,
    /// When [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Try out a text in the place of the policy of this name; give it several times
    #[arg(long = "with", value_name = "NAME=PATH", value_parser = tried)]
    with: Vec<(String, PathBuf)>,
    #[command(flatten)]
    app: AppFlag,
}

const COLUMNS: &[Column] = &[
    Column::new("NAME", |policy| member(policy, "name")),
    Column::new("VERSION", |policy| if policy["built_in"] == true { "built in".to_owned() } else { member(policy, "version") }),
    Column::new("RULES", |policy| policy["rules"].as_array().map_or(0, Vec::len).to_string()),
    Column::new("EFFECTS", effects),
    Column::new("CHANGED", |policy| member(policy, "updated_at")),
];

const RULES: &[Column] = &[
    Column::new("POLICY", |rule| member(rule, "policy")),
    Column::new("EFFECT", |rule| member(rule, "effect")),
    Column::new("NOT KNOWN", |rule| member(rule, "not_known")),
    Column::new("WHAT WOULD SATISFY IT", |rule| member(rule, "satisfied_by")),
];

/// Runs a verb.
pub async fn run(command: PolicyCommand, context: &Context) -> Outcome {
    if matches!(command, PolicyCommand::Schema) {
        alter_server::policy::SCHEMA.lines().for_each(line);
        return Ok(());
    }
    let admin = context.admin()?;
    let path = async |app: &AppFlag| context.app_path(&admin, app).await.map(|path| format!("{path}/policies"));
    match command {
        PolicyCommand::Create { name, text, app } => {
            let wanted = json!({ "name": name, "source": text.read()? });
            context.output.record(&brief(admin.post(&path(&app).await?, &wanted).await?, context));
        }
        PolicyCommand::List { app } => {
            context.output.list(&admin.items(&path(&app).await?).await?, COLUMNS, "There is no policy.");
        }
        PolicyCommand::Show { policy, app } => {
            let found = admin.get(&format!("{}/{}", path(&app).await?, encode(&policy))).await?;
            match found["source"].as_str() {
                Some(source) if !context.output.is_json() => source.lines().for_each(line),
                _ => context.output.record(&found),
            }
        }
        PolicyCommand::Update { policy, text, expected_version, app } => {
            let wanted = json!({ "source": text.read()?, "expected_version": expected_version });
            let path = format!("{}/{}", path(&app).await?, encode(&policy));
            context.output.record(&brief(admin.send(Method::PATCH, &path, Some(&wanted)).await?, context));
        }
        PolicyCommand::Delete { policy, app, yes } => {
            let path = format!("{}/{}", path(&app).await?, encode(&policy));
            let found = admin.get(&path).await?;
            context.confirm(yes, &format!("What the policy {} forbids will be allowed.", member(&found, "name")))?;
            context.output.record(&brief(admin.send(Method::DELETE, &path, None).await?, context));
        }
        PolicyCommand::Check { text, app } => {
            let checked = admin.post(&format!("{}/check", path(&app).await?), &json!({ "source": text.read()? })).await?;
            if context.output.is_json() {
                context.output.record(&checked);
            } else {
                context.output.list(checked["rules"].as_array().map_or(&[][..], Vec::as_slice), RULES, "It has no rules.");
            }
        }
        PolicyCommand::Explain(arguments) => {
            let explained = admin.post(&format!("{}/explain", path(&arguments.app).await?), &arguments.body()?).await?;
            explain(&explained, context);
        }
        PolicyCommand::Test { file, app } => return policy_test::run(&admin, &path(&app).await?, &file, context).await,
        PolicyCommand::Schema => {}
    }
    Ok(())
}

impl Text {
    fn read(&self) -> Result<String, Failure> {
        match &self.file {
            Some(path) => text_of_file(path),
            None => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|error| Failure::stdin(&error))?;
                Ok(text)
            }
        }
    }
}

impl ExplainArgs {
    fn body(&self) -> Result<Value, Failure> {
        let body = self.body.as_deref().map(serde_json::from_str::<Value>).transpose();
        let body = body.map_err(|error| Failure::usage(format!("--body is not JSON: {error}")))?;
        let mut wanted = json!({ "url": self.url, "method": self.method, "retrieve": self.retrieve });
        let named = [
            ("provider", &self.provider),
            ("grant", &self.grant),
            ("agent", &self.agent),
            ("key", &self.key),
            ("source", &self.source),
            ("at", &self.at),
        ];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            wanted[name] = json!(value);
        }
        if let Some(body) = body {
            wanted["body"] = body;
        }
        if let Some(age) = self.session_age {
            wanted["session_age_seconds"] = json!(age);
        }
        let tried = self.with.iter().map(|(name, path)| text_of_file(path).map(|text| (name.clone(), json!(text))));
        wanted["policies"] = Value::Object(tried.collect::<Result<Map<_, _>, _>>()?);
        Ok(wanted)
    }
}

/// Prints what was found out: the decision, then the rules that made it.
fn explain(explained: &Value, context: &Context) {
    if context.output.is_json() {
        context.output.record(explained);
        return;
    }
    let mut shown = json!({ "decision": explained["decision"] });
    if explained["refusal"].is_object() {
        shown["code"] = explained["refusal"]["code"].clone();
        shown["because"] = explained["refusal"]["message"].clone();
    }
    for (name, value) in [("operation", &explained["call"]["operation"]), ("families", &explained["call"]["families"])] {
        shown[name] = if value.is_null() { json!("not known") } else { value.clone() };
    }
    for name in ["approvals", "redact"].into_iter().filter(|name| explained[*name].as_array().is_some_and(|list| !list.is_empty())) {
        shown[name] = explained[name].clone();
    }
    context.output.record(&shown);
    if let Some(rules) = explained["rules"].as_array().filter(|rules| !rules.is_empty()) {
        line("");
        context.output.list(rules, RULES, "");
    }
}

/// A policy for people without its text, which they know.
fn brief(mut policy: Value, context: &Context) -> Value {
    if !context.output.is_json()
        && let Some(members) = policy.as_object_mut()
    {
        members.remove("source");
        let rules = members.get("rules").and_then(Value::as_array).map_or(0, Vec::len);
        members.insert("rules".to_owned(), json!(rules));
    }
    policy
}

fn effects(policy: &Value) -> String {
    if policy["built_in"] == true {
        return "permit".to_owned();
    }
    let mut effects: Vec<String> = policy["rules"].as_array().into_iter().flatten().map(|rule| member(rule, "effect")).collect();
    effects.sort();
    effects.dedup();
    effects.join(", ")
}

fn tried(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it must be NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}
