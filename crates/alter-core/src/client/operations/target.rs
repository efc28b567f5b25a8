//! Paths and queries of what operations ask for.

use crate::encoding::{form_encode, percent_encode};
use crate::error::{Error, Result};

/// A text as one segment of a path.
///
/// # Errors
/// `AlterValueError` for `.` and `..`: whoever handles the path takes them for another one, which is not the one that was signed.
pub(super) fn segment(field: &str, text: &str) -> Result<String> {
    if matches!(text, "." | "..") {
        return Err(Error::invalid(format!("{field} is \"{text}\", which names another path and no id.")));
    }
    Ok(percent_encode(text))
}

/// A path with a query, in the order in which its members are added.
pub(super) struct Target(String);

impl Target {
    /// A path without a query.
    pub(super) fn path(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The same with one more member of the query.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&form_encode(&value.to_string()));
        self
    }

    /// The same with one more member if there is one.
    pub(super) fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_one_segment() {
        assert_eq!(segment("agent_id", "a/b?c#d é").expect("it can be sent"), "a%2Fb%3Fc%23d%20%C3%A9");
        for other in [".", ".."] {
            assert!(segment("agent_id", other).expect_err("it names another path").message().starts_with("agent_id"));
        }
    }

    #[test]
    fn a_query_keeps_its_order() {
        let target = Target::path("/p").with("b", 1).with_some("none", None::<i32>).with("a", "x y&z");
        assert_eq!(String::from(target), "/p?b=1&a=x+y%26z");
    }
}
