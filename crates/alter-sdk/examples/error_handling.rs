//! What to do about each kind of error: `error_handling URL GRANT_ID`, with the key in `ALTER_API_KEY`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use alter_sdk::{App, Error, Kind, Request};

/// What a program does next.
fn advice(error: &Error) -> String {
    let kind = error.kind();
    if kind.is(Kind::ReAuthRequired) || kind.is(Kind::GrantNotFound) || kind.is(Kind::ScopeReauthRequired) {
        "ask the user to connect the account (again)".to_owned()
    } else if kind.is(Kind::PolicyViolation) {
        format!("a policy forbids this call: {}", error.attribute("policy_error").unwrap_or_default())
    } else if kind.is(Kind::ProviderApi) {
        format!("the provider answered {}: look at its documentation", error.attribute("status_code").unwrap_or_default())
    } else if kind.is(Kind::Network) {
        "try again later".to_owned()
    } else {
        "mend the program or its configuration".to_owned()
    }
}

#[tokio::main]
async fn main() -> alter_sdk::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, grant_id] = &arguments[..] else {
        return Err(Error::invalid("usage: error_handling URL GRANT_ID"));
    };
    let app = App::builder(std::env::var("ALTER_API_KEY").unwrap_or_default()).build()?;
    match app.request(Request::get(url).grant_id(grant_id)).await {
        Ok(response) => println!("{}", response.status),
        // The message says what happened; code and attributes are for the program.
        Err(error) => println!("{} ({}): {}", error.kind().name(), error.code(), advice(&error)),
    }
    app.close().await;
    Ok(())
}
