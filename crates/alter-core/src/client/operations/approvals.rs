//! What became of a call that people have to decide about.

use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::{self, Details};
use super::plan::{Once, Plan};
use super::target::Target;
use crate::client::Client;
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host};
use crate::model::{ApprovalResult, ApprovalStatus};

/// The longest that a vault holds one question, in seconds.
pub(super) const LONGEST_HOLD: u64 = 25;
/// What is added to the hold before a question counts as lost, in seconds.
const GRACE: u64 = 15;

/// `get_approval_status`.
pub(super) fn status<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let wait = whole_seconds(args.take_or_null("wait"))?;
    Ok(Plan::Once(ask(&take_approval(args)?, wait)))
}

/// The seconds that the vault is asked to hold the question, rounded down.
fn whole_seconds(value: Given) -> Result<u64> {
    match value {
        Given::Null => Ok(0),
        Given::Whole(seconds) => Ok(u64::try_from(seconds.max(0)).unwrap_or(u64::MAX)),
        Given::Number(seconds) if seconds.is_finite() => Ok(seconds.max(0.0) as u64),
        Given::Number(_) => Err(Error::invalid("wait must be a number of seconds, not infinite.")),
        other => Err(Error::wrong_type("wait", "a number of seconds", other.type_name())),
    }
}

/// The approval's id: text, or an id object of the language.
pub(super) fn take_approval(args: &mut Args) -> Result<String> {
    let given = match args.take_or_null("approval_id") {
        Given::Id(id) => Given::Text(id),
        other => other,
    };
    super::arguments::uuid("approval_id", given)
}

/// The question what became of it. `approval` is a UUID.
pub(super) fn ask(approval: &str, wait: u64) -> Once {
    let target = Target::path(format!("/sdk/approvals/{approval}")).with_some("wait", (wait > 0).then_some(wait));
    let mut once = Once::get(target, |answer| {
        if answer.status != 200 {
            return Err(no_status(answer));
        }
        answer::model(answer, ApprovalStatus::MODEL, Details::Status)
    });
    once.actor_id = false;
    once.patience = (wait > 0).then(|| Duration::from_secs(wait.min(LONGEST_HOLD) + GRACE));
    once
}

/// Any status but 200 is the same class of error here: whoever waits has to tell a wait that failed from a decision.
fn no_status(answer: &Answer) -> Error {
    let body = members(answer);
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let why = text("message").map_or_else(String::new, |message| format!(": {}", crate::error::bounded(message)));
    let message = format!("The vault did not say what became of the approval; it answered with status {}{why}", answer.status);
    let error = answer::with_status(Error::new(Kind::Backend, message), answer);
    match text("error") {
        Some(code) => error.with_code(code.to_owned()).with_detail("error", code),
        None => error,
    }
}

/// The question for the provider's answer to a call that was approved.
pub(super) fn ask_for_result(approval: &str) -> Once {
    let id = approval.to_owned();
    let mut once = Once::get(format!("/sdk/approvals/{approval}/result"), move |answer| {
        if answer.status != 200 {
            return Err(refusal(answer));
        }
        answer::model(answer, ApprovalResult::MODEL, Details::Faults).map_err(|error| error.with_detail("approval_id", id))
    });
    once.actor_id = false;
    once
}

/// The error of an answer to a call that the vault should have made: of any status but 200 and 202.
pub(super) fn refusal(answer: &Answer) -> Error {
    let body = members(answer);
    let code = body.get("error").and_then(Value::as_str).unwrap_or_default();
    let kind = match code {
        "approval_denied" => Kind::ApprovalDenied,
        "approval_expired" => Kind::ApprovalExpired,
        "approval_execution_failed" => Kind::ApprovalExecutionFailed,
        _ if answer.status >= 400 => return with_status_detail(answer::refusal(answer), answer),
        _ => {
            let text = format!("The vault answered with status {}, which is no answer to this call.", answer.status);
            return answer::with_status(Error::new(Kind::Backend, text), answer).with_detail("error", code);
        }
    };
    let message = body.get("message").and_then(Value::as_str).filter(|message| !message.is_empty());
    Error::new(kind, message.map_or_else(|| kind.summary().to_owned(), crate::error::bounded))
}

/// Whoever waits looks at the status, whichever class the error has.
fn with_status_detail(error: Error, answer: &Answer) -> Error {
    if error.details().contains_key("status_code") { error } else { error.with_detail("status_code", answer.status) }
}

/// The members of a refusal: what stands under `detail` if that is an object, else the body's own.
fn members(answer: &Answer) -> Map<String, Value> {
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(mut body)) => match body.get_mut("detail") {
            Some(Value::Object(detail)) => std::mem::take(detail),
            _ => body,
        },
        _ => Map::new(),
    }
}
