//! What holds for *any* input of the code that reads what others wrote. A property panics where it does not hold.
//!
//! `tests/replay.rs` runs the properties over a kept corpus with `cargo test`; the package in `fuzz/` runs them over what libFuzzer
//! invents. CONTRIBUTING.md has the commands.

pub mod bearer_challenge;
pub mod canonical_path;
pub mod corpus;
pub mod http_head;
pub mod key_grammar;
pub mod signed_head;
pub mod token_answer;
pub mod url_template;

/// One reader with its property.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its corpus and of its program in `fuzz/`.
    pub name: &'static str,
    /// Panics if the property does not hold for the input.
    pub check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "bearer_challenge", check: bearer_challenge::check },
    Target { name: "canonical_path", check: canonical_path::check },
    Target { name: "http_head", check: http_head::check },
    Target { name: "key_grammar", check: key_grammar::check },
    Target { name: "token_answer", check: token_answer::check },
    Target { name: "url_template", check: url_template::check },
];
