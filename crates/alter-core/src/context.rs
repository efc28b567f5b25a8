//! A call's context: text-to-text metadata that is stored in the audit row.

use crate::error::{Error, Result};
use crate::json;
use crate::url::quoted;

/// Most keys of a context.
pub const MOST_KEYS: usize = 20;
/// Longest key, in code points.
pub const LONGEST_KEY: usize = 64;
/// Longest value, in code points.
pub const LONGEST_VALUE: usize = 512;
/// Longest serialized context, in characters of its ASCII-escaped JSON.
pub const LONGEST_JSON: usize = 4096;

/// The `X-Alter-Context` header for a context, in the caller's order; `None` if it is empty.
///
/// # Errors
/// `AlterValueError` when a limit is passed. Nothing is cut off in silence.
///
/// ```
/// let header = alter_core::context::header(&[("tool".into(), "read_calendar".into())])?;
/// assert_eq!(header.as_deref(), Some(r#"{"tool":"read_calendar"}"#));
/// # Ok::<(), alter_core::error::Error>(())
/// ```
pub fn header(context: &[(String, String)]) -> Result<Option<String>> {
    if context.is_empty() {
        return Ok(None);
    }
    if context.len() > MOST_KEYS {
        return Err(Error::invalid(format!(
            "context has {} keys; {MOST_KEYS} is the most. Keep only what an auditor needs.",
            context.len()
        )));
    }
    for (key, value) in context {
        check_length("a key", key, key, LONGEST_KEY)?;
        check_length("a value", key, value, LONGEST_VALUE)?;
    }
    let members: Vec<String> = context.iter().map(|(key, value)| format!("{}:{}", json::string(key), json::string(value))).collect();
    let text = json::ascii(format!("{{{}}}", members.join(",")));
    if text.len() > LONGEST_JSON {
        return Err(Error::invalid(format!(
            "context is {} characters as JSON; {LONGEST_JSON} is the most (a character outside ASCII counts as its \\uXXXX escape).",
            text.len()
        )));
    }
    Ok(Some(text))
}

fn check_length(what: &str, key: &str, text: &str, longest: usize) -> Result<()> {
    let length = text.chars().count();
    if length > longest {
        return Err(Error::invalid(format!("context[{}] has {what} of {length} characters; {longest} is the most.", quoted(key))));
    }
    Ok(())
}
