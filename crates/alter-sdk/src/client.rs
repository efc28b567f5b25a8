//! `App` and `Agent`: the clients that a Rust program holds.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alter_core::client::{Arg, CallerType, Client, ClientKind, ClientOptions, Response, RuleArgs, user_token_getter_failed};
use alter_core::error::{Error, Result};
use alter_core::host::Log;
use alter_core::rate_limit::RateLimit;
use alter_core::token::RetryInfo;

use crate::host::TokioHost;
use crate::request::Request;
use crate::transport::{CaCertificates, TransportOptions};

/// Gives the signed-in user's JWT for one call.
pub type UserTokenGetter =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, Box<dyn std::error::Error + Send + Sync>>> + Send>> + Send + Sync>;

/// What an application holds: calls with its key, for itself and for its users.
#[derive(Clone, Debug)]
pub struct App(pub(crate) Handle);

/// What an agent holds: calls with its own key, with the grants that were delegated to it.
#[derive(Clone, Debug)]
pub struct Agent(pub(crate) Handle);

#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) client: Client<TokioHost>,
    pub(crate) settings: Settings,
}

/// What is needed to make another client like this one.
#[derive(Clone)]
pub(crate) struct Settings {
    options: ClientOptions,
    transport: TransportOptions,
    pub(crate) user_token_getter: Option<UserTokenGetter>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.client.fmt(f)
    }
}

/// A rule that narrows a client, see [`App::with_constraints`].
#[derive(Clone, Debug)]
pub struct RequestRule {
    /// For example `json_match`.
    pub rule_type: String,
    /// The rule itself.
    pub rule_body: serde_json::Map<String, serde_json::Value>,
}

/// Makes an [`App`] or an [`Agent`]. Every argument is checked by `build`, before any network.
#[must_use = "a builder makes no client until build() is called"]
pub struct Builder<C> {
    kind: ClientKind,
    api_key: String,
    base_url: Option<String>,
    caller: Option<String>,
    caller_type: Option<CallerType>,
    log: Option<Arc<dyn Log>>,
    transport: TransportOptions,
    user_token_getter: Option<UserTokenGetter>,
    client: std::marker::PhantomData<C>,
}

impl<C: From<Built>> Builder<C> {
    fn new(kind: ClientKind, api_key: String) -> Self {
        Self {
            kind,
            api_key,
            base_url: None,
            caller: None,
            caller_type: None,
            log: None,
            transport: TransportOptions::default(),
            user_token_getter: None,
            client: std::marker::PhantomData,
        }
    }

    /// The vault's address; by default `ALTER_BASE_URL`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Who makes the calls, for the audit log: 1 to 255 printable ASCII characters.
    pub fn caller(mut self, caller: impl Into<String>) -> Self {
        self.caller = Some(caller.into());
        self
    }

    /// Whether a service or an agent makes the calls, for the audit log.
    pub fn caller_type(mut self, caller_type: CallerType) -> Self {
        self.caller_type = Some(caller_type);
        self
    }

    /// For each step of a request apart: connecting, each write, each read. 30 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transport.timeout = Some(timeout);
        self
    }

    /// Whom to trust over TLS. By default what the system trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub fn ca_certificates(mut self, certificates: CaCertificates) -> Self {
        self.transport.ca_certificates = certificates;
        self
    }

    /// Asked for the user's JWT on every call that brings none.
    pub fn user_token_getter<F, T>(mut self, getter: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        self.user_token_getter = Some(Arc::new(move || Box::pin(getter())));
        self
    }

    /// Where warnings and notices go; by default to `tracing` with target `alter`.
    pub fn log(mut self, log: Arc<dyn Log>) -> Self {
        self.log = Some(log);
        self
    }

    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// `AlterSDKError` for a key that is not well-formed or a bad base URL, `AlterValueError` for a bad caller.
    pub fn build(self) -> Result<C> {
        let mut options = ClientOptions::new(self.kind, self.api_key)?.log(self.log.unwrap_or_else(|| Arc::new(TracingLog)));
        if let Some(caller) = self.caller {
            options = options.caller(caller)?;
        }
        if let Some(caller_type) = self.caller_type {
            options = options.caller_type(caller_type);
        }
        options = match self.base_url {
            Some(url) => options.base_url(&url)?,
            None => options.base_url_from_environment()?,
        };
        let settings = Settings { options, transport: self.transport, user_token_getter: self.user_token_getter };
        Ok(C::from(Built(settings.make()?)))
    }
}

/// A client that was checked and waits to be named.
pub struct Built(Handle);

impl From<Built> for App {
    fn from(built: Built) -> Self {
        Self(built.0)
    }
}

impl From<Built> for Agent {
    fn from(built: Built) -> Self {
        Self(built.0)
    }
}

impl Settings {
    fn make(self) -> Result<Handle> {
        let client = Client::new(self.options.clone(), TokioHost::new(self.transport.clone()))?;
        Ok(Handle { client, settings: self })
    }
}

impl Handle {
    async fn request(&self, request: Request) -> Result<Response> {
        let mut prepared = self.client.prepare(request.args)?;
        if let Some(getter) = self.settings.user_token_getter.as_ref().filter(|_| prepared.wants_user_token()) {
            let token = getter().await.map_err(|_| user_token_getter_failed("failed"))?;
            prepared.set_user_token(Arg::Value(token))?;
        }
        prepared.send().await
    }

    fn with_constraints(&self, scopes: Option<&[&str]>, rule: Option<RequestRule>) -> Result<Self> {
        let scopes = scopes.map(|scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let rule = rule.map(|rule| RuleArgs {
            rule_type: Arg::Value(rule.rule_type),
            rule_body: Arg::Value(serde_json::Value::Object(rule.rule_body).to_string()),
        });
        Ok(Self { client: self.client.with_constraints(scopes.into(), rule.into())?, settings: self.settings.clone() })
    }
}

macro_rules! client_methods {
    ($name:ident, $kind:expr, $key:literal) => {
        impl $name {
            #[doc = concat!("Starts making a client with ", $key, ".")]
            pub fn builder(api_key: impl Into<String>) -> Builder<Self> {
                Builder::new($kind, api_key.into())
            }

            /// Calls a provider with the credential of a grant. No redirect is followed: a 3xx is the answer.
            ///
            /// # Errors
            /// See [`crate::Kind`]: what was refused locally, by the vault, or by the provider (every status from 400 on), and what kept
            /// either from answering. Dropping the future cancels the call.
            pub async fn request(&self, request: Request) -> Result<Response> {
                self.0.request(request).await
            }

            /// A sibling whose every request is narrowed to some scopes, by a rule, or both. It shares this client's connections and is
            /// closed with it.
            ///
            /// # Errors
            /// `AlterValueError` if nothing or something malformed is given, or this client is constrained already.
            pub fn with_constraints(&self, scopes: Option<&[&str]>, rule: Option<RequestRule>) -> Result<Self> {
                Ok(Self(self.0.with_constraints(scopes, rule)?))
            }

            /// Waits for reports under way and closes the connections. Later calls fail; closing again does nothing.
            pub async fn close(&self) {
                self.0.client.close().await;
            }

            /// The vault's address.
            pub fn base_url(&self) -> &str {
                self.0.client.base_url()
            }

            /// The id that the vault gave this client's caller; `None` before the first answer that had one.
            pub fn actor_id(&self) -> Option<String> {
                self.0.client.actor_id()
            }

            /// What the vault went through for the last call's token. Concurrent calls share it; each response has its own.
            pub fn last_retry_info(&self) -> Option<RetryInfo> {
                self.0.client.last_retry_info()
            }

            /// The vault's rate limit as its last answer that had one said it.
            pub fn last_rate_limit(&self) -> Option<RateLimit> {
                self.0.client.last_rate_limit()
            }
        }
    };
}

client_methods!(App, ClientKind::App, "an application's key");
client_methods!(Agent, ClientKind::Agent, "an agent's own key");

impl App {
    /// A client that makes its calls with this application's key in the name of an agent. This is attribution, not a limit: it reaches
    /// whatever the application does. It has connections of its own and is closed separately.
    ///
    /// # Errors
    /// `AlterValueError` if the id is not a UUID or this client is closed.
    pub fn get_agent(&self, agent_id: &str) -> Result<Agent> {
        if self.0.client.is_closed() {
            return Err(Error::invalid("get_agent() was called on a closed client. Make a new one."));
        }
        let options = self.0.settings.options.clone().impersonating(agent_id)?;
        let settings = Settings { options, user_token_getter: None, ..self.0.settings.clone() };
        Ok(Agent(settings.make()?))
    }
}

/// Hands events to `tracing`.
struct TracingLog;

impl Log for TracingLog {
    fn log(&self, event: alter_core::host::Event) {
        match event.level {
            alter_core::host::Level::Debug => tracing::debug!(target: "alter", "{}", event.message),
            _ => tracing::warn!(target: "alter", "{}", event.message),
        }
    }
}
