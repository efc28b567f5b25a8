//! The Python interpreters of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Run;
use crate::report::Failure;
use crate::tools::PYTHON_FLOOR;

/// Asks an interpreter who it is. `sys.executable` is the interpreter itself where a path leads to a script that chooses one.
const WHO: &str = "from __future__ import print_function
import platform, sys, sysconfig
print(platform.python_implementation(), platform.python_version(), bool(sysconfig.get_config_var('Py_GIL_DISABLED')), sys.executable)";

/// One interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Such as `3.12.1`.
    pub version: String,
    /// The program.
    pub program: PathBuf,
}

/// The interpreters of a machine.
#[derive(Debug, Default)]
pub struct Found {
    /// One of each version that the wheel is for, the oldest first.
    pub supported: Vec<Interpreter>,
    /// The others, with the reason.
    pub passed_over: Vec<String>,
}

impl Found {
    /// Asks everything that looks like an interpreter: what pyenv has installed, and `python3` and `python3.X` on the search path.
    ///
    /// # Errors
    /// When there is no interpreter that the wheel is for.
    pub fn on_this_machine() -> Result<Self, Failure> {
        let path = env::var_os("PATH").unwrap_or_default();
        let pyenv = pyenv();
        // What stands there only leads to the versions, slowly.
        let shims = pyenv.as_ref().map(|root| root.join("shims"));
        let on_path = env::split_paths(&path).filter(|folder| Some(folder) != shims.as_ref());
        let mut candidates: Vec<_> = on_path.flat_map(|folder| programs(&folder)).collect();
        let versions = pyenv.iter().flat_map(|root| folders(&root.join("versions")));
        candidates.extend(versions.map(|version| version.join("bin/python")));
        let found = Self::sorted(candidates.iter().filter_map(|program| {
            let answer = Run::new(program).args(["-c", WHO]).finish().ok()?;
            answer.status.success().then_some(answer.output)
        }));
        if found.supported.is_empty() {
            let (major, minor) = PYTHON_FLOOR;
            return Err(
                Failure::new(format!("no CPython {major}.{minor} or newer was found")).help("cargo xtask setup names what is missing")
            );
        }
        Ok(found)
    }

    /// Sorts the answers to [`WHO`].
    fn sorted(answers: impl Iterator<Item = String>) -> Self {
        let mut supported = BTreeMap::new();
        let mut passed_over = BTreeSet::new();
        for answer in answers {
            let Some((number, judged)) = judge(answer.trim()) else { continue };
            match judged {
                Ok(interpreter) => drop(supported.entry(number).or_insert(interpreter)),
                Err(reason) => drop(passed_over.insert((number, reason))),
            }
        }
        Self { supported: supported.into_values().collect(), passed_over: passed_over.into_iter().map(|(_, reason)| reason).collect() }
    }
}

/// The version's numbers, to sort by, and the interpreter or why it is passed over; `None` for what is no interpreter's answer.
fn judge(answer: &str) -> Option<(Vec<u32>, Result<Interpreter, String>)> {
    let mut words = answer.splitn(4, ' ');
    let (kind, version, free_threaded, program) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let number: Vec<u32> =
        version.split('.').map(|part| part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)).collect();
    let (major, minor) = (*number.first()?, *number.get(1)?);
    let reason = if kind != "CPython" {
        "the wheel is for CPython"
    } else if free_threaded == "True" {
        "the stable interface, which the wheel is for, has no free-threaded form"
    } else if (major, minor) < PYTHON_FLOOR {
        "older than the package supports"
    } else {
        return Some((number, Ok(Interpreter { version: version.to_owned(), program: program.into() })));
    };
    Some((number, Err(format!("{kind} {version}: {reason}"))))
}

/// `python3` and `python3.X` in a folder.
fn programs(folder: &Path) -> Vec<PathBuf> {
    let is_one = |name: &str| {
        let minor = name.strip_prefix("python3").map(|rest| rest.strip_prefix('.').unwrap_or(rest));
        minor.is_some_and(|minor| minor.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut programs: Vec<_> = entries.filter(|entry| is_one(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect();
    programs.sort();
    programs
}

/// The folder of pyenv, which may not be there.
fn pyenv() -> Option<PathBuf> {
    env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".pyenv")))
}

fn folders(within: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir(within).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(answers: &[&str]) -> Found {
        Found::sorted(answers.iter().map(|answer| (*answer).to_owned()))
    }

    #[test]
    fn one_of_each_version_is_kept_in_the_order_of_their_numbers() {
        let found =
            sorted(&["CPython 3.13.0 False /a\n", "CPython 3.9.18 False /b", "CPython 3.13.0 False /c", "CPython 3.10.2 False /d e"]);
        let kept: Vec<_> = found.supported.iter().map(|it| (it.version.as_str(), it.program.to_str().expect("text"))).collect();
        assert_eq!(kept, [("3.10.2", "/d e"), ("3.13.0", "/a")]);
        assert_eq!(found.passed_over, ["CPython 3.9.18: older than the package supports"]);
    }

    #[test]
    fn what_the_wheel_is_not_for_is_passed_over_with_its_reason() {
        let found = sorted(&["PyPy 3.10.14 False /a", "CPython 3.14.0rc1 True /b", "no interpreter at all"]);
        assert!(found.supported.is_empty());
        assert_eq!(found.passed_over.len(), 2);
        assert!(found.passed_over[0].starts_with("PyPy 3.10.14: ") && found.passed_over[1].starts_with("CPython 3.14.0rc1: "));
    }

    #[test]
    fn only_interpreters_are_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["python3", "python3.12", "python3-config", "python3.12-config", "python", "python2.7"] {
            fs::write(folder.path().join(name), "").expect("it can be written");
        }
        assert_eq!(programs(folder.path()), [folder.path().join("python3"), folder.path().join("python3.12")]);
    }
}
