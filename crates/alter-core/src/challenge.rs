//! The Bearer challenge of a `WWW-Authenticate` header (RFC 6750).

/// Parameters of the challenge if the header's first scheme is `Bearer`, names in lower case. Reading stops at the first thing that does not
/// fit and keeps what it has: a provider's half-broken header still tells its `error`.
///
/// ```
/// let parameters = alter_core::challenge::bearer_parameters("Bearer error=\"insufficient_scope\", scope=\"a b\"");
/// assert_eq!(parameters, [("error".to_owned(), "insufficient_scope".to_owned()), ("scope".to_owned(), "a b".to_owned())]);
/// ```
pub fn bearer_parameters(header: &str) -> Vec<(String, String)> {
    let header = header.trim();
    let Some((scheme, mut rest)) = header.split_once(' ') else { return Vec::new() };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Vec::new();
    }
    let mut parameters = Vec::new();
    while let Some((name, value, tail)) = parameter(rest) {
        parameters.push((name, value));
        match tail.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    parameters
}

/// The last value of a parameter.
pub fn value<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// One `name = value` and what follows it.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let text = text.trim_start();
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, tail) = quoted(rest).or_else(|| bare(rest))?;
    Some((name.to_ascii_lowercase(), value, tail))
}

/// A quoted string with backslash escapes; `None` if it does not end.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((i, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[i + 2..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// A run without comma or space.
fn bare(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in "(Bearer )?.*") {
            let _ = bearer_parameters(&header);
        }

        #[test]
        fn a_quoted_value_comes_back(value in "[ -~]*") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let parameters = bearer_parameters(&format!("Bearer scope=\"{escaped}\""));
            prop_assert_eq!(super::value(&parameters, "scope"), Some(value.as_str()));
        }
    }
}
