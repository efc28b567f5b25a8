//! Text as a person has to see it who decides about it: nothing in it can hide or pretend to be something else.

use std::fmt::Write;

/// Lines that are shown before the rest is folded.
pub const SHOWN_LINES: usize = 20;

/// A body for reading: JSON is spaced out, everything else is as it is, and in both what is invisible is made visible.
pub fn body(text: &str) -> String {
    let spaced = if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() { spaced(text) } else { text.to_owned() };
    visible(&spaced)
}

/// The text with characters that show nothing, or change how others are shown, written as their numbers. Line breaks stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if hides(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Text that has to stand on one line: a line break is shown as well.
pub fn line(text: &str) -> String {
    visible(text).replace('\n', "⟨U+000A⟩")
}

/// Control characters, marks that turn the direction of text around, and what has no width.
fn hides(character: char) -> bool {
    match character {
        '\n' => false,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' => {
            true
        }
        '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' => true,
        '\u{FE00}'..='\u{FE0F}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}' => true,
        '\u{00A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => true,
        other => other.is_control(),
    }
}

/// JSON with a member or an entry a line. Blanks between values are the only thing that changes.
fn spaced(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_text {
            out.push(character);
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                in_text = true;
                out.push('"');
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                let closing = if character == '{' { '}' } else { ']' };
                if let Some(closing) = characters.next_if_eq(&closing) {
                    out.push(closing);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => out.push(other),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// The first lines, and the rest if there is any.
pub fn folded(text: &str) -> (String, Option<String>) {
    let mut lines = text.split('\n');
    let first: Vec<&str> = lines.by_ref().take(SHOWN_LINES).collect();
    let rest: Vec<&str> = lines.collect();
    (first.join("\n"), (!rest.is_empty()).then(|| rest.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_is_spaced_out_and_says_the_same() {
        assert_eq!(
            body(r#"{"a":[1.50,{}],"b":"x, {y}: \"z\\"}"#),
            "{\n  \"a\": [\n    1.50,\n    {}\n  ],\n  \"b\": \"x, {y}: \\\"z\\\\\"\n}"
        );
        assert_eq!(body("[ ]"), "[]");
        assert_eq!(body("a=1&b=2"), "a=1&b=2");
    }

    #[test]
    fn nothing_hides() {
        assert_eq!(visible("pay 1\u{202E}0001\u{202C} €"), "pay 1⟨U+202E⟩0001⟨U+202C⟩ €");
        assert_eq!(visible("a\u{200B}b\u{FEFF}\r\n\u{0007}\u{E0041}"), "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+000D⟩\n⟨U+0007⟩⟨U+E0041⟩");
        assert_eq!(body("{\"to\":\"a\u{2066}b\"}"), "{\n  \"to\": \"a⟨U+2066⟩b\"\n}");
    }

    #[test]
    fn what_is_long_is_folded() {
        let long: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        let (first, rest) = folded(&long.join("\n"));
        assert_eq!((first.lines().count(), rest.map(|rest| rest.lines().count())), (20, Some(5)));
        assert_eq!(folded("one"), ("one".to_owned(), None));
    }

    proptest! {
        #[test]
        fn spacing_out_keeps_every_value(text in "\\PC{0,12}", number in any::<f64>(), flag in any::<bool>()) {
            let value = serde_json::json!({ text.clone(): [number, flag, null_or(&text)], "x": { "y": [] , "z": {} } });
            let spaced = spaced(&value.to_string());
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&spaced).expect("JSON"), value);
        }
    }

    fn null_or(text: &str) -> Option<&str> {
        text.len().is_multiple_of(2).then_some(text)
    }
}
