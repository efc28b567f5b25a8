//! What a command prints: tables or JSON lines on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default().bold();
const BOLD: Style = Style::new().bold();

/// A column of a table: its head and how to read its cell from a record.
pub struct Column {
    head: &'static str,
    cell: fn(&Value) -> String,
}

impl Column {
    /// A column.
    pub const fn new(head: &'static str, cell: fn(&Value) -> String) -> Self {
        Self { head, cell }
    }
}

/// Where and how a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    verbose: bool,
}

impl Output {
    /// Chooses the form, and turns colour off for `NO_COLOR` and `CI` (a pipe turns it off by itself).
    pub fn new(json: bool, verbose: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if set("NO_COLOR") || set("CI") {
            anstream::ColorChoice::Never.write_global();
        }
        Self { json, verbose }
    }

    /// Whether records are JSON lines.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints records: a table for people, one JSON object per line with `--json`. `empty` is the hint for an empty list, on stderr.
    pub fn list(self, records: &[Value], columns: &[Column], empty: &str) {
        if self.json {
            records.iter().for_each(line);
        } else if records.is_empty() {
            self.hint(empty);
        } else {
            table(records, columns).to_string().lines().for_each(|row| line(row.trim_end()));
        }
    }

    /// Prints one record: name and value on a line each, or one JSON object.
    pub fn record(self, record: &Value) {
        if self.json {
            return line(record);
        }
        let empty = Map::new();
        let members = record.as_object().unwrap_or(&empty);
        let width = members.keys().map(String::len).max().unwrap_or_default();
        for (name, value) in members {
            line(format_args!("{BOLD}{name:width$}{BOLD:#}  {}", cell(value)));
        }
    }

    /// Prints text as lines on stdout.
    pub fn lines(self, lines: &[String]) {
        lines.iter().for_each(|text| line(visible(text)));
    }

    /// A hint on stderr: what to do next.
    pub fn hint(self, text: &str) {
        if !self.json {
            notice(text);
        }
    }

    /// The failure on stderr: three lines at most, or one JSON object.
    pub fn failure(self, failure: &Failure) {
        if self.json {
            let error = json!({ "error": {
                "code": failure.code(),
                "message": failure.message(),
                "cause": failure.cause(),
                "help": failure.remedy(),
                "exit_code": failure.exit() as i32,
            }});
            return notice(error);
        }
        notice(format_args!("{ERROR}error:{ERROR:#} {}", failure.message()));
        if let Some(cause) = failure.cause() {
            notice(format_args!("{BOLD}cause:{BOLD:#} {cause}"));
        }
        if let Some(help) = failure.remedy() {
            notice(format_args!("{HELP}help:{HELP:#} {help}"));
        }
        if self.verbose {
            failure.details().iter().for_each(|detail| notice(format_args!("  {detail}")));
        }
    }
}

/// Whether a question can be asked: both ends are a terminal and nobody forbade it.
pub fn may_ask(no_input: bool) -> bool {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    !no_input && !ci && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether a bar may be drawn on stderr.
pub fn shows_progress() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && !set("CI") && std::io::stderr().is_terminal()
}

/// One line on stdout. A closed pipe (`alter … | head`) ends the program quietly, as it does other tools.
pub fn line(text: impl std::fmt::Display) {
    if let Err(error) = writeln!(anstream::stdout(), "{text}") {
        let closed = error.kind() == std::io::ErrorKind::BrokenPipe;
        if !closed {
            notice(format_args!("{ERROR}error:{ERROR:#} stdout cannot be written: {error}"));
        }
        std::process::exit(i32::from(!closed));
    }
}

/// One line on stderr. If even that cannot be written there is nobody left to tell.
pub fn notice(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn table(records: &[Value], columns: &[Column]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.head));
    for record in records {
        table.add_row(columns.iter().map(|column| (column.cell)(record)));
    }
    // Without borders the outer padding is only noise.
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// A value as a person reads it in a cell.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => visible(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => "-".to_owned(),
        Value::Object(_) => value.to_string(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Text without what could move the cursor, forge a line or turn the reading direction.
fn visible(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// A member of a record as a cell.
pub fn member(record: &Value, name: &str) -> String {
    cell(record.get(name).unwrap_or(&Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_show_absence_and_hide_control_characters() {
        let record = json!({"a": null, "b": [], "c": ["x", "y"], "d": "p\u{1b}[2Jq", "e": 5});
        let cells: Vec<String> = ["a", "b", "c", "d", "e", "f"].iter().map(|name| member(&record, name)).collect();
        assert_eq!(cells, ["-", "-", "x, y", "p\u{fffd}[2Jq", "5", "-"]);
    }
}
