//! `alter grant`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::{AppFlag, Context, encode};
use crate::failure::Outcome;
use crate::input::span;
use crate::output::{Column, member};

/// Verbs of `alter grant`.
#[derive(Debug, Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Example:\n  alter grant create --secret github --expires-in 7d"
)]
pub enum GrantCommand {
    /// Permit the application to use a secret
    #[command(after_help = "Example:\n  alter grant create --secret github --expires-in 7d")]
    Create {
        /// The secret: slug or id
        #[arg(long, value_name = "SLUG")]
        secret: String,
        /// When it ends: 90s, 30m, 12h, 7d, 4w [default: never]
        #[arg(long, value_name = "SPAN", value_parser = span)]
        expires_in: Option<u64>,
        /// A name that tells several grants of one secret apart
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Let nothing be called through it until an operator has agreed to the call
        #[arg(long)]
        requires_approval: bool,
        #[command(flatten)]
        app: AppFlag,
    },
    /// List grants
    #[command(after_help = "Examples:
  alter grant list --secret mail
  alter grant list --provider google --user ada --status active

The holder is the application itself, a user, a group, or an agent with what was delegated to it or is its own.")]
    List(Box<ListArgs>),
    /// Show one grant, with what was delegated from it
    #[command(after_help = "Example:\n  alter grant show 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Show {
        /// Its id
        grant: String,
        #[command(flatten)]
        app: AppFlag,
    },
    /// Take a grant back for ever, with all that was delegated from it
    #[command(after_help = "Example:\n  alter grant revoke 8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")]
    Revoke {
        /// Its id
        grant: String,
        #[command(flatten)]
        app: AppFlag,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Arguments of `alter grant list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this managed secret
    #[arg(long, value_name = "SLUG", conflicts_with = "provider")]
    secret: Option<String>,
    /// Only logins at this provider
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only those used on behalf of this user: `sub` in the user's tokens
    #[arg(long, value_name = "SUB")]
    user: Option<String>,
    /// Only those that open this account at the provider
    #[arg(long, value_name = "TEXT")]
    account: Option<String>,
    /// Only those that are so now
    #[arg(long, value_parser = ["active", "expired", "revoked"])]
    status: Option<String>,
    #[command(flatten)]
    app: AppFlag,
}

impl ListArgs {
    /// The query of the list.
    fn query(&self) -> String {
        let kind = match (&self.secret, &self.provider) {
            (Some(_), _) => Some("managed_secret"),
            (None, Some(_)) => Some("oauth"),
            (None, None) => None,
        };
        let given = [
            ("grant_kind", kind),
            ("provider_id", self.secret.as_deref().or(self.provider.as_deref())),
            ("app_user_id", self.user.as_deref()),
            ("account", self.account.as_deref()),
            ("status", self.status.as_deref()),
        ];
        let pairs: Vec<String> = given.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?)))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

const COLUMNS: &[Column] = &[
    Column::new("GRANT", |grant| member(grant, "grant_id")),
    Column::new("PROVIDER", |grant| member(grant, "provider_id")),
    Column::new("HOLDER", holder),
    Column::new("ACCOUNT", |grant| member(grant, "account_identifier")),
    Column::new("LABEL", |grant| member(grant, "label")),
    Column::new("STATUS", status),
    Column::new("EXPIRES", |grant| member(grant, "expires_at")),
    Column::new("LAST USED", |grant| member(grant, "last_used_at")),
];

/// Who holds a grant, in words.
fn holder(grant: &Value) -> String {
    match grant["principal_type"].as_str() {
        Some("user") => format!("user {}", member(grant, "app_user_id")),
        Some("group") => format!("group {}", member(grant, "external_group_id")),
        Some("agent") => format!("agent {}", member(grant, "agent_id")),
        _ => "the application".to_owned(),
    }
}

fn status(grant: &Value) -> String {
    let status = member(grant, "status");
    if grant["needs_reconnect"] == true { format!("{status}, has to reconnect") } else { status }
}

/// Runs a verb.
pub async fn run(command: GrantCommand, context: &Context) -> Outcome {
    let admin = context.admin()?;
    match command {
        GrantCommand::Create { secret, expires_in, label, requires_approval, app } => {
            let base = context.app_path(&admin, &app).await?;
            let wanted = json!({ "secret": secret, "expires_in": expires_in, "label": label, "requires_approval": requires_approval });
            let grant = admin.post(&format!("{base}/grants"), &wanted).await?;
            context.output.record(&grant);
            let id = member(&grant, "grant_id");
            let proxy = if requires_approval { " --proxy" } else { "" };
            context.output.hint(&format!("Next, a call through it: alter request GET https://… --grant {id}{proxy}"));
        }
        GrantCommand::List(list) => {
            let (base, query) = (context.app_path(&admin, &list.app).await?, list.query());
            let grants = admin.list(&format!("{base}/grants{query}")).await?;
            let none = if query.is_empty() { "No grants yet. Make one: alter grant create --secret SLUG" } else { "No such grants." };
            context.output.list(&grants, COLUMNS, none);
        }
        GrantCommand::Show { grant, app } => {
            let base = context.app_path(&admin, &app).await?;
            context.output.record(&admin.get(&format!("{base}/grants/{}", encode(&grant))).await?);
        }
        GrantCommand::Revoke { grant, app, yes } => {
            let base = context.app_path(&admin, &app).await?;
            let path = format!("{base}/grants/{}", encode(&grant));
            let found = admin.get(&path).await?;
            context.confirm(yes, &what_is_lost(&found))?;
            context.output.record(&admin.post(&format!("{path}/revoke"), &json!({})).await?);
        }
    }
    Ok(())
}

fn what_is_lost(grant: &Value) -> String {
    let (id, provider, holder) = (member(grant, "grant_id"), member(grant, "provider_id"), holder(grant));
    let delegations = grant["delegations"].as_array().map_or(0, |all| all.iter().filter(|one| one["status"] == "active").count());
    let more = match delegations {
        0 => String::new(),
        1 => ", and what was delegated from it to an agent".to_owned(),
        many => format!(", and what was delegated from it to {many} agents"),
    };
    let login = if grant["managed_secret_id"].is_null() {
        " If no other grant opens the login, its tokens are erased and the provider is told."
    } else {
        ""
    };
    format!("Calls through grant {id} ({provider}, held by {holder}) will be refused from now on{more}; it cannot be brought back.{login}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_told_in_words() {
        for (grant, words) in [
            (json!({"principal_type": "system"}), "the application"),
            (json!({"principal_type": "user", "app_user_id": "ada"}), "user ada"),
            (json!({"principal_type": "group", "external_group_id": "staff"}), "group staff"),
            (json!({"principal_type": "agent", "agent_id": "a1", "app_user_id": "ada"}), "agent a1"),
        ] {
            assert_eq!(holder(&grant), words);
        }
        assert_eq!(status(&json!({"status": "active", "needs_reconnect": true})), "active, has to reconnect");
        assert_eq!(status(&json!({"status": "revoked", "needs_reconnect": false})), "revoked");
    }

    #[test]
    fn what_is_lost_is_told_before_it_is() {
        let delegation = |status: &str| json!({"status": status});
        let mut grant = json!({"grant_id": "g1", "provider_id": "google", "principal_type": "user", "app_user_id": "ada",
            "managed_secret_id": null, "delegations": []});
        let alone = what_is_lost(&grant);
        assert!(alone.contains("g1 (google, held by user ada)") && alone.ends_with("the provider is told.") && !alone.contains("agent"));
        grant["delegations"] = json!([delegation("active"), delegation("revoked"), delegation("active")]);
        assert!(what_is_lost(&grant).contains("delegated from it to 2 agents"));
        grant["managed_secret_id"] = json!("s1");
        assert!(what_is_lost(&grant).ends_with("it cannot be brought back."));
    }
}
