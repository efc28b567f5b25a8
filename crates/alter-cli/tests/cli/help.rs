//! Help, mistyped words, and what scripts can rely on.

use crate::world::alter;

fn run(arguments: &[&str]) -> crate::world::Ran {
    alter(arguments, &[], "")
}

#[test]
fn a_mistyped_word_is_answered_with_the_nearest() {
    for (arguments, nearest) in [
        (&["grnt", "list"][..], "'grant'"),
        (&["grant", "lst"], "'list'"),
        (&["help", "secrt"], "'secret'"),
        (&["grant", "list", "--secrt", "x"], "'--secret'"),
    ] {
        let ran = run(arguments);
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.reads_well().stderr.contains(nearest), "{ran:?}");
    }
    assert_eq!(run(&["grnt", "--json"]).error(), ("usage".into(), 2));
}

#[test]
fn every_page_has_a_purpose_and_an_example() {
    let nouns = ["app", "secret", "provider", "grant", "agent", "idp", "key", "spec", "policy", "audit", "config"];
    for page in
        nouns.iter().map(|noun| vec!["help", noun]).chain([vec!["help", "request"], vec!["help", "serve"], vec!["help", "grant", "create"]])
    {
        let ran = run(&page);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{page:?}");
        assert!(ran.stdout.contains("Example"), "{page:?}: {}", ran.stdout);
    }
    assert_eq!(run(&["help"]).exit, 0);
    assert_eq!(run(&[]).exit, 2);
}

#[test]
fn the_exit_codes_are_listed() {
    let page = run(&["help", "exit-codes"]).stdout;
    for line in ["0  done", "3  the vault cannot be reached", "7  storage or key trouble", "130  interrupted"] {
        assert!(page.contains(line), "{page}");
    }
}

#[test]
fn missing_and_bad_arguments_are_usage_errors() {
    for arguments in [
        &["app", "create"][..],
        &["grant", "create"],
        &["grant", "create", "--secret", "x", "--expires-in", "7"],
        &["secret", "create", "x", "--bearer"],
        &["secret", "create", "x", "--allow-host", "h"],
        &["secret", "create", "x", "--bearer", "--basic", "--allow-host", "h"],
        &["request", "GET", "https://x"],
        &["request", "GET", "https://x", "--grant", "a", "--provider", "b"],
        &["serve", "--adress", "x"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.exit, 2, "{ran:?}");
        ran.reads_well();
    }
}

#[test]
fn versions_are_plain() {
    assert!(run(&["--version"]).stdout.starts_with("alter 0."));
    let json: serde_json::Value = serde_json::from_str(&run(&["version", "--json"]).stdout).expect("JSON");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn shells_get_a_script_that_knows_the_commands() {
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef alter"), ("fish", "complete -c alter")] {
        let ran = run(&["completions", shell]);
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.stdout.contains(mark) && ran.stdout.contains("expires-in") && ran.stdout.contains("rotate-master"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh", "--json"]).error(), ("usage".into(), 2));
}

#[test]
fn there_is_no_colour_where_there_is_no_terminal() {
    for arguments in [&["--help"][..], &["help", "grant"], &["grnt"], &["app", "list", "--data-dir", "/nonexistent"]] {
        let ran = alter(arguments, &[("CLICOLOR_FORCE", ""), ("TERM", "xterm-256color")], "");
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
    }
}
