//! A running program that takes orders: one line in, one line out.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use alter_testkit::children::Guarded;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::Failure;

/// Longer than any measurement takes; a program that hangs must not hang the bench.
const LIMIT: Duration = Duration::from_secs(600);

/// One measurement to make.
#[derive(Debug, Clone, Serialize)]
pub struct Order {
    /// The vault, or the stub in its place.
    pub base_url: String,
    /// What is called with the credential.
    pub provider_url: String,
    /// The key of the client.
    pub api_key: String,
    /// The grants to use, in turn.
    pub grants: Vec<String>,
    /// Callers at a time.
    pub callers: usize,
    /// Calls before the measurement.
    pub warm_up: usize,
    /// Calls that are measured.
    pub calls: usize,
}

/// What a program measured of itself.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Measured {
    /// Processor time, user and system, of all its threads.
    pub cpu_seconds: f64,
    /// Time that passed.
    pub wall_seconds: f64,
}

/// The program. It ends when this is dropped.
pub struct Worker {
    name: String,
    // Held for its end.
    _child: Guarded,
    orders: PipeWriter,
    answers: Receiver<std::io::Result<String>>,
    errors: PathBuf,
}

impl Worker {
    /// Starts a program; what it prints on standard error goes to the file `errors`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, errors: PathBuf) -> Result<Self, Failure> {
        let (stdin, orders) = std::io::pipe()?;
        let (answers, stdout) = std::io::pipe()?;
        command.stdin(stdin).stdout(stdout).stderr(File::create(&errors)?);
        let started = Guarded::spawn(&mut command);
        let child = started.map_err(|cause| Failure::new(format!("{name} cannot be started: {cause}")).help("cargo xtask setup"))?;
        Ok(Self { name: name.to_owned(), _child: child, orders, answers: read_lines(answers), errors })
    }

    /// Has one order carried out.
    ///
    /// # Errors
    /// When the program ends, hangs, or answers something else.
    pub fn carry_out<T: DeserializeOwned>(&mut self, order: &Order) -> Result<T, Failure> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        // A program that has ended is found below, where there is more to say about it.
        drop(self.orders.write_all(&line));
        self.answer()
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// As [`Worker::carry_out`].
    pub fn answer<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let printed = || fs::read_to_string(&self.errors).unwrap_or_default();
        match self.answers.recv_timeout(LIMIT) {
            Ok(Ok(line)) => serde_json::from_str(&line).map_err(|cause| {
                Failure::new(format!("{} answered {line:?}, which is not what was asked: {cause}", self.name)).output(printed())
            }),
            Ok(Err(cause)) => Err(Failure::new(format!("{}: {cause}", self.name)).output(printed())),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Failure::new(format!("{} ended without an answer", self.name)).output(printed()))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Failure::new(format!("{} gave no answer within {} s", self.name, LIMIT.as_secs())).output(printed()))
            }
        }
    }
}

fn read_lines(from: PipeReader) -> Receiver<std::io::Result<String>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        let text = || "x".to_owned();
        Order { base_url: text(), provider_url: text(), api_key: text(), grants: vec![text()], callers: 1, warm_up: 0, calls: 1 }
    }

    fn shell(script: &str) -> (tempfile::TempDir, Worker) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let worker = Worker::start("a program", command, folder.path().join("errors")).expect("it starts");
        (folder, worker)
    }

    #[test]
    fn orders_are_answered_one_by_one() {
        let (_folder, mut worker) = shell(r#"while read line; do echo '{"cpu_seconds": 1.5, "wall_seconds": 2}'; done"#);
        for _ in 0..2 {
            let measured: Measured = worker.carry_out(&order()).expect("it answers");
            assert_eq!((measured.cpu_seconds, measured.wall_seconds), (1.5, 2.0));
        }
    }

    #[test]
    fn a_program_that_ends_is_told_with_its_words() {
        let (_folder, mut worker) = shell("echo 'no room' >&2; exit 1");
        let failure = worker.carry_out::<Measured>(&order()).expect_err("it ended");
        assert!(failure.message.contains("ended without an answer"), "{}", failure.message);
        assert_eq!(failure.output, "no room\n");
    }

    #[test]
    fn an_answer_that_is_none_is_refused() {
        let (_folder, mut worker) = shell("echo hello; cat");
        let failure = worker.carry_out::<Measured>(&order()).expect_err("that is no figure");
        assert!(failure.message.contains("hello"), "{}", failure.message);
    }
}
