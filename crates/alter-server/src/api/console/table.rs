//! A table of records: columns, order, search, pages.

use alter_core::encoding::percent_encode;
use serde_json::Value;

use super::frame::moment;
use crate::api::approvals::visible;

/// Rows on one page.
const PAGE: usize = 50;

/// A column: its head, and where its cell comes from.
#[derive(Debug)]
pub struct Column {
    /// The head.
    pub label: &'static str,
    /// The member of the record.
    pub member: &'static str,
}

/// A table for the template.
#[derive(Debug, Default)]
pub struct Table {
    /// The heads.
    pub heads: Vec<Head>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// A head, which sorts by its column if it has a link.
#[derive(Debug)]
pub struct Head {
    /// What it says.
    pub label: &'static str,
    /// The same page in another order.
    pub href: Option<String>,
    /// `ascending` or `descending`.
    pub sorted: Option<&'static str>,
}

/// A cell.
#[derive(Debug)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// Where it leads.
    pub href: Option<String>,
}

/// What the address asks for.
#[derive(Debug, Default, serde::Deserialize)]
pub struct View {
    /// What to look for.
    #[serde(default)]
    pub q: String,
    /// The member to sort by; with `-` before it from the end.
    #[serde(default)]
    pub sort: String,
    /// Rows to pass over.
    #[serde(default)]
    pub from: usize,
}

/// A page of a table.
pub struct Shown {
    /// The table.
    pub table: Table,
    /// How many there are, in words.
    pub counted: String,
    /// The next page.
    pub next: Option<String>,
}

impl View {
    /// The part of the records that is asked for. `link` is where the first cell of a record leads.
    pub fn show(&self, path: &str, columns: &[Column], mut records: Vec<Value>, link: &dyn Fn(&Value) -> Option<String>) -> Shown {
        let wanted = self.q.trim().to_lowercase();
        if !wanted.is_empty() {
            records.retain(|record| columns.iter().any(|column| text(&record[column.member]).to_lowercase().contains(&wanted)));
        }
        let (backwards, by) = self.sort.strip_prefix('-').map_or((false, self.sort.as_str()), |by| (true, by));
        if columns.iter().any(|column| column.member == by) {
            records.sort_by_cached_key(|record| text(&record[by]).to_lowercase());
            if backwards {
                records.reverse();
            }
        }
        let (all, from) = (records.len(), self.from.min(records.len()));
        let to = from.saturating_add(PAGE).min(all);
        let heads = columns.iter().map(|column| self.head(path, column, by, backwards)).collect();
        let rows = records[from..to].iter().map(|record| {
            let cell = |(place, column): (usize, &Column)| Cell {
                text: text(&record[column.member]),
                href: if place == 0 { link(record) } else { None },
            };
            columns.iter().enumerate().map(cell).collect()
        });
        let table = Table { heads, rows: rows.collect() };
        let counted = if to == all && from == 0 { format!("{all} in all") } else { format!("{} to {to} of {all}", from + 1) };
        let next = (to < all).then(|| format!("{path}?q={}&sort={}&from={to}", percent_encode(&self.q), percent_encode(&self.sort)));
        Shown { table, counted, next }
    }

    fn head(&self, path: &str, column: &Column, by: &str, backwards: bool) -> Head {
        let sorted = (column.member == by).then_some(if backwards { "descending" } else { "ascending" });
        let turn = if sorted == Some("ascending") { "-" } else { "" };
        let href = format!("{path}?q={}&sort={turn}{}", percent_encode(&self.q), column.member);
        Head { label: column.label, href: Some(href), sorted }
    }
}

/// A value as a person reads it in a cell.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "–".to_owned(),
        Value::String(text) => moment(text).unwrap_or_else(|| visible(text)),
        Value::Array(items) if items.is_empty() => "–".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => "–".to_owned(),
        other => visible(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column] = &[Column { label: "Name", member: "name" }, Column { label: "Made", member: "made" }];

    fn records() -> Vec<Value> {
        (0..120).map(|n| json!({"name": format!("agent {n:03}"), "made": "2026-11-28T00:00:00.000Z"})).collect()
    }

    fn names(view: &View) -> (Vec<String>, String, Option<String>) {
        let shown = view.show("/x", COLUMNS, records(), &|_| None);
        let names = shown.table.rows.iter().map(|row| row[0].text.clone()).collect();
        (names, shown.counted, shown.next)
    }

    #[test]
    fn an_address_is_a_page_of_a_table() {
        let (first, counted, next) = names(&View::default());
        assert_eq!((first.len(), first[0].as_str(), counted.as_str()), (50, "agent 000", "1 to 50 of 120"));
        assert_eq!(next.as_deref(), Some("/x?q=&sort=&from=50"));
        let (last, _, none) = names(&View { sort: "-name".into(), from: 100, ..View::default() });
        assert_eq!((last.len(), last[19].as_str(), none), (20, "agent 000", None));
        let (found, counted, _) = names(&View { q: " AGENT 01".into(), ..View::default() });
        assert_eq!((found.len(), counted.as_str()), (10, "10 in all"));
        assert_eq!(names(&View { from: usize::MAX, ..View::default() }).0.len(), 0);
        assert_eq!(names(&View { sort: "no such column".into(), ..View::default() }).0[0], "agent 000");
    }

    #[test]
    fn cells_hide_nothing() {
        assert_eq!(text(&json!("2026-11-28T00:47:56.021Z")), "2026-11-28 00:47:56");
        assert_eq!(text(&json!(["a", "b\u{202E}"])), "a, b⟨U+202E⟩");
        assert_eq!(text(&json!({"*": ["*"]})), r#"{"*":["*"]}"#);
        assert_eq!((text(&json!(null)), text(&json!([]))), ("–".to_owned(), "–".to_owned()));
    }
}
