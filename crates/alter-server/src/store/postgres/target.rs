//! Where a connection goes, and what is set on it.

use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::sql_error;
use super::schema::SCHEMA;
use crate::store::sql::database::SqlResult;

/// Where to connect to, password included.
pub(super) struct Target {
    pub(super) config: Config,
    /// With TLS or without, in the order in which to try.
    pub(super) modes: &'static [SslMode],
    pub(super) tls: MakeRustlsConnect,
    /// Whether the server shall refuse every change.
    pub(super) read_only: bool,
}

/// How long a server may take to accept a connection, where the URL does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a network may keep silent about what was sent. Shorter than the patience with a statement.
const SILENCE: Duration = Duration::from_secs(15);

impl Target {
    /// Fills in what the URL leaves open.
    pub(super) fn new(mut config: Config, modes: &'static [SslMode], tls: MakeRustlsConnect, read_only: bool) -> Self {
        if config.get_application_name().is_none() {
            config.application_name("alter");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config.keepalives_idle(SILENCE);
        Self { config, modes, tls, read_only }
    }

    /// A new connection, set up. It is driven by a task of the runtime that this is called in.
    pub(super) async fn connect(&self) -> SqlResult<Client> {
        let mut failed = None;
        for mode in self.modes {
            match self.connect_with(*mode).await {
                Ok(client) => return Ok(client),
                Err(error) => failed = Some(error),
            }
        }
        Err(sql_error(&failed.expect("there is always one mode to try")))
    }

    async fn connect_with(&self, mode: SslMode) -> Result<Client, tokio_postgres::Error> {
        let mut config = self.config.clone();
        config.ssl_mode(mode);
        let (client, connection) = config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %sql_error(&error).text, "a connection to the database ended");
            }
        });
        client.batch_execute(&self.settings()).await?;
        Ok(client)
    }

    /// What a session must have whatever the server's defaults are. A transaction whose vault is gone must let go of its rows by itself; and an answered
    /// commit must survive a crash of the server, so only a stricter setting stays.
    fn settings(&self) -> String {
        let read_only = if self.read_only { "on" } else { "off" };
        format!(
            "SET search_path = {SCHEMA}; SET statement_timeout = '20s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '20s';
             SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = {read_only};
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    }
}
