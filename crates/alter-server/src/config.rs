//! The vault's settings and where each of them came from: flag, then environment, then `alter.toml`, then default.
//!
//! Secrets are no settings: the master key has its own variables, see [`crate::crypto`].

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::api::{Admission, USUAL_LIMIT};
use crate::egress::{Destinations, EgressOptions, EgressProxy, HttpHosts, Lookup, NoProxy, Resolve};
use crate::error::{StartError, StartErrorKind};
use crate::model::Networks;
use crate::store::postgres::PostgresUrl;
use crate::tls::TlsFiles;

/// Where a vault listens unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:7117";
/// The settings file inside the data folder.
pub const CONFIG_FILE: &str = "alter.toml";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A command-line flag, by its name.
    Flag(&'static str),
    /// An environment variable, by its name.
    Environment(&'static str),
    /// The settings file.
    File(PathBuf),
    /// Nothing was said.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "${name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One value and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value in force.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

/// Where a vault keeps its data.
#[derive(Clone, Debug)]
pub enum StorePlace {
    /// In its data folder, with SQLite.
    Folder,
    /// In a PostgreSQL database, which several vaults may share.
    Postgres(PostgresUrl),
}

/// The word, or the URL without a password.
impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("sqlite"),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// What the command line said; `None` where it said nothing.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data-dir`
    pub data: Option<PathBuf>,
    /// `--address`
    pub address: Option<String>,
    /// `--public-url`
    pub public_url: Option<String>,
    /// `--insecure-bind`
    pub insecure_bind: bool,
    /// `--tls-cert`
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`
    pub tls_key: Option<PathBuf>,
}

/// All settings of `alter serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder with database, keys and settings file.
    pub data: Setting<PathBuf>,
    /// Where the vault keeps its data.
    pub store: Setting<StorePlace>,
    /// The address to listen on.
    pub address: Setting<SocketAddr>,
    /// The URL under which clients and browsers reach the vault, without a trailing slash.
    pub public_url: Setting<Option<String>>,
    /// Whether an address that is not loopback is accepted without TLS.
    pub insecure_bind: Setting<bool>,
    /// The file with the certificate chain, PEM.
    pub tls_cert: Setting<Option<PathBuf>>,
    /// The file with its private key, PEM.
    pub tls_key: Setting<Option<PathBuf>>,
    /// A file with authorities that outgoing calls trust besides the system's, PEM.
    pub egress_ca_file: Setting<Option<PathBuf>>,
    /// Hosts beyond loopback that outgoing calls may reach without TLS.
    pub egress_http_hosts: Setting<HttpHosts>,
    /// Requests a minute that an API key may make unless it has a limit of its own.
    pub rate_limit_rpm: Setting<u32>,
    /// Proxies in front of the vault that are believed about where a request came from.
    pub trusted_proxies: Setting<Option<Networks>>,
    /// Places beyond the public internet that proxied calls may reach.
    pub egress_allow: Setting<Destinations>,
    /// The HTTP proxy through which outgoing calls leave.
    pub egress_proxy: Setting<Option<EgressProxy>>,
    /// Hosts that are called directly all the same.
    pub egress_no_proxy: Setting<NoProxy>,
    /// Who looks up names that are called through the proxy.
    pub egress_resolve: Setting<Resolve>,
    /// How lines of the log are written.
    pub log_format: Setting<LogFormat>,
    /// Base URL of the collector that traces are exported to; `None` for no export.
    pub otlp_endpoint: Setting<Option<String>>,
}

/// `alter.toml`. Unknown names are refused, so that a mistyped setting is not silently without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    store: Option<String>,
    address: Option<String>,
    public_url: Option<String>,
    insecure_bind: Option<bool>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    rate_limit_rpm: Option<u32>,
    trusted_proxies: Option<Vec<String>>,
    #[serde(default)]
    egress: EgressTable,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    telemetry: TelemetryTable,
}

/// `[egress]`: calls that the vault makes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EgressTable {
    ca_file: Option<PathBuf>,
    http_hosts: Option<Vec<String>>,
    allow: Option<Vec<String>>,
    proxy: Option<String>,
    no_proxy: Option<Vec<String>>,
    resolve: Option<String>,
}

/// `[log]`: what the vault writes to standard error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    format: Option<String>,
}

/// `[telemetry]`: what it tells others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TelemetryTable {
    otlp_endpoint: Option<String>,
}

impl Config {
    /// Whether the vault is to speak TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls_cert.value.is_some() || self.tls_key.value.is_some()
    }

    /// The certificate files, if the vault is to speak TLS.
    ///
    /// # Errors
    /// [`StartErrorKind::ConfigInvalid`] if only one of the two is set.
    pub fn tls(&self) -> Result<Option<TlsFiles>, StartError> {
        let half = |set: &Setting<Option<PathBuf>>, name: &str, missing: &str, flag: &str| {
            StartError::new(StartErrorKind::ConfigInvalid, format!("{name} is set (from {}) and {missing} is not", set.source))
                .help(format!("TLS needs both: add {flag}, or remove {name}"))
        };
        match (&self.tls_cert.value, &self.tls_key.value) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })),
            (Some(_), None) => Err(half(&self.tls_cert, "tls_cert", "tls_key", "--tls-key PATH")),
            (None, Some(_)) => Err(half(&self.tls_key, "tls_key", "tls_cert", "--tls-cert PATH")),
            (None, None) => Ok(None),
        }
    }

    /// What the settings say about calls that the vault makes.
    pub fn egress(&self) -> EgressOptions {
        EgressOptions {
            ca_file: self.egress_ca_file.value.clone(),
            http_hosts: self.egress_http_hosts.value.clone(),
            allow: self.egress_allow.value.clone(),
            proxy: self.egress_proxy.value.clone().map(|proxy| proxy.except(&self.egress_no_proxy.value, self.egress_resolve.value)),
            lookup: Lookup::default(),
        }
    }

    /// What the settings say about callers.
    pub fn admission(&self) -> Admission {
        Admission { usual_limit: self.rate_limit_rpm.value, trusted_proxies: self.trusted_proxies.value.clone() }
    }

    /// The URL of a vault that listens on `address`: the public one if there is TLS (its certificate names that host), else the address. One that listens
    /// on every address is reached through loopback.
    pub fn url(&self, address: SocketAddr) -> String {
        let address = reachable(address);
        match (self.speaks_tls(), &self.public_url.value) {
            (true, Some(public)) => public.clone(),
            (true, None) => format!("https://{address}"),
            (false, _) => format!("http://{address}"),
        }
    }

    /// Reads all settings. `env` looks up an environment variable; empty ones count as absent.
    ///
    /// # Errors
    /// [`StartErrorKind::ConfigInvalid`], naming the setting, its source and the value.
    pub fn load(flags: &Flags, env: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let env = |name| env(name).filter(|value| !value.is_empty());
        let data = data_folder(flags.data.clone(), &env)?;
        let path = data.value.join(CONFIG_FILE);
        let file = read_file(&path)?;
        let pick = |flag: Option<String>, flag_name, variable, in_file: Option<String>| {
            let from_flag = flag.map(|value| Setting { value, source: Source::Flag(flag_name) });
            let from_env = || env(variable).map(|value| Setting { value, source: Source::Environment(variable) });
            let from_file = || in_file.map(|value| Setting { value, source: Source::File(path.clone()) });
            from_flag.or_else(from_env).or_else(from_file)
        };
        let store = pick(None, "", "ALTER_STORE", file.store);
        let address = pick(flags.address.clone(), "--address", "ALTER_ADDRESS", file.address);
        let public_url = pick(flags.public_url.clone(), "--public-url", "ALTER_PUBLIC_URL", file.public_url);
        let pick_file = |flag, variable, in_file| pick_file(flag, &env, variable, in_file, &path);
        let tls_cert = pick_file(flags.tls_cert.clone().map(|path| ("--tls-cert", path)), "ALTER_TLS_CERT", file.tls_cert);
        let tls_key = pick_file(flags.tls_key.clone().map(|path| ("--tls-key", path)), "ALTER_TLS_KEY", file.tls_key);
        let egress_ca_file = pick_file(None, "ALTER_EGRESS_CA_FILE", file.egress.ca_file);
        let http_hosts = pick(None, "", "ALTER_EGRESS_HTTP_HOSTS", file.egress.http_hosts.map(|hosts| hosts.join(",")));
        let rate_limit = pick(None, "", "ALTER_RATE_LIMIT_RPM", file.rate_limit_rpm.map(|limit| limit.to_string()));
        let proxies = pick(None, "", "ALTER_TRUSTED_PROXIES", file.trusted_proxies.map(|networks| networks.join(",")));
        let allow = pick(None, "", "ALTER_EGRESS_ALLOW", file.egress.allow.map(|places| places.join(",")));
        let egress_proxy = pick(None, "", "ALTER_EGRESS_PROXY", file.egress.proxy);
        let no_proxy = pick(None, "", "ALTER_EGRESS_NO_PROXY", file.egress.no_proxy.map(|hosts| hosts.join(",")));
        let resolve = pick(None, "", "ALTER_EGRESS_RESOLVE", file.egress.resolve);
        let log_format = pick(None, "", "ALTER_LOG_FORMAT", file.log.format);
        let otlp_endpoint = pick(None, "", "OTEL_EXPORTER_OTLP_ENDPOINT", file.telemetry.otlp_endpoint);
        let insecure_flag = flags.insecure_bind.then(|| "true".to_owned());
        let insecure = pick(insecure_flag, "--insecure-bind", "ALTER_INSECURE_BIND", file.insecure_bind.map(|on| on.to_string()));
        Ok(Self {
            data,
            store: parse_store(store)?,
            address: parse_or(address, "address", DEFAULT_ADDRESS, parse_address)?,
            public_url: match public_url {
                Some(setting) => parse(setting, "public_url", |text| parse_public_url(text).map(Some))?,
                None => Setting { value: None, source: Source::Default },
            },
            insecure_bind: parse_or(insecure, "insecure_bind", "false", |text| match text {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err("must be true or false".to_owned()),
            })?,
            tls_cert,
            tls_key,
            egress_ca_file,
            egress_http_hosts: parse_or(http_hosts, "egress.http_hosts", "", |text| {
                HttpHosts::parse(text.split(',').filter(|_| !text.is_empty()))
            })?,
            rate_limit_rpm: parse_or(rate_limit, "rate_limit_rpm", &USUAL_LIMIT.to_string(), parse_rate_limit)?,
            trusted_proxies: match proxies {
                Some(setting) => parse(setting, "trusted_proxies", parse_networks)?,
                None => Setting { value: None, source: Source::Default },
            },
            egress_allow: parse_or(allow, "egress.allow", "", |text| Destinations::parse(text.split(',').filter(|_| !text.is_empty())))?,
            egress_proxy: parse_egress_proxy(egress_proxy)?,
            egress_no_proxy: parse_or(no_proxy, "egress.no_proxy", "", |text| {
                NoProxy::parse(text.split(',').filter(|_| !text.is_empty()))
            })?,
            egress_resolve: parse_or(resolve, "egress.resolve", Resolve::default().as_str(), Resolve::parse)?,
            log_format: parse_or(log_format, "log.format", "text", |text| match text {
                "text" => Ok(LogFormat::Text),
                "json" => Ok(LogFormat::Json),
                _ => Err("must be text or json".to_owned()),
            })?,
            otlp_endpoint: match otlp_endpoint {
                Some(Setting { value, source }) => Setting { value: Some(value), source },
                None => Setting { value: None, source: Source::Default },
            },
        })
    }
}

/// A file that a setting names. A relative path in the settings file counts from that file's folder, any other from the current one.
fn pick_file(
    flag: Option<(&'static str, PathBuf)>,
    env: &impl Fn(&'static str) -> Option<String>,
    variable: &'static str,
    in_file: Option<PathBuf>,
    settings: &Path,
) -> Setting<Option<PathBuf>> {
    if let Some((name, path)) = flag {
        return Setting { value: Some(path), source: Source::Flag(name) };
    }
    if let Some(value) = env(variable) {
        return Setting { value: Some(value.into()), source: Source::Environment(variable) };
    }
    match in_file {
        Some(path) => {
            let folder = settings.parent().unwrap_or(Path::new(""));
            Setting { value: Some(folder.join(path)), source: Source::File(settings.to_owned()) }
        }
        None => Setting { value: None, source: Source::Default },
    }
}

/// The data folder: flag, `ALTER_DATA_DIR`, `$XDG_DATA_HOME/alter`, `~/.local/share/alter`.
fn data_folder(flag: Option<PathBuf>, env: &impl Fn(&'static str) -> Option<String>) -> Result<Setting<PathBuf>, StartError> {
    if let Some(value) = flag {
        return Ok(Setting { value, source: Source::Flag("--data-dir") });
    }
    if let Some(value) = env("ALTER_DATA_DIR") {
        return Ok(Setting { value: value.into(), source: Source::Environment("ALTER_DATA_DIR") });
    }
    // The XDG specification says that a relative path is to be ignored.
    let xdg = env("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = xdg.or_else(|| env("HOME").map(|home| Path::new(&home).join(".local/share")));
    base.map(|base| Setting { value: base.join("alter"), source: Source::Default }).ok_or_else(|| {
        StartError::new(StartErrorKind::ConfigInvalid, "no data folder is known: HOME and XDG_DATA_HOME are not set")
            .help("name one with --data-dir DIR or ALTER_DATA_DIR")
    })
}

fn read_file(path: &Path) -> Result<ConfigFile, StartError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ConfigFile::default()),
        // A data "folder" that is a file is reported where the folder is made, with better words.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(ConfigFile::default()),
        Err(error) => {
            return Err(StartError::new(StartErrorKind::ConfigInvalid, format!("{} cannot be read", path.display()))
                .caused_by(error)
                .help("make it readable for the user that runs the vault, as UTF-8 text"));
        }
    };
    toml::from_str(&text).map_err(|error| {
        StartError::new(StartErrorKind::ConfigInvalid, format!("{} is not a valid settings file", path.display()))
            .caused_by(error.message())
            .help(
                "known settings: store, address, public_url, insecure_bind, tls_cert, tls_key, rate_limit_rpm, trusted_proxies; in [egress] ca_file, \
                 http_hosts, allow, proxy, no_proxy and resolve; in [log] format; in [telemetry] otlp_endpoint",
            )
    })
}

fn parse_or<T>(
    setting: Option<Setting<String>>,
    name: &str,
    default: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Setting<T>, StartError> {
    parse(setting.unwrap_or_else(|| Setting { value: default.to_owned(), source: Source::Default }), name, read)
}

fn parse<T>(setting: Setting<String>, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Setting<T>, StartError> {
    match read(&setting.value) {
        Ok(value) => Ok(Setting { value, source: setting.source }),
        Err(what) => {
            let message = format!("{name} {what}: {:?} (from {})", setting.value, setting.source);
            Err(StartError::new(StartErrorKind::ConfigInvalid, message)
                .help("correct or remove it; `alter config show` names every setting's source"))
        }
    }
}

/// The database. Nothing here may show the text: it may hold a password.
fn parse_store(setting: Option<Setting<String>>) -> Result<Setting<StorePlace>, StartError> {
    let Some(Setting { value, source }) = setting else { return Ok(Setting { value: StorePlace::Folder, source: Source::Default }) };
    let invalid = |what: &str| StartError::new(StartErrorKind::ConfigInvalid, format!("store {what} (from {source})"));
    if value == "sqlite" {
        return Ok(Setting { value: StorePlace::Folder, source });
    }
    if !PostgresUrl::is_meant(&value) {
        return Err(invalid("must be sqlite, or a URL that begins with postgres://").help("correct or remove it"));
    }
    let url = PostgresUrl::parse(&value).map_err(|what| {
        invalid(&format!("cannot be used: {what}")).help("write postgres://USER@HOST[:PORT]/DATABASE[?sslmode=verify-full]")
    })?;
    if url.has_password() && matches!(source, Source::File(_)) {
        return Err(invalid("holds a password, and this file holds no secrets")
            .help("take it out, and give it in PGPASSWORD or ~/.pgpass; or give the whole URL in ALTER_STORE"));
    }
    Ok(Setting { value: StorePlace::Postgres(url), source })
}

/// The proxy. Nothing here may show the text: it may hold a password.
fn parse_egress_proxy(setting: Option<Setting<String>>) -> Result<Setting<Option<EgressProxy>>, StartError> {
    let Some(Setting { value, source }) = setting else { return Ok(Setting { value: None, source: Source::Default }) };
    let invalid = |what: &str| StartError::new(StartErrorKind::ConfigInvalid, format!("egress.proxy {what} (from {source})"));
    let proxy = EgressProxy::parse(&value).map_err(|what| invalid(&what).help("correct or remove it"))?;
    if proxy.has_password() && matches!(source, Source::File(_)) {
        return Err(invalid("holds a password, and this file holds no secrets").help("give the whole URL in ALTER_EGRESS_PROXY instead"));
    }
    Ok(Setting { value: Some(proxy), source })
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| "must be an IP address and a port, such as 127.0.0.1:7117".to_owned())
}

fn parse_rate_limit(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "must be a number of requests a minute, at least 1".to_owned())
}

fn parse_networks(text: &str) -> Result<Option<Networks>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Networks::parse(&text.split(',').map(str::trim).collect::<Vec<_>>()).map(Some)
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}

fn parse_public_url(text: &str) -> Result<String, String> {
    let shape = || "must be https://HOST[:PORT] without a path (http for loopback only)".to_owned();
    let uri: http::Uri = text.trim_end_matches('/').parse().map_err(|_| shape())?;
    let authority = uri.authority().ok_or_else(shape)?;
    let loopback = is_loopback_host(authority.host());
    let scheme_fits = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && loopback);
    let plain = !authority.as_str().contains('@') && uri.path() == "/" && uri.query().is_none();
    if scheme_fits && plain { Ok(text.trim_end_matches('/').to_owned()) } else { Err(shape()) }
}

/// Whether a host name, without its port, always means this machine.
pub fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]"
}

#[cfg(test)]
mod tests;
