//! The audit trail: searching it, and what was found as a file.

use alter_core::encoding::percent_encode;
use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;

use super::ask::Admin;
use super::frame::{self, Frame};
use super::session::SignedIn;
use super::table::{Cell, Head, Table, text};

/// Rows on one page.
const PAGE: usize = 100;
/// Rows that are asked for at once for a file.
const AT_ONCE: usize = 1000;
/// Rows that one file has at most.
const MOST_EXPORTED: usize = 100_000;
/// The columns of the page.
const SHOWN: [(&str, &str); 8] = [
    ("At", "at"),
    ("Action", "action"),
    ("Outcome", "outcome"),
    ("Code", "code"),
    ("Who or what", "caller"),
    ("Provider", "provider_id"),
    ("Call", "url"),
    ("Why", "reason"),
];
/// The columns of a CSV file.
const EXPORTED: [&str; 19] = [
    "chain",
    "sequence",
    "at",
    "action",
    "outcome",
    "code",
    "detail",
    "key_id",
    "operator_id",
    "caller",
    "grant_id",
    "provider_id",
    "subject",
    "method",
    "url",
    "reason",
    "context",
    "report",
    "request_id",
];

/// What the form asks for; empty is any.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    text: String,
    app: String,
    action: String,
    outcome: String,
    grant: String,
    from: String,
    until: String,
    after: String,
    format: String,
}

impl Asked {
    /// The query, without the place of the page.
    fn query(&self) -> String {
        let given = [
            ("text", &self.text),
            ("app", &self.app),
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("grant", &self.grant),
            ("from", &self.from),
            ("until", &self.until),
        ];
        let pairs = given.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={}", percent_encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn search(&self, limit: usize, after: &str) -> String {
        let after = if after.is_empty() { String::new() } else { format!("&after={}", percent_encode(after)) };
        format!("/audit/search?limit={limit}&{}{after}", self.query())
    }
}

#[derive(Template)]
#[template(path = "console_audit.html")]
struct AuditPage<'a> {
    frame: Frame,
    title: &'a str,
    asked: &'a Asked,
    apps: Vec<String>,
    problem: Option<String>,
    table: Table,
    next: Option<String>,
    csv: String,
    lines: String,
}

/// `GET /console/audit`
pub async fn show(Extension(admin): Extension<Admin>, who: SignedIn, Query(asked): Query<Asked>) -> Response {
    let apps = match admin.get(&who, "/apps?limit=1000").await {
        Ok(apps) => apps,
        Err(refused) => return frame::refused(&who, &refused),
    };
    let names = apps["items"].as_array().into_iter().flatten().filter_map(|app| app["name"].as_str().map(str::to_owned));
    let apps = ["vault".to_owned()].into_iter().chain(names).collect();
    let (found, problem) = match admin.get(&who, &asked.search(PAGE, &asked.after)).await {
        Ok(found) => (found, None),
        Err(refused) => (Value::Null, Some(refused.message)),
    };
    let operators = match admin.get(&who, "/operators").await {
        Ok(operators) => operators,
        Err(refused) => return frame::refused(&who, &refused),
    };
    let rows = found["items"].as_array().into_iter().flatten().map(|found| row(found, &operators)).collect();
    let heads = SHOWN.iter().map(|(label, _)| Head { label, href: None, sorted: None }).collect();
    let query = asked.query();
    let page = AuditPage {
        frame: Frame::new(&who, "/console/audit", None),
        title: "Audit",
        asked: &asked,
        apps,
        problem,
        table: Table { heads, rows },
        next: found["next"].as_str().map(|next| format!("/console/audit?{query}&after={next}")),
        csv: format!("/console/audit/export?format=csv&{query}"),
        lines: format!("/console/audit/export?format=jsonl&{query}"),
    };
    frame::show(&who, &page)
}

fn row(found: &Value, operators: &Value) -> Vec<Cell> {
    let cells = SHOWN.iter().map(|(_, member)| match *member {
        "caller" => acting(found, operators),
        "url" if found["method"].is_string() => format!("{} {}", text(&found["method"]), text(&found["url"])),
        member => text(&found[member]),
    });
    cells.map(|text| Cell { text, href: None }).collect()
}

/// Who acted: an operator by name, the caller that named itself, or what it was about.
fn acting(found: &Value, operators: &Value) -> String {
    let operator = operators["items"].as_array().into_iter().flatten().find(|operator| operator["id"] == found["operator_id"]);
    if let Some(operator) = operator.filter(|_| found["operator_id"].is_string()) {
        return format!("operator {}", text(&operator["name"]));
    }
    let member = ["caller", "subject"].into_iter().find(|member| found[*member].is_string());
    member.map_or_else(|| text(&Value::Null), |member| text(&found[member]))
}

/// `GET /console/audit/export`: everything that the filter lets through, newest first, up to a hundred thousand rows.
pub async fn export(Extension(admin): Extension<Admin>, who: SignedIn, Query(asked): Query<Asked>) -> Response {
    let csv = asked.format != "jsonl";
    let mut out = if csv { format!("{}\r\n", EXPORTED.join(",")) } else { String::new() };
    let (mut after, mut count) = (asked.after.clone(), 0);
    while count < MOST_EXPORTED {
        let found = match admin.get(&who, &asked.search(AT_ONCE, &after)).await {
            Ok(found) => found,
            Err(refused) => return frame::refused(&who, &refused),
        };
        for row in found["items"].as_array().into_iter().flatten() {
            count += 1;
            if csv {
                let fields: Vec<String> = EXPORTED.iter().map(|member| field(&row[*member])).collect();
                out.push_str(&fields.join(","));
                out.push_str("\r\n");
            } else {
                out.push_str(&row.to_string());
                out.push('\n');
            }
        }
        match found["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    let (kind, name) = if csv { ("text/csv; charset=utf-8", "audit.csv") } else { ("application/x-ndjson", "audit.jsonl") };
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    who.answer((headers, out).into_response())
}

/// A field of a CSV file (RFC 4180). Text that a spreadsheet would take for a formula begins with an apostrophe.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let formula = value.is_string() && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_of_a_file_say_what_they_said() {
        assert_eq!(field(&json!("plain")), "plain");
        assert_eq!(field(&json!("a,\"b\"\n")), "\"a,\"\"b\"\"\n\"");
        assert_eq!(field(&json!("=HYPERLINK(1)")), "'=HYPERLINK(1)", "a spreadsheet computes nothing");
        assert_eq!(
            (field(&json!(null)), field(&json!(-5)), field(&json!({"a": 1}))),
            (String::new(), "-5".into(), "\"{\"\"a\"\":1}\"".into())
        );
    }

    #[test]
    fn a_search_is_an_address() {
        let asked = Asked { text: "a b&c".into(), outcome: "refused".into(), ..Asked::default() };
        assert_eq!(asked.search(10, "7"), "/audit/search?limit=10&text=a%20b%26c&outcome=refused&after=7");
    }
}
