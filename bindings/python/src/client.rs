//! The engine's client and its prepared calls, as Python's private classes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alter_core::client::{
    Arg, CallerType, Client as CoreClient, ClientKind, ClientOptions, PreparedRequest as CorePrepared, RequestArgs, Response, RuleArgs,
    user_token_getter_failed,
};
use alter_core::error::{Error, Kind, Result as CoreResult};
use alter_core::secret::Secret;
use alter_core::token::RetryInfo;
use alter_sdk::TransportOptions;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::bridge::blocking;
use crate::bridge::operation::Operation;
use crate::bridge::queue::{Completion, Queue};
use crate::bridge::runtime;
use crate::host::{self, PythonHost};
use crate::operations::PreparedOperation;
use crate::outbox::{Outbox, Sink};
use crate::response::RawResponse;
use crate::{arguments, errors};

/// What every request calls itself.
const USER_AGENT: &str = concat!("alter-sdk-python/", env!("CARGO_PKG_VERSION"));

/// What a client was made of; an agent's client is made of the same.
struct Recipe {
    api_key: Secret,
    timeout: Option<Duration>,
    base_url: String,
}

/// One client of the engine.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct Client {
    core: CoreClient<PythonHost>,
    recipe: Arc<Recipe>,
    outbox: Arc<Outbox>,
    /// Of the process that made the client.
    generation: u64,
}

/// Makes exceptions of the core's errors.
pub fn raise(py: Python<'_>) -> impl Fn(Error) -> PyErr {
    move |error| errors::exception(py, &error)
}

/// JSON text of what the vault said about retries.
pub fn retry_info_json(info: &RetryInfo) -> String {
    serde_json::to_string(info).expect("numbers, texts and flags can always be written as JSON")
}

impl Client {
    fn build(options: ClientOptions, recipe: Arc<Recipe>, number: u64) -> CoreResult<Self> {
        let outbox = Outbox::new(number);
        let options = options.user_agent(USER_AGENT).log(Arc::new(Sink(Arc::clone(&outbox))));
        let transport = TransportOptions { timeout: recipe.timeout, ..TransportOptions::default() };
        let core = CoreClient::new(options, PythonHost::new(transport))?;
        Ok(Self { core, recipe, outbox, generation: runtime::generation() })
    }
}

#[pymethods]
impl Client {
    #[new]
    fn new(
        py: Python<'_>,
        kind: &str,
        api_key: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
        caller: &Bound<'_, PyAny>,
        caller_type: &Bound<'_, PyAny>,
        number: u64,
    ) -> PyResult<Self> {
        let made = || -> CoreResult<Self> {
            let kind = if kind == "app" { ClientKind::App } else { ClientKind::Agent };
            let api_key = key(arguments::text(api_key))?;
            let mut options = ClientOptions::new(kind, api_key.expose())?;
            if let Some(caller) = arguments::text(caller).get("caller", "text")? {
                options = options.caller(caller)?;
            }
            let caller_type = arguments::text(caller_type).get("caller_type", "\"agent\" or \"service\"")?;
            options = options.caller_type(CallerType::parse(caller_type.as_deref().unwrap_or_default())?);
            options = options.base_url_from_environment()?;
            let recipe = Recipe { api_key, timeout: seconds(timeout)?, base_url: String::new() };
            Self::build(options, Arc::new(recipe), number)
        };
        let mut client = made().map_err(raise(py))?;
        let base_url = client.core.base_url().to_owned();
        if let Some(recipe) = Arc::get_mut(&mut client.recipe) {
            recipe.base_url = base_url;
        }
        Ok(client)
    }

    /// A client that acts as an agent with this client's key.
    fn agent(&self, py: Python<'_>, agent_id: String, number: u64) -> PyResult<Self> {
        let made = || -> CoreResult<Self> {
            if self.core.is_closed() {
                return Err(Error::invalid("This client is closed. Make the agent's client before closing it."));
            }
            if self.core.is_constrained() {
                return Err(Error::invalid(
                    "This client is constrained, and the agent's client would not be. Make it of the client that this one was made from, \
                     and narrow it.",
                ));
            }
            let options = ClientOptions::new(ClientKind::Impersonation, self.recipe.api_key.expose())?;
            let options = options.caller(agent_id)?.base_url(&self.recipe.base_url)?;
            Self::build(options, Arc::clone(&self.recipe), number)
        };
        made().map_err(raise(py))
    }

    /// A sibling whose every request is narrowed.
    fn with_constraints(&self, py: Python<'_>, scopes: &Bound<'_, PyAny>, rule: &Bound<'_, PyAny>) -> PyResult<Self> {
        let core = self.core.with_constraints(scope_list(scopes), rule_args(rule)?).map_err(raise(py))?;
        Ok(Self { core, recipe: Arc::clone(&self.recipe), outbox: Arc::clone(&self.outbox), generation: self.generation })
    }

    /// Every check of `request()` that needs no network.
    #[allow(clippy::too_many_arguments, reason = "the arguments of the public request(), passed on by position")]
    fn prepare(
        &self,
        py: Python<'_>,
        method: &Bound<'_, PyAny>,
        url: &Bound<'_, PyAny>,
        grant_id: &Bound<'_, PyAny>,
        provider: &Bound<'_, PyAny>,
        account: &Bound<'_, PyAny>,
        label: &Bound<'_, PyAny>,
        json: &Bound<'_, PyAny>,
        extra_headers: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        query_params: &Bound<'_, PyAny>,
        path_params: &Bound<'_, PyAny>,
        reason: &Bound<'_, PyAny>,
        context: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
        caller: &Bound<'_, PyAny>,
        user_token: &Bound<'_, PyAny>,
        app_user_id: &Bound<'_, PyAny>,
        traceparent: Option<String>,
        ambient_context: Vec<(String, String)>,
    ) -> PyResult<PreparedRequest> {
        let args = RequestArgs {
            method: arguments::text(method),
            url: arguments::text(url),
            grant_id: arguments::json(&arguments::id(grant_id)?)?,
            provider: arguments::json(provider)?,
            account: arguments::json(account)?,
            label: arguments::text(label),
            json: arguments::json(json)?,
            body: arguments::body(body)?,
            extra_headers: arguments::texts(extra_headers)?,
            headers: arguments::texts(headers)?,
            query_params: arguments::query(query_params)?,
            path_params: arguments::texts(path_params)?,
            reason: arguments::json(reason)?,
            context: arguments::texts(context)?,
            ambient_context,
            caller: arguments::text(caller),
            user_token: arguments::text(user_token),
            app_user_id: arguments::text(app_user_id),
            traceparent,
        };
        let prepared = self.core.prepare(args).map_err(raise(py))?;
        let wants_user_token = prepared.wants_user_token();
        Ok(PreparedRequest { call: Mutex::new(Some(prepared)), wants_user_token, outbox: Arc::clone(&self.outbox) })
    }

    /// Every check of an operation that needs no network. Events go to Python's listener of that number.
    fn operation(
        &self,
        py: Python<'_>,
        name: &str,
        arguments: &Bound<'_, PyDict>,
        traceparent: Option<String>,
        context: Vec<(String, String)>,
        listener: Option<u64>,
    ) -> PyResult<PreparedOperation> {
        PreparedOperation::prepare(py, &self.core, &self.outbox, name, arguments, (traceparent, context), listener)
    }

    /// Closes the client once its reports have been sent.
    fn close(&self, queue: &Bound<'_, Queue>, future: Py<PyAny>) -> PyResult<Operation> {
        self.outbox.attend(&queue.get().inbox());
        let core = self.core.clone();
        let inherited = self.generation != runtime::generation();
        Queue::submit(queue, future, async move {
            if inherited {
                // Reports that were under way at the fork end in the parent; here only this process's own are waited for.
                tokio::select! {
                    () = core.close() => {}
                    () = host::reports_sent() => {}
                }
            } else {
                core.close().await;
            }
            Box::new(|py: Python<'_>| Ok(py.None())) as Completion
        })
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    #[getter]
    fn base_url(&self) -> &str {
        self.core.base_url()
    }

    /// Who makes the calls, or `None`.
    #[getter]
    fn caller(&self) -> Option<&str> {
        self.core.caller()
    }

    /// Seconds, or `None`.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.recipe.timeout.map(|timeout| timeout.as_secs_f64())
    }

    #[getter]
    fn actor_id(&self) -> Option<String> {
        self.core.actor_id()
    }

    /// JSON text, or `None`.
    #[getter]
    fn last_retry_info(&self) -> Option<String> {
        self.core.last_retry_info().as_ref().map(retry_info_json)
    }

    /// Limit, remaining and the end of the window in Unix seconds, or `None`.
    #[getter]
    fn last_rate_limit(&self) -> Option<(u64, u64, u64)> {
        self.core.last_rate_limit().map(|limit| (limit.limit, limit.remaining, limit.reset_at))
    }

    /// Takes the log lines that no event loop has written yet.
    fn take_lines(&self) -> Vec<(&'static str, String)> {
        self.outbox.take_lines()
    }

    /// Whether `take_notices` would give anything.
    #[getter]
    fn has_notices(&self) -> bool {
        self.outbox.has_notices()
    }

    /// Takes what the program's author should be warned of, and whether each is about something that will go.
    fn take_notices(&self) -> Vec<(bool, String)> {
        self.outbox.take_notices()
    }
}

/// A call that passed every local check and waits to be sent, once.
#[pyclass(frozen, module = "alter_sdk._engine")]
pub struct PreparedRequest {
    call: Mutex<Option<CorePrepared<PythonHost>>>,
    wants_user_token: bool,
    outbox: Arc<Outbox>,
}

impl PreparedRequest {
    fn take(&self, py: Python<'_>) -> PyResult<CorePrepared<PythonHost>> {
        let taken = self.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| errors::exception(py, &Error::new(Kind::AlterSdk, "This prepared call was sent already.")))
    }
}

#[pymethods]
impl PreparedRequest {
    /// Whether the program's token getter should be asked.
    #[getter]
    fn wants_user_token(&self) -> bool {
        self.wants_user_token
    }

    /// Hands over what the getter gave.
    fn set_user_token(&self, py: Python<'_>, token: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.call.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(call) => call.set_user_token(arguments::text(token)).map_err(raise(py)),
            None => Ok(()),
        }
    }

    /// The exception for a getter that raised.
    fn user_token_failed(&self, py: Python<'_>) -> PyErr {
        errors::exception(py, &user_token_getter_failed("raised an exception"))
    }

    /// Sends the call; the response or exception resolves `future`.
    fn send(&self, py: Python<'_>, queue: &Bound<'_, Queue>, future: Py<PyAny>) -> PyResult<Operation> {
        self.outbox.attend(&queue.get().inbox());
        let call = self.take(py)?;
        Queue::submit(queue, future, async move { completion(call.send().await) })
    }

    /// Sends the call and blocks this thread until its answer is there, whatever its status. The interpreter's lock is free
    /// meanwhile, and no event loop is needed. After `seconds` the call is given up.
    fn send_blocking(&self, py: Python<'_>, seconds: f64) -> PyResult<RawResponse> {
        let call = self.take(py)?;
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let outcome = blocking::wait(py, limit, call.send_unjudged())?;
        let answer = outcome.unwrap_or_else(|| {
            let text = format!("The call did not end within {seconds} seconds and was given up.");
            Err(Error::new(Kind::AlterSdk, text).with_code("deadline_exceeded"))
        });
        answer.map(RawResponse::new).map_err(raise(py))
    }
}

fn completion(outcome: CoreResult<Response>) -> Completion {
    match outcome {
        Ok(response) => Box::new(|py| Ok(Bound::new(py, RawResponse::new(response))?.into_any().unbind())),
        Err(error) => Box::new(move |py| Err(errors::exception(py, &error))),
    }
}

fn key(arg: Arg<String>) -> CoreResult<Secret> {
    match arg {
        Arg::Value(key) => Ok(Secret::new(key)),
        Arg::Absent => Ok(Secret::new("")),
        Arg::Wrong(got) => Err(Error::wrong_type("api_key", "text", &got).with_kind(Kind::AlterSdk).with_code("invalid_api_key")),
    }
}

/// Seconds as a duration. `None` waits without end.
fn seconds(value: &Bound<'_, PyAny>) -> CoreResult<Option<Duration>> {
    if value.is_none() {
        return Ok(None);
    }
    let refused = || Error::invalid("timeout must be a number of seconds that is not negative, or None to wait without end.");
    let seconds: f64 = value.extract().map_err(|_| refused())?;
    Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| refused())
}

/// `scopes`: a list of texts and nothing like it, since a text would be read as a list of letters.
fn scope_list(value: &Bound<'_, PyAny>) -> Arg<Vec<String>> {
    if value.is_none() {
        return Arg::Absent;
    }
    let Ok(list) = value.cast_exact::<PyList>() else { return Arg::Wrong(arguments::type_name(value)) };
    let mut scopes = Vec::with_capacity(list.len());
    for entry in list {
        match arguments::text(&entry) {
            Arg::Value(scope) => scopes.push(scope),
            _ => return Arg::Wrong(format!("a list with a value of type {}", arguments::type_name(&entry))),
        }
    }
    Arg::Value(scopes)
}

/// `rule`: a plain map; what goes to the vault must be what stands in it.
fn rule_args(value: &Bound<'_, PyAny>) -> PyResult<Arg<RuleArgs>> {
    if value.is_none() {
        return Ok(Arg::Absent);
    }
    let Ok(rule) = value.cast_exact::<PyDict>() else { return Ok(Arg::Wrong(arguments::type_name(value))) };
    let rule_type = match rule.get_item("rule_type")? {
        Some(value) => arguments::text(&value),
        None => Arg::Absent,
    };
    let rule_body = match rule.get_item("rule_body")? {
        Some(body) if body.is_none() || body.is_exact_instance_of::<PyDict>() => arguments::json(&body)?,
        Some(body) => Arg::Wrong(arguments::type_name(&body)),
        None => Arg::Absent,
    };
    Ok(Arg::Value(RuleArgs { rule_type, rule_body }))
}
