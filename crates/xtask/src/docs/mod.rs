//! The documentation's own checks: every example runs as printed, every link leads somewhere.

mod page;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use crate::checks::{node, python, rust};
use crate::docs::page::{Action, Example};
use crate::docs::session::Session;
use crate::project::Project;
use crate::report::{Checks, Failure, Report};

/// Runs the examples of each page and follows its links.
pub fn run(project: &Project, report: &mut Report) {
    let ready = rust::programs(project, report, &["alter-cli"]);
    if !ready || python::installed(project, report).is_none() || !node::installed(project, report) {
        report.skip("pages", "a program that they run is missing");
        return;
    }
    let Some(pages) = report.value("pages", || Ok((pages(project.root())?, Checks::NONE))) else { return };
    for path in pages {
        let name = path.strip_prefix(project.root()).unwrap_or(&path).display().to_string();
        report.step(&name, || check(project, &path));
    }
}

fn pages(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut pages = Vec::new();
    for folder in [root.to_owned(), root.join("docs")] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md" || extension == "txt") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

fn check(project: &Project, path: &Path) -> Result<Checks, Failure> {
    let markdown = fs::read_to_string(path)?;
    let mut checks = 0;
    let examples = page::examples(&markdown)?;
    if !examples.is_empty() {
        let mut session = Session::begin(project)?;
        for example in &examples {
            perform(project, &mut session, example)
                .map_err(|failure| Failure { message: format!("line {}: {}", example.line, failure.message), ..failure })?;
            checks += 1;
        }
    }
    let folder = path.parent().unwrap_or(path);
    for (line, link) in page::links(&markdown) {
        if !folder.join(&link).exists() {
            return Err(Failure::new(format!("line {line}: the link {link} leads nowhere")));
        }
        checks += 1;
    }
    Ok(Checks::passed(checks))
}

fn perform(project: &Project, session: &mut Session, example: &Example) -> Result<(), Failure> {
    match &example.action {
        Action::Run => session.run(&example.text),
        Action::Background => session.start(&example.text),
        Action::Output => session.expect(&example.text),
        Action::File(name) => session.write(name, &example.text),
        Action::SameAs(path) => {
            let file = fs::read_to_string(project.path(path))?;
            if file == example.text {
                let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
                return session.write(&name, &example.text);
            }
            let same = file.lines().zip(example.text.lines()).take_while(|(file, shown)| file == shown).count();
            Err(Failure::new(format!("the example differs from {path} in its line {}", same + 1)))
        }
    }
}
