//! What a run needs and makes first: the programs, built once, and an environment for each package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

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
        report
            .step(&format!("build the programs ({})", profile.folder()), || {
                let build = Run::cargo().args(["build", "--locked", "-p", "alter-bench", "-p", "alter-cli", "-p", "alter-python"]);
                let build = if profile == Profile::Release { build.arg("--release") } else { build };
                build.within(project.root()).success().map(|_| Checks::NONE)
            })
            .then_some(())?;
        let (python, reference) = report
            .value("Python environments", || Ok(((Venv::development(project)?.python(), Venv::reference(project)?), Checks::NONE)))?;
        let sniffio = report.value("sniffio, for the public package", || Ok((install_sniffio(project, &reference)?, Checks::NONE)))?;
        let built = project.target().join(profile.folder());
        let package = report.value("our Python package", || {
            let folder = project.target().join("bench").join(profile.folder());
            stage_package(&project.path("python/alter_sdk"), &built.join("lib_engine.so"), &folder.join("alter_sdk"))?;
            Ok((folder, Checks::NONE))
        })?;
        let scratch = report.value("a temporary folder", || Ok((tempfile::tempdir()?, Checks::NONE)))?;
        let program = |name: &str| built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Some(Self {
            source: project.path("benches"),
            programs: program("alter-bench"),
            alter: program("alter"),
            python,
            package,
            reference: reference.python(),
            sniffio,
            scratch,
        })
    }

    /// A file of the programs' source.
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

/// Our package with the engine of this build, as an installed wheel would have it; the one in `.venv` stays what the tests put there.
fn stage_package(source: &Path, engine: &Path, folder: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    copy_sources(source, folder)?;
    fs::copy(engine, folder.join("_engine.abi3.so"))?;
    Ok(())
}

fn copy_sources(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_sources(&path, &target)?;
        } else if path.extension().is_some_and(|kind| kind == "py" || kind == "pyi" || kind == "typed") || entry.file_name() == "py.typed" {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_package_has_the_sources_and_this_build_s_engine_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |inside: &str| folder.path().join(inside);
        fs::create_dir_all(at("source/models")).expect("it can be made");
        for (name, text) in
            [("source/__init__.py", "a"), ("source/models/x.py", "b"), ("source/_engine.abi3.so", "old"), ("built.so", "new")]
        {
            fs::write(at(name), text).expect("it can be written");
        }
        for _ in 0..2 {
            stage_package(&at("source"), &at("built.so"), &at("staged")).expect("it can be staged, and again");
        }
        let read = |name: &str| fs::read_to_string(at(name)).expect("it is there");
        assert_eq!(
            (read("staged/__init__.py"), read("staged/models/x.py"), read("staged/_engine.abi3.so")),
            ("a".into(), "b".into(), "new".into())
        );
    }
}
