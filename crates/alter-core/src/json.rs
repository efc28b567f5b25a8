//! JSON as text. A value that a user gives is kept as the compact text that the host language wrote: nothing here re-prints a number,
//! so `1.0` stays `1.0` and a 30-digit integer keeps its digits.

use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Checks that the text is one JSON value.
///
/// # Errors
/// `AlterValueError` that names the field.
pub fn check(field: &str, text: &str) -> Result<Box<RawValue>> {
    serde_json::from_str::<Box<RawValue>>(text)
        .map_err(|cause| Error::invalid(format!("{field} is not valid JSON (line {}, column {}).", cause.line(), cause.column())))
}

/// The same JSON with every character outside ASCII written as `\uXXXX`, as the vault's wire has it. In JSON such characters stand only
/// inside strings, so the text need not be parsed.
pub fn ascii(text: String) -> String {
    if text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        push_ascii(&mut out, c);
    }
    out
}

fn push_ascii(out: &mut String, c: char) {
    if c.is_ascii() {
        out.push(c);
        return;
    }
    let mut units = [0u16; 2];
    for unit in c.encode_utf16(&mut units) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Compact JSON with a space after each `,` and `:` and ASCII escapes: the body form of AWS-signed requests.
pub fn spaced_ascii(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() + compact.len() / 8);
    let (mut in_string, mut escaped) = (false, false);
    for c in compact.chars() {
        push_ascii(&mut out, c);
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ',' | ':' if !in_string => out.push(' '),
            _ => {}
        }
    }
    out
}

/// A string as JSON text.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    out
}

/// Appends a string as JSON text, as serde_json writes it. Every call writes dozens of them, and going through a serializer, which knows
/// only bytes or formatters, costs several times as much.
pub fn push_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    // Most texts have nothing to escape, and looking at all of their bytes is cheaper than stopping at the first.
    if text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        push_escaped(out, text);
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(position) = rest.bytes().position(needs_escape) {
        out.push_str(&rest[..position]);
        match rest.as_bytes()[position] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[position + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_leaves_strings_alone() {
        assert_eq!(spaced_ascii(r#"{"a":"é, \"x\": y","b":[1,2]}"#), r#"{"a": "\u00e9, \"x\": y", "b": [1, 2]}"#);
    }

    #[test]
    fn characters_beyond_16_bits_become_a_surrogate_pair() {
        assert_eq!(ascii("\"😀\"".to_owned()), "\"\\ud83d\\ude00\"");
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them() {
        let control: String = (0..=0x7f_u8).map(char::from).collect();
        for text in ["", "plain", "\"\\/", "é😀\u{2028}", &control] {
            assert_eq!(string(text), serde_json::to_string(text).unwrap());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_string_is_written_as_serde_json_writes_it(text in ".*") {
            proptest::prop_assert_eq!(string(&text), serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = "123456789012345678901234567890.10";
        assert_eq!(check("json", text).unwrap().get(), text);
    }
}
