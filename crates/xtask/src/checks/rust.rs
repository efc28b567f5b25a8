//! Formatting, lints, tests and documentation of the Rust crates.

use std::sync::OnceLock;

use crate::checks::counts;
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Report};
use crate::tools;

/// Whether the whole workspace was built in this run: then its programs are there, and building some of them by themselves would
/// only compile their dependencies again with fewer features.
static WHOLE_BUILD: OnceLock<bool> = OnceLock::new();

/// Builds programs of the workspace for a group that runs them, unless the whole workspace was built before.
pub fn programs(project: &Project, report: &mut Report, packages: &[&str]) -> bool {
    if let Some(built) = WHOLE_BUILD.get() {
        return *built;
    }
    report.step("build programs", || {
        let build = Run::cargo().args(["build", "--locked"]).args(packages.iter().flat_map(|name| ["-p", name]));
        build.within(project.root()).success().map(|_| Checks::NONE)
    })
}

/// Builds every program and test, once.
fn whole_build(project: &Project, report: &mut Report) -> bool {
    *WHOLE_BUILD.get_or_init(|| {
        report.step("build everything", || {
            let build = Run::cargo().args(["build", "--workspace", "--all-targets", "--locked"]);
            build.within(project.root()).success().map(|_| Checks::NONE)
        })
    })
}

/// Runs the group.
pub fn run(project: &Project, report: &mut Report) {
    let cargo = |args: &[&str]| Run::cargo().args(args).within(project.root());
    report.step("cargo fmt --check", || cargo(&["fmt", "--all", "--check"]).success().map(|_| Checks::ONE));
    if whole_build(project, report) {
        report.step("cargo test", || {
            // The vault signs people in with a real OpenID provider, which comes from npm.
            tools::node_modules(project)?;
            tools::postgres()?;
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
