//! How a command fails: exit code, stable code, and the three lines that a person reads.

use std::fmt;

use alter_server::error::{StartError, StartErrorKind};

/// What the process answers to its caller. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Refused or failed in a way that no other code tells.
    Failed = 1,
    /// Wrong usage: a flag, an argument or a setting.
    Usage = 2,
    /// The vault cannot be reached.
    Unreachable = 3,
    /// The vault knows the caller, or does not, and says no.
    NotAllowed = 4,
    /// What was named does not exist.
    NotFound = 5,
    /// It conflicts with what is there.
    Conflict = 6,
    /// Storage or key trouble.
    Storage = 7,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

/// The page of `alter help exit-codes`.
pub const EXIT_CODES: &str = "\
Exit codes of every `alter` command:

    0  done
    1  refused or failed
    2  wrong usage: a flag, an argument or a setting
    3  the vault cannot be reached
    4  not allowed
    5  not found
    6  conflict with what is there
    7  storage or key trouble
  130  interrupted

With --json an error is one line on stderr: {\"error\":{\"code\":…,\"message\":…,\"help\":…,\"exit_code\":…}}.
The code is stable and finer than the exit code; the message is for people and may change.
";

/// A failed command. Nothing in it may be secret. Cheap to move: the contents are boxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    exit: Exit,
    code: String,
    message: String,
    cause: Option<String>,
    help: Option<String>,
    details: Vec<String>,
}

/// What every command returns.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure with its exit code, stable code, and what happened.
    pub fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), one_line(&message.into()));
        Self(Box::new(Inner { exit, code, message, cause: None, help: None, details: Vec::new() }))
    }

    /// Wrong usage: exit code 2, code `usage`.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A local file that cannot be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Failed, "file_unusable", format!("{} cannot be used", path.display())).caused_by(error)
    }

    /// Standard input that cannot be read.
    pub fn stdin(error: &std::io::Error) -> Self {
        Self::new(Exit::Failed, "stdin_unusable", "standard input cannot be read").caused_by(error)
    }

    /// Adds the error below it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(one_line(&cause.to_string()));
        self
    }

    /// Adds the command or setting that mends it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(one_line(&help.into()));
        self
    }

    /// Adds a line that only `--verbose` shows.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(one_line(&detail.into()));
        self
    }

    /// The process's exit code.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error below, if there is one.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// What to do.
    pub fn remedy(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The lines that only `--verbose` shows.
    pub fn details(&self) -> &[String] {
        &self.0.details
    }
}

/// Text of others on one line, without control characters (they could forge lines or move the cursor) and bounded.
pub fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut clean: String = flat.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if flat.chars().count() > LONGEST {
        clean.push('…');
    }
    clean
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match error.kind() {
            StartErrorKind::ConfigInvalid | StartErrorKind::BindRefused | StartErrorKind::TlsUnusable => Exit::Usage,
            StartErrorKind::PortInUse | StartErrorKind::AlreadyRunning => Exit::Conflict,
            StartErrorKind::AddressUnavailable => Exit::Failed,
            StartErrorKind::Storage(_) => Exit::Storage,
        };
        let mut failure = Self::new(exit, error.kind().code(), error.message());
        failure.0.cause = error.cause().map(one_line);
        failure.0.help = error.remedy().map(one_line);
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_on_one_bounded_line() {
        assert_eq!(one_line("a\n  b\x1b[31mc\r\n"), "a b[31mc");
        assert_eq!(one_line(&"x".repeat(600)).chars().count(), 501);
    }
}
