//! Waiting for what comes of a Connect session.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use super::abandon::SessionGuard;
use super::answer::{self, Details};
use super::arguments::{self, Span};
use super::connect_result;
use super::connect_session::take_timing;
use super::outcome::Outcome;
use super::plan::{Body, Plan};
use super::{Events, PollEvent};
use crate::client::Client;
use crate::client::exchange::Exchange;
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host};

const PATH: &str = "/sdk/oauth/connect/session/poll";

/// A wait for a Connect session.
pub(super) struct ConnectPoll {
    pub(super) session_token: String,
    timeout: Span,
    interval: Duration,
    /// Tells the vault when the wait is given up; only of a session that this very call made.
    pub(super) guard: Option<Box<dyn SessionGuard>>,
}

impl ConnectPoll {
    /// A wait for a session that is made later.
    pub(super) fn timed((timeout, interval): (Span, Span)) -> Self {
        Self { session_token: String::new(), timeout, interval: interval.duration, guard: None }
    }
}

/// `poll_connect_session`.
pub(super) fn poll<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let session_token = arguments::not_blank("session_token", args.take_or_null("session_token"))?;
    let mut poll = ConnectPoll::timed(take_timing(args)?);
    check_listener(&args.take_or_null("on_event"))?;
    poll.session_token = session_token;
    Ok(Plan::PollConnect(poll))
}

fn check_listener(value: &Given) -> Result<()> {
    match value {
        Given::Null | Given::Function { awaited: false } => Ok(()),
        Given::Function { awaited: true } => {
            Err(Error::invalid("on_event must be a plain function; one that has to be awaited never runs."))
        }
        other => Err(Error::wrong_type("on_event", "a function", other.type_name())),
    }
}

/// What a wait has seen so far.
#[derive(Default)]
struct Seen {
    pending: bool,
    /// Providers that the person refused.
    declined: BTreeMap<String, ()>,
}

/// What one answer means for the wait.
enum Verdict {
    /// It goes on.
    Pending,
    /// It is over.
    Over(Result<Outcome>),
}

impl<H: Host> Client<H> {
    /// Asks until the session has ended, or the time is over.
    pub(super) async fn poll_connect_session(&self, poll: ConnectPoll, traceparent: Option<&str>, events: &Events) -> Result<Outcome> {
        let deadline = self.shared.host.uptime() + poll.timeout.duration;
        let mut seen = Seen::default();
        loop {
            self.check_open()?;
            // The last question is one that is asked when the time is over, however long the one before it took.
            let in_time = self.left(deadline).is_some();
            let answer = self.ask(&poll, traceparent).await?;
            let pause = match self.limited(&answer) {
                Some(error) => {
                    let asked = error.attribute("retry_after").unwrap_or_default();
                    if !in_time {
                        return Err(timed_out(&poll, &seen, "rate_limited").with_detail("retry_after", asked));
                    }
                    poll.interval.max(Duration::from_secs(asked.as_u64().unwrap_or_default()))
                }
                None => match self.judge_poll(&answer, &mut seen, events)? {
                    Verdict::Pending if in_time => poll.interval,
                    Verdict::Pending => return Err(timed_out(&poll, &seen, "poll_deadline_elapsed")),
                    Verdict::Over(outcome) => {
                        poll.settle();
                        return outcome.map_err(|error| error_after(error, &poll, &seen));
                    }
                },
            };
            self.shared.host.sleep(pause.min(self.left(deadline).unwrap_or_default())).await;
        }
    }

    async fn ask(&self, poll: &ConnectPoll, traceparent: Option<&str>) -> Result<Answer> {
        self.exchange(Exchange {
            method: Method::POST,
            path: PATH,
            body: Body::default().text("session_token", &poll.session_token).bytes(),
            caller: None,
            context: None,
            actor_id: true,
            idempotency_key: None,
            traceparent,
            patience: None,
        })
        .await
    }

    /// The error of an answer that asks to come back later; such an answer ends nothing.
    fn limited(&self, answer: &Answer) -> Option<Error> {
        let error = (answer.status == 429).then(|| answer::refusal(answer))?;
        (error.kind() == Kind::RateLimit).then_some(error)
    }

    fn judge_poll(&self, answer: &Answer, seen: &mut Seen, events: &Events) -> Result<Verdict> {
        answer::check_status(answer)?;
        let body = answer::parse(answer, Details::Status)?;
        let Value::Object(body) = body else {
            return Err(answer::with_status(answer::unreadable("is not an object"), answer));
        };
        let Some(status) = body.get("status").and_then(Value::as_str).filter(|status| !status.is_empty()) else {
            return Err(answer::with_status(answer::unreadable("has no status"), answer).with_detail("field", "status"));
        };
        Ok(match status {
            "pending" => {
                seen.pending = true;
                report_declined(&body, seen, events);
                Verdict::Pending
            }
            "completed" => Verdict::Over(connect_result::completed(&body)),
            "error" => Verdict::Over(Err(connect_result::failed(&body))),
            "expired" if seen.pending => Verdict::Over(Err(expired())),
            "expired" => {
                Verdict::Over(Err(Error::new(Kind::ConnectFlow, "The Connect session has expired, or never existed. Make a new one.")))
            }
            unknown => {
                let text = "The vault told a state of the Connect session that this version does not know, so the wait is over.";
                Verdict::Over(Err(Error::new(Kind::ConnectFlow, text).with_detail("status", unknown)))
            }
        })
    }

    /// The time until the deadline; `None` once it has passed.
    pub(super) fn left(&self, deadline: Duration) -> Option<Duration> {
        deadline.checked_sub(self.shared.host.uptime()).filter(|left| !left.is_zero())
    }
}

impl ConnectPoll {
    /// The session has ended on the vault, so there is nothing to give up.
    fn settle(&self) {
        if let Some(guard) = &self.guard {
            guard.disarm();
        }
    }
}

/// Tells each provider's first denial.
fn report_declined(body: &Map<String, Value>, seen: &mut Seen, events: &Events) {
    let declined = body.get("declined_providers").and_then(Value::as_array);
    for entry in declined.into_iter().flatten() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(provider), Some(code)) = (text("provider_id"), text("error_code")) else { continue };
        if seen.declined.insert(provider.to_owned(), ()).is_none() {
            events.tell(PollEvent(Map::from_iter([
                ("type".to_owned(), json!("provider_declined")),
                ("provider_id".to_owned(), json!(provider)),
                ("error_code".to_owned(), json!(code)),
                ("declined_at".to_owned(), entry.get("declined_at").filter(|at| at.is_string()).cloned().unwrap_or_default()),
            ])));
        }
    }
}

/// A time-out whose details [`error_after`] completes.
fn expired() -> Error {
    Error::new(Kind::ConnectTimeout, "The person did not finish before the Connect session expired. Make a new one.")
        .with_detail("reason", "session_expired")
}

fn timed_out(poll: &ConnectPoll, seen: &Seen, reason: &str) -> Error {
    let error = Error::new(Kind::ConnectTimeout, "The person did not finish in time. Try again, with a longer timeout if need be.");
    error_after(error.with_detail("reason", reason), poll, seen)
}

/// Adds to a time-out how long was waited, and who was refused meanwhile.
fn error_after(error: Error, poll: &ConnectPoll, seen: &Seen) -> Error {
    if error.kind() != Kind::ConnectTimeout {
        return error;
    }
    let error = error.with_detail("timeout", poll.timeout.given.clone());
    match seen.declined.is_empty() {
        true => error,
        false => error.with_detail("declined_providers", seen.declined.keys().cloned().collect::<Vec<_>>()),
    }
}
