//! Reading the vault's answers.

use serde_json::{Value, json};

use super::outcome::Outcome;
use crate::error::{BackendAnswer, Error, Kind, Result, from_agents_backend, from_backend};
use crate::host::Answer;
use crate::model::{Fault, Model};

/// What the details of an error about a malformed answer hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Details {
    /// Nothing.
    None,
    /// The status.
    Status,
    /// The status if the answer is no JSON, else what is wrong with it.
    Faults,
    /// The status, and what is wrong.
    StatusAndFaults,
    /// The status if the answer is no JSON, else which members it has.
    Keys,
}

/// The error of a status of 400 or above.
pub(super) fn refusal(answer: &Answer) -> Error {
    from_backend(&BackendAnswer {
        status: answer.status,
        body: &answer.body,
        retry_after: answer.header("retry-after"),
        request_id: answer.header("x-request-id"),
    })
}

/// The error of a refusal in the agents' part of the API.
pub(super) fn agents_refusal(answer: &Answer) -> Error {
    from_agents_backend(&BackendAnswer {
        status: answer.status,
        body: &answer.body,
        retry_after: answer.header("retry-after"),
        request_id: answer.header("x-request-id"),
    })
}

/// Refuses a status of 400 or above.
///
/// # Errors
/// What the vault said.
pub(super) fn check_status(answer: &Answer) -> Result<()> {
    if answer.status >= 400 { Err(refusal(answer)) } else { Ok(()) }
}

/// Reads a model from an answer below 400.
///
/// # Errors
/// What the vault said, or `BackendError` for an answer that is not the model.
pub(super) fn model(answer: &Answer, model: &'static Model, details: Details) -> Result<Outcome> {
    check_status(answer)?;
    let body = parse(answer, details)?;
    let fields = model.read(&body).map_err(|fault| malformed(answer, &body, &fault, details))?;
    Ok(Outcome::One(model, fields))
}

/// The body as JSON.
///
/// # Errors
/// `BackendError`.
pub(super) fn parse(answer: &Answer, details: Details) -> Result<Value> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        let error = unreadable("is not JSON");
        if details == Details::None { error } else { with_status(error, answer) }
    })
}

/// The error for an answer that is JSON and not what it should be.
pub(super) fn malformed(answer: &Answer, body: &Value, fault: &Fault, details: Details) -> Error {
    let error = unreadable(&format!("is malformed: {fault}"));
    let faults = || json!([{ "field": fault.path, "problem": fault.problem }]);
    match details {
        Details::None => error,
        Details::Status => with_status(error, answer),
        Details::Faults => error.with_detail("validation_errors", faults()),
        Details::StatusAndFaults => with_status(error, answer).with_detail("validation_errors", faults()),
        Details::Keys => {
            let keys = body.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
            error.with_detail("response_keys", keys)
        }
    }
}

/// `BackendError` for an answer that cannot be used. `what` is a clause that follows "The vault's answer".
pub(super) fn unreadable(what: &str) -> Error {
    let text = format!("The vault's answer {what}. Check that ALTER_BASE_URL is a vault of this protocol.");
    Error::new(Kind::Backend, text).with_code("malformed_answer")
}

/// Adds the answer's status to the error.
pub(super) fn with_status(error: Error, answer: &Answer) -> Error {
    error.with_detail("status_code", answer.status).with_attribute("status_code", answer.status)
}

/// The type of a JSON value as the public package's details call it.
pub(super) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
