//! The TypeScript package: build, formatting, lints, types and tests.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::checks::{counts, rust};
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};
use crate::tools;

/// The tests start a few hundred short programs.
const TEST_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Makes the package in `node/` from the one development build; false if that failed.
pub fn installed(project: &Project, report: &mut Report) -> bool {
    report.step("TypeScript package", || {
        tools::node_modules(project)?;
        Run::cargo().args(["build", "--locked", "-p", "alter-node"]).within(project.root()).success()?;
        Run::new("node").arg("node/build.mjs").within(project.root()).success().map(|_| Checks::ONE)
    })
}

/// Runs the group.
pub fn run(project: &Project, report: &mut Report) {
    if !installed(project, report) {
        report.skip("TypeScript checks", "there is no package to check");
        return;
    }
    report.step("biome", || {
        let biome = tools::node_modules(project)?.join("biome");
        Run::new(biome).args(["ci", "--error-on-warnings", "."]).within(project.root()).success().map(|_| Checks::ONE)
    });
    // Some of the tests use the package on a real vault.
    if !rust::programs(project, report, &["alter-cli"]) {
        report.skip("node --test", "there is no vault to test with");
        return;
    }
    report.step("node --test", || {
        let test = Run::new("node").args(["--test", "--test-reporter=tap"]).args(test_files(project)?).within(project.root());
        counts::node(&test.env("NO_COLOR", "1").limit(TEST_LIMIT).success()?)
    });
}

/// The test files by name: what `node --test` makes of a folder differs between its versions.
fn test_files(project: &Project) -> Result<Vec<PathBuf>, Failure> {
    let paths = fs::read_dir(project.path("tests/node"))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    let mut tests: Vec<_> = paths.into_iter().filter(|path| path.to_string_lossy().ends_with(".test.mjs")).collect();
    tests.sort();
    Ok(tests)
}
