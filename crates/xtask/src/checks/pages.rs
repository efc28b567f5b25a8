//! The vault's pages in a real browser: looked at, used by keyboard, and judged by axe-core.

use std::time::Duration;

use crate::checks::{counts, node};
use crate::command::Run;
use crate::project::Project;
use crate::report::Report;
use crate::tools;

/// A page is loaded some hundred times.
const TEST_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs the group. The pictures are in `target/pages` afterwards.
pub fn run(project: &Project, report: &mut Report) {
    if !node::installed(project, report) {
        report.skip("pages in a browser", "there is no package to use the vault with");
        return;
    }
    report.step("pages in a browser", || {
        let chromium = tools::chromium()?;
        Run::cargo().args(["build", "--locked", "--workspace", "--bin", "alter"]).within(project.root()).success()?;
        let test = Run::new("node").args(["--test", "--test-reporter=tap", "tests/pages/pages.test.mjs"]).within(project.root());
        counts::node(&test.env("NO_COLOR", "1").env("ALTER_CHROMIUM", chromium).limit(TEST_LIMIT).success()?)
    });
}
