//! `cargo xtask bench`: what a call costs through us, through the public package, and by hand; and what the vault costs.
//!
//! Only processor time is compared: it is what a user pays for and what another load on the machine disturbs least. Each program measures its
//! own (`benches/*/control.*`), against one stub server in a process of its own, after a warm-up, in rounds that take all programs in turn.

mod aims;
mod calls;
mod document;
mod machine;
mod programs;
mod results;
mod staging;
mod startup;
mod stub;
mod vault;
mod worker;
mod workshop;

use std::fs;
use std::path::Path;

use crate::bench::machine::Machine;
use crate::bench::results::Results;
use crate::bench::stub::Stub;
use crate::bench::vault::Load;
use crate::bench::workshop::{Profile, Workshop};
use crate::project::Project;
use crate::report::{Checks, Failure, Report};

/// How much a run measures.
struct Plan {
    profile: Profile,
    calls: calls::Plan,
    startups: usize,
    vault: vault::Plan,
}

impl Plan {
    /// Enough for figures that hold.
    fn full(rounds: usize) -> Self {
        Self {
            profile: Profile::Release,
            calls: calls::Plan { rounds, callers: &[1, 16, 64], calls: 3200 },
            startups: 3 * rounds,
            vault: vault::Plan {
                loads: const { &[Load::new(1_000, 0), Load::new(100_000, 0), Load::new(1_000, 20)] },
                callers: 16,
                calls: 20_000,
                rounds,
            },
        }
    }

    /// Enough to see that every program works.
    fn smoke() -> Self {
        Self {
            profile: Profile::Development,
            calls: calls::Plan { rounds: 1, callers: &[1, 16], calls: 160 },
            startups: 1,
            vault: vault::Plan { loads: const { &[Load::new(10, 0), Load::new(20, 2)] }, callers: 16, calls: 100, rounds: 1 },
        }
    }
}

/// What to do besides measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Measure, and print.
    Measure,
    /// The same, and write the figures into `docs/benchmarks.md` and `docs/benchmarks/results.json`.
    Publish,
    /// Make a few calls with the programs of the development build: do they work?
    Smoke,
}

impl Mode {
    /// The mode that two switches of the command line mean; they exclude each other.
    pub fn chosen(publish: bool, smoke: bool) -> Self {
        match (publish, smoke) {
            (_, true) => Self::Smoke,
            (true, false) => Self::Publish,
            (false, false) => Self::Measure,
        }
    }
}

/// Runs the bench with so many rounds; a smoke run has one.
pub fn run(project: &Project, report: &mut Report, mode: Mode, rounds: usize) {
    let plan = if mode == Mode::Smoke { Plan::smoke() } else { Plan::full(rounds) };
    if mode != Mode::Smoke {
        report.heading("Getting ready (the release build takes some minutes the first time)");
    }
    let Some(workshop) = Workshop::equip(project, report, plan.profile) else {
        report.skip("measurements", "a program is missing");
        return;
    };
    let Some(results) = measure(project, report, &workshop, &plan, mode) else { return };
    let folder = project.target().join("bench");
    report.step("write the results", || {
        write(&results, &folder.join(if mode == Mode::Smoke { "smoke" } else { "results" }))?;
        if mode == Mode::Publish {
            publish(project, &results)?;
        }
        Ok(Checks::ONE)
    });
    if mode != Mode::Smoke {
        report.say(format!("\n{}", document::tables(&results)));
        report.say(format!("Written to {}.", folder.display()));
    }
}

fn measure(project: &Project, report: &mut Report, workshop: &Workshop, plan: &Plan, mode: Mode) -> Option<Results> {
    let machine = report.value("look at the machine", || Ok((Machine::look(project, workshop, plan.profile)?, Checks::NONE)))?;
    report.heading("Calls");
    let stub = report.value("stub server", || Ok((Stub::start(workshop)?, Checks::NONE)))?;
    let mut tally = calls::Tally::default();
    for round in 1..=plan.calls.rounds {
        let name = format!("round {round} of {}", plan.calls.rounds);
        report.step(&name, || tally.round(workshop, &stub, plan.calls).map(Checks::passed)).then_some(())?;
    }
    report.heading("Start");
    let startup = report.value("new processes", || Ok((startup::measure(workshop, &stub, plan.startups)?, Checks::ONE)))?;
    drop(stub);
    report.heading("The vault");
    let vault = vault::measure(workshop, report, plan.vault)?;
    let calls = tally.finish(plan.calls);
    Some(Results { machine, smoke: mode == Mode::Smoke, rounds: plan.calls.rounds, calls, startup, vault })
}

/// Writes `NAME.json` and `NAME.md`, and reads the first again: what cannot be read is of no use to whoever compares two runs.
fn write(results: &Results, name: &Path) -> Result<(), Failure> {
    if let Some(folder) = name.parent() {
        fs::create_dir_all(folder)?;
    }
    let (json, markdown) = (name.with_extension("json"), name.with_extension("md"));
    fs::write(&json, text(results)?)?;
    fs::write(&markdown, document::tables(results))?;
    let read: Results = serde_json::from_str(&fs::read_to_string(&json)?)?;
    if read.calls.len() == results.calls.len() && !read.calls.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{} does not hold what was measured", json.display())))
}

fn publish(project: &Project, results: &Results) -> Result<(), Failure> {
    let page = project.path("docs/benchmarks.md");
    let inserted = document::insert(&fs::read_to_string(&page)?, &document::tables(results))?;
    fs::create_dir_all(project.path("docs/benchmarks"))?;
    fs::write(project.path("docs/benchmarks/results.json"), text(results)?)?;
    Ok(fs::write(page, inserted)?)
}

fn text(results: &Results) -> Result<String, Failure> {
    Ok(format!("{}\n", serde_json::to_string_pretty(results)?))
}
