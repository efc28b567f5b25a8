//! Reading the examples out of a page of documentation.
//!
//! A fenced block of shell, Python, Rust, TypeScript or JavaScript has a comment directly above it that says what the check does with it:
//!
//! ```text
//! <!-- test: run -->                 run it in the page's shell session; it must succeed
//! <!-- test: background -->          start it in that session and go on when the vault is ready
//! <!-- test: output -->              what the block before printed contains these lines, in this order; … stands for anything
//! <!-- test: file NAME -->           write it to NAME in the session's folder
//! <!-- test: same-as PATH -->        it is the file PATH of the repository; the session gets a copy
//! <!-- test: not run: REASON -->     leave it alone
//! ```

use crate::report::Failure;

/// Languages whose blocks need such a comment.
const EXAMPLES: [&str; 6] = ["sh", "python", "rust", "toml", "ts", "js"];

/// What the check does with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run it in the session.
    Run,
    /// Start it and wait for the vault.
    Background,
    /// Look for it in what was printed last.
    Output,
    /// Write it to this file of the session.
    File(String),
    /// Compare it with this file of the repository.
    SameAs(String),
}

/// One example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The line of its fence, counted from 1.
    pub line: usize,
    /// What to do with it.
    pub action: Action,
    /// Its text.
    pub text: String,
}

/// The examples of a page, in order.
///
/// # Errors
/// When a block of an example language has no comment, a comment is not understood, or a fence is not closed.
pub fn examples(markdown: &str) -> Result<Vec<Example>, Failure> {
    let mut found = Vec::new();
    let mut lines = markdown.lines().enumerate();
    let mut comment = None;
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            if let Some(said) = line.strip_prefix("<!-- test: ").and_then(|rest| rest.strip_suffix(" -->")) {
                comment = Some(said);
            } else if !line.trim().is_empty() {
                comment = None;
            }
            continue;
        };
        let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let line = number + 1;
        let said = comment.take();
        if said.is_none() && EXAMPLES.contains(&language) {
            return Err(Failure::new(format!("line {line}: an example without a comment that says how it is tested"))
                .help("crates/xtask/src/docs/page.rs has the comments"));
        }
        if let Some(action) = said.map(|said| action(said, line)).transpose()?.flatten() {
            found.push(Example { line, action, text: text.iter().map(|line| format!("{line}\n")).collect() });
        }
    }
    if markdown.lines().filter(|line| line.starts_with("```")).count() % 2 == 1 {
        return Err(Failure::new("a fenced block is not closed"));
    }
    Ok(found)
}

fn action(said: &str, line: usize) -> Result<Option<Action>, Failure> {
    let action = match said.split_once(' ') {
        None if said == "run" => Action::Run,
        None if said == "background" => Action::Background,
        None if said == "output" => Action::Output,
        Some(("file", name)) => Action::File(name.to_owned()),
        Some(("same-as", path)) => Action::SameAs(path.to_owned()),
        Some(("not", reason)) if reason.starts_with("run: ") => return Ok(None),
        _ => return Err(Failure::new(format!("line {line}: the comment `test: {said}` is not understood"))),
    };
    Ok(Some(action))
}

/// Relative links of a page, with their lines.
pub fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in markdown.lines().enumerate() {
        fenced ^= line.starts_with("```");
        if fenced {
            continue;
        }
        for target in line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target)) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:") {
                found.push((number + 1, path.to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_read_with_their_comments() {
        let page = "# T\n\n<!-- test: run -->\n```sh\necho 1\n```\n\n<!-- test: output -->\n```\n1\n```\n\n<!-- test: not run: needs a bank -->\n```sh\npay\n```\n\n<!-- test: same-as a/b.py -->\n```python\nx = 1\ny = 2\n```\n";
        let found = examples(page).expect("well formed");
        let short: Vec<_> = found.iter().map(|e| (e.line, e.action.clone(), e.text.as_str())).collect();
        assert_eq!(
            short,
            [(4, Action::Run, "echo 1\n"), (9, Action::Output, "1\n"), (19, Action::SameAs("a/b.py".to_owned()), "x = 1\ny = 2\n")]
        );
    }

    #[test]
    fn an_untested_example_is_refused() {
        for page in ["```sh\nls\n```\n", "<!-- test: run -->\ntext\n```python\nx\n```\n", "<!-- test: rnu -->\n```sh\nls\n```\n"] {
            assert!(examples(page).is_err(), "{page}");
        }
        assert!(examples("<!-- test: run -->\n```sh\nls\n").is_err(), "an open fence");
        assert!(examples("```text\npicture\n```\n").expect("no example").is_empty());
    }

    #[test]
    fn links_inside_the_repository_are_found() {
        let page = "[a](b.md#c) and [d](https://e) [f](../g)\n```\n[x](y)\n```\n[z](#top)\n";
        assert_eq!(links(page), [(1, "b.md".to_owned()), (1, "../g".to_owned())]);
    }
}
