//! What a run says while it goes: each step as it starts, its time when it ends, the output of a step that failed, and a
//! closing line that a CI system can read.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Why a step failed.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, in one or a few lines.
    pub message: String,
    /// What the person at the keyboard can do, if we know.
    pub help: Option<String>,
    /// What the failing program printed.
    pub output: String,
}

impl Failure {
    /// A failure that is explained by its message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, output: String::new() }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same failure with what a program printed.
    #[must_use]
    pub fn output(mut self, output: impl Into<String>) -> Self {
        self.output = output.into();
        self
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            message = format!("{message}: {next}");
            cause = next.source();
        }
        Self::new(message)
    }
}

/// How many checks a step made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// Checks that passed.
    pub passed: u64,
    /// Checks that were left out.
    pub skipped: u64,
}

impl Checks {
    /// A step that is one check in itself.
    pub const ONE: Self = Self::passed(1);
    /// A step that prepares something and checks nothing.
    pub const NONE: Self = Self::passed(0);

    /// So many checks, none left out.
    #[must_use]
    pub const fn passed(passed: u64) -> Self {
        Self { passed, skipped: 0 }
    }
}

/// The running account of a command.
pub struct Report {
    out: Box<dyn Write>,
    style: Style,
    started: Instant,
    passed: u64,
    skipped: u64,
    failed: Vec<String>,
}

impl Report {
    /// Begins a command that reports on standard output.
    #[must_use]
    pub fn begin() -> Self {
        Self::to(Box::new(stdout()), Style::detect())
    }

    fn to(out: Box<dyn Write>, style: Style) -> Self {
        Self { out, style, started: Instant::now(), passed: 0, skipped: 0, failed: Vec::new() }
    }

    /// Prints a heading between groups of steps.
    pub fn heading(&mut self, text: &str) {
        self.say(format!("\n{}", self.style.bold(text)));
    }

    /// Prints one line.
    pub fn say(&mut self, line: impl Display) {
        // A closed pipe (`cargo xtask test | head`) must not end a run half-way, and there is nowhere else to say so.
        let _ = writeln!(self.out, "{line}");
    }

    /// Runs one step and tells whether it succeeded.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Checks, Failure>) -> bool {
        self.value(name, || work().map(|checks| ((), checks))).is_some()
    }

    /// Runs one step whose result the next steps need; `None` if it failed.
    pub fn value<T>(&mut self, name: &str, work: impl FnOnce() -> Result<(T, Checks), Failure>) -> Option<T> {
        self.start(name);
        let started = Instant::now();
        let result = work();
        let line = format!("{name:<44} {:>9}", seconds(started.elapsed()));
        match result {
            Ok((value, checks)) => {
                self.passed += checks.passed;
                self.skipped += checks.skipped;
                let count = if checks.passed > 1 { format!("  {} checks", checks.passed) } else { String::new() };
                self.end(&self.style.green("✓"), &format!("{line}{}", self.style.dim(&count)));
                Some(value)
            }
            Err(failure) => {
                self.end(&self.style.red("✗"), &line);
                self.explain(&failure);
                self.failed.push(name.to_owned());
                None
            }
        }
    }

    /// Says that a step was left out because one that it needs had failed.
    pub fn skip(&mut self, name: &str, because: &str) {
        self.skipped += 1;
        let reason = self.style.dim(&format!("left out: {because}"));
        self.say(format!("{} {name:<44} {reason}", self.style.dim("-")));
    }

    /// Prints the summary and the closing line, and gives the exit code.
    #[must_use]
    pub fn finish(mut self) -> ExitCode {
        self.say("");
        for name in self.failed.clone() {
            self.say(format!("{} {name}", self.style.red("failed:")));
        }
        self.say(self.style.dim(&format!("{} in all", seconds(self.started.elapsed()))));
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        self.say(format!("{} passed, {} failed{skipped}", self.passed, self.failed.len()));
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn start(&mut self, name: &str) {
        // On a terminal the line is overwritten when the step ends; elsewhere each step gets two lines.
        let end = if self.style.terminal { "" } else { "\n" };
        // See `say` for why the results are not looked at.
        let _ = write!(self.out, "  {name} …{end}");
        let _ = self.out.flush();
    }

    fn end(&mut self, mark: &str, line: &str) {
        let clear = if self.style.terminal { "\r\x1b[2K" } else { "" };
        self.say(format!("{clear}{mark} {line}"));
    }

    fn explain(&mut self, failure: &Failure) {
        if !failure.output.trim().is_empty() {
            self.say(failure.output.trim_end());
        }
        self.say(format!("{} {}", self.style.red("error:"), failure.message));
        if let Some(help) = &failure.help {
            self.say(format!("{} {help}", self.style.bold("help:")));
        }
    }
}

/// A duration as a person reads it: `0.4 s`, `75.2 s`, `6 min 02 s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(120) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    format!("{} min {:02} s", time.as_secs() / 60, time.as_secs() % 60)
}

#[derive(Clone, Copy)]
struct Style {
    terminal: bool,
    colour: bool,
}

impl Style {
    fn detect() -> Self {
        let terminal = stdout().is_terminal() && std::env::var_os("CI").is_none();
        Self { terminal, colour: terminal && std::env::var_os("NO_COLOR").is_none() }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn times_read_naturally() {
        assert_eq!(seconds(Duration::from_millis(440)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(75)), "75.0 s");
        assert_eq!(seconds(Duration::from_secs(362)), "6 min 02 s");
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no other holder").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn told(run: impl FnOnce(&mut Report)) -> (String, ExitCode) {
        let sink = Sink::default();
        let mut report = Report::to(Box::new(sink.clone()), Style { terminal: false, colour: false });
        run(&mut report);
        let code = report.finish();
        let bytes = sink.0.lock().expect("no other holder").clone();
        (String::from_utf8(bytes).expect("text"), code)
    }

    #[test]
    fn a_failed_step_is_explained_and_decides_the_exit_code() {
        let (text, code) = told(|report| {
            assert!(report.step("good", || Ok(Checks::passed(3))));
            assert!(!report.step("bad", || Err(Failure::new("no").help("try again").output("what it printed\n"))));
            report.skip("later", "bad failed");
        });
        assert_eq!(code, ExitCode::FAILURE);
        assert!(text.contains("what it printed\nerror: no\nhelp: try again\n"), "{text}");
        assert!(text.ends_with("\n3 passed, 1 failed, 1 skipped\n"), "{text}");
    }

    #[test]
    fn a_good_run_closes_with_its_count() {
        let (text, code) = told(|report| {
            report.step("good", || Ok(Checks::ONE));
        });
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(text.ends_with("\n1 passed, 0 failed\n"), "{text}");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let inner = std::io::Error::other("disk full");
        let failure = Failure::from(std::io::Error::other(inner));
        assert_eq!(failure.message, "disk full");
    }
}
