//! Filling `{name}` parts of a URL.

use super::quoted;
use crate::encoding::percent_encode;
use crate::error::{Error, Result};

/// Replaces every `{name}` by its percent-encoded value. Unused parameters are fine; a brace that is left over is not.
///
/// # Errors
/// `AlterValueError`: a name that is not an identifier, a part without a parameter, a lone brace, or a value by which a segment becomes
/// `.` or `..`, which a server or proxy would take for a step in the path.
///
/// ```
/// use alter_core::url::template::fill;
/// let url = fill("https://h/users/{id}", &[("id".into(), "a/b".into())])?;
/// assert_eq!(url, "https://h/users/a%2Fb");
/// # Ok::<(), alter_core::error::Error>(())
/// ```
pub fn fill(url: &str, parameters: &[(String, String)]) -> Result<String> {
    for (name, value) in parameters {
        check_name(name)?;
        if matches!(value.as_str(), "." | "..") {
            return Err(Error::invalid(format!(
                "path_params[{}] is {}, which would change the path instead of filling it. Check where the value comes from.",
                quoted(name),
                quoted(value)
            )));
        }
    }
    let mut out = String::with_capacity(url.len());
    let mut filled = Vec::new();
    let mut rest = url;
    while let Some(brace) = rest.find(['{', '}']) {
        out.push_str(&rest[..brace]);
        let Some(part) = rest[brace..].strip_prefix('{').and_then(|tail| tail.split_once('}')) else {
            return Err(Error::invalid("url has a brace without its partner. Percent-encode a literal brace: %7B or %7D."));
        };
        let (name, tail) = part;
        let Some((_, value)) = parameters.iter().rev().find(|(known, _)| known == name) else {
            return Err(Error::invalid(format!(
                "url asks for {} and path_params does not have it. Add it, or percent-encode a literal brace: %7B, %7D.",
                quoted(&format!("{{{name}}}"))
            )));
        };
        out.push_str(&percent_encode(value));
        filled.push((out.len(), name));
        rest = tail;
    }
    out.push_str(rest);
    check_segments(&out, &filled)?;
    Ok(out)
}

/// Refuses a filling by which a segment becomes a step in the path: `/a/.{x}` with nothing for `x`. `filled` has the end of each value.
fn check_segments(url: &str, filled: &[(usize, &str)]) -> Result<()> {
    let path = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    for (end, name) in filled.iter().filter(|(end, _)| *end <= path.len()) {
        let (before, after) = path.split_at(*end);
        let first = before.rsplit('/').next().unwrap_or_default();
        let segment = format!("{first}{}", after.split('/').next().unwrap_or_default());
        if matches!(segment.as_str(), "." | "..") {
            return Err(Error::invalid(format!(
                "path_params[{}] makes {} of a segment, which would change the path instead of filling it. Check where the value comes from.",
                quoted(name),
                quoted(&segment)
            )));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "path_params has the name {}. A name is letters, digits and underscores and begins with no digit.",
        quoted(name)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_value_makes_a_step_in_the_path() {
        for (template, value) in
            [("https://h/a/.{v}", ""), ("https://h/a/{v}./b", "."), ("https://h/a/..{v}?x", ""), ("https://h/{v}.{w}", "")]
        {
            let values = [("v".to_owned(), value.to_owned()), ("w".to_owned(), String::new())];
            let error = fill(template, &values).unwrap_err();
            assert!(error.message().contains("path_params['"), "{error}");
        }
        // In a query dots are dots, and a segment that holds more than dots is no step.
        for template in ["https://h/a?b=/.{v}", "https://h/a/.{v}x", "https://h/a/...{v}", "https://h/./{v}"] {
            assert!(fill(template, &[("v".to_owned(), String::new())]).is_ok(), "{template}");
        }
    }

    proptest! {
        #[test]
        fn a_value_never_leaves_its_place(value in ".*") {
            prop_assume!(value != "." && value != "..");
            let filled = fill("https://h/a/{v}/b", &[("v".into(), value)]).unwrap();
            let middle = filled.strip_prefix("https://h/a/").and_then(|t| t.strip_suffix("/b")).unwrap();
            prop_assert!(middle.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        }

        #[test]
        fn any_template_is_filled_or_refused(url in ".*") {
            if let Ok(filled) = fill(&url, &[]) {
                let left_over = filled.contains(['{', '}']);
                prop_assert!(!left_over);
            }
        }
    }
}
