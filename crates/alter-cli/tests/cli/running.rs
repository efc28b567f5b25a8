//! A vault that a test starts, watches and stops by itself.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::world::{Ran, alter, program};

/// A folder with a vault that was made and stopped.
pub fn made() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("v");
    assert_eq!(alter(&["init", data.to_str().expect("text")], &[], "").exit, 0);
    (folder, data)
}

/// A vault that a test starts and stops by itself.
pub struct Running {
    pub child: Child,
    /// The line that it printed when it was ready.
    pub ready: String,
    pub url: String,
    data: String,
}

impl Running {
    /// Starts it on a free port and waits until it is ready.
    pub fn start(data: &Path, variables: &[(&str, &str)], log: Stdio) -> Self {
        Self::start_at(data, &["--address", "127.0.0.1:0"], variables, log)
    }

    /// Starts it where the flags say.
    pub fn start_at(data: &Path, flags: &[&str], variables: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = Command::new(program());
        command.args(["serve", "--json", "--data-dir"]).arg(data).args(flags);
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("starts");
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut ready).expect("a line");
        let record: Value = serde_json::from_str(&ready).expect("JSON");
        assert_eq!(record["event"], "ready");
        let url = record["url"].as_str().expect("a URL").to_owned();
        Self { child, ready, url, data: data.to_str().expect("text").to_owned() }
    }

    /// Runs a command against it.
    pub fn alter(&self, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
        let all: Vec<&str> = arguments.iter().copied().chain(["--vault", &self.url, "--data-dir", &self.data]).collect();
        alter(&all, variables, input)
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ends");
    }
}

impl Drop for Running {
    /// A failing test leaves nothing running.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
