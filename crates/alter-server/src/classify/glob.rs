//! Patterns: `*` stands for any run of characters, `?` for one. Case and blanks around a text do not count.

use super::folded;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<char>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(folded(pattern).chars().collect())
    }

    /// Whether it stands for one text only.
    pub(super) fn is_plain(&self) -> bool {
        !self.0.iter().any(|c| matches!(c, '*' | '?'))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = folded(text).chars().collect();
        let (mut at, mut pattern) = (0, 0);
        // Where the last star stands, and up to where it has been tried.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(pattern) {
                Some('*') => {
                    star = Some((pattern, at));
                    pattern += 1;
                }
                Some(wanted) if *wanted == '?' || *wanted == text[at] => {
                    at += 1;
                    pattern += 1;
                }
                _ => {
                    let Some((place, tried)) = star else { return false };
                    star = Some((place, tried + 1));
                    at = tried + 1;
                    pattern = place + 1;
                }
            }
        }
        self.0[pattern..].iter().all(|c| *c == '*')
    }
}
