//! The OpenAPI document, held against a running vault: schemathesis invents requests and judges the answers.

use std::time::Duration;

use crate::checks::counts;
use crate::command::Run;
use crate::project::Project;
use crate::report::Report;
use crate::tools::Venv;

/// A minute and a half on a machine that does nothing else.
const TEST_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs the group.
pub fn run(project: &Project, report: &mut Report) {
    report.step("requests that schemathesis invents", || {
        let venv = Venv::openapi(project)?;
        Run::cargo().args(["build", "--locked", "--workspace", "--bin", "alter"]).within(project.root()).success()?;
        let test = Run::new(venv.python()).args(["-m", "pytest", "-c", "pytest.ini"]).within(&project.path("tests/openapi"));
        let test = test.env("ALTER_BIN", project.target().join("debug/alter")).env("NO_COLOR", "1");
        counts::pytest(&test.limit(TEST_LIMIT).success()?)
    });
}
