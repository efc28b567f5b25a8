//! Signing a person in, and verifying what a person's token says.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value};

use super::answer::{self, Details};
use super::arguments::{self, Span};
use super::connect_result::{identity_status, whole};
use super::connect_session::take_timing;
use super::outcome::Outcome;
use super::plan::{Body, Once, Plan};
use crate::client::Client;
use crate::client::exchange::Exchange;
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host, Level};
use crate::model::{AuthResult, AuthSession};

/// The longest that the vault is asked to hold one poll.
const LONGEST_HOLD: Duration = Duration::from_secs(25);
/// What is added to the hold before a poll counts as lost.
const GRACE: Duration = Duration::from_secs(15);

/// `create_auth_session`.
pub(super) fn create<H: Host>(client: &Client<H>, _args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    Ok(Plan::Once(session()))
}

fn session() -> Once {
    Once::post("/sdk/auth/session", Body::default(), |answer| {
        answer::check_status(answer)?;
        if answer.status != 201 {
            let text = format!("The vault answered a sign-in session with status {} in place of 201.", answer.status);
            return Err(Error::new(Kind::AlterSdk, text).with_code("unexpected_status"));
        }
        answer::model(answer, AuthSession::MODEL, Details::None)
    })
}

/// A wait for a sign-in.
pub(super) struct SignInPoll {
    pub(super) session_token: String,
    timeout: Span,
    interval: Duration,
}

/// `poll_auth_session`.
pub(super) fn poll<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let session_token = arguments::not_blank("session_token", args.take_or_null("session_token"))?;
    Ok(Plan::PollSignIn(SignInPoll { session_token, ..timed(args)? }))
}

fn timed(args: &mut Args) -> Result<SignInPoll> {
    let (timeout, interval) = take_timing(args)?;
    Ok(SignInPoll { session_token: String::new(), timeout, interval: interval.duration })
}

/// `authenticate`: a session, a visit to it, and the wait.
pub(super) fn authenticate<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    Ok(Plan::SignIn { session: session(), poll: timed(args)? })
}

/// `verify_user_token`.
pub(super) fn verify<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let nothing = Ok(Plan::Decided(Outcome::Text(None)));
    let token = match args.take_or_null("token") {
        empty if empty.is_falsy() => return nothing,
        Given::Text(token) if token.trim().is_empty() => return nothing,
        Given::Text(token) => token,
        other => return Err(Error::wrong_type("token", "text", other.type_name())),
    };
    if client.is_closed() {
        client.log(Level::Warning, "verify_user_token() was called on a closed client, so the token counts as refused.");
        return nothing;
    }
    Ok(Plan::VerifyToken(token))
}

impl<H: Host> Client<H> {
    /// Asks until the person has signed in, or the time is over.
    pub(super) async fn poll_sign_in(&self, poll: SignInPoll, traceparent: Option<&str>) -> Result<Outcome> {
        let deadline = self.shared.host.uptime() + poll.timeout.duration;
        loop {
            self.check_open()?;
            // The last question is one that is asked when the time is over, however long the one before it took.
            let left = self.left(deadline);
            if let Some(outcome) = self.ask_sign_in(&poll, left.unwrap_or_default().min(LONGEST_HOLD), traceparent).await? {
                return Ok(outcome);
            }
            if left.is_none() {
                let text = "The person did not sign in in time. Try again, with a longer timeout if need be.";
                return Err(Error::new(Kind::ConnectTimeout, text)
                    .with_detail("timeout", poll.timeout.given.clone())
                    .with_detail("reason", "poll_deadline_elapsed"));
            }
            let left = self.left(deadline).unwrap_or_default();
            self.shared.host.sleep(left.min(poll.interval)).await;
        }
    }

    /// One poll; `None` if there is nothing yet, or the vault could not be asked.
    async fn ask_sign_in(&self, poll: &SignInPoll, hold: Duration, traceparent: Option<&str>) -> Result<Option<Outcome>> {
        let milliseconds = hold.as_millis();
        let body = Body::default().text("session_token", &poll.session_token);
        let body = body.json_if("wait_ms", (milliseconds > 0).then(|| milliseconds.to_string()));
        let asked = self
            .exchange(Exchange {
                method: Method::POST,
                path: "/sdk/auth/poll",
                body: body.bytes(),
                caller: None,
                context: None,
                actor_id: true,
                idempotency_key: None,
                traceparent,
                patience: (milliseconds > 0).then(|| hold + GRACE),
            })
            .await;
        match asked {
            Err(error) if error.kind().is(Kind::Network) => Ok(None),
            Err(error) => Err(error),
            Ok(answer) => match answer.status {
                200 => signed_in(&answer),
                400 | 401 | 403 | 404 | 422 => Err(answer::refusal(&answer)),
                _ => Ok(None),
            },
        }
    }

    /// Asks the vault whose token it is. Whatever goes wrong, the token does not count.
    pub(super) async fn ask_whose_token(&self, token: &str, traceparent: Option<&str>) -> Outcome {
        let asked = self
            .exchange(Exchange {
                method: Method::POST,
                path: "/sdk/auth/verify-token",
                body: Body::default().text("token", token).bytes(),
                caller: None,
                context: None,
                actor_id: true,
                idempotency_key: None,
                traceparent,
                patience: None,
            })
            .await;
        let refused = |why: &str| {
            self.log(Level::Warning, format!("A user's token could not be verified, so it counts as refused: {why}."));
            Outcome::Text(None)
        };
        match asked {
            Err(error) => refused(error.kind().name()),
            Ok(answer) => match answer.status {
                200 => match serde_json::from_slice::<Value>(&answer.body) {
                    Ok(body) => {
                        Outcome::Text(body.get("sub").and_then(Value::as_str).filter(|sub| !sub.trim().is_empty()).map(str::to_owned))
                    }
                    Err(_) => refused("the answer is not JSON"),
                },
                401 => Outcome::Text(None),
                status => refused(&format!("status {status}")),
            },
        }
    }
}

fn signed_in(answer: &Answer) -> Result<Option<Outcome>> {
    let body = answer::parse(answer, Details::None)?;
    let body = body.as_object().ok_or_else(|| answer::unreadable("is not an object"))?;
    match body.get("status").and_then(Value::as_str).filter(|status| !status.is_empty()) {
        None => Err(answer::unreadable("has no status")),
        Some("pending") => Ok(None),
        Some("completed") => completed(body).map(Some),
        Some("error") => Err(failed(body)),
        Some("expired") => Err(Error::new(Kind::AlterSdk, "The sign-in session has expired, or never existed. Make a new one.")),
        Some(_) => Err(Error::new(Kind::AlterSdk, "The vault told a state of the sign-in that this version does not know.")),
    }
}

fn completed(body: &Map<String, Value>) -> Result<Outcome> {
    if body.get("user_token").is_none_or(|token| Given::from(token.clone()).is_falsy()) {
        return Err(Error::new(Kind::AlterSdk, "The sign-in was completed, but the vault gave no token for the person."));
    }
    let fields =
        AuthResult::MODEL.read(&Value::Object(body.clone())).map_err(|fault| answer::unreadable(&format!("is malformed: {fault}")))?;
    Ok(Outcome::One(AuthResult::MODEL, fields))
}

fn failed(body: &Map<String, Value>) -> Error {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let why = text("error_message").map_or_else(|| "the vault gave no reason".to_owned(), crate::error::bounded);
    let message = format!("The sign-in failed: {why}");
    let Some((code, status)) = text("error_code").and_then(|code| Some((code, identity_status(code)?))) else {
        return Error::new(Kind::AlterSdk, message).with_code("sign_in_failed");
    };
    let error =
        Error::new(Kind::Backend, message).with_code(code.to_owned()).with_detail("error_code", code).with_attribute("status_code", status);
    match body.get("retry_after_seconds").and_then(whole) {
        Some(seconds) => error.with_detail("retry_after_seconds", seconds),
        None => error,
    }
}
