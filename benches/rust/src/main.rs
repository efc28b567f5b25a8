//! The Rust programs of `cargo xtask bench`: `alter-bench ROLE`, one process each, so that each one's processor time is its own.

mod control;
mod floor;
mod http_client;
mod sdk;
mod stub;
mod vault;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use control::Threads;

/// What a person sees who starts this by hand.
const USAGE: &str =
    "usage: alter-bench stub FOLDER | floor THREADS | sdk THREADS | vault-grants | vault-tokens; started by `cargo xtask bench`";

/// Whatever ends a program early, in words.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The run fails on the exit status; if even this line cannot be written, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stub", folder] => stub::run(folder.as_ref()),
        ["floor", threads] => control::obey::<floor::Floor>(Threads::named(threads)?),
        ["sdk", threads] => control::obey::<sdk::Sdk>(Threads::named(threads)?),
        ["vault-grants"] => vault::make_grants(),
        ["vault-tokens"] => control::obey::<vault::Tokens>(Threads::One),
        _ => Err(USAGE.into()),
    }
}
