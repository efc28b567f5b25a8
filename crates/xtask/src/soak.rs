//! `cargo xtask soak`: two vaults on one PostgreSQL database under load, one of them killed and started again every five seconds (`tests/soak`).

use std::time::Duration;

use crate::checks::rust;
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};

/// How long the check takes, in seconds.
pub const CHECKED: u32 = 30;
/// How long starting and settling may take besides.
const MORE: Duration = Duration::from_secs(240);
/// What is held against what programs were told: writes, credentials, calls once, calls agreed to, the audit, the errors.
const HELD: u64 = 6;

/// Lets the load run for some seconds.
pub fn run(project: &Project, report: &mut Report, seconds: u32) {
    if !rust::programs(project, report, &["alter-cli", "alter-soak"]) {
        return;
    }
    let soaked = report.value(&format!("two vaults under load for {seconds} s"), || {
        let program = Run::new(project.built("alter-soak")).arg(project.built("alter")).arg(seconds.to_string());
        let program =
            program.env("NO_PROXY", "*").env("no_proxy", "*").within(project.root()).limit(Duration::from_secs(seconds.into()) + MORE);
        let (status, printed, errors) = program.separate()?;
        if status.success() {
            Ok((printed, Checks::passed(HELD)))
        } else {
            Err(Failure::new("something was lost or done twice").output(format!("{printed}{errors}")))
        }
    });
    for line in soaked.iter().flat_map(|printed| printed.lines()) {
        report.say(format!("    {line}"));
    }
}
