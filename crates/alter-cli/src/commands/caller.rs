//! What commands that speak with an application's key have in common: the key, and what a refusal means for the exit code.

use std::path::Path;

use alter_core::secret::Secret;
use alter_sdk::{Error, Kind};
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::input::text_of_file;

/// The API key in the environment.
const API_KEY_VARIABLE: &str = "ALTER_API_KEY";

/// The application's key: from a file, or from `ALTER_API_KEY`.
///
/// # Errors
/// `api_key_missing`, `api_key_malformed`: nothing was sent.
pub fn api_key(file: Option<&Path>) -> Result<Secret, Failure> {
    let key = match file {
        Some(path) => Secret::new(text_of_file(path)?.trim()),
        None => Secret::new(std::env::var(API_KEY_VARIABLE).unwrap_or_default().trim()),
    };
    if key.expose().is_empty() {
        return Err(Failure::new(Exit::Usage, "api_key_missing", "no API key is known")
            .help("set ALTER_API_KEY, or name a file with --key-file; `alter key create` makes a key"));
    }
    if !alter_core::key::is_valid_key(key.expose()) {
        let place = file.map_or_else(|| format!("${API_KEY_VARIABLE}"), |path| path.display().to_string());
        return Err(Failure::new(
            Exit::Usage,
            "api_key_malformed",
            format!("the API key in {place} is mistyped: its form or checksum is wrong"),
        )
        .help("copy it again, whole; nothing was sent"));
    }
    Ok(key)
}

/// A mistake found before anything was sent.
pub fn local(error: &Error) -> Failure {
    Failure::new(Exit::Usage, error.code(), error.message())
}

/// What the call failed at, with the exit code that fits.
pub fn failed(error: &Error) -> Failure {
    let base_url = error.details().contains_key("base_url");
    let exit = match error.kind() {
        Kind::AlterValue | Kind::AlterSdk => Exit::Usage,
        Kind::Network | Kind::Timeout if base_url => Exit::Unreachable,
        _ => match error.details().get("status_code").and_then(Value::as_u64) {
            Some(401 | 403) => Exit::NotAllowed,
            Some(404 | 410) => Exit::NotFound,
            Some(409) => Exit::Conflict,
            Some(503) => Exit::Storage,
            // A clear no, whatever status the protocol gives it.
            _ if matches!(error.code(), "grant_revoked" | "credential_revoked" | "blocked_destination") => Exit::NotAllowed,
            _ => Exit::Failed,
        },
    };
    let code = if exit == Exit::Unreachable { "vault_unreachable" } else { error.code() };
    let failure = Failure::new(exit, code, error.message()).detail(format!("kind {}", error.kind().name()));
    match (exit, error.code()) {
        (Exit::Unreachable, _) => failure.help("start the vault with `alter serve`, or name another with --vault URL or ALTER_BASE_URL"),
        (_, "grant_not_found") => failure.help("`alter grant list` shows the grants of the application that the key belongs to"),
        (_, "insufficient_scope") => failure.help("make a key that holds it: `alter key create --scope SCOPE`, once for each scope"),
        (_, "blocked_destination") => {
            failure.help("`alter secret show` lists the hosts it may be sent to; `alter secret update --allow-host` changes them")
        }
        _ => failure,
    }
}
