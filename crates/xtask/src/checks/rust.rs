//! Formatting, lints, tests and documentation of the Rust crates.

use crate::checks::counts;
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Report};

/// Builds programs of the workspace for a group that runs them.
pub fn programs(project: &Project, report: &mut Report, packages: &[&str]) -> bool {
    report.step("build programs", || {
        let build = Run::cargo().args(["build", "--locked"]).args(packages.iter().flat_map(|name| ["-p", name]));
        build.within(project.root()).success().map(|_| Checks::NONE)
    })
}

/// Runs the group.
pub fn run(project: &Project, report: &mut Report) {
    let cargo = |args: &[&str]| Run::cargo().args(args).within(project.root());
    report.step("cargo fmt --check", || cargo(&["fmt", "--all", "--check"]).success().map(|_| Checks::ONE));
    let built =
        report.step("build programs and tests", || cargo(&["test", "--workspace", "--locked", "--no-run"]).success().map(|_| Checks::NONE));
    if built {
        report.step("cargo test", || {
            counts::cargo(&cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]).env("NO_COLOR", "1").success()?)
        });
    } else {
        report.skip("cargo test", "the build failed");
    }
    report.step("cargo clippy", || {
        let lint = cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
        lint.success().map(|_| Checks::ONE)
    });
    report.step("cargo doc", || {
        let document = cargo(&["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"]);
        document.env("RUSTDOCFLAGS", "-D warnings").success().map(|_| Checks::ONE)
    });
}
