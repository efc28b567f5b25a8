//! The client: what one application or agent holds, and the operations it offers.
//!
//! `request()` runs in two steps, because between them some languages must ask the program for the end user's token on their own thread:
//! [`Client::prepare`] makes every check that needs no network, [`PreparedRequest::send`] does the rest.

mod args;
mod background;
mod constraints;
mod exchange;
mod operations;
mod options;
mod prepare;
mod provider;
mod report;
mod response;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use args::{Arg, Body, JsonText, RequestArgs};
pub use background::MOST_PENDING;
pub use constraints::{Constraints, LONGEST_RULE, RuleArgs};
pub use operations::{Abandon, CANCEL_MARKER, Operation, Outcome, PollEvent, PreparedOperation, Step, Visit};
pub use options::{CallerType, ClientKind, ClientOptions, LONGEST_CALLER};
pub use prepare::{PreparedRequest, user_token_getter_failed};
pub use report::{LARGEST_RECORDED_BODY, LARGEST_RECORDED_JSON, is_sensitive_header};
pub use response::{Response, SentRequest};

use crate::error::{Error, Result};
use crate::host::{Event, Host, Level};
use crate::rate_limit::RateLimit;
use crate::signing::SigningKey;
use crate::token::RetryInfo;
use background::Background;
use exchange::BaseUrl;
use operations::KnownProviders;

/// A client of one vault with one API key. Cloning is cheap and gives the same client; all methods may be called from many threads.
pub struct Client<H: Host> {
    shared: Arc<Shared<H>>,
    view: Arc<View>,
}

/// What a client and its constrained siblings have in common.
struct Shared<H> {
    host: H,
    options: ClientOptions,
    base_url: BaseUrl,
    signing_key: SigningKey,
    background: Arc<Background>,
    rate_limit: Mutex<Option<RateLimit>>,
    closed: AtomicBool,
    warned_deprecated_key: AtomicBool,
    warned_impersonation: AtomicBool,
}

/// What each sibling has of its own.
struct View {
    constraints: Option<Constraints>,
    retry_info: Mutex<Option<RetryInfo>>,
    actor_id: Mutex<Option<String>>,
    providers: Mutex<Option<KnownProviders>>,
    closed: AtomicBool,
}

impl View {
    fn new(constraints: Option<Constraints>, actor_id: Option<String>) -> Arc<Self> {
        Arc::new(Self {
            constraints,
            retry_info: Mutex::default(),
            actor_id: Mutex::new(actor_id),
            providers: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }
}

impl<H: Host> Client<H> {
    /// Makes a client. Nothing is sent before the first call.
    ///
    /// # Errors
    /// `AlterSDKError` if the options have no base URL and `ALTER_BASE_URL` is malformed.
    pub fn new(options: ClientOptions, host: H) -> Result<Self> {
        let options = if options.base_url.is_empty() { options.base_url_from_environment()? } else { options };
        let base_url = BaseUrl::new(&options.base_url)?;
        if crate::url::base::is_cleartext(&options.base_url) {
            // No warning: the address of any other machine was refused, so everybody who tries a local vault would get one for nothing.
            options.log.log(Event {
                level: Level::Debug,
                message: "The vault is addressed by http, without TLS. Fine on this machine only.".into(),
            });
        }
        let signing_key = SigningKey::derive(options.api_key.expose());
        let shared = Shared {
            host,
            options,
            base_url,
            signing_key,
            background: Arc::default(),
            rate_limit: Mutex::default(),
            closed: AtomicBool::new(false),
            warned_deprecated_key: AtomicBool::new(false),
            warned_impersonation: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared), view: View::new(None, None) })
    }

    /// A sibling whose every request is narrowed. It shares connections, limits and background work with this client and is closed with
    /// it; closing the sibling closes nothing else.
    ///
    /// # Errors
    /// `AlterSDKError` if this client is closed; `AlterValueError` if it is constrained already or an argument is refused, see
    /// [`Constraints::new`].
    pub fn with_constraints(&self, scopes: Arg<Vec<String>>, rule: Arg<RuleArgs>) -> Result<Self> {
        self.check_open()?;
        let constraints = Constraints::new(scopes, rule)?;
        if self.view.constraints.is_some() {
            return Err(Error::invalid("This client is constrained already. Call with_constraints() on the client it was made from."));
        }
        Ok(Self { shared: self.shared.clone(), view: View::new(Some(constraints), self.actor_id()) })
    }

    /// Closes the client: later calls fail, reports under way are waited for, idle connections are closed. Later calls do nothing.
    pub async fn close(&self) {
        if self.view.closed.swap(true, Ordering::AcqRel) || self.view.constraints.is_some() {
            return;
        }
        self.shared.closed.store(true, Ordering::Release);
        self.shared.background.drained().await;
        self.shared.host.close();
    }

    /// Whether this client, or the one it was narrowed from, was closed.
    pub fn is_closed(&self) -> bool {
        self.view.closed.load(Ordering::Acquire) || self.shared.closed.load(Ordering::Acquire)
    }

    /// Whether [`Client::with_constraints`] made this client.
    pub fn is_constrained(&self) -> bool {
        self.view.constraints.is_some()
    }

    /// The vault's address, without slashes at its end.
    pub fn base_url(&self) -> &str {
        &self.shared.options.base_url
    }

    /// Who makes the calls.
    pub fn caller(&self) -> Option<&str> {
        self.shared.options.caller.as_deref()
    }

    /// `service` or `agent`.
    pub fn caller_type(&self) -> CallerType {
        self.shared.options.caller_type
    }

    /// The id that the vault gave this client's caller; `None` before the first answer that had one.
    pub fn actor_id(&self) -> Option<String> {
        lock(&self.view.actor_id).clone()
    }

    /// What the vault went through for the last call's token. Concurrent calls share it: the last writer wins; each
    /// [`Response`] has its own.
    pub fn last_retry_info(&self) -> Option<RetryInfo> {
        lock(&self.view.retry_info).clone()
    }

    /// The vault's rate limit as its last answer that had one said it.
    pub fn last_rate_limit(&self) -> Option<RateLimit> {
        *lock(&self.shared.rate_limit)
    }

    fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::closed()) } else { Ok(()) }
    }

    fn log(&self, level: Level, message: impl Into<String>) {
        self.shared.options.log.log(Event { level, message: message.into() });
    }
}

impl<H: Host> Clone for Client<H> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), view: self.view.clone() }
    }
}

impl<H: Host> std::fmt::Debug for Client<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("options", &self.shared.options).field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Locks data that is whole between any two statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
