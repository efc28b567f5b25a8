//! `await_approval`: waiting for people to decide about a call, and for what comes of it.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Map, Value};

use super::approvals::{self, LONGEST_HOLD, take_approval};
use super::arguments::take_seconds;
use super::outcome::Outcome;
use super::plan::Plan;
use super::{Surroundings, arguments};
use crate::client::Client;
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Host, Level};

/// A wait for an approval.
pub(super) struct ApprovalWait {
    approval_id: String,
    timeout: Duration,
    interval: Duration,
}

/// `await_approval`. A timeout of zero or less asks nothing.
pub(super) fn wait<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let timeout = take_seconds(args, "timeout", Given::Whole(300))?;
    let interval = take_seconds(args, "poll_interval", Given::Number(2.0))?;
    if interval <= 0.0 {
        return Err(Error::invalid("poll_interval must be a positive number."));
    }
    let approval_id = take_approval(args)?;
    Ok(Plan::AwaitApproval(ApprovalWait { approval_id, timeout: arguments::duration(timeout), interval: arguments::duration(interval) }))
}

/// What the last question has shown.
enum Last {
    /// That nothing is decided, or nothing was asked.
    Undecided,
    /// That the vault cannot answer now.
    Unwell(String),
}

impl<H: Host> Client<H> {
    /// Asks until it is decided and done, or the time is over.
    pub(super) async fn await_approval(&self, wait: ApprovalWait, surroundings: &Surroundings) -> Result<Outcome> {
        let deadline = self.shared.host.uptime() + wait.timeout;
        let mut last = Last::Undecided;
        while let Some(left) = self.left(deadline) {
            last = match self.ask_for_approval(&wait, left, surroundings).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => Last::Undecided,
                Err(error) if may_pass(&error) => {
                    self.log(Level::Warning, format!("An approval could not be asked about and will be again: {}", error.message()));
                    Last::Unwell(error.message().to_owned())
                }
                Err(error) => return Err(error),
            };
            let left = self.left(deadline).unwrap_or_default();
            self.shared.host.sleep(wait.interval.min(left)).await;
        }
        Err(timed_out(&wait, &last))
    }

    /// One question, and the one after it if the call was made. `None` if it has to be asked again.
    async fn ask_for_approval(&self, wait: &ApprovalWait, left: Duration, surroundings: &Surroundings) -> Result<Option<Outcome>> {
        let question = approvals::ask(&wait.approval_id, left.as_secs().min(LONGEST_HOLD));
        let Some(answer) = self.within(left, self.once(question, surroundings)).await else { return Ok(None) };
        let Outcome::One(_, status) = answer? else { return Ok(None) };
        match status.get("status").and_then(Value::as_str).unwrap_or_default() {
            "denied" => Err(ended(wait, Kind::ApprovalDenied, &status, &["decision_reason"])),
            "expired" => Err(ended(wait, Kind::ApprovalExpired, &status, &[])),
            "failed" => Err(ended(wait, Kind::ApprovalExecutionFailed, &status, &["execution_error", "decision_reason"])),
            "executed" if status.get("has_result") == Some(&Value::Bool(true)) => {
                self.once(approvals::ask_for_result(&wait.approval_id), surroundings).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What the future gives, unless the time is over before.
    async fn within<T>(&self, left: Duration, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut end) = (pin!(work), pin!(self.shared.host.sleep(left)));
        std::future::poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => end.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}

/// Whether asking again can help: the vault was not reached, or something before it cannot reach it.
fn may_pass(error: &Error) -> bool {
    let status = || error.details().get("status_code").and_then(Value::as_u64);
    error.kind().is(Kind::Network) || error.kind().is(Kind::Backend) && matches!(status(), Some(502..=504))
}

/// The error of a call that did not run. The words are the first of the fields that has any.
fn ended(wait: &ApprovalWait, kind: Kind, status: &Map<String, Value>, words: &[&str]) -> Error {
    let told = words.iter().find_map(|name| status.get(*name).and_then(Value::as_str).filter(|text| !text.is_empty()));
    about(wait, Error::new(kind, told.map_or_else(|| kind.summary().to_owned(), crate::error::bounded)))
}

fn timed_out(wait: &ApprovalWait, last: &Last) -> Error {
    let why = match last {
        Last::Undecided => "nobody has decided yet, or the call has not been made yet".to_owned(),
        Last::Unwell(why) => format!("the vault could not be asked at last: {why}"),
    };
    let text = format!("The wait for the approval has ended: {why}. The approval itself may still be open; wait again with its id.");
    about(wait, Error::new(Kind::ApprovalTimeout, text))
}

fn about(wait: &ApprovalWait, error: Error) -> Error {
    error.with_detail("approval_id", wait.approval_id.as_str()).with_attribute("approval_id", wait.approval_id.as_str())
}
