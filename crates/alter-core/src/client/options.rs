//! What a client is made of, and the checks of it.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::host::{Log, NoLog};
use crate::key::is_valid_key;
use crate::secret::Secret;
use crate::token::is_canonical_uuid;
use crate::url::base;

/// Longest caller, in characters.
pub const LONGEST_CALLER: usize = 255;

/// Whether a service or an agent makes the calls; groups the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerType {
    /// A program with no agency of its own.
    Service,
    /// An AI agent.
    Agent,
}

impl CallerType {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Agent => "agent",
        }
    }

    /// # Errors
    /// `AlterValueError` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "service" => Ok(Self::Service),
            "agent" => Ok(Self::Agent),
            _ => Err(Error::invalid(format!("caller_type must be \"agent\" or \"service\", not {}.", crate::url::quoted(text)))),
        }
    }
}

/// Which public class the client stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// An application's client.
    App,
    /// An agent's client: a grant that is not found was not delegated to it.
    Agent,
    /// An agent's attribution with the application's key: like `Agent`, and the first call by grant id warns about it.
    Impersonation,
}

/// Options of a client. Make one with [`ClientOptions::new`], which checks what every client has.
#[derive(Clone)]
pub struct ClientOptions {
    pub(crate) api_key: Secret,
    pub(crate) kind: ClientKind,
    pub(crate) base_url: String,
    pub(crate) caller: Option<String>,
    pub(crate) caller_type: CallerType,
    pub(crate) user_agent: String,
    pub(crate) log: Arc<dyn Log>,
}

impl ClientOptions {
    /// Checks the key and takes the base URL from `ALTER_BASE_URL` or the default.
    ///
    /// # Errors
    /// `AlterSDKError`: no key, not a well-formed key (a typing error is found here, before any network), or a bad `ALTER_BASE_URL`.
    pub fn new(kind: ClientKind, api_key: impl Into<String>) -> Result<Self> {
        let api_key = Secret::new(api_key);
        check_key(api_key.expose())?;
        Ok(Self {
            api_key,
            kind,
            base_url: String::new(),
            caller: None,
            caller_type: if kind == ClientKind::App { CallerType::Service } else { CallerType::Agent },
            user_agent: format!("alter-sdk-rust/{}", env!("CARGO_PKG_VERSION")),
            log: Arc::new(NoLog),
        })
    }

    /// Who makes the calls: 1 to 255 printable ASCII characters.
    ///
    /// # Errors
    /// `AlterValueError`.
    pub fn caller(mut self, caller: impl Into<String>) -> Result<Self> {
        let caller = caller.into();
        check_caller(&caller)?;
        self.caller = Some(caller);
        Ok(self)
    }

    /// Replaces the kind's own caller type.
    pub fn caller_type(mut self, caller_type: CallerType) -> Self {
        self.caller_type = caller_type;
        self
    }

    /// The vault's address.
    ///
    /// # Errors
    /// `AlterSDKError`, see [`base::normalize`].
    pub fn base_url(mut self, url: &str) -> Result<Self> {
        self.base_url = base::normalize(url)?;
        Ok(self)
    }

    /// Takes the vault's address from `ALTER_BASE_URL`, else the default.
    ///
    /// # Errors
    /// `AlterSDKError`, see [`base::normalize`].
    pub fn base_url_from_environment(self) -> Result<Self> {
        match std::env::var(base::ENVIRONMENT_VARIABLE) {
            Ok(url) => self.base_url(&url),
            Err(std::env::VarError::NotPresent) => self.base_url(base::DEFAULT),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Error::new(Kind::AlterSdk, format!("{} is not UTF-8.", base::ENVIRONMENT_VARIABLE)).with_code("invalid_base_url"))
            }
        }
    }

    /// The same key, address and log, in the name of an agent: its canonical UUID becomes the caller.
    ///
    /// # Errors
    /// `AlterValueError` if the id is not a UUID.
    pub fn impersonating(self, agent_id: &str) -> Result<Self> {
        let id = agent_id.to_ascii_lowercase();
        if !is_canonical_uuid(&id) {
            return Err(Error::invalid("agent_id is not a UUID. Use the id that the agent was created with."));
        }
        Self { kind: ClientKind::Impersonation, caller_type: CallerType::Agent, ..self }.caller(id)
    }

    /// Value of the `User-Agent` header.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Where events go.
    pub fn log(mut self, log: Arc<dyn Log>) -> Self {
        self.log = log;
        self
    }
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientOptions").field("kind", &self.kind).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

fn check_key(key: &str) -> Result<()> {
    let refuse = |text: &str| Err(Error::new(Kind::AlterSdk, text).with_code("invalid_api_key"));
    if key.is_empty() {
        return refuse("api_key is empty. Give the key that the vault printed when it was made (alter key create).");
    }
    if !is_valid_key(key) {
        return refuse(
            "api_key is not a well-formed key: it has a typing error or is not a key at all. Copy it again; it begins with alter_.",
        );
    }
    Ok(())
}

/// # Errors
/// `AlterValueError` if the caller cannot stand in a header as it is.
pub(crate) fn check_caller(caller: &str) -> Result<()> {
    let length = caller.chars().count();
    if length == 0 || length > LONGEST_CALLER {
        return Err(Error::invalid(format!("caller has {length} characters; it must have 1 to {LONGEST_CALLER}.")));
    }
    if !caller.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        return Err(Error::invalid("caller must be printable ASCII. Use a short name such as \"email-assistant\"."));
    }
    Ok(())
}
