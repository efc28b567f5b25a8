//! `alter policy test`: a file of calls with what is expected of them.

use std::path::Path;

use serde_json::{Value, json};

use super::context::Context;
use crate::admin::AdminClient;
use crate::failure::{Exit, Failure, Outcome};
use crate::input::text_of_file;
use crate::output::{Column, member};

const COLUMNS: &[Column] = &[
    Column::new("CASE", |case| member(case, "name")),
    Column::new("EXPECTED", |case| member(case, "expected")),
    Column::new("DECISION", |case| member(case, "decision")),
    Column::new("RULES", |case| member(case, "rules")),
    Column::new("RESULT", |case| (if case["passed"] == true { "ok" } else { "FAILED" }).to_owned()),
];

/// Runs the cases of a file.
///
/// # Errors
/// `cases_invalid` for a file that is none; `cases_failed` if a call is judged in another way than expected.
pub async fn run(admin: &AdminClient, path: &str, file: &Path, context: &Context) -> Outcome {
    let invalid = |what: &str| {
        let failure = Failure::new(Exit::Usage, "cases_invalid", format!("{} {what}", file.display()));
        failure.help("it is an object with cases, each of which has call and expect: alter policy test --help")
    };
    let read: Value = serde_json::from_str(&text_of_file(file)?).map_err(|error| invalid("is not JSON").caused_by(error))?;
    let cases = read["cases"].as_array().filter(|cases| !cases.is_empty()).ok_or_else(|| invalid("has no cases"))?;
    let mut results = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().map_or_else(|| format!("{}", at + 1), str::to_owned);
        let expected = case["expect"].as_str().filter(|word| ["allow", "approval", "deny"].contains(word));
        let expected = expected.ok_or_else(|| invalid(&format!("has a case without expect: {name} needs allow, approval or deny")))?;
        let mut call = case["call"].clone();
        if !call.is_object() {
            return Err(invalid(&format!("has a case without a call: {name}")));
        }
        if read["policies"].is_object() {
            call["policies"] = read["policies"].clone();
        }
        results.push(judged(name, expected, case, &admin.post(&format!("{path}/explain"), &call).await?));
    }
    context.output.list(&results, COLUMNS, "");
    let failed = results.iter().filter(|result| result["passed"] != true).count();
    if failed == 0 {
        return Ok(());
    }
    let message = format!("{failed} of {} cases are judged in another way than expected", results.len());
    Err(Failure::new(Exit::Failed, "cases_failed", message).help("say why with the call's options: alter policy explain"))
}

fn judged(name: String, expected: &str, case: &Value, explained: &Value) -> Value {
    let rules: Vec<String> = explained["rules"].as_array().into_iter().flatten().map(|rule| member(rule, "policy")).collect();
    let named = case["policy"].as_str().is_none_or(|policy| rules.iter().any(|rule| rule == policy));
    let coded = case["code"].as_str().is_none_or(|code| explained["refusal"]["code"] == code);
    let passed = explained["decision"] == expected && named && coded;
    json!({ "name": name, "expected": expected, "decision": explained["decision"], "rules": rules, "refusal": explained["refusal"], "passed": passed })
}
