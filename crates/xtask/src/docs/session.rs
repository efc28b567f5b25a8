//! A shell session in which the examples of a page are run as they are printed.
//!
//! Two things are put in place of what only a real user has: `https://api.example.com` becomes a provider on loopback that wants
//! the credential of the examples, and the vault's usual port becomes a free one.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use alter_testkit::children::{Guarded, remove_when_interrupted};
use alter_testkit::provider::{Account, Credential, Provider};
use alter_testkit::vault;
use tempfile::TempDir;

use crate::command::Run;
use crate::project::Project;
use crate::report::Failure;

/// Where a vault listens that was started without settings.
const USUAL_ADDRESS: &str = "127.0.0.1:7117";
/// The host that examples call.
const EXAMPLE_HOST: &str = "api.example.com";
/// The credential that examples store.
const EXAMPLE_TOKEN: &str = "example-token";
/// How long one block may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A running session.
pub struct Session {
    // Before the folder, so that what runs in it has ended when its files go.
    background: Vec<Guarded>,
    folder: TempDir,
    provider: Provider,
    path: String,
    vault: SocketAddr,
    /// What the last block printed.
    printed: String,
}

impl Session {
    /// Begins a session in an empty folder, with the programs of the workspace, of `.venv` and of `node_modules` first on the search
    /// path, and with the TypeScript package as if it were installed there.
    ///
    /// # Errors
    /// When the folder, a port or the search path cannot be made.
    pub fn begin(project: &Project) -> Result<Self, Failure> {
        let provider = Provider::start()?;
        let bearer = Credential::Header { name: "authorization".to_owned(), value: format!("Bearer {EXAMPLE_TOKEN}") };
        provider.open("/", Account { credentials: vec![bearer], answer: None });
        let mut folders: Vec<PathBuf> = vec![project.target().join("debug"), project.path(".venv/bin"), project.path("node_modules/.bin")];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(folders)?.to_string_lossy().into_owned();
        let vault = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = tempfile::Builder::new().prefix("alter-docs-").tempdir()?;
        remove_when_interrupted(folder.path());
        std::os::unix::fs::symlink(project.path("node_modules"), folder.path().join("node_modules"))?;
        Ok(Self { background: Vec::new(), folder, provider, path, vault, printed: String::new() })
    }

    /// Runs a block; variables that it sets are there for the next one.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&mut self, block: &str) -> Result<(), Failure> {
        let script =
            format!("set -euo pipefail\n[ -f .session ] && . ./.session\nset -a\n{}\nset +a\nexport -p > .session\n", self.local(block));
        let run = Run::new("bash").within(self.folder.path()).input(script).limit(LIMIT);
        self.printed = self.environment().into_iter().fold(run, |run, (name, value)| run.env(name, value)).success()?;
        Ok(())
    }

    /// Starts a block that does not end by itself, and waits until the vault is ready.
    ///
    /// # Errors
    /// When it ends early or the vault is not ready in time.
    pub fn start(&mut self, block: &str) -> Result<(), Failure> {
        let log = fs::File::create(self.folder.path().join(".background"))?;
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("exec {}", self.local(block).trim())).current_dir(self.folder.path());
        command.envs(self.environment()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = Guarded::spawn(&mut command)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            let ready = vault::is_ready(self.vault);
            self.printed = fs::read_to_string(self.folder.path().join(".background"))?;
            if let Some(status) = child.try_wait()? {
                return Err(Failure::new(format!("it ended with {status}")).output(self.printed.clone()));
            }
            if ready {
                self.background.push(child);
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new("the vault is not ready").output(self.printed.clone()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Writes a file of the session.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        Ok(fs::write(self.folder.path().join(name), self.local(text))?)
    }

    /// Looks for the lines of `wanted` in what the last block printed.
    ///
    /// # Errors
    /// When one is missing or out of order.
    pub fn expect(&self, wanted: &str) -> Result<(), Failure> {
        let mut printed = self.printed.lines();
        for line in self.local(wanted).lines().filter(|line| !line.trim().is_empty()) {
            if !printed.any(|there| matches(line, there)) {
                return Err(Failure::new(format!("the page says that this is printed: {line}")).output(self.printed.clone()));
            }
        }
        Ok(())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.folder.path().to_string_lossy().into_owned();
        vec![
            ("HOME", home.clone()),
            ("XDG_DATA_HOME", format!("{home}/.local/share")),
            ("PATH", self.path.clone()),
            ("ALTER_ADDRESS", self.vault.to_string()),
            ("ALTER_BASE_URL", format!("http://{}", self.vault)),
            ("NO_COLOR", "1".to_owned()),
        ]
    }

    /// The text with the example host replaced by the provider on loopback, and the usual address by the session's.
    fn local(&self, text: &str) -> String {
        let address = self.provider.address().to_string();
        let text = text.replace(&format!("https://{EXAMPLE_HOST}"), &format!("http://{address}"));
        text.replace(EXAMPLE_HOST, &address).replace(USUAL_ADDRESS, &self.vault.to_string())
    }
}

/// Whether a printed line fits a wanted one, in which `…` stands for anything. Space at the ends does not count.
fn matches(wanted: &str, printed: &str) -> bool {
    let (wanted, printed) = (wanted.trim(), printed.trim());
    let Some((first, others)) = wanted.split_once('…') else { return wanted == printed };
    let (middle, last) = others.rsplit_once('…').unwrap_or(("", others));
    let inner = printed.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    // Each part at its first place after the one before: if that does not fit, no later place does.
    let fit = |rest: &str| middle.split('…').try_fold(rest, |rest, part| rest.split_once(part).map(|(_, after)| after)).is_some();
    inner.is_some_and(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_anything() {
        assert!(matches("key  …", "key  alter_rk_abc"));
        assert!(matches("  a … c", "a b b c"));
        assert!(matches("same", " same "));
        assert!(matches("{…\"a\":1…}", "{\"b\":{},\"a\":1,\"c\":{}}"));
        assert!(matches("… end", "the very end") && matches("…", ""));
        assert!(!matches("a…a", "a"), "the ends do not overlap");
        assert!(!matches("same", "same and more"));
        assert!(!matches("a … c", "a b d"));
        assert!(!matches("a … c", "a b c d"));
    }

    #[test]
    fn a_session_keeps_variables_and_tells_failures() {
        let mut session = Session::begin(&Project::here()).expect("a session");
        session.run("GREETING=hello").expect("it succeeds");
        session.run("echo \"$GREETING https://api.example.com/x\"").expect("it succeeds");
        session.expect("hello http://127.0.0.1:…/x").expect("it was printed");
        assert!(session.expect("goodbye").is_err());
        assert!(session.run("false").is_err());
        assert!(session.start("false").is_err());
        session.write("a.txt", "call api.example.com").expect("it can be written");
        session.run("grep -q 'call 127.0.0.1:' a.txt").expect("the host was replaced");
    }
}
