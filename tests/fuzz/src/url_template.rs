//! URL templates: a value fills its place and nothing else. Whatever the values are, host, number of segments, fixed segments and number
//! of query pairs are those of the template.

use alter_core::url::ProviderUrl;
use alter_core::url::template::fill;

type Values = Vec<(String, String)>;

/// The input is a template and, on further lines, `name=value`.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let template = lines.next().unwrap_or_default();
    let values: Values = lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Ok(filled) = fill(template, &values) else { return };
    assert!(!filled.contains(['{', '}']), "{filled:?}");

    // The same template with two harmless fillings: where these agree, the template itself speaks.
    let [one, two] = ["x", "y"].map(|text| {
        let plain: Values = values.iter().map(|(name, _)| (name.clone(), text.to_owned())).collect();
        fill(template, &plain)
    });
    let (Ok(one), Ok(two)) = (one, two) else {
        // A segment like `.{a}` may be refused for one value and not for another, and never for "x".
        panic!("{template:?} is refused for harmless values only");
    };
    let [Ok(filled), Ok(one), Ok(two)] = [&filled, &one, &two].map(|text| ProviderUrl::parse(text)) else { return };
    if one.authority() == two.authority() {
        assert_eq!(
            (filled.scheme(), filled.host(), filled.port()),
            (one.scheme(), one.host(), one.port()),
            "{template:?} with {values:?} goes elsewhere"
        );
    }
    pieces_fit('/', [filled.path(), one.path(), two.path()], &values);
    pieces_fit('&', [filled.query(), one.query(), two.query()].map(Option::unwrap_or_default), &values);
}

fn pieces_fit(separator: char, [filled, one, two]: [&str; 3], values: &Values) {
    let split = |text: &str| text.split(separator).map(str::to_owned).collect::<Vec<_>>();
    let (filled, one, two) = (split(filled), split(one), split(two));
    assert_eq!(filled.len(), one.len(), "{values:?} turns {one:?} into {filled:?}");
    for ((piece, one), two) in filled.iter().zip(&one).zip(&two) {
        assert!(one != two || piece == one, "{values:?} turns {one:?}, which is fixed, into {piece:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_leaves_its_place_is_noticed() {
        let fits = |filled: &str| std::panic::catch_unwind(|| pieces_fit('/', [filled, "/a/x/b", "/a/y/b"], &Values::new())).is_ok();
        assert!(fits("/a/value/b"));
        for filled in ["/a/b", "/a/v/w/b", "/c/v/b", "/a/v/c"] {
            assert!(!fits(filled), "{filled}");
        }
    }
}
