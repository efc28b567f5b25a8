//! A real `alter serve` on an empty temporary folder.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::children::{Guarded, remove_when_interrupted};
use crate::http::{Headers, Request, Response};

/// How long a vault may take to become ready; a debug build on a busy machine needs about one second.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two looks at something that will happen soon.
const PAUSE: Duration = Duration::from_millis(20);

/// A running vault. It stops, and its folder goes, when it is dropped.
pub struct Vault {
    // Before the folder, so that the process has ended when its files go.
    child: Guarded,
    folder: TempDir,
    program: PathBuf,
    address: SocketAddr,
}

impl Vault {
    /// Starts `program serve` with a data folder that does not exist yet, on a free loopback port, and waits until it is
    /// ready.
    ///
    /// # Errors
    /// When the program cannot be started, ends early, or is not ready in time; the error has what it printed.
    pub fn start(program: &Path) -> io::Result<Self> {
        Self::start_in(program, &[])
    }

    /// As [`start`](Self::start), with settings from the environment.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_in(program: &Path, settings: &[(&str, &str)]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("alter-vault-").tempdir()?;
        remove_when_interrupted(folder.path());
        let address = free_address()?;
        let printed = File::create(folder.path().join("serve.log"))?;
        let mut command = alter(program);
        command.arg("serve").arg("--data-dir").arg(folder.path().join("data")).arg("--address").arg(address.to_string());
        // One key sends all that a test or a measurement sends.
        command.env("ALTER_RATE_LIMIT_RPM", "10000000").envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(printed.try_clone()?).stderr(printed);
        let child = Guarded::spawn(&mut command)?;
        let vault = Self { child, folder, program: program.to_owned(), address };
        vault.wait_until_ready()?;
        Ok(vault)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The id of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What the server has printed so far.
    ///
    /// # Errors
    /// When the file that it prints to cannot be read.
    pub fn printed(&self) -> io::Result<String> {
        fs::read_to_string(self.folder.path().join("serve.log"))
    }

    /// Runs an `alter` command against this vault, with `input` as its standard input.
    ///
    /// # Errors
    /// When the program cannot be started or its streams break. A failing command is no error here: see its status.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A], input: &str) -> io::Result<Output> {
        let mut command = alter(&self.program);
        command.args(args).arg("--data-dir").arg(self.data()).arg("--vault").arg(self.url()).arg("--no-input");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("no standard input"))?;
        let input = input.to_owned();
        // The command may end without reading; then there is nobody to tell.
        let feeder = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output()?;
        feeder.join().map_err(|_| io::Error::other("feeding the command panicked"))?;
        Ok(output)
    }

    /// Runs an `alter` command that must succeed, with `--json`; gives the records that it printed.
    ///
    /// # Errors
    /// When the command fails, with its line and what it printed on standard error, or prints something other than JSON.
    pub fn records<A: AsRef<OsStr>>(&self, args: &[A], input: &str) -> io::Result<Vec<Value>> {
        let mut all: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        all.push(OsStr::new("--json"));
        let output = self.run(&all, input)?;
        let line = all.join(OsStr::new(" "));
        let failed = |what: &str| {
            let errors = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("`alter {}` {what}\n{}", line.to_string_lossy(), errors.trim_end()))
        };
        if !output.status.success() {
            return Err(failed(&format!("ended with {}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let records = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        records.map_err(|cause| failed(&format!("printed a line that is not JSON ({cause}): {text}")))
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("alter serve ended with {status}\n{}", self.printed()?)));
            }
            if is_ready(self.address) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let limit = READY_LIMIT.as_secs();
                return Err(io::Error::other(format!("alter serve was not ready within {limit} s\n{}", self.printed()?)));
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether the vault at `address` says that it is ready for requests.
#[must_use]
pub fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> io::Result<u16> {
        let connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(READY_LIMIT))?;
        let headers = Headers(vec![("Host".into(), address.to_string()), ("Connection".into(), "close".into())]);
        let request = Request { method: "GET".into(), target: "/readyz".into(), headers, body: Vec::new() };
        request.write(&mut &connection)?;
        Ok(Response::read(&mut BufReader::new(&connection))?.status)
    };
    ask().is_ok_and(|status| status == 200)
}

/// The program without the settings of whoever runs the tests.
fn alter(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ALTER_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1");
    command
}

/// An address that was free a moment ago; the system does not give the same port out again at once.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A program that behaves as the script says, in place of the real one.
    fn program(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("alter");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
        path
    }

    #[test]
    fn a_server_that_ends_early_is_told_with_its_words() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = program(folder.path(), "echo 'error: no room' >&2; exit 7");
        let error = Vault::start(&path).err().expect("it is not ready").to_string();
        assert!(error.contains("error: no room") && error.contains('7'), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_an_error() {
        assert!(Vault::start(Path::new("/nonexistent/alter")).is_err());
    }
}
