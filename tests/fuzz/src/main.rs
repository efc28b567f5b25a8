//! Moves the kept inputs between their files and the folders that libFuzzer works in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use alter_fuzz::corpus::{Corpus, Input, seeds};
use alter_fuzz::{TARGETS, Target};

const USAGE: &str = "usage: alter-fuzz unpack|pack FOLDER [TARGET]
  unpack  writes seeds and kept inputs into FOLDER/TARGET, a file each
  pack    keeps what is in FOLDER/TARGET in place of what was reached before";

/// A command for one target and its folder.
type Action = fn(&Target, &Path) -> io::Result<usize>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (action, folder): (Action, _) = match arguments.as_slice() {
        [word, folder, ..] if word == "unpack" => (unpack, PathBuf::from(folder)),
        [word, folder, ..] if word == "pack" => (pack, PathBuf::from(folder)),
        _ => return fail(USAGE),
    };
    let chosen: Vec<_> = TARGETS.iter().filter(|target| arguments.get(2).is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        return fail(USAGE);
    }
    for target in chosen {
        match action(target, &folder.join(target.name)) {
            Ok(count) => say(&format!("{}: {count} inputs", target.name)),
            Err(error) => return fail(&format!("{}: {error}", target.name)),
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "a program for a terminal")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a program for a terminal")]
fn fail(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}

fn unpack(target: &Target, folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    let mut inputs: BTreeSet<Vec<u8>> = seeds(target)?.into_iter().collect();
    for input in Corpus::read(target)?.inputs() {
        inputs.insert(input.bytes()?);
    }
    for input in &inputs {
        fs::write(folder.join(alter_core::signing::content_sha256(input)), input)?;
    }
    Ok(inputs.len())
}

fn pack(target: &Target, folder: &Path) -> io::Result<usize> {
    let mut reached = BTreeSet::new();
    for file in fs::read_dir(folder)? {
        reached.insert(Input::new(&fs::read(file?.path())?));
    }
    let regressions = Corpus::read(target)?.regressions;
    let corpus = Corpus { regressions, reached: reached.into_iter().collect() };
    corpus.write(target)?;
    Ok(corpus.reached.len())
}
