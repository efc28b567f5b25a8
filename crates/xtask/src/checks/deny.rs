//! Licences, sources and banned crates, by cargo-deny and `deny.toml`.

use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Report};
use crate::tools;

/// Runs the group.
pub fn run(project: &Project, report: &mut Report) {
    let Some(deny) = report.value("cargo-deny is there", || Ok((tools::cargo_deny(project)?, Checks::NONE))) else {
        report.skip("cargo deny check", "cargo-deny is missing");
        return;
    };
    report.step("cargo deny check bans licenses sources", || {
        let check = Run::new(deny).args(["--locked", "check", "bans", "licenses", "sources"]).within(project.root());
        check.success().map(|_| Checks::passed(3))
    });
}
