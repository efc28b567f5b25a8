//! Runs conformance calls with the Rust SDK. See `driver.py` beside this crate for what comes in and what goes out.

mod told;

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::process::ExitCode;

use alter_sdk::{App, Request, RequestRule, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Plan {
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    id: String,
    base_url: String,
    api_key: String,
    scopes: Option<Vec<String>>,
    rule: Option<Rule>,
    request: Arguments,
}

#[derive(Deserialize)]
struct Rule {
    rule_type: String,
    rule_body: Map<String, Value>,
}

#[derive(Deserialize)]
struct Arguments {
    method: String,
    url: String,
    grant_id: Option<String>,
    provider: Option<String>,
    json: Option<Value>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The run fails on the exit status; if even this line cannot be written, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let plan: Plan = serde_json::from_reader(stdin().lock())?;
    for call in plan.calls {
        let id = call.id.clone();
        let mut told = match make(call).await {
            Ok(response) => returned(&response),
            Err(error) => told::raised(&error),
        };
        told.insert("id".to_owned(), id.into());
        writeln!(stdout().lock(), "{}", Value::Object(told))?;
    }
    Ok(())
}

async fn make(call: Call) -> alter_sdk::Result<Response> {
    let app = App::builder(call.api_key).base_url(call.base_url).build()?;
    let mut request = Request::new(call.request.method, call.request.url);
    if let Some(id) = &call.request.grant_id {
        request = request.grant_id(id);
    }
    if let Some(slug) = &call.request.provider {
        request = request.provider(slug);
    }
    if let Some(json) = &call.request.json {
        request = request.json(json);
    }
    let scopes: Option<Vec<&str>> = call.scopes.as_ref().map(|scopes| scopes.iter().map(String::as_str).collect());
    let rule = call.rule.map(|Rule { rule_type, rule_body }| RequestRule { rule_type, rule_body });
    let result = if scopes.is_some() || rule.is_some() {
        app.with_constraints(scopes.as_deref(), rule)?.request(request).await
    } else {
        app.request(request).await
    };
    app.close().await;
    result
}

/// What a caller can tell from a response.
fn returned(response: &Response) -> Map<String, Value> {
    let visible = [format!("{response:?}"), response.text(), format!("{:?}", response.headers), format!("{:?}", response.request)];
    Map::from_iter([("status".to_owned(), json!(response.status)), ("visible".to_owned(), json!(visible))])
}
