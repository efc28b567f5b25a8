//! The Bearer challenge: what is read is bounded by the header, well-formed, and the same when it is written and read again.

use alter_core::challenge::{bearer_parameters, value};

/// The input is the value of a `WWW-Authenticate` header.
pub fn check(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else { return };
    let parameters = bearer_parameters(header);
    bounded(header, &parameters);
    if parameters.is_empty() {
        return;
    }
    assert_eq!(bearer_parameters(&format!("  bEARER{}", &header.trim()["bearer".len()..])), parameters, "{header:?}");
    let printed = print(&parameters);
    // Half-broken headers keep what was read before they broke.
    for tail in ["", " ", ",", ", !", " junk", ", a", ", a="] {
        assert_eq!(bearer_parameters(&format!("{printed}{tail}")), parameters, "{printed:?} and {tail:?}");
    }
    for (name, _) in &parameters {
        let last = parameters.iter().rfind(|(other, _)| other == name).map(|(_, value)| value.as_str());
        assert_eq!(value(&parameters, name), last);
    }
}

fn bounded(header: &str, parameters: &[(String, String)]) {
    assert!(parameters.len() <= 1 + header.matches(',').count());
    // A name, its equals sign and its value all stand in the header.
    let length: usize = parameters.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
    assert!(length <= header.len(), "{header:?}");
    for (name, _) in parameters {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        assert!(!name.is_empty() && name.chars().all(fits), "{name:?}");
    }
}

fn print(parameters: &[(String, String)]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let printed: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
    format!("Bearer {}", printed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "Bearer a=b")]
    fn a_value_that_does_not_stand_in_the_header_is_noticed() {
        bounded("Bearer a=b", &[("a".to_owned(), "longer than it all".to_owned())]);
    }
}
