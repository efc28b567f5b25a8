//! `cargo xtask setup`: everything that the other commands need, so that they need no network later.

use crate::command::Run;
use crate::endurance;
use crate::project::Project;
use crate::report::{Checks, Report};
use crate::tools::{self, PREREQUISITES, Venv};

/// Checks what a machine must bring, and installs the rest.
pub fn run(project: &Project, report: &mut Report) {
    report.heading("On this machine");
    for prerequisite in &PREREQUISITES {
        report.step(&prerequisite.name(), || prerequisite.check().map(|()| Checks::ONE));
    }
    report.heading("Installed by this command");
    report.step("crates", || Run::cargo().args(["fetch", "--locked"]).within(project.root()).success().map(|_| Checks::ONE));
    report.step("Python environment .venv", || Venv::development(project).map(|_| Checks::ONE));
    report.step("environments of this machine's Pythons", || {
        endurance::environments(project).map(|found| Checks::passed(found.len() as u64))
    });
    report.step("public package in target/reference", || Venv::reference(project).map(|_| Checks::ONE));
    report.step("schemathesis in target/openapi", || Venv::openapi(project).map(|_| Checks::ONE));
    report.step("Node tools in node_modules", || tools::node_modules(project).map(|_| Checks::ONE));
    report.step("Chromium", || tools::chromium().map(|_| Checks::ONE));
    report.step("PostgreSQL, for tests", || tools::postgres().map(|_| Checks::ONE));
    report.step("cargo-deny", || tools::cargo_deny(project).map(|_| Checks::ONE));
}
