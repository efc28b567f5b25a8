//! The client of the vault's admin plane, `/admin/v1`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alter_core::secret::Secret;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::failure::{Exit, Failure};

/// The operator key in the environment.
pub const OPERATOR_KEY_VARIABLE: &str = "ALTER_OPERATOR_KEY";
const REQUEST_ID: &str = "x-request-id";
const TIMEOUT: Duration = Duration::from_secs(30);
/// Entries asked for at once: the vault's most.
const PAGE: u32 = 1000;
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A connection to one vault as one operator.
pub struct AdminClient {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    key: Secret,
    key_source: String,
}

impl AdminClient {
    /// Finds the operator key (environment, else the credential file of the data folder) and prepares the connection.
    ///
    /// # Errors
    /// `operator_key_missing` if there is no key, `usage` if the URL cannot be used.
    pub fn new(base: &str, data: &Path) -> Result<Self, Failure> {
        let (key, key_source) = operator_key(data)?;
        Ok(Self { http: http_client()?, base: checked_base(base)?, key, key_source })
    }

    /// `GET`.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// The `items` of one answer.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn items(&self, path: &str) -> Result<Vec<Value>, Failure> {
        Ok(self.page(path).await?.0)
    }

    /// All `items` of a listing, page by page.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{joint}limit={PAGE}");
        let (mut all, mut next) = self.page(&first).await?;
        while let Some(after) = next {
            let (items, following) = self.page(&format!("{first}&after={after}")).await?;
            all.extend(items);
            next = following;
        }
        Ok(all)
    }

    async fn page(&self, path: &str) -> Result<(Vec<Value>, Option<String>), Failure> {
        let mut answer = self.get(path).await?;
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        match answer.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok((items, next)),
            _ => Err(self.unreadable()),
        }
    }

    /// Sends one request and reads its JSON answer (`null` if it has none).
    ///
    /// # Errors
    /// `vault_unreachable` if there is no answer, else the vault's own code, with the exit code that fits its status.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, bytes) = tokio::time::timeout(TIMEOUT, self.exchange(method, path, body))
            .await
            .map_err(|_| self.unreachable(format!("no answer within {} s", TIMEOUT.as_secs())))??;
        let json: Option<Value> = serde_json::from_slice(&bytes).ok();
        match json {
            Some(json) if status.is_success() => Ok(json),
            None if status.is_success() && bytes.is_empty() => Ok(Value::Null),
            Some(json) if json.get("error").is_some_and(Value::is_string) => Err(self.refused(status, &json)),
            _ => Err(self.unreadable().caused_by(format!("HTTP {status}"))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Bytes), Failure> {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", self.key.expose())).map_err(|_| operator_key_invalid(&self.key_source))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base)).header(header::AUTHORIZATION, bearer);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request =
            request.body(Full::new(bytes.into())).map_err(|error| Failure::usage("the request cannot be made").caused_by(error))?;
        let answer = self.http.request(request).await.map_err(|error| self.unreachable(root_cause(&error)))?;
        let status = answer.status();
        // Every answer of a vault has a request id. Whatever else listens there may have errors that look like ours.
        if !answer.headers().contains_key(REQUEST_ID) {
            return Err(self.unreadable().caused_by(format!("HTTP {status} without a request id")));
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| self.unreachable(error))?;
        Ok((status, body.to_bytes()))
    }

    fn refused(&self, status: StatusCode, body: &Value) -> Failure {
        let text = |name| body.get(name).and_then(Value::as_str);
        let exit = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NotAllowed,
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::CONFLICT => Exit::Conflict,
            StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => Exit::Storage,
            _ => Exit::Failed,
        };
        let code = text("error").unwrap_or("refused");
        let failure = Failure::new(exit, code, text("message").unwrap_or("the vault refused the request"));
        let failure =
            if code == "operator_key_invalid" { failure.caused_by(format!("the key comes from {}", self.key_source)) } else { failure };
        match text("help") {
            Some(help) => failure.help(help),
            None => failure,
        }
    }

    fn unreachable(&self, cause: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Unreachable, "vault_unreachable", format!("no vault answers at {}", self.base))
            .caused_by(cause)
            .help("start it with `alter serve`, or name another with --vault URL or ALTER_BASE_URL")
    }

    fn unreadable(&self) -> Failure {
        Failure::new(Exit::Unreachable, "not_a_vault", format!("what answers at {} does not speak like a vault", self.base))
            .help("check --vault and ALTER_BASE_URL; client and vault should be of the same version")
    }
}

/// Where the operator key is looked for after the environment.
pub fn credential_file(data: &Path) -> PathBuf {
    data.join(alter_server::setup::CREDENTIAL_FILE)
}

fn operator_key(data: &Path) -> Result<(Secret, String), Failure> {
    if let Some(key) = std::env::var(OPERATOR_KEY_VARIABLE).ok().filter(|key| !key.trim().is_empty()) {
        return Ok((Secret::new(key.trim()), format!("${OPERATOR_KEY_VARIABLE}")));
    }
    let path = credential_file(data);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((Secret::new(text.trim()), path.display().to_string())),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Err(Failure::new(Exit::NotAllowed, "operator_key_missing", "no operator key is known")
                .caused_by(format!("${OPERATOR_KEY_VARIABLE} is not set and there is no {}", path.display()))
                .help("run `alter serve` once on this machine, name its folder with --data-dir, or set ALTER_OPERATOR_KEY"))
        }
        Err(error) => Err(Failure::new(Exit::NotAllowed, "operator_key_missing", format!("{} cannot be read", path.display()))
            .caused_by(error)
            .help("run the command as the user that runs the vault, or set ALTER_OPERATOR_KEY")),
    }
}

fn operator_key_invalid(source: &str) -> Failure {
    Failure::new(Exit::NotAllowed, "operator_key_invalid", format!("the operator key in {source} is not one"))
        .help("an operator key starts with alter_pat_; `alter key create --operator NAME` makes a new one")
}

/// The vault's URL without a trailing slash. The operator key opens everything, so it travels in clear text on this machine only.
fn checked_base(base: &str) -> Result<String, Failure> {
    let trimmed = base.trim_end_matches('/');
    let bad = || {
        Failure::usage(format!("the vault's URL cannot be used: {base}"))
            .help("it looks like https://vault.example.com or http://127.0.0.1:7117")
    };
    let uri: Uri = trimmed.parse().map_err(|_| bad())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(bad()) };
    let plain = !authority.as_str().contains('@') && uri.query().is_none();
    match scheme {
        "https" if plain => Ok(trimmed.to_owned()),
        "http" if plain && alter_server::config::is_loopback_host(authority.host()) => Ok(trimmed.to_owned()),
        "http" if plain => Err(Failure::usage(format!("the operator key is not sent in clear text to {}", authority.host()))
            .help("use https://, or a tunnel to http://127.0.0.1")),
        _ => Err(bad()),
    }
}

fn http_client() -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Exit::Failed, "tls_unusable", "TLS cannot be set up").caused_by(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The innermost error: "Connection refused (os error 111)" says more than "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_key_never_travels_in_clear_text_to_another_machine() {
        assert_eq!(checked_base("http://127.0.0.1:7117/").expect("loopback"), "http://127.0.0.1:7117");
        assert!(checked_base("https://vault.example.com/base").is_ok());
        for url in ["http://vault.example.com", "ftp://h", "vault", "", "https://u:p@h", "https://h?x=1"] {
            assert_eq!(checked_base(url).expect_err(url).exit(), Exit::Usage, "{url}");
        }
    }
}
