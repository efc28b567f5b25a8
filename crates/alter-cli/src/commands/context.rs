//! What a command needs to know about its surroundings: output, settings, and the way to the vault.

use std::path::Path;

use alter_server::config::{Config, Flags};
use clap::Args;

use crate::admin::AdminClient;
use crate::cli::Global;
use crate::failure::{Exit, Failure};
use crate::output::{Output, may_ask};

/// `--app`, on every command that is about one application.
#[derive(Clone, Debug, Args)]
pub struct AppFlag {
    /// The application: name or id [default: the only one there is]
    #[arg(long, value_name = "NAME", env = "ALTER_APP", hide_env_values = true)]
    pub app: Option<String>,
}

/// The surroundings of one command.
pub struct Context {
    /// Where to print.
    pub output: Output,
    /// The flags that every command takes.
    pub global: Global,
}

impl Context {
    /// Settings of the vault on this machine.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn config(&self) -> Result<Config, Failure> {
        self.config_of(None)
    }

    /// Settings of the vault in a folder on this machine; `None` for the one that the flags name.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn config_of(&self, folder: Option<&Path>) -> Result<Config, Failure> {
        let data = folder.map(Path::to_owned).or_else(|| self.global.data_dir.clone());
        let flags = Flags { data, ..Flags::default() };
        Ok(Config::load(&flags, |name| std::env::var(name).ok())?)
    }

    /// The vault's URL: `--vault`, `ALTER_BASE_URL`, else the address in the settings.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn vault_url(&self) -> Result<String, Failure> {
        match &self.global.vault {
            Some(url) if !url.is_empty() => Ok(url.clone()),
            _ => {
                let config = self.config()?;
                Ok(config.url(config.address.value))
            }
        }
    }

    /// Where [`Context::vault_url`] comes from, for people.
    pub fn vault_source(&self, config: &Config) -> &'static str {
        match &self.global.vault {
            Some(url) if std::env::var("ALTER_BASE_URL").is_ok_and(|set| set == *url) => "$ALTER_BASE_URL",
            Some(url) if !url.is_empty() => "--vault",
            // The certificate names the public host and not the address.
            _ if config.speaks_tls() && config.public_url.value.is_some() => "public_url",
            _ => "address",
        }
    }

    /// The client of the admin plane.
    ///
    /// # Errors
    /// As [`AdminClient::new`].
    pub fn admin(&self) -> Result<AdminClient, Failure> {
        AdminClient::new(&self.vault_url()?, &self.config()?.data.value)
    }

    /// Asks before something is lost.
    ///
    /// # Errors
    /// `confirmation_needed` where nobody can be asked, `declined` if the answer is no.
    pub fn confirm(&self, yes: bool, what_is_lost: &str) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !may_ask(self.global.no_input) {
            return Err(Failure::new(Exit::Usage, "confirmation_needed", format!("this needs a confirmation: {what_is_lost}"))
                .help("add --yes to do it without being asked"));
        }
        crate::output::notice(format_args!("{what_is_lost}"));
        let answer = crate::input::ask("Go on? [y/N] ")?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, "declined", "nothing was changed"))
    }

    /// The admin path of the app that a command is about: the one named, else the only one there is.
    ///
    /// # Errors
    /// `app_not_given` if there are none or several.
    pub async fn app_path(&self, admin: &AdminClient, flag: &AppFlag) -> Result<String, Failure> {
        let path = |name: &str| format!("/admin/v1/apps/{}", encode(name));
        if let Some(name) = &flag.app {
            return Ok(path(name));
        }
        let apps = admin.list("/admin/v1/apps").await?;
        let names: Vec<String> = apps.iter().map(|app| crate::output::member(app, "name")).collect();
        match names.as_slice() {
            [only] => Ok(path(only)),
            [] => {
                Err(Failure::new(Exit::NotFound, "app_not_given", "the vault has no application yet")
                    .help("make one: alter app create NAME"))
            }
            _ => Err(Failure::new(Exit::Usage, "app_not_given", "the vault has several applications; say which one")
                .help(format!("add --app NAME or set ALTER_APP; there are: {}", names.join(", ")))),
        }
    }
}

/// Percent-encodes a value for use as one segment or query value of a path.
pub fn encode(text: &str) -> String {
    alter_core::encoding::percent_encode(text)
}
