//! Running programs with their output kept back, a time limit, and an end that comes with ours.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use alter_testkit::children::Guarded;

use crate::report::Failure;

/// The time limit of a program that says none: longer than the slowest cold build, shorter than the CI's patience.
const DEFAULT_LIMIT: Duration = Duration::from_secs(40 * 60);

/// A program to run.
pub struct Run {
    command: Command,
    line: String,
    limit: Duration,
    input: Option<Vec<u8>>,
    group: bool,
}

/// What a program printed, and how it ended.
pub struct Finished {
    /// Standard output and standard error as they came.
    pub output: String,
    /// The exit status.
    pub status: ExitStatus,
}

/// How a program ended that may also not end.
#[derive(Debug)]
pub struct Watched {
    /// Standard output and standard error as they came.
    pub output: String,
    /// The exit status; `None` for a program, or a child of its own, that was still there at the time limit and was stopped.
    pub status: Option<ExitStatus>,
}

impl Run {
    /// The program `name`, from the search path or as a path.
    pub fn new(name: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref();
        Self { command: Command::new(name), line: name.to_string_lossy().into_owned(), limit: DEFAULT_LIMIT, input: None, group: false }
    }

    /// Cargo, as the one that started us.
    pub fn cargo() -> Self {
        let mut run = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        "cargo".clone_into(&mut run.line);
        run
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.line = format!("{} {}", self.line, arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Keeps the environment variables with such names from the program.
    #[must_use]
    pub fn without_env(mut self, unwanted: impl Fn(&str) -> bool) -> Self {
        for (name, _) in std::env::vars_os().filter(|(name, _)| unwanted(&name.to_string_lossy())) {
            self.command.env_remove(name);
        }
        self
    }

    /// Runs in this folder.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives this text as standard input; without it there is none.
    #[must_use]
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Stops the program after this time.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Puts the program into a process group, so that the children that it starts are stopped with it.
    #[must_use]
    pub fn group(mut self) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut self.command, 0);
        self.group = cfg!(unix);
        self
    }

    /// Runs to the end and requires success; gives what was printed.
    ///
    /// # Errors
    /// When the program cannot be started, ends with another status than 0, or takes too long.
    pub fn success(self) -> Result<String, Failure> {
        let line = self.line.clone();
        let finished = self.finish()?;
        if finished.status.success() {
            return Ok(finished.output);
        }
        Err(Failure::new(format!("`{line}` ended with {}", finished.status)).output(finished.output))
    }

    /// Runs to the end, whatever the status; gives what was printed on both streams, in order.
    ///
    /// # Errors
    /// When the program cannot be started or takes too long.
    pub fn finish(self) -> Result<Finished, Failure> {
        let (line, limit) = (self.line.clone(), self.limit);
        let Watched { output, status } = self.watch()?;
        match status {
            Some(status) => Ok(Finished { output, status }),
            None => Err(too_long(&line, limit, output)),
        }
    }

    /// Runs to the end or to the time limit, whatever the status; gives what was printed on both streams, in order.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn watch(mut self) -> Result<Watched, Failure> {
        let (reader, writer) = std::io::pipe()?;
        self.command.stdout(writer.try_clone()?).stderr(writer);
        let (status, output) = self.complete(reader)?;
        Ok(Watched { output, status })
    }

    /// Runs to the end; gives standard output alone, and standard error alone.
    ///
    /// # Errors
    /// When the program cannot be started or takes too long.
    pub fn separate(mut self) -> Result<(ExitStatus, String, String), Failure> {
        let (reader, writer) = std::io::pipe()?;
        let (mut errors, error_writer) = std::io::pipe()?;
        self.command.stdout(writer).stderr(error_writer);
        let collector = thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
        });
        let (line, limit) = (self.line.clone(), self.limit);
        let (status, output) = self.complete(reader)?;
        let Some(status) = status else { return Err(too_long(&line, limit, output)) };
        let errors = collector.join().map_err(|_| Failure::new("reading the program's errors panicked"))??;
        Ok((status, output, errors))
    }

    /// The status is `None` if the time limit came first.
    fn complete(mut self, mut reader: impl Read + Send + 'static) -> Result<(Option<ExitStatus>, String), Failure> {
        let mut feeder = None;
        if let Some(input) = self.input.take() {
            let (reader, mut writer) = std::io::pipe()?;
            self.command.stdin(reader);
            // A program may end without reading its input: a broken pipe is then no failure.
            feeder = Some(thread::spawn(move || drop(writer.write_all(&input))));
        } else {
            self.command.stdin(Stdio::null());
        }
        let child = Guarded::spawn(&mut self.command).map_err(|cause| {
            Failure::new(format!("`{}` cannot be started: {cause}", self.line)).help("cargo xtask setup names what is missing")
        })?;
        // The command holds our ends of the pipes; only without them does reading come to an end.
        drop(self.command);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(length @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let deadline = Instant::now() + self.limit;
        let mut printed = Vec::new();
        let open = loop {
            match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(chunk) => printed.extend(chunk),
                Err(RecvTimeoutError::Disconnected) => break false,
                Err(RecvTimeoutError::Timeout) => break true,
            }
        };
        let status = loop {
            let status = child.try_wait()?;
            // Whoever still holds an output open is a child of the program, and has not ended either.
            if status.is_some() && !open {
                break status;
            }
            if Instant::now() > deadline {
                if self.group {
                    stop_group(child.id());
                }
                return Ok((None, String::from_utf8_lossy(&printed).into_owned()));
            }
            thread::sleep(Duration::from_millis(2));
        };
        if let Some(feeder) = feeder {
            feeder.join().map_err(|_| Failure::new("feeding the program's input panicked"))?;
        }
        Ok((status, String::from_utf8_lossy(&printed).into_owned()))
    }
}

fn too_long(line: &str, limit: Duration, output: String) -> Failure {
    Failure::new(format!("`{line}` did not end within {} s and was stopped", limit.as_secs())).output(output)
}

/// Stops all processes of a group that can be stopped; those that have ended need not be.
fn stop_group(leader: u32) {
    let _may_have_ended = Command::new("sh").args(["-c", &format!("kill -KILL -{leader}")]).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        Run::new("sh").args(["-c", script])
    }

    #[test]
    fn both_streams_come_in_order() {
        assert_eq!(shell("echo a; echo b >&2; echo c").success().expect("it succeeds"), "a\nb\nc\n");
    }

    #[test]
    fn streams_can_be_told_apart() {
        let (status, out, err) = shell("echo a; echo b >&2; exit 3").separate().expect("it runs");
        assert_eq!((status.code(), out.as_str(), err.as_str()), (Some(3), "a\n", "b\n"));
    }

    #[test]
    fn input_is_given_and_may_be_ignored() {
        assert_eq!(Run::new("cat").input("text").success().expect("it succeeds"), "text");
        assert_eq!(shell("exit 0").input(vec![b'x'; 1 << 20]).success().expect("it succeeds"), "");
    }

    #[test]
    fn a_failure_carries_line_status_and_output() {
        let failure = shell("echo why; exit 7").success().expect_err("it fails");
        assert!(failure.message.contains("sh -c") && failure.message.contains('7'), "{}", failure.message);
        assert_eq!(failure.output, "why\n");
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let failure = Run::new("sh").args(["-c", "echo begun; exec sleep 60"]).limit(Duration::from_millis(200)).success();
        let failure = failure.expect_err("it is stopped");
        assert!(failure.message.contains("was stopped"), "{}", failure.message);
        assert_eq!(failure.output, "begun\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_child_that_outlives_its_program_is_a_hang_and_is_stopped_with_the_group() {
        let watched = shell("sleep 60 & echo $!").group().limit(Duration::from_millis(500)).watch().expect("it runs");
        assert!(watched.status.is_none(), "{watched:?}");
        let orphan = watched.output.trim();
        assert!(!orphan.is_empty());
        let deadline = Instant::now() + Duration::from_secs(30);
        while shell(&format!("kill -0 {orphan}")).finish().expect("it runs").status.success() {
            assert!(Instant::now() < deadline, "process {orphan} is still there");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
