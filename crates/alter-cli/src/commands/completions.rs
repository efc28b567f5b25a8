//! `alter completions`

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell as Dialect, generate};

use crate::cli::Cli;
use crate::output::line;

/// Arguments of `alter completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alter completions bash > ~/.local/share/bash-completion/completions/alter
  alter completions zsh > ~/.zfunc/_alter
  alter completions fish > ~/.config/fish/completions/alter.fish

A new shell reads them; for zsh the folder must be in its fpath.")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The shells that there is a script for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script.
pub fn run(arguments: &CompletionsArgs) {
    let dialect = match arguments.shell {
        Shell::Bash => Dialect::Bash,
        Shell::Zsh => Dialect::Zsh,
        Shell::Fish => Dialect::Fish,
    };
    let mut script = Vec::new();
    generate(dialect, &mut Cli::command(), "alter", &mut script);
    // Through our own printing, which ends quietly when the reader is gone.
    line(String::from_utf8_lossy(&script).trim_end());
}
