//! `cargo xtask endurance`: programs that end in the middle of their calls, many times, on every Python of the machine and on Node.
//!
//! A thread of the engine that outlives what it needs shows at the end of a process, in one run of many: as a crash, a hang, or a
//! line on standard error. So each program in [`PYTHON_PROGRAMS`] and [`NODE_PROGRAMS`] is a situation, the runs of a program differ by
//! the number of the round, and every run must end with status 0 and in silence.

mod interpreters;
mod runs;

use std::fs;
use std::path::{Path, PathBuf};

use alter_testkit::stand_in::StandIn;

use crate::checks::{node, python};
use crate::command::Run;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};
use crate::tools::Venv;

use interpreters::{Found, Interpreter};
use runs::Tally;

/// Each gets the base URL, a key, a grant's id and the number of the round as its arguments.
const PYTHON_PROGRAMS: &str = "tests/python/programs/endurance";
/// As [`PYTHON_PROGRAMS`].
const NODE_PROGRAMS: &str = "tests/node/programs/endurance";

/// Rounds in `cargo xtask test`: enough to see that the programs work, and to catch what happens often.
const FEW: u32 = 2;

/// One row of the table.
struct Row {
    runtime: String,
    program: String,
    tally: Tally,
}

/// Runs everything whose name (such as `two_loops.py on CPython 3.12.1`) contains one of `only`, or all, and prints a table.
pub fn run(project: &Project, report: &mut Report, rounds: u32, only: &[String]) {
    let rows = rows(project, report, rounds, only);
    if rows.is_empty() {
        report.step("programs", || {
            Err(Failure::new("nothing was run").help("--only takes a part of a line such as `two_loops.py on CPython`"))
        });
    } else {
        report.heading("Ends");
        print_table(report, &rows);
    }
}

/// As [`run`], a few times each and without the table.
pub fn check(project: &Project, report: &mut Report) {
    rows(project, report, FEW, &[]);
}

fn rows(project: &Project, report: &mut Report, rounds: u32, only: &[String]) -> Vec<Row> {
    let Some(stand_in) = report.value("vault and provider on loopback", || Ok((StandIn::start()?, Checks::NONE))) else {
        return Vec::new();
    };
    let mut course = Course { url: stand_in.url(), rounds, only, rows: Vec::new() };
    on_python(project, report, &mut course);
    on_node(project, report, &mut course);
    course.rows
}

/// An environment for each interpreter of the machine, with what the wheel needs.
///
/// # Errors
/// When there is no interpreter that the wheel is for, or an environment cannot be made.
pub fn environments(project: &Project) -> Result<Vec<Venv>, Failure> {
    let venv = Venv::development(project)?;
    let each = |found: &Interpreter| venv.of_interpreter(project, &found.program, &found.version);
    Found::on_this_machine()?.supported.iter().map(each).collect()
}

/// Runs the Python programs on each interpreter, in an environment with the wheel.
fn on_python(project: &Project, report: &mut Report, course: &mut Course<'_>) {
    let found = || Ok(((Found::on_this_machine()?, programs(&project.path(PYTHON_PROGRAMS))?), Checks::NONE));
    let Some((found, programs)) = report.value("Python interpreters", found) else { return };
    for reason in &found.passed_over {
        report.say(format!("  passed over: {reason}"));
    }
    for Interpreter { version, program } in &found.supported {
        let runtime = format!("CPython {version}");
        let Some(programs) = course.chosen(&programs, &runtime) else { continue };
        let Some(venv) = python::installed(project, report) else {
            report.skip(&format!("programs on {runtime}"), "there is no wheel to run them with");
            continue;
        };
        let environment = report.value(&format!("environment of {runtime}"), || {
            let environment = venv.of_interpreter(project, program, version)?;
            python::put_wheel(project, venv.pip_for(&environment))?;
            Ok((environment, Checks::NONE))
        });
        if let Some(environment) = environment {
            course.run(report, &environment.python(), &runtime, &programs);
        }
    }
}

/// Runs the Node programs on the machine's Node.
fn on_node(project: &Project, report: &mut Report, course: &mut Course<'_>) {
    let found = || Ok(((Run::new("node").arg("--version").success()?, programs(&project.path(NODE_PROGRAMS))?), Checks::NONE));
    let Some((version, programs)) = report.value("Node", found) else { return };
    let runtime = format!("Node {}", version.trim().trim_start_matches('v'));
    let Some(programs) = course.chosen(&programs, &runtime) else { return };
    if node::installed(project, report) {
        course.run(report, Path::new("node"), &runtime, &programs);
    } else {
        report.skip(&format!("programs on {runtime}"), "there is no package to run them with");
    }
}

/// What is run, how often, and what came of it so far.
struct Course<'a> {
    url: String,
    rounds: u32,
    only: &'a [String],
    rows: Vec<Row>,
}

impl Course<'_> {
    /// Which of the programs shall run; `None` if there is none.
    fn chosen(&self, programs: &[PathBuf], runtime: &str) -> Option<Vec<PathBuf>> {
        let is_chosen = |name: &str| self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()));
        let chosen: Vec<_> = programs.iter().filter(|program| is_chosen(&step_name(program, runtime))).cloned().collect();
        (!chosen.is_empty()).then_some(chosen)
    }

    fn run(&mut self, report: &mut Report, interpreter: &Path, runtime: &str, programs: &[PathBuf]) {
        for path in programs {
            report.step(&step_name(path, runtime), || {
                let tally = Tally::of(interpreter, path, &self.url, self.rounds)?;
                let judged = tally.judged();
                self.rows.push(Row { runtime: runtime.to_owned(), program: file_name(path), tally });
                judged
            });
        }
    }
}

fn step_name(program: &Path, runtime: &str) -> String {
    format!("{} on {runtime}", file_name(program))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Every program of a folder, so that none can be forgotten.
fn programs(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    let mut programs: Vec<_> = paths.into_iter().filter(|path| path.is_file()).collect();
    programs.sort();
    Ok(programs)
}

fn print_table(report: &mut Report, rows: &[Row]) {
    report.say("| on | program | runs | status ≠ 0 | printed | did not end |");
    report.say("| --- | --- | ---: | ---: | ---: | ---: |");
    for Row { runtime, program, tally: Tally { runs, failed, printed, hung, .. } } in rows {
        report.say(format!("| {runtime} | {program} | {runs} | {failed} | {printed} | {hung} |"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_of_both_languages_are_found() {
        let project = Project::here();
        for folder in [PYTHON_PROGRAMS, NODE_PROGRAMS] {
            assert!(programs(&project.path(folder)).expect("the folder is there").len() > 5, "{folder}");
        }
    }
}
