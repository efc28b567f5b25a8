//! A driver that makes one call after the other, as it is asked to: later calls need what earlier ones gave.

use std::io::{BufRead, BufReader, PipeWriter, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use alter_testkit::children::Guarded;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::conformance::client::Client;
use crate::project::Project;
use crate::report::Failure;
use crate::tools::Venv;

/// Longer than any call takes; a client that hangs must not hang the check.
const LIMIT: Duration = Duration::from_secs(60);

/// One call for a driver: a line of JSON on its standard input.
#[derive(Debug, Serialize)]
pub struct Call<'a> {
    /// Where the client finds the vault.
    pub base_url: &'a str,
    /// The client's key.
    pub api_key: &'a str,
    /// Whether the client is an agent's.
    pub agent: bool,
    /// What the client's token getter gives; it has none if this is null.
    pub user_token: Option<&'a str>,
    /// The method.
    pub operation: &'a str,
    /// Its arguments by name.
    pub arguments: &'a Map<String, Value>,
}

/// What came of a call: a line of JSON on the driver's standard output.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The result.
    #[serde(default)]
    pub result: Value,
    /// The class of the exception.
    pub error: Option<String>,
    /// That class and its bases inside the package.
    #[serde(default)]
    pub bases: Vec<String>,
    /// The exception's public attributes.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// What a caller can see of an exception; not compared.
    #[serde(default)]
    pub visible: Vec<String>,
}

/// A running driver. It ends when it is dropped.
pub struct Driver {
    input: PipeWriter,
    lines: Receiver<String>,
    _child: Guarded,
}

impl Driver {
    /// Starts the driver of a client.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(project: &Project, client: Client) -> Result<Self, Failure> {
        let mut command = match client {
            Client::Reference => python(project, &Venv::reference(project)?),
            Client::Python => python(project, &Venv::development(project)?),
            Client::Rust => Command::new(project.built("alter-conformance-operations")),
            Client::TypeScript => {
                let mut node = Command::new("node");
                node.arg(project.path("tests/conformance/drivers/operations.mjs"));
                node
            }
        };
        // The calls go to loopback: whatever proxy the machine uses is not meant for them.
        command.env("NO_PROXY", "*").env("no_proxy", "*");
        // What opens the addresses that a client shows: this program, see `browsed` in `main`. By its path in the target folder, since a build of the
        // workspace may have put a new file in the place of the one that runs.
        command.env("BROWSER", project.built("xtask"));
        let ((reader, output), (input_end, input)) = (std::io::pipe()?, std::io::pipe()?);
        let child = Guarded::spawn(command.stdin(input_end).stdout(output).stderr(Stdio::null()))?;
        // Its ends of the pipes are with the child only, so that the reader ends with it.
        drop(command);
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || BufReader::new(reader).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Ok(Self { input, lines, _child: child })
    }

    /// Makes one call.
    ///
    /// # Errors
    /// When the driver ends, takes too long, or tells something else.
    pub fn call(&mut self, call: &Call<'_>) -> Result<Told, Failure> {
        let mut line = serde_json::to_vec(call)?;
        line.push(b'\n');
        self.input.write_all(&line)?;
        let told = self.lines.recv_timeout(LIMIT);
        let told =
            told.map_err(|_| Failure::new(format!("the driver told nothing about {} within {} s", call.operation, LIMIT.as_secs())))?;
        serde_json::from_str(&told).map_err(|_| Failure::new("the driver told something else than it should").output(told))
    }
}

fn python(project: &Project, venv: &Venv) -> Command {
    let mut command = Command::new(venv.python());
    command.arg(project.path("tests/conformance/drivers/operations.py"));
    command
}
