//! Help, version, and what the argument parser says.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use serde_json::json;

use super::context::Context;
use crate::cli::Cli;
use crate::failure::{EXIT_CODES, Exit, Failure, Outcome};
use crate::output::{Output, line};

/// `alter version`: the version, and what the program was built for.
pub fn version(context: &Context) {
    let (version, target) = (env!("CARGO_PKG_VERSION"), format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
    if context.output.is_json() {
        line(json!({ "version": version, "target": target }));
    } else {
        line(format_args!("alter {version} ({target})"));
    }
}

/// `alter help [TOPIC…]`
pub fn run(topic: &[String], _context: &Context) -> Outcome {
    if topic == ["exit-codes"] {
        line(EXIT_CODES.trim_end());
        return Ok(());
    }
    // The parser itself knows every command's page, and the nearest name of a mistyped one.
    let words = std::iter::once("alter").chain(topic.iter().map(String::as_str)).chain(["--help"]);
    match Cli::try_parse_from(words) {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            line(error.render().ansi().to_string().trim_end());
            Ok(())
        }
        Err(error) => Err(usage(&error)),
        Ok(_) => {
            line(Cli::command().render_long_help().ansi().to_string().trim_end());
            Ok(())
        }
    }
}

/// Answers what the parser stopped at: a page that was asked for, or a mistake.
pub fn answer(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            line(error.render().ansi().to_string().trim_end());
            ExitCode::SUCCESS
        }
        // `alter` or `alter grant` alone: the page is the answer, but nothing was done.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            crate::output::notice(error.render().ansi().to_string().trim_end());
            ExitCode::from(Exit::Usage as u8)
        }
        _ => {
            // The flags were not parsed, so this one is looked for by hand.
            let json = std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json");
            Output::new(json, false).failure(&usage(error));
            ExitCode::from(Exit::Usage as u8)
        }
    }
}

/// The parser's text in our three lines: its first paragraph, its tip, and where to read more.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let message = first.trim_start_matches("error: ").replace("\n  ", " ");
    let tip = text.lines().find_map(|l| l.trim().strip_prefix("tip: ")).map(str::to_owned);
    let usage = text.lines().find_map(|l| l.trim().strip_prefix("Usage: ")).map(|usage| format!("usage: {usage}"));
    let help = tip.or(usage).unwrap_or_else(|| "see `alter --help`".to_owned());
    Failure::usage(message).help(help)
}
