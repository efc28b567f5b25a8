//! `alter connect`

use std::path::PathBuf;
use std::time::Duration;

use alter_sdk::model::ConnectResult;
use alter_sdk::{App, Connect, GrantLimits};
use clap::Args;
use serde_json::{Value, json};

use super::caller::{api_key, failed, local};
use super::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, member, notice};

const COLUMNS: &[Column] = &[
    Column::new("PROVIDER", |grant| member(grant, "provider_id")),
    Column::new("ACCOUNT", |grant| member(grant, "account_identifier")),
    Column::new("UNTIL", |grant| member(&grant["grant_policy"], "expires_at")),
    Column::new("", |grant| if grant["operation"] == "reauth" { "renewed".to_owned() } else { String::new() }),
    Column::new("GRANT", |grant| member(grant, "grant_id")),
];

/// Arguments of `alter connect`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ALTER_API_KEY=alter_rk_… alter connect github

Makes a session with the application's key (ALTER_API_KEY or --key-file), opens the browser and
waits until you have decided there. The grant is the application's own: `alter request --grant`
uses it, `alter grant revoke` takes it back. Ctrl-C gives the session up.")]
pub struct ConnectArgs {
    /// Providers to choose from [default: all at which the application is registered]
    providers: Vec<String>,
    /// A file with the application's key
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// A scope to ask for at the only provider; give it several times [default: the registration's]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The longest that the access may last
    #[arg(long, value_name = "SPAN", value_parser = crate::input::span)]
    max_ttl: Option<u64>,
    /// Do not open a browser, only print the address
    #[arg(long)]
    no_browser: bool,
    /// How long to wait for you
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = crate::input::span)]
    timeout: u64,
}

/// Lets the person at this machine connect an account.
pub async fn run(arguments: ConnectArgs, context: &Context) -> Outcome {
    let key = api_key(arguments.key_file.as_deref())?;
    let app = App::builder(key.expose()).base_url(context.vault_url()?).build().map_err(|error| local(&error))?;
    let show = |address: &str| show(address, arguments.no_browser);
    let connected = tokio::select! {
        connected = app.connect(arguments.wanted(), show) => connected.map_err(|error| failed(&error)),
        Ok(()) = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted", "interrupted: the session was given up")),
    };
    // Giving the session up is sent in the background; a program that ends at once would lose it.
    app.close().await;
    let records: Vec<Value> = connected?.iter().map(record).collect();
    context.output.list(&records, COLUMNS, "nothing was connected");
    if let Some(grant) = records.first() {
        context.output.hint(&format!("alter request GET URL --grant {}", member(grant, "grant_id")));
    }
    Ok(())
}

impl ConnectArgs {
    fn wanted(&self) -> Connect {
        let mut connect = Connect::new().timeout(Duration::from_secs(self.timeout));
        if !self.providers.is_empty() {
            connect = connect.providers(self.providers.clone());
        }
        if !self.scopes.is_empty() {
            connect = connect.scopes(self.scopes.clone());
        }
        match self.max_ttl {
            Some(seconds) => connect.grant_policy(GrantLimits::default().longest(Duration::from_secs(seconds))),
            None => connect,
        }
    }
}

/// Opens the browser and says where it goes. The address is on stderr: it opens the session to whoever has it, and is no result.
fn show(address: &str, no_browser: bool) {
    let opened = !no_browser && webbrowser::open(address).is_ok();
    notice(if opened { "Your browser opens. If it does not, go to:" } else { "Go to:" });
    notice(format_args!("  {address}"));
    notice("Waiting until you have decided there. Ctrl-C gives up.");
}

fn record(result: &ConnectResult) -> Value {
    json!({
        "grant_id": result.grant_id,
        "provider_id": result.provider_id,
        "account_identifier": result.account_identifier,
        "scopes": result.scopes,
        "operation": result.operation,
        "grant_policy": { "expires_at": result.grant_policy.as_ref().and_then(|policy| policy.expires_at.clone()) },
    })
}
