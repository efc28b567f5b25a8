//! Makes the calls besides `request()` with the Rust SDK. See `operations.py` beside this crate for what comes in and what goes out.

mod told;

use std::error::Error as StdError;
use std::io::{BufRead, Write, stdin, stdout};
use std::process::{Command, ExitCode};
use std::time::Duration;

use alter_sdk::{
    Agent, App, Connect, Delegate, Error, GrantLimits, Identity, ListGrants, ManagedSecretGrant, MintGrant, NewConnectSession,
    NewManagedSecretSession, Principal, Request, Result, Wait, verify_identity_assertion,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

type Arguments = Map<String, Value>;

#[derive(Deserialize)]
struct Call {
    base_url: String,
    api_key: String,
    agent: bool,
    user_token: Option<String>,
    operation: String,
    arguments: Arguments,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The run fails on the missing answer; if even this line cannot be written, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> std::result::Result<(), Box<dyn StdError>> {
    for line in stdin().lock().lines() {
        let told = match make(serde_json::from_str(&line?)?).await {
            Ok(result) => json!({ "result": result }),
            Err(error) => Value::Object(told::raised(&error)),
        };
        writeln!(stdout().lock(), "{told}")?;
    }
    Ok(())
}

async fn make(call: Call) -> Result<Value> {
    let Call { base_url, api_key, agent, user_token, operation, arguments } = call;
    if operation == "verify_identity_assertion" {
        return verify(&arguments);
    }
    macro_rules! client {
        ($class:ident, $operate:ident) => {{
            let builder = $class::builder(api_key).base_url(base_url);
            let client = match user_token {
                None => builder.build()?,
                Some(token) => builder
                    .user_token_getter(move || {
                        let token = token.clone();
                        async move { Ok(token) }
                    })
                    .build()?,
            };
            let result = $operate(&client, &operation, arguments).await;
            client.close().await;
            result
        }};
    }
    if agent { client!(Agent, for_agent) } else { client!(App, for_app) }
}

/// The arguments of one type, each given by its setter if it is there.
macro_rules! given {
    ($from:ident, $type:ident: $($name:ident $(as $read:ident)?),*) => {{
        let mut given = $type::new();
        $(if let Some(value) = $from.get(stringify!($name)).filter(|value| !value.is_null()) {
            given = given.$name(given!(@value value $($read)?));
        })*
        given
    }};
    (@value $value:ident) => { $value.clone() };
    (@value $value:ident $read:ident) => { $read($value) };
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_default()
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap_or_default())
}

fn limits(value: &Value) -> GrantLimits {
    let mut limits = GrantLimits::default();
    if let Some(end) = value["expires_at"].as_str() {
        limits = limits.expires_at(end);
    }
    if let Some(longest) = value["max_ttl_seconds"].as_u64() {
        limits = limits.longest(Duration::from_secs(longest));
    }
    if let Some(usual) = value["default_ttl_seconds"].as_u64() {
        limits = limits.preselected(Duration::from_secs(usual));
    }
    limits
}

fn principal(value: &Value) -> Principal {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    match value["type"].as_str() {
        Some("user") => Principal::User { user_token: text("user_token").into(), label: text("label") },
        Some("group") => Principal::Group { external_group_id: text("external_group_id"), idp_id: text("idp_id"), label: text("label") },
        _ => Principal::System { label: value["label"].as_str().map(str::to_owned) },
    }
}

fn text<'a>(arguments: &'a Arguments, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn told<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|result| json!(result))
}

/// What shows an address: the program that the run names.
fn visit(url: &str) {
    if let Some(browser) = std::env::var_os("BROWSER") {
        // It runs while the client polls; a visit that fails is seen as a poll that finds nothing.
        drop(Command::new(browser).arg(url).spawn());
    }
}

async fn for_app(app: &App, operation: &str, a: Arguments) -> Result<Value> {
    match operation {
        "list_grants" => told(
            app.list_grants(
                given!(a, ListGrants: provider_id, status, account, label, end_user_token, limit as whole, offset as whole, grant_kind),
            )
            .await,
        ),
        "mint_grant" => {
            told(app.mint_grant(text(&a, "source_grant_id"), text(&a, "label"), given!(a, MintGrant: grant_policy, grant_tags)).await)
        }
        "revoke_grant" => told(app.revoke_grant(text(&a, "grant_id"), a.get("reason").and_then(Value::as_str)).await),
        "revoke_delegation" => told(app.revoke_delegation(text(&a, "grant_id"), text(&a, "agent_id")).await),
        "create_managed_secret_grant" => {
            let grant = given!(a, ManagedSecretGrant: grant_policy as limits, credential_id);
            let principal = principal(a.get("principal").unwrap_or(&Value::Null));
            told(app.create_managed_secret_grant(text(&a, "managed_secret_id"), principal, grant).await)
        }
        "create_auth_session" => told(app.create_auth_session().await),
        "poll_auth_session" => {
            told(app.poll_auth_session(text(&a, "session_token"), given!(a, Wait: timeout as seconds, poll_interval as seconds)).await)
        }
        "authenticate" => told(app.authenticate(given!(a, Wait: timeout as seconds), visit).await),
        "verify_user_token" => told(app.verify_user_token(text(&a, "token")).await),
        "resolve_identity" => told(app.resolve_identity(given!(a, Identity: user_token, app_user_id, include_profile as flag)).await),
        "assert_identity" => {
            told(app.assert_identity(text(&a, "audience"), given!(a, Identity: user_token, app_user_id, ttl_seconds as whole)).await)
        }
        "create_connect_session" => told(app.create_connect_session(connect_session(&a)).await),
        "create_connect_session_for_error" => {
            let failing = &a["failing"];
            let request =
                Request::get(failing["url"].as_str().unwrap_or_default()).provider(failing["provider"].as_str().unwrap_or_default());
            match app.request(request).await {
                Err(error) => told(app.create_connect_session_for_error(&error, connect_session(&a)).await),
                Ok(_) => Err(Error::new(alter_sdk::Kind::AlterSdk, "the request did not fail")),
            }
        }
        "poll_connect_session" => {
            told(app.poll_connect_session(text(&a, "session_token"), given!(a, Wait: timeout as seconds, poll_interval as seconds)).await)
        }
        "connect" => {
            let connect = given!(a, Connect: providers, timeout as seconds, poll_interval as seconds, grant_policy as limits, direct as flag, email, scopes);
            told(app.connect(connect, visit).await)
        }
        "create_managed_secret_connect_session" => {
            let session = given!(a, NewManagedSecretSession: agent, delegable as flag, requested_grant, grant_policy as limits, direct as flag, repair_grant_id, allowed_origin, return_url);
            told(app.create_managed_secret_connect_session(text(&a, "provider"), text(&a, "user_token"), session).await)
        }
        _ => Err(unknown(operation)),
    }
}

async fn for_agent(agent: &Agent, operation: &str, a: Arguments) -> Result<Value> {
    match operation {
        "list_grants" => told(
            agent
                .list_grants(
                    given!(a, ListGrants: provider_id, status, account, label, end_user_token, limit as whole, offset as whole, grant_kind),
                )
                .await,
        ),
        "delegate" => {
            let how = given!(a, Delegate: delegable as flag, scope_constraint, ttl_seconds as whole);
            told(agent.delegate(text(&a, "grant_id"), text(&a, "to_agent_id"), how).await)
        }
        "revoke_delegation" => told(agent.revoke_delegation(text(&a, "grant_id")).await),
        "resolve_identity" => told(agent.resolve_identity(given!(a, Identity: user_token, app_user_id, include_profile as flag)).await),
        "assert_identity" => {
            told(agent.assert_identity(text(&a, "audience"), given!(a, Identity: user_token, app_user_id, ttl_seconds as whole)).await)
        }
        _ => Err(unknown(operation)),
    }
}

fn connect_session(a: &Arguments) -> NewConnectSession {
    given!(a, NewConnectSession: allowed_providers, direct as flag, return_url, allowed_origin, grant_policy as limits, required_scopes, agent, user_token, requested_grant, repair_grant_id, delegable as flag, scope_constraint)
}

fn verify(a: &Arguments) -> Result<Value> {
    let jwks = a.get("jwks").cloned().unwrap_or_default();
    let agent = a.get("expected_agent_id").and_then(Value::as_str);
    told(verify_identity_assertion(text(a, "token"), text(a, "issuer"), text(a, "audience"), jwks, text(a, "expected_app_id"), agent))
}

fn unknown(operation: &str) -> Error {
    Error::new(alter_sdk::Kind::AlterSdk, format!("the driver does not know {operation}"))
}
