//! The grammar as a whole: consistent, explained, and with examples that it accepts.

use clap::CommandFactory;

use super::*;

/// Every command with its full name, `alter` first.
fn commands() -> Vec<(String, clap::Command)> {
    fn collect(name: String, command: &clap::Command, into: &mut Vec<(String, clap::Command)>) {
        for inner in command.get_subcommands() {
            collect(format!("{name} {}", inner.get_name()), inner, into);
        }
        into.push((name, command.clone()));
    }
    let mut all = Vec::new();
    collect("alter".to_owned(), &Cli::command(), &mut all);
    all
}

/// The command lines of a page: indented twice, continued after a backslash.
fn examples(command: &clap::Command) -> Vec<String> {
    let page = command.get_after_help().map(ToString::to_string).unwrap_or_default().replace("\\\n", " ");
    page.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).filter(|line| line.contains("alter ")).collect()
}

/// The words of a command line as a shell splits it, up to what is for the shell alone (a pipe, a redirection), without variables in front.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut quoted = false;
    for piece in line.split(' ').filter(|piece| !piece.is_empty()) {
        if !quoted && [">", "|", "<"].contains(&piece) {
            break;
        }
        if quoted {
            let last: &mut String = words.last_mut().expect("a quoted word has begun");
            last.push(' ');
            last.push_str(piece);
        } else {
            words.push(piece.to_owned());
        }
        quoted ^= piece.matches('\'').count() % 2 == 1;
    }
    let words = words.into_iter().map(|word| word.replace('\'', ""));
    words.skip_while(|word| word != "alter").collect()
}

#[test]
fn the_grammar_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_says_what_it_is_for() {
    for (name, command) in commands() {
        assert!(command.get_about().is_some_and(|about| !about.to_string().contains('\n')), "{name}");
    }
}

#[test]
fn every_page_has_an_example_of_its_own_command_that_is_accepted() {
    for (name, command) in commands() {
        let examples = examples(&command);
        assert!(examples.iter().any(|line| line.contains(&name)), "{name} shows no example of itself: {examples:?}");
        for line in examples {
            let words = words(&line);
            assert!(words.len() > 1, "{line}");
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("the page of {name} shows `{line}`, which is refused: {error}");
            }
        }
    }
}

#[test]
fn a_mistake_in_an_example_would_be_found() {
    for line in ["  alter grant lst", "  alter key create --expires-in 7", "  alter request GET"] {
        assert!(Cli::try_parse_from(words(line)).is_err(), "{line}");
    }
    assert_eq!(words("  KEY=x alter secret create a --template '{t} b' > out"), ["alter", "secret", "create", "a", "--template", "{t} b"]);
}
