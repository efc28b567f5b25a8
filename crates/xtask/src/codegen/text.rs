//! What the generators of several languages do with text.

use std::cmp::Ordering;

/// Longest line that the formatters of all packages leave on one line.
pub const LINE: usize = 120;

/// A doc comment's lines as one paragraph.
pub fn paragraph(summary: &str) -> String {
    summary.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Texts as literals, joined.
pub fn quoted(values: &[&str], joint: &str) -> String {
    values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(joint)
}

/// Whether a name stands in the code as a word of its own.
pub fn mentions(code: &str, name: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| !code[..at].ends_with(part_of_word) && !code[at + name.len()..].starts_with(part_of_word))
}

/// `grant_id` as `grantId`.
pub fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut out, word| {
        let mut letters = word.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
        out
    })
}

/// The order in which TypeScript's formatter wants names: `A`, `a`, `B`, `b`.
pub fn natural(one: &str, other: &str) -> Ordering {
    let key = |name: &str| name.chars().map(|c| (c.to_ascii_lowercase(), c.is_ascii_lowercase())).collect::<Vec<_>>();
    key(one).cmp(&key(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_whole_word_only() {
        assert!(mentions("x: UUID | None", "UUID"));
        assert!(!mentions("x: UUIDS", "UUID"));
    }

    #[test]
    fn names_are_spelt_as_typescript_does() {
        assert_eq!(["grant_id", "label", "account_was_provided"].map(camel), ["grantId", "label", "accountWasProvided"]);
    }

    #[test]
    fn names_are_ordered_as_typescripts_formatter_does() {
        let mut names = ["many", "fields", "Model", "REDACTED", "either"];
        names.sort_unstable_by(|a, b| natural(a, b));
        assert_eq!(names, ["either", "fields", "Model", "many", "REDACTED"]);
    }
}
