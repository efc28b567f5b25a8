//! `alter request --proxy`: the vault makes the call, and people may have to agree to it first.

use std::time::Duration;

use alter_core::encoding::base64_bytes;
use alter_core::model::{ApprovalResult, PendingApproval};
use alter_sdk::{App, Proxied, ProxyRequest, WaitForApproval};
use serde_json::{Map, Value};

use super::{Answer, RequestArgs, json_text};
use crate::commands::caller::failed;
use crate::commands::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Has the call made, waits for people if it has to, and shows the answer.
pub async fn run(arguments: &RequestArgs, app: &App, context: &Context) -> Outcome {
    let made = app.proxy_request(&arguments.method, &arguments.url, call(arguments)?).await;
    let result = match made {
        Ok(Proxied::Answered(result)) => Ok(result),
        Ok(Proxied::Pending(pending)) => wait(arguments, app, &pending, context).await,
        Err(error) => Err(failed(&error)),
    };
    app.close().await;
    let answer = answer(&result?);
    let status = answer.status;
    arguments.show(&answer, context)?;
    if arguments.fail && status >= 400 {
        return Err(Failure::new(Exit::Failed, "provider_api_error", format!("the provider answered {status}")));
    }
    Ok(())
}

async fn wait(arguments: &RequestArgs, app: &App, pending: &PendingApproval, context: &Context) -> Result<ApprovalResult, Failure> {
    let urls: Vec<&str> = pending.gates.iter().map(|gate| gate.approval_url.as_str()).collect();
    context.output.hint(&format!("People have to agree to this call first:\n  {}", urls.join("\n  ")));
    context.output.hint(&format!("or: alter approval show {}", pending.approval_id));
    let wait = WaitForApproval::new().timeout(Duration::from_secs(arguments.wait)).poll_interval(Duration::from_millis(200));
    app.await_approval(&pending.approval_id, wait).await.map_err(|error| {
        let exit = match error.code() {
            "approval_denied" => Exit::NotAllowed,
            _ => failed(&error).exit(),
        };
        let failure = Failure::new(exit, error.code(), error.message());
        if error.code() == "approval_timeout" {
            return failure.help(format!("it still waits: `alter approval show {}` tells how it stands", pending.approval_id));
        }
        failure
    })
}

fn call(arguments: &RequestArgs) -> Result<ProxyRequest, Failure> {
    let mut call = ProxyRequest::new();
    if let Some(grant) = &arguments.grant {
        call = call.grant_id(grant.as_str());
    }
    if let Some(provider) = &arguments.provider {
        call = call.provider(provider.as_str());
    }
    if let Some(label) = &arguments.label {
        call = call.label(label.as_str());
    }
    if let Some(reason) = &arguments.reason {
        call = call.reason(reason.as_str());
    }
    if let Some(key) = &arguments.idempotency_key {
        call = call.idempotency_key(key.as_str());
    }
    if let Some(traceparent) = &arguments.traceparent {
        call = call.traceparent(traceparent.as_str());
    }
    if let Some(json) = &arguments.json_body {
        let value = serde_json::from_str(&json_text(json)?).map_err(|_| super::not_json())?;
        call = call.json(value);
    }
    if !arguments.headers.is_empty() {
        call = call.extra_headers(object(&arguments.headers));
    }
    if !arguments.queries.is_empty() {
        call = call.query_params(object(&arguments.queries));
    }
    if !arguments.paths.is_empty() {
        call = call.path_params(object(&arguments.paths));
    }
    if !arguments.contexts.is_empty() {
        call = call.context(object(&arguments.contexts));
    }
    Ok(call)
}

fn object(pairs: &[(String, String)]) -> Value {
    let mut members: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        // A name that stands there several times is a list, as in a query.
        match members.get_mut(name) {
            Some(Value::Array(values)) => values.push(value.as_str().into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.as_str().into()]),
            None => {
                members.insert(name.clone(), value.as_str().into());
            }
        }
    }
    Value::Object(members)
}

fn answer(result: &ApprovalResult) -> Answer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = result.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let status = u16::try_from(result.status_code).unwrap_or_default();
    Answer { status, headers, body: base64_bytes(&result.body_b64).unwrap_or_default() }
}
