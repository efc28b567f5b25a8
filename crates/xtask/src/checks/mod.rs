//! `cargo xtask test`: every check of the project, in groups.

mod counts;
mod deny;
mod layout;
pub mod node;
mod openapi;
mod pages;
pub mod python;
pub mod rust;

use clap::ValueEnum;

use crate::bench;
use crate::codegen;
use crate::conformance;
use crate::demo;
use crate::docs;
use crate::endurance;
use crate::project::Project;
use crate::report::Report;
use crate::soak;

/// A group of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Dependency directions and file sizes.
    Layout,
    /// Formatting, lints, tests and documentation of the Rust crates.
    Rust,
    /// Generated files are what the generators write.
    Codegen,
    /// Licences, sources and banned crates.
    Deny,
    /// The Python package: wheel, formatting, lints, types and tests.
    Python,
    /// The TypeScript package: formatting, lints, types and tests.
    Node,
    /// The OpenAPI document against a running vault.
    Openapi,
    /// The vault's pages in a real browser.
    Pages,
    /// Programs that end in the middle of their calls, on every Python of the machine and on Node.
    Endurance,
    /// Calls recorded on the public package, replayed on ours.
    Recorded,
    /// The same calls by the public package and ours against a real vault.
    Conformance,
    /// Two vaults on one database under load, one of them killed again and again.
    Soak,
    /// The examples and links of the documentation.
    Docs,
    /// The demo.
    Demo,
    /// The bench's programs: whether they work, not how fast.
    Bench,
}

/// Runs the chosen groups, or all of them.
pub fn run(project: &Project, report: &mut Report, only: &[Group]) {
    for group in Group::value_variants() {
        if !only.is_empty() && !only.contains(group) {
            continue;
        }
        let name = group.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        report.heading(&name);
        match group {
            Group::Layout => layout::run(project, report),
            Group::Rust => rust::run(project, report),
            Group::Codegen => codegen::run(project, report, true),
            Group::Deny => deny::run(project, report),
            Group::Python => python::run(project, report),
            Group::Node => node::run(project, report),
            Group::Openapi => openapi::run(project, report),
            Group::Pages => pages::run(project, report),
            Group::Endurance => endurance::check(project, report),
            Group::Recorded => python::recorded(project, report),
            Group::Conformance => conformance::all(project, report),
            Group::Soak => soak::run(project, report, soak::CHECKED),
            Group::Docs => docs::run(project, report),
            Group::Demo => demo::run(project, report),
            Group::Bench => bench::run(project, report, bench::Mode::Smoke, 1),
        }
    }
}
