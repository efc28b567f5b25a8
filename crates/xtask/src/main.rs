//! The project's commands: `cargo xtask setup | demo | test | conformance | codegen`.

mod checks;
mod codegen;
mod command;
mod project;
mod report;
mod setup;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::checks::Group;
use crate::project::Project;
use crate::report::Report;

/// The project's commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the other commands need, or name what is missing.
    Setup,
    /// Run every check, or some groups of them.
    Test {
        /// Run this group only; may be given more than once.
        #[arg(long, value_enum, value_name = "GROUP")]
        only: Vec<Group>,
    },
    /// Write the generated files again.
    Codegen {
        /// Write nothing; fail if a file differs from what would be written.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let project = Project::here();
    let mut report = Report::begin();
    match arguments.task {
        Task::Setup => setup::run(&project, &mut report),
        Task::Test { only } => checks::run(&project, &mut report, &only),
        Task::Codegen { check } => codegen::run(&project, &mut report, check),
    }
    report.finish()
}
