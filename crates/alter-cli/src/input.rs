//! What comes in: secret values from where they do not show, spans of time, answers to questions.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use alter_core::secret::Secret;
use clap::Args;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::output::may_ask;

/// Largest secret that is read, in bytes. A credential is never that long; a wrong file may be.
const MOST_BYTES: u64 = 1024 * 1024;

/// Where a secret value comes from. Never from an argument: those stand in the process list and in the shell's history.
#[derive(Clone, Debug, Default, Args)]
#[group(required = false, multiple = false)]
#[command(next_help_heading = "Where the value comes from")]
pub struct SecretSource {
    /// Read the value from standard input
    #[arg(long)]
    pub stdin: bool,
    /// Read the value from a file
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Read the value from this environment variable
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

impl SecretSource {
    /// Whether one of the flags was given.
    pub fn is_given(&self) -> bool {
        self.stdin || self.file.is_some() || self.env.is_some()
    }

    /// Reads the value; asks for it with a hidden prompt if no flag names a source. One line break at the end is dropped.
    ///
    /// # Errors
    /// `secret_value_missing` if there is nothing to read or nobody to ask.
    pub fn read(&self, what: &str, no_input: bool) -> Result<Secret, Failure> {
        let text = match (self.stdin, &self.file, &self.env) {
            (true, ..) => from_stdin(what)?,
            (_, Some(path), _) => from_file(path)?,
            (_, _, Some(name)) => Zeroizing::new(std::env::var(name).map_err(|_| {
                missing(format!("the environment variable {name} is not set, or is not text"))
                    .help("export it in this shell, or use --stdin or --file")
            })?),
            _ if may_ask(no_input) => hidden(&format!("{what}: "))?,
            _ => {
                return Err(missing(format!("no {what} was given"))
                    .help("pipe it in with --stdin, or name a source with --file PATH or --env NAME"));
            }
        };
        let text = text.strip_suffix('\n').map_or(&**text, |text| text.strip_suffix('\r').unwrap_or(text));
        if text.is_empty() {
            return Err(missing(format!("the {what} is empty")));
        }
        Ok(Secret::new(text))
    }
}

/// A file's text.
///
/// # Errors
/// `file_unusable`.
pub fn text_of_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))
}

fn missing(message: String) -> Failure {
    Failure::new(Exit::Usage, "secret_value_missing", message)
}

fn from_stdin(what: &str) -> Result<Zeroizing<String>, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        crate::output::notice(format_args!(
            "Type or paste the {what}, then press Ctrl-D. (It will show; leave out --stdin for a hidden prompt.)"
        ));
    }
    read_all(stdin.lock()).map_err(|error| Failure::stdin(&error))
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    std::fs::File::open(path).and_then(read_all).map_err(|error| Failure::file(path, &error))
}

fn read_all(source: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    source.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB, which no credential is"));
    }
    Ok(text)
}

fn hidden(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| Failure::new(Exit::Failed, "terminal_unusable", "the terminal cannot be read").caused_by(error))
}

/// Asks a question on the terminal and reads one line.
///
/// # Errors
/// When the terminal cannot be read.
pub fn ask(question: &str) -> Result<String, Failure> {
    use std::io::Write;
    let mut answer = String::new();
    let asked = write!(std::io::stderr(), "{question}").and_then(|()| std::io::stdin().read_line(&mut answer));
    asked.map_err(|error| Failure::new(Exit::Failed, "terminal_unusable", "the terminal cannot be read").caused_by(error))?;
    Ok(answer)
}

/// Reads a span such as `90s`, `30m`, `12h`, `7d` or `4w` into seconds.
///
/// # Errors
/// What was expected, for the argument parser to report.
pub fn span(text: &str) -> Result<u64, String> {
    let expected = || "expected a number and a unit, such as 90s, 30m, 12h, 7d or 4w".to_owned();
    let unit = match text.chars().next_back().ok_or_else(expected)? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(expected()),
    };
    let digits = &text[..text.len() - 1];
    let count: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten().ok_or_else(expected)?;
    count
        .checked_mul(unit)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "must be longer than nothing and shorter than a century".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_need_a_unit() {
        assert_eq!(span("90s"), Ok(90));
        assert_eq!(span("7d"), Ok(604_800));
        for text in ["", "7", "d", "-1d", "1.5h", "7 d", "0s", "99999999999999999999d", "7é"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_line_break_is_dropped_and_no_more() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        let read = |text: &str| {
            std::fs::write(file.path(), text).expect("writable");
            let source = SecretSource { file: Some(file.path().to_owned()), ..SecretSource::default() };
            source.read("token", true).map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read("abc\n").as_deref(), Ok("abc"));
        assert_eq!(read("abc\r\n").as_deref(), Ok("abc"));
        assert_eq!(read("abc\n\n").as_deref(), Ok("abc\n"));
        assert_eq!(read("\n").expect_err("empty").code(), "secret_value_missing");
    }
}
