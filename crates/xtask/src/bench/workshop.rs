//! What a run needs and makes first: the programs, built once, and an environment for each package.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::bench::staging;
use crate::checks::rust;
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};
use crate::tools::{self, Venv};

/// How the programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As they would be shipped. The bench alone builds this way.
    Release,
    /// As everything else here is built: enough to see whether the programs work.
    Development,
}

impl Profile {
    /// Cargo's folder for it.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Development => "debug",
        }
    }
}

/// The crates whose programs and libraries are measured.
const PACKAGES: [&str; 4] = ["alter-bench", "alter-cli", "alter-python", "alter-node"];

/// Where everything is.
pub struct Workshop {
    source: PathBuf,
    /// `alter-bench`.
    pub programs: PathBuf,
    /// `alter`.
    pub alter: PathBuf,
    /// The interpreter for our package.
    pub python: PathBuf,
    /// The folder that holds our package, for `PYTHONPATH`.
    pub package: PathBuf,
    /// The folder that holds the Node programs, and our package where they find it.
    pub node: PathBuf,
    /// The interpreter with the public package.
    pub reference: PathBuf,
    /// The folder that holds `sniffio`, for `PYTHONPATH`.
    pub sniffio: PathBuf,
    /// Holds the certificate of the run's own authority, and what the programs print on standard error.
    pub scratch: TempDir,
}

impl Workshop {
    /// Builds and installs; `None` if a step failed, which the report then has.
    pub fn equip(project: &Project, report: &mut Report, profile: Profile) -> Option<Self> {
        build(project, report, profile).then_some(())?;
        let (python, reference) = report
            .value("Python environments", || Ok(((Venv::development(project)?.python(), Venv::reference(project)?), Checks::NONE)))?;
        let sniffio = report.value("sniffio, for the public package", || Ok((install_sniffio(project, &reference)?, Checks::NONE)))?;
        let built = project.target().join(profile.folder());
        let staged = project.target().join("bench").join(profile.folder());
        let (package, node) = (staged.join("python"), staged.join("node"));
        report
            .step("our packages with this build's engine", || {
                staging::python(&project.path("python/alter_sdk"), &built.join("lib_engine.so"), &package)?;
                staging::node(project, &built.join("libalter_node.so"), &node)?;
                Ok(Checks::NONE)
            })
            .then_some(())?;
        let scratch = report.value("a temporary folder", || Ok((tempfile::tempdir()?, Checks::NONE)))?;
        let program = |name: &str| built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Some(Self {
            source: project.path("benches"),
            programs: program("alter-bench"),
            alter: program("alter"),
            python,
            package,
            node,
            reference: reference.python(),
            sniffio,
            scratch,
        })
    }

    /// A file of the programs' sources.
    pub fn source(&self, inside: &str) -> PathBuf {
        self.source.join(inside)
    }

    /// The certificate of the authority that the stub server's own comes from.
    pub fn authority(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// The environment that all programs get: they trust the run's authority, and no proxy or setting of the person who runs it applies.
    pub fn surround(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("ALTER_") || name.to_ascii_uppercase().ends_with("_PROXY") {
                command.env_remove(&*name);
            }
        }
        command.env("SSL_CERT_FILE", self.authority()).env("NODE_EXTRA_CA_CERTS", self.authority());
    }
}

fn build(project: &Project, report: &mut Report, profile: Profile) -> bool {
    if profile == Profile::Development {
        return rust::programs(project, report, &PACKAGES);
    }
    report.step("build the programs for release", || {
        let build = Run::cargo().args(["build", "--release", "--locked"]).args(PACKAGES.iter().flat_map(|name| ["-p", name]));
        build.within(project.root()).success().map(|_| Checks::NONE)
    })
}

/// `sniffio` in a folder of its own, so that one environment serves with and without it.
fn install_sniffio(project: &Project, venv: &Venv) -> Result<PathBuf, Failure> {
    let folder = project.target().join("bench/sniffio");
    let requirements = project.path("tests/requirements/sniffio.txt");
    tools::once(&folder.join("installed"), &fs::read_to_string(&requirements)?, || {
        let install = venv.pip().args(["install", "--quiet", "--no-deps", "--upgrade", "--target"]);
        install.arg(&folder).arg("-r").arg(&requirements).success().map(drop)
    })?;
    Ok(folder)
}
