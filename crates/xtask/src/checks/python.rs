//! The Python package: wheel, formatting, lints, types, tests, and the recorded calls.

use std::fs;
use std::sync::OnceLock;

use crate::checks::{counts, rust};
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};
use crate::tools::{self, Venv};

/// What came of the wheel in this run: several groups need it, one of them makes it.
static INSTALLED: OnceLock<Option<Venv>> = OnceLock::new();

/// The environment with the wheel of this build; `None` if it could not be made.
pub fn installed(project: &Project, report: &mut Report) -> Option<Venv> {
    INSTALLED.get_or_init(|| install(project, report)).clone()
}

fn install(project: &Project, report: &mut Report) -> Option<Venv> {
    let venv = report.value("Python environment .venv", || Ok((Venv::development(project)?, Checks::NONE)))?;
    report.step("wheel", || install_wheel(project, &venv).map(|()| Checks::ONE)).then_some(venv)
}

fn install_wheel(project: &Project, venv: &Venv) -> Result<(), Failure> {
    let folder = project.target().join("wheels");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let build = Run::new(venv.program("maturin")).args(["build", "--profile", "dev", "--locked", "--quiet", "--out"]);
    build.arg(&folder).arg("--interpreter").arg(venv.python()).within(project.root()).success()?;
    put_wheel(project, venv.pip())
}

/// Installs the wheel of this build with a `pip`, whatever is installed there.
///
/// # Errors
/// When there is no wheel, or it cannot be installed.
pub fn put_wheel(project: &Project, pip: Run) -> Result<(), Failure> {
    let folder = project.target().join("wheels");
    let mut wheels = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    let (Some(wheel), true) = (wheels.pop(), wheels.is_empty()) else {
        return Err(Failure::new(format!("maturin should have written exactly one wheel into {}", folder.display())));
    };
    pip.args(["install", "--quiet", "--force-reinstall", "--no-deps"]).arg(wheel.path()).success().map(drop)
}

/// Runs the group.
pub fn run(project: &Project, report: &mut Report) {
    let Some(venv) = installed(project, report) else {
        report.skip("Python checks", "there is no wheel to check");
        return;
    };
    let ruff = |args: &[&str]| Run::new(venv.program("ruff")).args(args).within(project.root());
    report.step("ruff format --check", || ruff(&["format", "--check", "."]).success().map(|_| Checks::ONE));
    report.step("ruff check", || ruff(&["check", "."]).success().map(|_| Checks::ONE));
    report.step("pyright", || {
        let pyright = tools::node_modules(project)?.join("pyright");
        Run::new(pyright).within(project.root()).success().map(|_| Checks::ONE)
    });
    if !rust::programs(project, report, &["alter-cli"]) {
        return;
    }
    report.step("pytest", || {
        let test = Run::new(venv.python()).args(["-m", "pytest", "tests/python"]).within(project.root());
        counts::pytest(&test.env("NO_COLOR", "1").success()?)
    });
}

/// Replays the calls recorded on the public package on the wheel in `.venv`.
pub fn recorded(project: &Project, report: &mut Report) {
    let Some(venv) = installed(project, report) else {
        report.skip("recorded calls", "there is no wheel to check");
        return;
    };
    report.step("recorded calls", || {
        let replay = Run::new(venv.python()).args(["tests/recorded/python_calls.py", "tests/recorded/calls.json"]);
        counts::recorded(&replay.args(["--allow", "tests/deviations.json"]).within(project.root()).success()?)
    });
}
