//! The engine's client and its prepared calls, as the package's private classes.
//!
//! A method that can refuse its arguments gives a text in place of its result then: JSON of the core's error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alter_core::client::{
    CallerType, Client as CoreClient, ClientKind, ClientOptions, PreparedRequest as CorePrepared, Response, user_token_getter_failed,
};
use alter_core::error::{Error, Kind, Result as CoreResult};
use alter_sdk::TransportOptions;
use bytes::Bytes;
use napi::bindgen_prelude::{Either, Uint8Array};
use napi::{Env, Result};
use napi_derive::napi;
use serde::de::DeserializeOwned;

use crate::arguments::{self, Given, Narrowing, Options, Request, arg};
use crate::failure;
use crate::host::NodeHost;
use crate::operations::PreparedOperation;
use crate::queue::{Completion, Queue, Sink};
use crate::response;

/// What every request calls itself.
const USER_AGENT: &str = concat!("alter-sdk-node/", env!("CARGO_PKG_VERSION"));

/// What `timeout` takes, in words.
const TIMEOUT: &str = "a number of milliseconds that is not negative, or Infinity to wait without end";

/// A result, or JSON of the error that came instead.
pub type Refusable<T> = Either<T, String>;

/// The result, or JSON of the error.
pub fn refusable<T>(result: CoreResult<T>) -> Refusable<T> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(failure::text(&error)),
    }
}

/// Reads what the package's own TypeScript wrote.
///
/// # Errors
/// `AlterSDKError` if it cannot be read: a mistake in this package.
pub fn read<T: DeserializeOwned>(text: &str) -> CoreResult<T> {
    serde_json::from_str(text)
        .map_err(|cause| Error::new(Kind::AlterSdk, format!("The arguments did not reach the engine ({cause}). Please report this.")))
}

/// One client of the engine.
#[napi]
pub struct Client {
    core: CoreClient<NodeHost>,
    options: ClientOptions,
    transport: TransportOptions,
}

impl Client {
    fn build(queue: &Queue, number: u32, options: ClientOptions, transport: TransportOptions) -> CoreResult<Self> {
        let sink = Sink { inbox: queue.inbox(), client: number };
        let options = options.user_agent(USER_AGENT).log(Arc::new(sink));
        let core = CoreClient::new(options.clone(), NodeHost::new(transport.clone()))?;
        Ok(Self { core, options, transport })
    }

    fn from_options(queue: &Queue, number: u32, kind: &str, api_key: String, options: &str) -> CoreResult<Self> {
        let given: Options = read(options)?;
        let kind = if kind == "app" { ClientKind::App } else { ClientKind::Agent };
        // A refused key is a refused argument like any other in TypeScript, and thereby an `AlterSDKError` too.
        let mut options = ClientOptions::new(kind, api_key).map_err(|error| match error.code() {
            "invalid_api_key" => error.with_kind(Kind::AlterValue),
            _ => error,
        })?;
        if let Some(caller) = arg(given.caller).get("caller", "text")? {
            options = options.caller(caller)?;
        }
        if let Some(caller_type) = arg(given.caller_type).get("caller_type", "\"agent\" or \"service\"")? {
            options = options.caller_type(CallerType::parse(&caller_type)?);
        }
        options = match arg(given.base_url).get("base_url", "text")? {
            Some(url) => options.base_url(&url)?,
            None => options.base_url_from_environment()?,
        };
        let mut transport = TransportOptions::default();
        if let Some(limit) = arg(given.timeout).get("timeout", TIMEOUT)? {
            transport.timeout = limit.map(milliseconds).transpose()?;
        }
        Self::build(queue, number, options, transport)
    }
}

#[napi]
impl Client {
    /// A client of a kind (`app` or `agent`). `number` is under which JavaScript knows it; `options` is JSON of [`Options`].
    #[napi]
    pub fn open(queue: &Queue, number: u32, kind: String, api_key: String, options: String) -> Refusable<Client> {
        refusable(Self::from_options(queue, number, &kind, api_key, &options))
    }

    /// A client that acts as an agent with this client's key.
    #[napi]
    pub fn agent(&self, queue: &Queue, number: u32, agent_id: String) -> Refusable<Client> {
        let made = || {
            if self.core.is_closed() {
                return Err(Error::invalid("This client is closed. Make the agent's client before closing it."));
            }
            if self.core.is_constrained() {
                return Err(Error::invalid(
                    "This client is constrained, and the agent's client would not be. Make it of the client that this one was made from, \
                     and narrow it.",
                ));
            }
            let options = self.options.clone().impersonating(&agent_id)?;
            Self::build(queue, number, options, self.transport.clone())
        };
        refusable(made())
    }

    /// A sibling whose every request is narrowed; `narrowing` is JSON of [`Narrowing`].
    #[napi]
    pub fn with_constraints(&self, narrowing: String) -> Refusable<Client> {
        let made = || {
            let Narrowing { scopes, rule } = read(&narrowing)?;
            let rule = match rule {
                None => None,
                Some(Given::Value(rule)) => Some(Given::Value(rule.into())),
                Some(Given::Wrong(name)) => Some(Given::Wrong(name)),
            };
            let core = self.core.with_constraints(arg(scopes), arg(rule))?;
            Ok(Self { core, options: self.options.clone(), transport: self.transport.clone() })
        };
        refusable(made())
    }

    /// Every check of `request()` that needs no network. `request` is JSON of [`Request`].
    #[napi]
    pub fn prepare(&self, request: String, json: Option<String>, body: Option<Uint8Array>) -> Refusable<PreparedRequest> {
        let prepared = || {
            let request: Request = arguments_of(&request)?;
            // Copied now: the program may change its array while the call is under way.
            let raw = body.map(|bytes| Bytes::copy_from_slice(&bytes));
            let call = self.core.prepare(request.into_args(json, raw))?;
            let wants_user_token = call.wants_user_token();
            Ok(PreparedRequest { call: Mutex::new(Some(call)), wants_user_token })
        };
        refusable(prepared())
    }

    /// Every check of an operation other than `request()` that needs no network. `arguments` is JSON as `node/src/given.ts` writes it,
    /// `context` that of the trace around: JSON of pairs.
    #[napi]
    pub fn operation(&self, name: String, arguments: String, context: String) -> Refusable<PreparedOperation> {
        refusable(PreparedOperation::prepare(&self.core, &name, &arguments, &context))
    }

    /// Closes the client once its reports have been sent; gives the operation's number.
    ///
    /// # Errors
    /// As [`Queue::submit`].
    #[napi]
    pub fn close(&self, env: Env, queue: &Queue) -> Result<i64> {
        let core = self.core.clone();
        queue.submit(env, async move {
            core.close().await;
            Completion::done()
        })
    }

    /// Whether the client, or the one it was narrowed from, was closed.
    #[napi(getter)]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// The vault's address.
    #[napi(getter)]
    pub fn base_url(&self) -> String {
        self.core.base_url().to_owned()
    }

    /// Who makes the calls.
    #[napi(getter)]
    pub fn caller(&self) -> Option<String> {
        self.core.caller().map(str::to_owned)
    }

    /// The id that the vault gave this client's caller.
    #[napi(getter)]
    pub fn actor_id(&self) -> Option<String> {
        self.core.actor_id()
    }

    /// JSON text of what the vault went through for the last call.
    #[napi(getter)]
    pub fn last_retry_info(&self) -> Option<String> {
        let info = self.core.last_retry_info()?;
        Some(serde_json::to_string(&info).expect("numbers, texts and flags can always be written as JSON"))
    }

    /// Limit, remaining and the end of the window in Unix seconds.
    #[napi(getter)]
    pub fn last_rate_limit(&self) -> Option<Vec<f64>> {
        // Counters far below 2^53: the core refuses larger ones.
        self.core.last_rate_limit().map(|limit| vec![limit.limit as f64, limit.remaining as f64, limit.reset_at as f64])
    }
}

/// A call that passed every local check and waits to be sent, once.
#[napi]
pub struct PreparedRequest {
    call: Mutex<Option<CorePrepared<NodeHost>>>,
    wants_user_token: bool,
}

#[napi]
impl PreparedRequest {
    /// Whether the program's token getter should be asked.
    #[napi(getter)]
    pub fn wants_user_token(&self) -> bool {
        self.wants_user_token
    }

    /// Hands over what the getter gave, as JSON of a [`Given`] text; gives JSON of an error if that is no token.
    #[napi]
    pub fn set_user_token(&self, token: Option<String>) -> Option<String> {
        let token = token.map(Given::Value);
        let mut call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        call.as_mut()?.set_user_token(arg(token)).err().map(|error| failure::text(&error))
    }

    /// JSON of the error for a getter that threw.
    #[napi]
    pub fn user_token_failed(&self) -> String {
        failure::text(&user_token_getter_failed("threw"))
    }

    /// Sends the call and gives the operation's number.
    ///
    /// # Errors
    /// As [`Queue::submit`].
    #[napi]
    pub fn send(&self, env: Env, queue: &Queue) -> Result<i64> {
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        let call = call.ok_or_else(|| napi::Error::from_reason("This prepared call was sent already."))?;
        queue.submit(env, async move { completion(call.send().await) })
    }
}

fn arguments_of(text: &str) -> CoreResult<arguments::Request> {
    read(text)
}

fn completion(outcome: CoreResult<Response>) -> Completion {
    match outcome {
        Ok(response) => Completion { failed: false, text: response::head(&response), body: response.body.into() },
        Err(error) => Completion::failed(&error),
    }
}

/// # Errors
/// `AlterValueError` for a negative number, and for one too large to be a span of time.
fn milliseconds(value: f64) -> CoreResult<Duration> {
    Duration::try_from_secs_f64(value / 1000.0).map_err(|_| Error::wrong_type("timeout", TIMEOUT, &value.to_string()))
}
