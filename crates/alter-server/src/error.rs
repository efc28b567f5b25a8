//! Why a vault does not start, said so that the reader can mend it.

use std::fmt;

use crate::store::OpenError;

/// What kind of trouble it is. Each has one stable code, which scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartErrorKind {
    /// A flag, an environment variable or `alter.toml` holds a value that cannot be used.
    ConfigInvalid,
    /// The address is not loopback, and there is neither TLS nor the flag that accepts that.
    BindRefused,
    /// Certificate or private key cannot be used.
    TlsUnusable,
    /// Another process listens on the address.
    PortInUse,
    /// The address cannot be listened on for another reason.
    AddressUnavailable,
    /// Another vault runs on the data folder.
    AlreadyRunning,
    /// Data folder, database or keys cannot be used; the code is the store's own.
    Storage(&'static str),
}

impl StartErrorKind {
    /// The stable code, as in `--json` errors.
    pub fn code(self) -> &'static str {
        match self {
            Self::ConfigInvalid => "config_invalid",
            Self::BindRefused => "bind_refused",
            Self::TlsUnusable => "tls_unusable",
            Self::PortInUse => "port_in_use",
            Self::AddressUnavailable => "address_unavailable",
            Self::AlreadyRunning => "data_folder_in_use",
            Self::Storage(code) => code,
        }
    }
}

/// Why the vault does not start: what happened, its cause, and what mends it. One line each, no secret in any of them.
#[derive(Clone, Debug)]
pub struct StartError {
    kind: StartErrorKind,
    message: String,
    cause: Option<String>,
    help: Option<String>,
}

impl StartError {
    /// A start error without cause or help.
    pub fn new(kind: StartErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None, help: None }
    }

    /// Adds the error below it, on one line.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" "));
        self
    }

    /// Adds the command or setting that mends it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> StartErrorKind {
        self.kind
    }

    /// What happened, with the value.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error below, if there is one.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What to do.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::InUse { .. } => StartErrorKind::AlreadyRunning,
            other => StartErrorKind::Storage(other.code()),
        };
        Self::new(kind, error.to_string()).help(error.help())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for StartError {}
