//! The operations besides `request()`: calls that follow each other, people who sign in between them, and every client.

mod driver;
mod judge;
pub mod list;
mod people;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use crate::conformance::client::Client;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};
use list::{Operations, Scenario};
use stage::{Played, Stage};

/// Plays the scenarios whose id begins with `only` with each client, and compares. Gives the names of the calls that ran.
pub fn play(project: &Project, report: &mut Report, clients: &[Client], only: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let read = || {
        let mut list = Operations::load(&project.path("tests/conformance/operations.toml"))?.list;
        list.retain(|scenario| scenario.id.starts_with(only));
        Ok((list, Checks::NONE))
    };
    let Some(list) = report.value("the list of operations", read) else { return calls };
    if list.is_empty() {
        return calls;
    }
    let begun = report.value("a vault and an OpenID provider", || Ok((Stage::set(project)?, Checks::NONE)));
    let Some(stage) = begun else { return calls };
    let mut played = BTreeMap::new();
    for client in clients {
        let told = report.value(&format!("{}: {} scenarios of operations", client.title(), list.len()), || {
            let played = stage.play(project, *client, &list)?;
            let steps = played.iter().map(|scenario| scenario.len() as u64).sum();
            Ok((played, Checks::passed(steps)))
        });
        if let Some(told) = told {
            let steps = list.iter().filter(|scenario| scenario.is_for(*client)).flat_map(|scenario| &scenario.steps);
            calls.extend(steps.filter(|step| !step.is_visit() && !step.is_decision()).map(|step| step.call.clone()));
            played.insert(*client, told);
        }
    }
    if let Some(reference) = played.get(&Client::Reference) {
        for (client, ours) in played.iter().filter(|(client, _)| client.is_ours()) {
            report.step(&format!("{} and the public package agree on operations", client.title()), || agree(&list, reference, ours));
        }
    }
    calls
}

fn agree(list: &[Scenario], reference: &[Played], ours: &[Played]) -> Result<Checks, Failure> {
    let mut wrong = Vec::new();
    let mut steps = 0;
    for ((scenario, theirs), ours) in list.iter().zip(reference).zip(ours) {
        for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
            steps += 1;
            let differences = judge::disagreement(theirs, ours);
            wrong.extend(differences.iter().map(|difference| format!("{}: {difference}", scenario.place(index))));
        }
    }
    if wrong.is_empty() { Ok(Checks::passed(steps)) } else { Err(Failure::new(wrong.join("\n"))) }
}
