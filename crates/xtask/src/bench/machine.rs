//! Where and with what a run was made: without it, no figure means anything to anybody else.

use std::fs;
use std::path::Path;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::bench::workshop::{Profile, Workshop};
use crate::command::Run;
use crate::project::Project;
use crate::report::Failure;

/// Facts of one run.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The day, in UTC.
    pub date: String,
    /// The commit of this repository; with `+` if the tree had changes.
    pub commit: String,
    /// How our programs were built.
    pub profile: String,
    /// The processor's name.
    pub processor: String,
    /// Processors that may be used.
    pub cores: usize,
    /// Memory in GiB, rounded.
    pub memory_gib: u64,
    /// The kernel.
    pub kernel: String,
    /// Runnable processes of the last minute when the run began: what else the machine was doing.
    pub load: f64,
    /// Compilers, interpreters and packages, `name version`.
    pub versions: Vec<String>,
}

impl Machine {
    /// Looks at this machine.
    ///
    /// # Errors
    /// When it is no Linux, or a program that is measured cannot be asked for its version.
    pub fn look(project: &Project, workshop: &Workshop, profile: Profile) -> Result<Self, Failure> {
        let processors = read("/proc/cpuinfo")?;
        let memory = read("/proc/meminfo")?;
        let kib: u64 = value(&memory, "MemTotal").and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or_default();
        let load = read("/proc/loadavg")?;
        Ok(Self {
            date: line(Run::new("date").args(["-u", "+%Y-%m-%d"]))?,
            commit: commit(project)?,
            profile: profile.folder().to_owned(),
            processor: value(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism()?.get(),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: load.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default(),
            versions: versions(workshop)?,
        })
    }
}

fn versions(workshop: &Workshop) -> Result<Vec<String>, Failure> {
    const PACKAGES: &str =
        "import importlib.metadata as m; print(*(f'{p} {m.version(p)}' for p in ('alter-sdk', 'httpx', 'h2', 'pydantic')), sep='\\n')";
    let rustc = line(Run::new("rustc").arg("--version"))?;
    let node = line(Run::new("node").arg("--version"))?;
    let mut all = vec![rustc, line(python(&workshop.python).arg("--version"))?, format!("Node {node}")];
    all.extend(python(&workshop.reference).args(["-c", PACKAGES]).success()?.lines().map(str::to_owned));
    Ok(all)
}

fn python(interpreter: &Path) -> Run {
    Run::new(interpreter)
}

fn commit(project: &Project) -> Result<String, Failure> {
    let git = |args: &[&str]| Run::new("git").args(args).within(project.root()).success();
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.trim().is_empty();
    Ok(format!("{}{}", commit.trim(), if changed { "+" } else { "" }))
}

fn line(run: Run) -> Result<String, Failure> {
    Ok(run.success()?.trim().to_owned())
}

fn read(path: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|cause| Failure::new(format!("{path}: {cause}")).help("the bench needs Linux"))
}

/// The value of the first `name: value` line.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        assert_eq!(value("a : 1\nmodel name\t: X @ 2: 50\n", "model name"), Some("X @ 2: 50"));
        assert_eq!(value("a: 1", "b"), None);
    }
}
