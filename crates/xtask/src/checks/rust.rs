//! Formatting, lints, tests and documentation of the Rust crates.

use crate::checks::counts;
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Report};

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
