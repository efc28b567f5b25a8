//! The project's commands: `cargo xtask setup | demo | test | conformance | bench | endurance | soak | codegen`.

mod bench;
mod checks;
mod codegen;
mod command;
mod conformance;
mod demo;
mod docs;
mod endurance;
mod project;
mod report;
mod setup;
mod soak;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::checks::Group;
use crate::conformance::client::Client;
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
    /// Show a real call that carries a credential which the calling code never holds.
    Demo,
    /// Run every check, or some groups of them.
    Test {
        /// Run this group only; may be given more than once.
        #[arg(long, value_enum, value_name = "GROUP")]
        only: Vec<Group>,
    },
    /// Make the same calls with the public package and ours against a real vault, and compare.
    Conformance {
        /// Run this client only; may be given more than once.
        #[arg(long, value_enum, value_name = "CLIENT")]
        client: Vec<ClientChoice>,
        /// Run the scenarios whose id begins with this.
        #[arg(long, value_name = "ID", default_value = "")]
        only: String,
        /// Print the names of the calls that ran, one a line, at the end.
        #[arg(long)]
        calls: bool,
    },
    /// Measure what calls cost through us, through the public package and by hand, and what the vault costs.
    Bench {
        /// Write the figures into docs/benchmarks.md and docs/benchmarks/results.json.
        #[arg(long, conflicts_with = "smoke")]
        publish: bool,
        /// Make a few calls with each program of the development build: do they work?
        #[arg(long)]
        smoke: bool,
        /// Rounds over all programs. More take longer and make the medians steadier.
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..), conflicts_with = "smoke")]
        rounds: u8,
    },
    /// Run programs that end in the middle of their calls, on every Python of this machine and on Node: does each end cleanly?
    Endurance {
        /// Runs of each program.
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Run what has this in its line, such as a program's name or a Python version; may be given more than once.
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
    },
    /// Put two vaults on one database under load, and kill one of them every five seconds: is anything lost or done twice?
    Soak {
        /// How long, in seconds.
        #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..))]
        seconds: u32,
    },
    /// Write the generated files again.
    Codegen {
        /// Write nothing; fail if a file differs from what would be written.
        #[arg(long)]
        check: bool,
    },
}

/// One client, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClientChoice {
    /// The public package, unmodified.
    Reference,
    /// Our Rust SDK.
    Rust,
    /// Our Python package.
    Python,
    /// Our TypeScript package.
    Node,
    /// All of them, and whether they agree.
    All,
}

impl ClientChoice {
    fn clients(chosen: &[Self]) -> Vec<Client> {
        let all = chosen.is_empty() || chosen.contains(&Self::All);
        let each = [
            (Self::Reference, Client::Reference),
            (Self::Rust, Client::Rust),
            (Self::Python, Client::Python),
            (Self::Node, Client::TypeScript),
        ];
        each.into_iter().filter(|(choice, _)| all || chosen.contains(choice)).map(|(_, client)| client).collect()
    }
}

/// The address that this program was given in place of a task: programs under test open it as their browser.
fn browsed() -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    arguments.next().filter(|first| first.starts_with("http://") && arguments.next().is_none())
}

fn main() -> ExitCode {
    if let Some(url) = browsed() {
        return conformance::browse(&url);
    }
    let arguments = Arguments::parse();
    let project = Project::here();
    let mut report = Report::begin();
    match arguments.task {
        Task::Setup => setup::run(&project, &mut report),
        Task::Demo => demo::run(&project, &mut report),
        Task::Test { only } => checks::run(&project, &mut report, &only),
        Task::Conformance { client, only, calls } => {
            let wanted = conformance::Wanted { clients: &ClientChoice::clients(&client), only: &only, calls };
            conformance::run(&project, &mut report, &wanted);
        }
        Task::Bench { publish, smoke, rounds } => bench::run(&project, &mut report, bench::Mode::chosen(publish, smoke), rounds.into()),
        Task::Endurance { rounds, only } => endurance::run(&project, &mut report, rounds, &only),
        Task::Soak { seconds } => soak::run(&project, &mut report, seconds),
        Task::Codegen { check } => codegen::run(&project, &mut report, check),
    }
    report.finish()
}
