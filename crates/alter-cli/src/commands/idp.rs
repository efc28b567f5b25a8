//! `alter idp`

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::context::{AppFlag, Context};
use crate::failure::Outcome;
use crate::input::SecretSource;
use crate::output::member;

/// Verbs of `alter idp`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter idp set https://id.example.com --client-id alter --env IDP_CLIENT_SECRET"
)]
pub enum IdpCommand {
    /// Set the identity provider whose users the application has
    #[command(after_help = "Examples:
  alter idp set https://id.example.com --client-id alter --env IDP_CLIENT_SECRET
  alter idp set https://id.example.com/realms/acme --audience https://api.example.com --groups-claim groups

The issuer is asked before anything is stored. Register the redirect URI that `alter idp show` names there.
Without --client-id nobody can sign in at the vault, but tokens of the application's users are accepted.")]
    Set(Box<SetArgs>),
    /// Show the settings, never the client secret
    #[command(after_help = "Example:\n  alter idp show")]
    Show {
        #[command(flatten)]
        app: AppFlag,
    },
    /// Ask the issuer, and find out why a user's token is refused
    #[command(after_help = "Examples:\n  alter idp test\n  alter idp test --token --env USER_TOKEN")]
    Test(Box<TestArgs>),
    /// Remove it: nobody can sign in, and no user token is accepted
    #[command(after_help = "Example:\n  alter idp remove")]
    Remove {
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Arguments of `alter idp set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The issuer, exactly as its tokens name it in `iss`
    issuer: String,
    /// The vault's client id at the issuer
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The client has no secret, or the stored one stays
    #[arg(long, conflicts_with_all = ["stdin", "file", "env"])]
    no_secret: bool,
    /// An audience that user tokens may have, besides the client id; give it several times
    #[arg(long = "audience", value_name = "TEXT")]
    audiences: Vec<String>,
    /// The claim with a person's groups: its name, or a path such as realm_access.roles
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// A scope that a sign-in asks for; give it several times [default: openid, profile, email]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Store the settings without asking the issuer
    #[arg(long)]
    no_check: bool,
    #[command(flatten)]
    app: AppFlag,
    #[command(flatten)]
    secret: SecretSource,
}

/// Arguments of `alter idp test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Judge a user's token as well
    #[arg(long)]
    token: bool,
    #[command(flatten)]
    app: AppFlag,
    #[command(flatten)]
    source: SecretSource,
}

/// Runs a verb.
pub async fn run(command: IdpCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    let no_input = context.global.no_input;
    match command {
        IdpCommand::Set(set) => {
            // Before anything that may fail, so that nothing has to be typed twice.
            let asks = set.client_id.is_some() && !set.no_secret;
            let secret = if asks || set.secret.is_given() { Some(set.secret.read("client secret", no_input)?) } else { None };
            let base = context.app_path(&admin, &set.app).await?;
            let mut wanted = json!({
                "issuer": set.issuer,
                "client_id": set.client_id,
                "client_secret": secret.as_ref().map(|secret| secret.expose()),
                "audiences": set.audiences,
                "groups_claim": set.groups_claim,
                "check": !set.no_check,
            });
            if !set.scopes.is_empty() {
                wanted["scopes"] = json!(set.scopes);
            }
            let idp = admin.send(Method::PUT, &format!("{base}/idp"), Some(&wanted)).await?;
            context.output.record(&idp);
            if set.client_id.is_some() {
                context.output.hint(&format!("Register this redirect URI at the issuer: {}", member(&idp, "redirect_uri")));
            }
        }
        IdpCommand::Show { app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.get(&format!("{base}/idp")).await?);
        }
        IdpCommand::Test(test) => {
            let asks = test.token || test.source.is_given();
            let token = if asks { Some(test.source.read("user token", no_input)?) } else { None };
            let base = context.app_path(&admin, &test.app).await?;
            let trial = json!({ "user_token": token.as_ref().map(|token| token.expose()) });
            context.output.record(&admin.post(&format!("{base}/idp/test"), &trial).await?);
        }
        IdpCommand::Remove { app, yes } => {
            let base = context.app_path(&admin, &app).await?;
            let found = admin.get(&format!("{base}/idp")).await?;
            let issuer = member(&found, "issuer");
            context.confirm(yes, &format!("Nobody will be able to sign in with {issuer}, and no user token will be accepted."))?;
            context.output.record(&admin.send(Method::DELETE, &format!("{base}/idp"), None).await?);
        }
    }
    Ok(())
}
