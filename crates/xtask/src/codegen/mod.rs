//! `cargo xtask codegen`: files that are written from one declaration, and the check that nobody edited them by hand.

mod constructors;
mod differences;
mod errors_page;
mod python;
mod text;
mod typescript;

use std::fs;
use std::path::Path;

use crate::project::Project;
use crate::report::{Checks, Failure, Report};

/// A file as its generator wants it.
pub struct Generated {
    /// The path inside the repository.
    pub path: String,
    /// The whole text.
    pub content: String,
}

/// One generator: a name, and the files that it writes.
type Generator = (&'static str, fn(&Project) -> Result<Vec<Generated>, Failure>);

const GENERATORS: [Generator; 4] = [
    ("Python package", |_| Ok(python::files())),
    ("TypeScript package", |_| Ok(typescript::files())),
    ("table of errors", errors_page::files),
    ("differences from the public package", differences::files),
];

/// Writes every generated file, or only compares.
pub fn run(project: &Project, report: &mut Report, check: bool) {
    for (name, generate) in GENERATORS {
        report.step(name, || {
            let files = generate(project)?;
            for file in &files {
                put(project.root(), file, check)?;
            }
            Ok(Checks::passed(files.len() as u64))
        });
    }
}

fn put(root: &Path, file: &Generated, check: bool) -> Result<(), Failure> {
    let path = root.join(&file.path);
    let there = fs::read_to_string(&path).unwrap_or_default();
    if there == file.content {
        return Ok(());
    }
    if check {
        let first = there.lines().zip(file.content.lines()).take_while(|(is, should)| is == should).count() + 1;
        let message = format!("{} differs from what its generator writes, from line {first} on", file.path);
        return Err(Failure::new(message).help("run cargo xtask codegen and commit the result"));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, &file.content)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_found_and_mended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = Generated { path: "a/b.txt".to_owned(), content: "one\ntwo\n".to_owned() };
        assert!(put(folder.path(), &file, true).is_err(), "a missing file is drift");
        put(folder.path(), &file, false).expect("it can be written");
        put(folder.path(), &file, true).expect("it is the same now");
        fs::write(folder.path().join("a/b.txt"), "one\nTWO\n").expect("it can be written");
        let failure = put(folder.path(), &file, true).expect_err("it was edited");
        assert!(failure.message.contains("line 2"), "{}", failure.message);
    }
}
