//! Operations other than `request()`: one entry for all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alter_core::client::{Client, Operation, Outcome, PreparedOperation as CorePrepared, Step, Visit, user_token_getter_failed};
use alter_core::error::{Error, Kind, Result as CoreResult};
use napi::{Env, Result};
use napi_derive::napi;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::arguments::{Given, arg};
use crate::failure;
use crate::given;
use crate::host::NodeHost;
use crate::queue::{Completion, Queue};

/// What a part of an operation came to, as `node/src/operate.ts` reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Part {
    /// A text, or nothing.
    Text(Option<String>),
    /// A model by its name, and its fields.
    One(&'static str, Map<String, Value>),
    /// The same of a list.
    Many(&'static str, Vec<Map<String, Value>>),
    /// There is another part.
    Again(bool),
    /// There is another part, and a person has to visit an address while it runs.
    #[serde(rename_all = "camelCase")]
    Visit { url: String, open_browser: bool },
}

/// What is still to be sent of an operation.
type Rest = Mutex<Option<CorePrepared<NodeHost>>>;

/// An operation that passed every local check. It is sent part by part until it is done.
#[napi]
pub struct PreparedOperation {
    rest: Arc<Rest>,
}

impl PreparedOperation {
    /// Checks an operation's arguments.
    ///
    /// # Errors
    /// The core's.
    pub fn prepare(client: &Client<NodeHost>, name: &str, arguments: &str, context: &str) -> CoreResult<Self> {
        let operation = Operation::named(name)
            .ok_or_else(|| Error::new(Kind::AlterSdk, format!("The engine has no operation {name}. Please report this.")))?;
        let mut call = client.operation(operation, given::args(arguments)?, None)?;
        let context: Vec<(String, String)> = crate::client::read(context)?;
        call.set_surrounding_context(&context)?;
        Ok(Self { rest: Arc::new(Mutex::new(Some(call))) })
    }
}

#[napi]
impl PreparedOperation {
    /// Whether the program's token getter should be asked before the next part is sent.
    #[napi(getter)]
    pub fn wants_user_token(&self) -> bool {
        lock(&self.rest).as_ref().is_some_and(CorePrepared::wants_user_token)
    }

    /// Hands over what the getter gave; gives JSON of an error if that is no token.
    #[napi]
    pub fn set_user_token(&self, token: Option<String>) -> Option<String> {
        let token = arg(token.map(Given::Value));
        lock(&self.rest).as_mut()?.set_user_token(token).err().map(|error| failure::text(&error))
    }

    /// JSON of the error for a getter that threw.
    #[napi]
    pub fn user_token_failed(&self) -> String {
        failure::text(&user_token_getter_failed("threw"))
    }

    /// Gives the operation up, and with it the session that it waits for.
    #[napi]
    pub fn abandon(&self) {
        drop(lock(&self.rest).take());
    }

    /// Sends the next part and gives the operation's number. Its completion is JSON of a [`Part`].
    ///
    /// # Errors
    /// As [`Queue::submit`].
    #[napi]
    pub fn send(&self, env: Env, queue: &Queue) -> Result<i64> {
        let call = lock(&self.rest).take();
        let mut call = call.ok_or_else(|| napi::Error::from_reason("This prepared call was sent already."))?;
        let rest = Arc::clone(&self.rest);
        let inbox = queue.inbox();
        queue.submit_numbered(env, call.abandon(), |number| async move {
            call.on_event(move |event| inbox.tell(number, Value::Object(event.0).to_string()));
            match call.send().await {
                Ok(step) => completion(&part(step, &rest)),
                Err(error) => Completion::failed(&error),
            }
        })
    }
}

/// What a step came to; what is left of the operation goes into `rest`.
fn part(step: Step<NodeHost>, rest: &Rest) -> Part {
    match step {
        Step::Done(Outcome::Nothing) => Part::Text(None),
        Step::Done(Outcome::Text(text)) => Part::Text(text),
        Step::Done(Outcome::One(model, fields)) => Part::One(model.name, fields),
        Step::Done(Outcome::Many(model, list)) => Part::Many(model.name, list),
        Step::Again(call) => {
            *lock(rest) = Some(call);
            Part::Again(true)
        }
        Step::Visit(Visit { url, open_browser, then }) => {
            *lock(rest) = Some(then);
            Part::Visit { url, open_browser }
        }
    }
}

fn completion(part: &Part) -> Completion {
    let text = serde_json::to_string(part).expect("texts and JSON values can always be written as JSON");
    Completion { failed: false, text, body: Vec::new() }
}

/// A call that sends nothing: JSON text of the result. `arguments` is as for an operation.
///
/// # Errors
/// The core's.
pub fn local_call(name: &str, arguments: &str) -> CoreResult<String> {
    alter_core::local::run(name, given::args(arguments)?)
}

/// The identity that a signed assertion proves. `arguments` is as for an operation.
///
/// # Errors
/// The core's: an argument is refused, or the assertion is not accepted.
pub fn verify_assertion(arguments: &str) -> CoreResult<Value> {
    let identity = alter_sdk::engine::verify_assertion(given::args(arguments)?, OffsetDateTime::now_utc())?;
    Ok(Value::Object(identity))
}

/// Locks data that is whole between any two statements, so a panic elsewhere does not spoil it.
fn lock(rest: &Rest) -> MutexGuard<'_, Option<CorePrepared<NodeHost>>> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}
