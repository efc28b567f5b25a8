//! `alter request`

mod proxied;

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use alter_sdk::{App, Error, Kind, Request, Response};
use clap::Args;
use serde_json::{Value, json};

use super::caller::{api_key, failed, local};
use super::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::line;

/// Arguments of `alter request`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ALTER_API_KEY=alter_rk_… alter request GET https://api.github.com/user --provider github

The application's key comes from ALTER_API_KEY or --key-file. The answer's body goes to stdout
as it is; --json wraps it into one object with status and headers. Redirects are not followed:
a 3xx is the answer.

With --proxy the vault makes the call, and the credential never leaves it. If people have to agree
first, their link is told on stderr, and the command waits for them.")]
pub struct RequestArgs {
    /// HTTP method
    method: String,
    /// The provider's URL; {name} parts are filled by --path
    url: String,
    /// The grant to use
    #[arg(long, value_name = "ID", conflicts_with = "provider", required_unless_present = "provider", help_heading = "Which credential")]
    grant: Option<String>,
    /// The secret to use: its slug, if there is only one grant of it
    #[arg(long, value_name = "SLUG", help_heading = "Which credential")]
    provider: Option<String>,
    /// With --provider: the grant's label
    #[arg(long, value_name = "TEXT", requires = "provider", help_heading = "Which credential")]
    label: Option<String>,
    /// A file with the application's key
    #[arg(long, value_name = "PATH", help_heading = "Which credential")]
    key_file: Option<PathBuf>,

    /// A header
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header, help_heading = "What is sent")]
    headers: Vec<(String, String)>,
    /// A query parameter; any of them replaces the URL's own query
    #[arg(long = "query", short = 'q', value_name = "NAME=VALUE", value_parser = pair, help_heading = "What is sent")]
    queries: Vec<(String, String)>,
    /// The value of a {name} part of the URL
    #[arg(long = "path", value_name = "NAME=VALUE", value_parser = pair, help_heading = "What is sent")]
    paths: Vec<(String, String)>,
    /// A JSON body: the text itself, @FILE, or @- for standard input
    #[arg(long = "json-body", short = 'j', value_name = "JSON", conflicts_with = "data", help_heading = "What is sent")]
    json_body: Option<String>,
    /// A raw body: the text itself, @FILE, or @- for standard input
    #[arg(long = "data", short = 'd', value_name = "TEXT", help_heading = "What is sent")]
    data: Option<String>,
    /// Why the call is made; stands in the audit
    #[arg(long, value_name = "TEXT", help_heading = "What is sent")]
    reason: Option<String>,
    /// Metadata for the audit
    #[arg(long = "context", value_name = "NAME=VALUE", value_parser = pair, help_heading = "What is sent")]
    contexts: Vec<(String, String)>,
    /// Who makes the call, for the audit
    #[arg(long, value_name = "NAME", help_heading = "What is sent")]
    caller: Option<String>,
    /// Let the vault make the call: what grants with limits, and those that people have to agree to, need
    #[arg(long, conflicts_with = "data", help_heading = "Who sends it")]
    proxy: bool,
    /// How long to wait for people who have to agree
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = crate::input::span, requires = "proxy", help_heading = "Who sends it")]
    wait: u64,
    /// A key under which the call runs at most once
    #[arg(long, value_name = "TEXT", requires = "proxy", help_heading = "Who sends it")]
    idempotency_key: Option<String>,
    /// The trace that the call is part of (W3C Trace Context), for the audit
    #[arg(long, value_name = "TRACEPARENT", env = "TRACEPARENT", help_heading = "What is sent")]
    traceparent: Option<String>,
    /// For connecting, each write and each read apart
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = crate::input::span, help_heading = "What is sent")]
    timeout: u64,

    /// Show status and headers before the body
    #[arg(long, short = 'i', help_heading = "What is shown")]
    include: bool,
    /// Write the body to a file
    #[arg(long, short = 'o', value_name = "PATH", help_heading = "What is shown")]
    output: Option<PathBuf>,
    /// Fail with exit code 1 if the provider answers 400 or above
    #[arg(long, short = 'f', help_heading = "What is shown")]
    fail: bool,
}

/// Makes the call.
pub async fn run(arguments: RequestArgs, context: &Context) -> Outcome {
    let key = api_key(arguments.key_file.as_deref())?;
    let mut builder = App::builder(key.expose()).base_url(context.vault_url()?).timeout(Duration::from_secs(arguments.timeout));
    if let Some(caller) = &arguments.caller {
        builder = builder.caller(caller.as_str());
    }
    let app = builder.build().map_err(|error| local(&error))?;
    if arguments.proxy {
        return proxied::run(&arguments, &app, context).await;
    }
    let result = app.request(arguments.request()?).await;
    // The report of the call is sent in the background; a program that ends at once would lose it.
    app.close().await;
    match result {
        Ok(response) => arguments.show(&Answer::of(&response), context),
        Err(error) => match Answer::of_error(&error) {
            Some(answer) => {
                arguments.show(&answer, context)?;
                if arguments.fail {
                    return Err(Failure::new(Exit::Failed, error.code(), format!("the provider answered {}", answer.status)));
                }
                Ok(())
            }
            None => Err(failed(&error)),
        },
    }
}

impl RequestArgs {
    fn request(&self) -> Result<Request, Failure> {
        let mut request = Request::new(self.method.as_str(), self.url.as_str());
        if let Some(grant) = &self.grant {
            request = request.grant_id(grant);
        }
        if let Some(provider) = &self.provider {
            request = request.provider(provider);
        }
        if let Some(label) = &self.label {
            request = request.label(label.as_str());
        }
        if let Some(reason) = &self.reason {
            request = request.reason(reason);
        }
        if let Some(traceparent) = &self.traceparent {
            request = request.traceparent(traceparent.as_str());
        }
        request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request = self.queries.iter().fold(request, |request, (name, value)| request.query(name, value));
        request = self.paths.iter().fold(request, |request, (name, value)| request.path_param(name, value));
        request = self.contexts.iter().fold(request, |request, (name, value)| request.context(name, value));
        if let Some(json) = &self.json_body {
            return Ok(request.json_text(json_text(json)?));
        }
        if let Some(data) = &self.data {
            return Ok(request.body(body(data)?));
        }
        Ok(request)
    }

    fn show(&self, answer: &Answer, context: &Context) -> Outcome {
        if context.output.is_json() {
            line(answer.to_json());
            return Ok(());
        }
        if self.include {
            line(format_args!("HTTP {}", answer.status));
            answer.headers.iter().for_each(|(name, value)| line(format_args!("{name}: {value}")));
            line("");
        }
        match &self.output {
            Some(path) => std::fs::write(path, &answer.body).map_err(|error| Failure::file(path, &error)),
            None => answer.print(),
        }
    }
}

/// What the provider answered, whether the SDK takes it for an error or not.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn of(response: &Response) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Self { status: response.status, headers, body: response.body.to_vec() }
    }

    /// The provider's answer inside an error, if the error is one of the provider's.
    fn of_error(error: &Error) -> Option<Self> {
        let of_provider = matches!(error.kind(), Kind::ProviderApi | Kind::ProviderUnauthorized | Kind::ScopeReauthRequired);
        let status = error.attribute("status_code").and_then(|status| status.as_u64()).and_then(|status| u16::try_from(status).ok());
        let body = error.attribute("response_body").and_then(|body| body.as_str().map(str::to_owned)).unwrap_or_default();
        status.filter(|_| of_provider).map(|status| Self { status, headers: Vec::new(), body: body.into_bytes() })
    }

    fn to_json(&self) -> Value {
        let body = std::str::from_utf8(&self.body).ok();
        let parsed = body.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let headers: Vec<Value> = self.headers.iter().map(|(name, value)| json!([name, value])).collect();
        json!({ "status": self.status, "headers": headers, "body": parsed.or_else(|| body.map(Value::from)), "bytes": self.body.len() })
    }

    /// The body as it is. On a terminal a line break is added, so that the prompt does not stick to it.
    fn print(&self) -> Outcome {
        let mut stdout = std::io::stdout().lock();
        let newline = stdout.is_terminal() && !self.body.is_empty() && !self.body.ends_with(b"\n");
        let written = stdout
            .write_all(&self.body)
            .and_then(|()| if newline { stdout.write_all(b"\n") } else { Ok(()) })
            .and_then(|()| stdout.flush());
        written.or_else(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(Failure::new(Exit::Failed, "stdout_unusable", "standard output cannot be written").caused_by(error)),
        })
    }
}

fn json_text(text: &str) -> Result<String, Failure> {
    let text = String::from_utf8(body(text)?).map_err(|_| not_json())?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| not_json().caused_by(error))?;
    Ok(text)
}

fn not_json() -> Failure {
    Failure::new(Exit::Usage, "body_not_json", "the body is not JSON")
        .help("quote it for the shell, or put it into a file: --json-body @FILE")
}

/// The text itself, or the contents of what follows an `@`.
fn body(text: &str) -> Result<Vec<u8>, Failure> {
    match text.strip_prefix('@') {
        None => Ok(text.as_bytes().to_vec()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map_err(|error| Failure::stdin(&error))?;
            Ok(bytes)
        }
        Some(path) => std::fs::read(path).map_err(|error| Failure::file(path.as_ref(), &error)),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
