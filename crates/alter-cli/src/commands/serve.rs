//! `alter serve`

use std::path::PathBuf;
use std::sync::Arc;

use alter_server::config::{Config, Flags, LogFormat, StorePlace};
use alter_server::egress::Egress;
use alter_server::serve::{Server, listen};
use alter_server::setup::{self, CREDENTIAL_FILE, Opened};
use alter_server::telemetry::Traces;
use alter_server::tls::Tls;
use clap::Args;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{line, notice};

/// Arguments of `alter serve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alter serve --data-dir ./vault --address 127.0.0.1:7117
  alter serve --address 0.0.0.0:7117 --public-url https://vault.example.com --tls-cert cert.pem --tls-key key.pem

The master key comes from ALTER_MASTER_KEY or ALTER_MASTER_KEY_FILE (base64 of 32 bytes), else
from a file in the data folder that the first start makes. ALTER_LOG sets how much is logged:
error, warn (the default), info or debug; ALTER_LOG_FORMAT=json makes each line an object.
OTEL_EXPORTER_OTLP_ENDPOINT exports traces to a collector. Certificate and key are read again when they change.")]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7117]
    #[arg(long, value_name = "IP:PORT")]
    address: Option<String>,
    /// The URL that clients use, if it has a name of its own
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Certificate chain, PEM: speak TLS
    #[arg(long, value_name = "PATH")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "PATH")]
    tls_key: Option<PathBuf>,
    /// Accept an address beyond loopback although the vault speaks clear text
    #[arg(long)]
    insecure_bind: bool,
}

/// Runs the vault until it is told to stop.
pub async fn run(arguments: ServeArgs, context: &Context) -> Outcome {
    let flags = Flags {
        data: context.global.data_dir.clone(),
        address: arguments.address,
        public_url: arguments.public_url,
        insecure_bind: arguments.insecure_bind,
        tls_cert: arguments.tls_cert,
        tls_key: arguments.tls_key,
    };
    let config = Config::load(&flags, |name| std::env::var(name).ok())?;
    let traces = config.otlp_endpoint.value.as_deref().map(|endpoint| Traces::export_to(endpoint, Egress::new(config.egress())?));
    let traces = traces.transpose()?;
    start_log(config.log_format.value, traces.as_ref())?;
    let stop = stop_signal()?;
    let tls = config.tls()?.map(Tls::load).transpose()?;
    let listener = listen(&config).await?;
    let opened = setup::open_or_create(&config).await?;
    let started = Started::of(&opened, &config);
    let server = Server::new(listener, tls, opened, &config)?;
    started.announce(&server, &config, context);
    let served = server.run(stop).await;
    if let Some(traces) = traces {
        // It waits for its own thread, which waits for this runtime. Nobody is told of a panic in there: the vault has stopped.
        drop(tokio::task::spawn_blocking(|| traces.finish()).await);
    }
    served?;
    context.output.hint("Stopped.");
    Ok(())
}

/// What the start banner says.
struct Started {
    data: PathBuf,
    store: String,
    key_origin: String,
    created: bool,
    new_operator_key: Option<alter_core::secret::Secret>,
    public_url: Option<String>,
}

impl Started {
    fn of(opened: &Opened, config: &Config) -> Self {
        Self {
            data: config.data.value.clone(),
            store: match &config.store.value {
                StorePlace::Folder => "SQLite".to_owned(),
                StorePlace::Postgres(url) => format!("PostgreSQL, {url}"),
            },
            key_origin: opened.key_origin.to_string(),
            created: opened.created,
            new_operator_key: opened.new_operator_key.clone(),
            public_url: config.public_url.value.clone(),
        }
    }

    /// The banner on stderr, at most ten lines; with `--json` one record on stdout, without the operator key, which stands in its file.
    fn announce(&self, server: &Server, config: &Config, context: &Context) {
        let url = config.url(server.address());
        let wire = if config.speaks_tls() { "TLS" } else { "clear text; --tls-cert and --tls-key make it TLS" };
        let credential = self.data.join(CREDENTIAL_FILE);
        if context.output.is_json() {
            return line(json!({
                "event": "ready",
                "url": url,
                "address": server.address().to_string(),
                "data": self.data,
                "store": config.store.value.to_string(),
                "operator_key_file": credential,
                "created": self.created,
                "version": env!("CARGO_PKG_VERSION"),
            }));
        }
        notice(format_args!("alter {}", env!("CARGO_PKG_VERSION")));
        notice(format_args!("  data        {}{}", self.data.display(), if self.created { " (new)" } else { "" }));
        notice(format_args!("  store       {}", self.store));
        notice(format_args!("  master key  {}", self.key_origin));
        let everywhere = server.address().ip().is_unspecified();
        let reach = if everywhere { "every address of this machine; " } else { "" };
        notice(format_args!("  address     {url} ({reach}{wire})"));
        notice(format_args!("  console     {url}/console"));
        match &self.public_url {
            Some(public) => notice(format_args!("  public URL  {public}")),
            None if everywhere => {
                notice(format_args!("  public URL  none: links begin with {url} and lead nowhere elsewhere; --public-url URL sets it"))
            }
            None => {}
        }
        if let Some(key) = &self.new_operator_key {
            notice(format_args!("  operator    {}  (kept in {}; it is not shown again)", key.expose(), credential.display()));
        }
        notice("Next, in another terminal: alter app create demo   ·   Ctrl-C stops the vault");
    }
}

/// Resolves at the first Ctrl-C or SIGTERM. Set up before anything is opened, so that no signal is lost.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, "signals", "the program cannot listen for signals").caused_by(error);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().map_err(failed)?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}

/// The log on stderr, and the export of traces. `ALTER_LOG` takes the directives of `tracing-subscriber`, such as `info` or `alter_server=debug`; it says
/// nothing about traces.
fn start_log(format: LogFormat, traces: Option<&Traces>) -> Result<(), Failure> {
    let directives = std::env::var("ALTER_LOG").ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or("warn"));
    let filter = filter.map_err(|error| {
        Failure::new(Exit::Usage, "config_invalid", "ALTER_LOG cannot be used")
            .caused_by(error)
            .help("set it to error, warn, info or debug")
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces.map(Traces::layer));
    tracing::dispatcher::set_global_default(tracing::Dispatch::from(Arc::new(subscriber)))
        .map_err(|error| Failure::new(Exit::Failed, "log", "the log cannot be started").caused_by(error))
}
