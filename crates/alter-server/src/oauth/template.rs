//! `{name}` in texts of the catalogue.

use std::collections::BTreeMap;

/// The names in braces, in order. A brace that no name and closing brace follow is ordinary text.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).filter(|name| is_name(name))
}

/// The first name that is not known.
pub fn unknown_name(text: &str, known: impl Fn(&str) -> bool) -> Option<&str> {
    names(text).find(|name| !known(name))
}

/// The text with every name replaced by its value. `None` if one has no value, since a text with a hole must not be sent.
///
/// What is put in is never read again for names.
pub fn fill(text: &str, values: &BTreeMap<&str, &str>) -> Option<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}').filter(|(name, _)| is_name(name)) {
            Some((name, tail)) => {
                filled.push_str(values.get(name)?);
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    Some(filled)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_once_and_other_braces_stay() {
        let values = BTreeMap::from([("a", "1{b}"), ("b", "2")]);
        assert_eq!(fill("x{a}/{b}y", &values).as_deref(), Some("x1{b}/2y"));
        assert_eq!(fill("{ viewer { id } }", &values).as_deref(), Some("{ viewer { id } }"));
        assert_eq!(fill("{{b}", &values).as_deref(), Some("{2"));
        assert_eq!(fill("{c}", &values), None);
        assert_eq!(names("{a}{ x }{b").collect::<Vec<_>>(), ["a"]);
    }
}
